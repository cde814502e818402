//! Replica: the points of the embedded agent, at which the application dies with it.

use super::Provocation::{Deploy, LeaderDiesLoading, ReplicaDies, RollingRestart};
use super::{Point, few};

pub(super) const POINTS: &[Point] = &[
    few("replica.start.loaded", ReplicaDies),
    few("replica.group.joining", ReplicaDies),
    few("replica.group.joined", ReplicaDies),
    few("replica.leave.drained", RollingRestart),
    few("replica.step.begun", Deploy),
    few("replica.load.prepared", Deploy),
    few("replica.load.committed", Deploy),
    few("replica.step.ended", Deploy),
    few("replica.seal.passed", LeaderDiesLoading),
];
