//! Host: the points of the host agent: orders, starts, kills, deaths, taking stock, epochs, and its ledger.

use super::Provocation::{
    HostAgentAndReplicaDie, HostAgentDies, LeaderDies, ReplicaDies, ReplicaDiesAfterDeploy, ReplicaHangs,
    SealedUnheard,
};
use super::{Point, few, many};

pub(super) const POINTS: &[Point] = &[
    few("host.order.admitted", ReplicaDies),
    few("host.act.done", ReplicaDies),
    few("host.act.answered", ReplicaDies),
    few("host.act.filed", ReplicaDies),
    few("host.start.recorded", ReplicaDies),
    few("host.start.running", ReplicaDies),
    few("host.state.written", ReplicaDiesAfterDeploy),
    few("host.snapshot.taken", ReplicaHangs),
    few("host.snapshot.filed", ReplicaHangs),
    few("host.kill.recorded", ReplicaHangs),
    few("host.kill.signalled", ReplicaHangs),
    few("host.kill.proven", ReplicaHangs),
    few("host.death.seen", ReplicaDies),
    few("host.death.cleared", ReplicaDies),
    few("host.death.recorded", ReplicaDies),
    few("host.death.shown", ReplicaDies),
    few("host.obituary.created", ReplicaDies),
    few("host.obituary.registered", ReplicaDies),
    few("host.obituary.standing", ReplicaDies),
    few("host.presence.processes", ReplicaDies),
    few("host.epoch.learnt", LeaderDies),
    few("host.epoch.recorded", LeaderDies),
    few("host.seal.raised", SealedUnheard),
    few("host.seal.recorded", SealedUnheard),
    few("host.stock.begun", HostAgentDies),
    few("host.stock.buried", HostAgentAndReplicaDie),
    few("host.stock.taken", HostAgentDies),
    many("ledger.append.written", ReplicaDies),
    many("ledger.append.synced", ReplicaDies),
    few("ledger.replace.written", HostAgentDies),
    few("ledger.replace.renamed", HostAgentDies),
];
