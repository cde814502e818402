//! Sighting: one record of the group, in the words of the core.

use std::collections::BTreeMap;

use watchdog_core::history::History;
use watchdog_core::ids::{HostId, Incarnation, ReplicaId, Time};
use watchdog_core::observation::{
    Health, HostSeen, Life, Loaded, MemberSeen, Obituary, Observation, Presence, Probed, ProcessSeen,
    ReplicaSeen,
};
use watchdog_core::plan::Agent;
use watchdog_membership::picture::Picture;
use watchdog_membership::records::{
    self, HostRecord, MemberRecord, ObituaryRecord, Phase, ProbeState, ProcessRecord,
};
use watchdog_proto::agent::{LookReply, ProcessReport};

/// A replica, from all that stands in the group about it.
pub(crate) fn replica(
    picture: &Picture,
    id: &ReplicaId,
    (before, rounds, past): (Option<&ReplicaSeen>, &BTreeMap<Incarnation, u64>, &History),
    now: Time,
) -> ReplicaSeen {
    let mut lives: BTreeMap<Incarnation, Life> = BTreeMap::new();
    for (incarnation, stamped) in picture.processes.get(id).into_iter().flatten() {
        let round = rounds.get(incarnation).copied().unwrap_or_default();
        life(&mut lives, *incarnation, &stamped.record.host).process = Some(process(&stamped.record, round));
    }
    for (incarnation, stamped) in picture.members.get(id).into_iter().flatten() {
        life(&mut lives, *incarnation, &stamped.record.host).member = Some(member(&stamped.record));
    }
    for (incarnation, stamped) in
        picture.obituaries.iter().filter(|(_, stamped)| stamped.record.replica == *id)
    {
        if is_forged(picture, past, &stamped.record) {
            continue;
        }
        life(&mut lives, *incarnation, &stamped.record.host).obituary = Some(obituary(&stamped.record));
    }
    let mut seen = ReplicaSeen { look: picture.looked(id), lives, ..ReplicaSeen::default() };
    seen.carry_over(before, now);
    seen
}

fn life<'a>(lives: &'a mut BTreeMap<Incarnation, Life>, id: Incarnation, host: &HostId) -> &'a mut Life {
    lives.entry(id).or_insert_with(|| Life::on(host.clone()))
}

