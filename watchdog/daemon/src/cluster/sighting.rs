//! Sighting: one record of the group, in the words of the core.

use std::collections::BTreeMap;

use watchdog_core::ids::{HostId, Incarnation, ReplicaId, Time};
use watchdog_core::observation::{
    Health, HostSeen, Life, Loaded, MemberSeen, Obituary, Observation, Presence, Probed, ProcessSeen,
    ReplicaSeen,
};
use watchdog_membership::picture::Picture;
use watchdog_membership::records::{
    self, HostRecord, MemberRecord, ObituaryRecord, Phase, ProbeState, ProcessRecord,
};
use watchdog_proto::agent::{LookReply, ProcessReport};

/// A replica, from all that stands in the group about it.
pub(crate) fn replica(
    picture: &Picture,
    id: &ReplicaId,
    (before, rounds): (Option<&ReplicaSeen>, &BTreeMap<Incarnation, u64>),
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
        setup: None,
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

/// An obituary that an agent brought itself; `None` when it is not one of ours.
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
