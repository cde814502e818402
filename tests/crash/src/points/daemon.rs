//! Daemon: the points of the watchdog: election, term, check, record, orders, seals, goals, and the journal under it.

use super::Provocation::{
    Deploy, DeployBad, Edit, Hopeless, LeaderDies, LeaderDiesStarting, ReplicaDies, ReplicaHangs, Resign,
    RollingRestart, Withdraw,
};
use super::{Point, few, many};

pub(super) const POINTS: &[Point] = &[
    few("daemon.contender.entered", LeaderDies),
    few("daemon.election.won", LeaderDies),
    few("daemon.epoch.minted", LeaderDies),
    few("daemon.term.opened", LeaderDies),
    few("daemon.reign.ended", Resign),
    many("daemon.group.observed", ReplicaDies),
    many("daemon.term.confirmed", ReplicaDies),
    many("daemon.check.judged", ReplicaDies),
    few("daemon.conviction.committed", ReplicaDies),
    few("daemon.death.committed", ReplicaDies),
    few("daemon.plan.committed", ReplicaDies),
    few("daemon.order.composed", ReplicaDies),
    few("daemon.answer.received", ReplicaDies),
    few("daemon.result.committed", ReplicaDies),
    few("daemon.seal.sending", LeaderDiesStarting),
    few("daemon.seal.answered", LeaderDiesStarting),
    few("daemon.seal.committed", LeaderDiesStarting),
    few("daemon.goal.declared", Deploy),
    few("daemon.goal.appended", Deploy),
    few("daemon.goal.withdrawn", Withdraw),
    few("daemon.undo.appended", DeployBad),
    few("daemon.operator.appended", Edit),
    few("daemon.operator.written", Edit),
    few("journal.append.ready", Edit),
    few("journal.append.committed", Edit),
    many("journal.write.claimed", ReplicaDies),
    many("journal.write.inserted", ReplicaDies),
    many("journal.write.committed", ReplicaDies),
    few("journal.term.added", LeaderDies),
    few("journal.term.committed", LeaderDies),
];

/// The kinds of steps, each just written and not sent.
pub(super) const STEPS: &[Point] = &[
    few("daemon.step.snapshot", ReplicaHangs),
    few("daemon.step.drain", RollingRestart),
    few("daemon.step.kill", ReplicaHangs),
    few("daemon.step.start", ReplicaDies),
    few("daemon.step.probe", ReplicaDies),
    few("daemon.step.load", Deploy),
    few("daemon.step.mark_stable", Deploy),
    few("daemon.step.reject", DeployBad),
    few("daemon.step.notify", Hopeless),
];
