//! Host gone: the agent of a host is away, and no session of a replica there lives either.

use std::collections::BTreeSet;

use crate::finding::{Evidence, FaultKind, Finding, Proof, Source, Subject};
use crate::ids::HostId;
use crate::observation::{HostSeen, Presence};
use crate::scene::Scene;

/// Findings on hosts that may run a declared replica; one that nobody needs any more may go.
pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let hosts = &scene.observation.hosts;
    if hosts.values().all(HostSeen::is_present) {
        return Vec::new();
    }
    let (needed, inhabited) = (needed(scene), inhabited(scene));
    let gone = hosts.iter().filter_map(|(host, seen)| match seen.presence {
        Presence::Present => None,
        Presence::Gone { since } => Some((host, since)),
    });
    gone.filter(|(host, _)| needed.contains(host) && !inhabited.contains(host))
        .map(|(host, since)| Finding {
            kind: FaultKind::HostGone,
            subject: Subject::Host(host.clone()),
            incarnation: None,
            detail: format!(
                "its agent has been away for {} ms, and no replica there is in the group",
                scene.observation.at.since_ms(since)
            ),
            evidence: Evidence {
                source: Source::Group,
                proof: Proof::Silence,
                at: scene.observation.at,
                // The group is watched as a whole, so that each clear check is a new look at what it lacks.
                look: scene.observation.at.0,
            },
        })
        .collect()
}

fn needed<'a>(scene: &Scene<'a>) -> BTreeSet<&'a HostId> {
    scene.replicas.values().flatten().flat_map(|spec| &spec.hosts).collect()
}

fn inhabited<'a>(scene: &Scene<'a>) -> BTreeSet<&'a HostId> {
    let lives = scene.observation.replicas.values().flat_map(|seen| seen.lives.values());
    lives.filter(|life| life.is_alive() && life.member.is_some()).map(|life| &life.host).collect()
}
