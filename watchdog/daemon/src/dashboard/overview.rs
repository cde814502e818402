//! Overview: every cluster of this watchdog in one line.

use serde::Serialize;
use watchdog_core::ids::Time;
use watchdog_proto::admin as wire;

use crate::admin::views;
use crate::cluster::world::{Role, World};

/// One cluster's line.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Line {
    cluster: String,
    leads: bool,
    leader: Option<wire::LeaderView>,
    head: u64,
    stable: Option<u64>,
    /// How many replicas there are.
    replicas: usize,
    /// How many of them are not as they should be.
    unwell: usize,
    paused: Option<wire::PauseView>,
    plan: Option<String>,
    goal: Option<String>,
    blind: Option<String>,
}

/// The line of one world.
pub(super) fn line(world: &World, now: Time) -> Line {
    let status = views::status(world, now);
    Line {
        leads: world.role != Role::Follower,
        replicas: status.replicas.len(),
        unwell: status.replicas.iter().filter(|row| !is_well(row)).count(),
        cluster: status.cluster,
        leader: status.leader,
        head: status.head,
        stable: status.stable,
        paused: status.paused,
        plan: status.plan,
        goal: status.goal,
        blind: status.blind,
    }
}

/// Healthy, and on what it should hold.
fn is_well(row: &wire::ReplicaView) -> bool {
    row.state == "healthy" && row.version == row.expected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_is_healthy_on_the_right_version() {
        let table = [
            ("healthy", Some(7), Some(7), true),
            ("healthy", Some(6), Some(7), false),
            ("exited", Some(7), Some(7), false),
        ];
        for (state, version, expected, well) in table {
            let row = wire::ReplicaView { state: state.into(), version, expected, ..Default::default() };
            assert_eq!(is_well(&row), well, "{state} {version:?}");
        }
    }
}
