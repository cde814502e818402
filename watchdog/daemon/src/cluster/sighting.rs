//! Sighting: one record of the group, in the words of the core.

use std::cell::OnceCell;
use std::collections::BTreeMap;

use watchdog_core::history::History;
use watchdog_core::ids::{HostId, Incarnation, ReplicaId, Time};
use watchdog_core::observation::{
    Health, HostSeen, Life, Loaded, MemberSeen, Obituary, Presence, Probed, ProcessSeen,
};
use watchdog_core::plan::Agent;
use watchdog_leader::glance::Group;
use watchdog_leader::obituaries::{is_forged, may_bring};
use watchdog_leader::report::Report;
use watchdog_leader::rounds::Reported;
use watchdog_membership::picture::{Picture, Stamped};
use watchdog_membership::records::{
    self, HostRecord, MemberRecord, ObituaryRecord, Phase, ProbeState, ProcessRecord,
};
use watchdog_proto::agent::ProcessReport;

/// What stands in the tree, as the leader reads it.
pub(crate) struct Standing<'a> {
    picture: &'a Picture,
    /// The obituaries, by replica: sorted once a look at most, and only when something moved.
    dead: OnceCell<BTreeMap<&'a ReplicaId, Vec<&'a ObituaryRecord>>>,
}

impl<'a> Standing<'a> {
    /// Of one picture.
    pub(crate) fn of(picture: &'a Picture) -> Self {
        Self { picture, dead: OnceCell::new() }
    }

    /// The obituaries that are not of the host that their life was on.
    pub(crate) fn forged(&self, past: &History) -> Vec<Obituary> {
        let lives = self.dead().keys().flat_map(|replica| self.lives(replica).into_values());
        lives.filter(|life| is_forged(life, past)).filter_map(|life| life.obituary).collect()
    }

    fn dead(&self) -> &BTreeMap<&'a ReplicaId, Vec<&'a ObituaryRecord>> {
        self.dead.get_or_init(|| {
            let mut dead: BTreeMap<&ReplicaId, Vec<&ObituaryRecord>> = BTreeMap::new();
            for Stamped { record, .. } in self.picture.obituaries.values() {
                dead.entry(&record.replica).or_default().push(record);
            }
            dead
        })
    }
}

impl Group for Standing<'_> {
    fn hosts(&self) -> Vec<(HostId, HostSeen)> {
        let hosts = self.picture.hosts.iter();
        hosts.map(|(name, stamped)| (name.clone(), host(&stamped.record))).collect()
    }

    fn replicas(&self) -> Vec<ReplicaId> {
        self.picture.members.keys().chain(self.picture.processes.keys()).cloned().collect()
    }

    fn reading(&self, replica: &ReplicaId) -> u64 {
        self.picture.looked(replica)
    }

    fn lives(&self, replica: &ReplicaId) -> BTreeMap<Incarnation, Life> {
        let mut lives: BTreeMap<Incarnation, Life> = BTreeMap::new();
        for (incarnation, Stamped { record, .. }) in self.picture.processes.get(replica).into_iter().flatten()
        {
            life(&mut lives, *incarnation, &record.host).process = Some(process(record));
        }
        for (incarnation, Stamped { record, .. }) in self.picture.members.get(replica).into_iter().flatten() {
            life(&mut lives, *incarnation, &record.host).member = Some(member(record));
        }
        for record in self.dead().get(replica).into_iter().flatten() {
            life(&mut lives, record.incarnation, &record.host).obituary = Some(obituary(record));
        }
        lives
    }
}

fn life<'a>(lives: &'a mut BTreeMap<Incarnation, Life>, id: Incarnation, host: &HostId) -> &'a mut Life {
    lives.entry(id).or_insert_with(|| Life::on(host.clone()))
}

/// A host agent that is there.
fn host(record: &HostRecord) -> HostSeen {
    HostSeen {
        presence: Presence::Present,
        instance: record.instance.clone(),
        address: record.address.clone(),
        pid: record.pid,
        boot_id: record.boot_id.clone(),
        inventory_complete: record.inventory_complete,
        session: record.session.clone(),
    }
}

fn process(record: &ProcessRecord) -> ProcessSeen {
    let loaded = record.loaded.as_ref();
    ProcessSeen {
        pid: record.pid,
        stopping: record.phase == Phase::Stopping,
        probe: match record.probe {
            ProbeState::None => Probed::Unknown,
            ProbeState::Passing => Probed::Passing,
            ProbeState::Failing => Probed::Failing,
        },
        detail: record.detail.clone(),
        // Its host's agent tells when it is asked.
        round: 0,
        // Measured by our own clock as soon as it is compared with what was seen before.
        since: Time::default(),
        stamp: Time(record.since_ms),
        loaded: loaded.map(|loaded| Loaded { version: loaded.version, state_hash: loaded.state_hash }),
        setup: record.started_with,
    }
}

fn member(record: &MemberRecord) -> MemberSeen {
    MemberSeen {
        pid: record.pid,
        address: record.address.clone(),
        service: record.service.clone(),
        loaded: Loaded { version: record.version, state_hash: record.state_hash },
        health: match record.health {
            records::Health::Starting => Health::Starting,
            records::Health::Ready => Health::Ready,
            records::Health::Loading => Health::Loading,
            records::Health::Draining => Health::Draining,
            records::Health::Unhealthy => Health::Unhealthy,
        },
        detail: record.detail.clone(),
        epoch: record.epoch,
        since: Time::default(),
        stamp: Time(record.since_ms),
    }
}