/// A host agent that is there.
pub(crate) fn host(record: &HostRecord) -> HostSeen {
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

fn process(record: &ProcessRecord, round: u64) -> ProcessSeen {
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
        round,
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

/// Whether an obituary that stands in the group can't be the word of the host that the life was on.
pub(crate) fn is_forged(picture: &Picture, past: &History, record: &ObituaryRecord) -> bool {
    let ordered = past.lives.get(&record.replica).into_iter().flatten();
    let mut ordered = ordered.filter(|life| life.incarnation == record.incarnation).map(|life| &life.host);
    let process = picture.processes.get(&record.replica).and_then(|all| all.get(&record.incarnation));
    let member = picture.members.get(&record.replica).and_then(|all| all.get(&record.incarnation));
    let seen = process.map(|process| &process.record.host).or(member.map(|member| &member.record.host));
    // Of a life that nobody ordered or saw there is nothing to say against it, and nothing that it could do.
    ordered.next().or(seen).is_some_and(|host| *host != record.host)
}

/// An obituary that an agent brought itself; `None` when it is not one of ours, or not that agent's to bring.
///
/// A host's agent knows the lives on its host, an embedded agent its own, and whoever stands for it its replica's.
pub(crate) fn brought(
    obituary: &watchdog_proto::agent::Obituary,
    by: &Agent,
    past: &History,
) -> Option<Obituary> {
    let obituary = read(obituary)?;
    let ordered = past.lives.get(&obituary.replica).into_iter().flatten();
    let mut ordered = ordered.filter(|life| life.incarnation == obituary.incarnation);
    let ordered = ordered.next().map(|life| &life.host);
    let may = match by {
        Agent::Host(host) => obituary.host == *host,
        Agent::Replica(replica, incarnation) => {
            (&obituary.replica, obituary.incarnation) == (replica, *incarnation)
        }
        Agent::Leader => false,
    };
    if may && ordered.is_none_or(|host| *host == obituary.host) {
        return Some(obituary);
    }
    tracing::warn!(
        agent = %by, replica = %obituary.replica, incarnation = %obituary.incarnation,
        "an agent brought an obituary that is not its to bring; it is not believed"
    );
    None
}

fn read(obituary: &watchdog_proto::agent::Obituary) -> Option<Obituary> {
    Some(Obituary {
        replica: obituary.replica.parse().ok()?,
        incarnation: obituary.incarnation.parse().ok()?,
        host: obituary.host.parse().ok()?,
        status: obituary.status.clone(),
        tree_gone: obituary.tree_gone,
        at: Time(obituary.at_ms),
    })
}

/// Takes in what a host agent just saw, which is newer than what it has published.
pub(crate) fn correct(observation: &mut Observation, reply: &LookReply) {
    let now = observation.at;
    for report in &reply.processes {
        let Some(life) = known(observation, report) else { continue };
        let Some(process) = life.process.as_mut() else { continue };
        process.round = report.probe_round.max(process.round);
        process.detail.clone_from(&report.probe_detail);
        let probe = match report.probe.as_str() {
            "passing" => Probed::Passing,
            "failing" => Probed::Failing,
            // A word of a newer agent says nothing to us.
            _ => process.probe,
        };
        if probe != process.probe {
            (process.probe, process.since, life.steady_since) = (probe, now, now);
        }
    }
}

fn known<'a>(observation: &'a mut Observation, report: &ProcessReport) -> Option<&'a mut Life> {
    let replica: ReplicaId = report.replica.parse().ok()?;
    let incarnation: Incarnation = report.incarnation.parse().ok()?;
    observation.replicas.get_mut(&replica)?.lives.get_mut(&incarnation)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use std::collections::VecDeque;

    use watchdog_core::history::PastLife;
    use watchdog_core::ids::Version;
    use watchdog_core::state::Hash;
    use watchdog_membership::picture::Stamped;
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

    fn said(replica: &str, incarnation: Incarnation, host: &str) -> watchdog_proto::agent::Obituary {
        watchdog_proto::agent::Obituary {
            replica: replica.to_owned(),
            incarnation: incarnation.to_string(),
            host: host.to_owned(),
            status: "exit 1".to_owned(),
            tree_gone: true,
            at_ms: 5,
        }
    }

    #[test]
    fn an_obituary_is_believed_only_of_whoever_can_know() {
        let host = |name: &str| Agent::Host(name.parse().unwrap());
        let own = |replica: &str, life| Agent::Replica(replica.parse().unwrap(), life);
        let other = Incarnation::from_u128(8);
        let table = [
            // by | of whom | which life | on which host | ordered on | believed
            (host("h1"), "demo-a", life(), "h1", Some("h1"), true),
            (host("h1"), "demo-a", life(), "h1", None, true),
            (host("h2"), "demo-a", life(), "h1", Some("h1"), false),
            (host("h2"), "demo-a", life(), "h2", Some("h1"), false),
            (host("h2"), "demo-a", other, "h2", Some("h1"), true),
            (own("demo-a", life()), "demo-a", life(), "h1", Some("h1"), true),
            (own("demo-a", life()), "demo-a", life(), "h2", Some("h1"), false),
            (own("demo-a", other), "demo-a", life(), "h1", Some("h1"), false),
            (own("demo-b", life()), "demo-a", life(), "h1", Some("h1"), false),
            (Agent::Leader, "demo-a", life(), "h1", Some("h1"), false),
        ];
        for (by, replica, life, on, ordered, believed) in table {
            let found = brought(&said(replica, life, on), &by, &past(ordered));
            assert_eq!(found.is_some(), believed, "{by} of {replica} on {on}, ordered on {ordered:?}");
        }
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
            let (past, rounds) = (past(ordered), BTreeMap::new());
            let seen = replica(&picture, &id, (None, &rounds, &past), Time(9));
            let dead = seen.lives.get(&life()).is_some_and(|life| life.obituary.is_some());
            assert_eq!(dead, believed, "seen {is_seen}, ordered on {ordered:?}, told by {by}");
            assert_eq!(is_forged(&picture, &past, &record(by)), !believed);
        }
    }
}