/// A proof of death.
pub(crate) fn obituary(record: &ObituaryRecord) -> Obituary {
    Obituary {
        replica: record.replica.clone(),
        incarnation: record.incarnation,
        host: record.host.clone(),
        status: record.status.clone(),
        tree_gone: record.tree_gone,
        at: Time(record.at_ms),
    }
}

/// Warns of an obituary that an agent brought and that the leader does not believe.
pub(crate) fn warn_of_unbelieved(agent: &Agent, report: &Report, past: &History) {
    if let Some(told) = report.obituary.as_ref().filter(|told| !may_bring(agent, told, past)) {
        tracing::warn!(
            %agent, replica = %told.replica, incarnation = %told.incarnation,
            "an agent brought an obituary that is not its to bring; it is not believed"
        );
    }
}

/// An obituary that an agent brought itself, as far as it can be read; whether it is believed the leader says.
pub(crate) fn brought(obituary: &watchdog_proto::agent::Obituary) -> Option<Obituary> {
    Some(Obituary {
        replica: obituary.replica.parse().ok()?,
        incarnation: obituary.incarnation.parse().ok()?,
        host: obituary.host.parse().ok()?,
        status: obituary.status.clone(),
        tree_gone: obituary.tree_gone,
        at: Time(obituary.at_ms),
    })
}

/// What a host agent says of a process when it is asked; `None` when it does not say of which.
pub(crate) fn reported(report: &ProcessReport) -> Option<Reported> {
    Some(Reported {
        replica: report.replica.parse().ok()?,
        incarnation: report.incarnation.parse().ok()?,
        round: report.probe_round,
        probe: match report.probe.as_str() {
            "passing" => Some(Probed::Passing),
            "failing" => Some(Probed::Failing),
            // A word of a newer agent says nothing to us.
            _ => None,
        },
        detail: report.probe_detail.clone(),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::collections::VecDeque;

    use watchdog_core::history::PastLife;
    use watchdog_core::ids::Version;
    use watchdog_core::observation::Observation;
    use watchdog_core::state::Hash;
    use watchdog_leader::glance::{Eyes, Glance};
    use watchdog_leader::log_view::LogView;
    use watchdog_membership::records::FORMAT;

    use super::*;

    fn life() -> Incarnation {
        Incarnation::from_u128(7)
    }

    fn past(host: Option<&str>) -> History {
        let life = |host: &str| {
            let host = host.parse().unwrap();
            VecDeque::from([PastLife {
                incarnation: life(),
                host,
                at: Time(1),
                obituary: None,
                buried_at: None,
            }])
        };
        let lives = host.map(|host| ("demo-a".parse().unwrap(), life(host)));
        History { lives: lives.into_iter().collect(), ..History::default() }
    }

    fn stamped<T>(record: T) -> Stamped<T> {
        Stamped { record, created: 1, modified: 1, owner: None }
    }

    #[test]
    fn one_in_the_group_must_come_from_the_host_of_the_life() {
        let id: ReplicaId = "demo-a".parse().unwrap();
        let record = |host: &str| ObituaryRecord {
            format: FORMAT,
            replica: id.clone(),
            incarnation: life(),
            host: host.parse().unwrap(),
            status: "exit 1".to_owned(),
            tree_gone: true,
            at_ms: 5,
        };
        let process = ProcessRecord {
            format: FORMAT,
            replica: id.clone(),
            incarnation: life(),
            host: "h1".parse().unwrap(),
            pid: 1,
            start_ticks: 1,
            boot_id: String::new(),
            phase: Phase::Running,
            probe: ProbeState::Passing,
            detail: String::new(),
            since_ms: 1,
            loaded: Some(records::LoadedRecord { version: Version(1), state_hash: Hash::default() }),
            started_with: None,
        };
        let table = [
            // seen on | ordered on | told by | believed
            (true, Some("h1"), "h1", true),
            (true, None, "h1", true),
            (true, Some("h1"), "h2", false),
            (true, None, "h2", false),
            (false, Some("h1"), "h2", false),
            (false, Some("h1"), "h1", true),
            (false, None, "h2", true),
        ];
        for (is_seen, ordered, by, believed) in table {
            let mut picture = Picture::default();
            picture.obituaries.insert(life(), stamped(record(by)));
            if is_seen {
                let process = stamped(process.clone());
                picture.processes.entry(id.clone()).or_default().insert(life(), process);
            }
            let past = past(ordered);
            let (mut observation, mut eyes) = (Observation::unseen(Time(9)), Eyes::default());
            let glance = Glance { moved: [id.clone()].into(), ..Glance::default() };
            let log = LogView::empty();
            eyes.take_in(&mut observation, (&past, &log), (&glance, &Standing::of(&picture)));
            let seen = observation.replicas.get(&id);
            let dead = seen.and_then(|seen| seen.lives.get(&life())).is_some_and(|it| it.obituary.is_some());
            assert_eq!(dead, believed, "seen {is_seen}, ordered on {ordered:?}, told by {by}");
            assert_eq!(Standing::of(&picture).forged(&past).is_empty(), believed);
        }
    }
}
