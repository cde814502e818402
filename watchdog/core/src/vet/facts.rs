//! Facts: what the invariants ask of a plan and of what is seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::condition::is_serving;
use crate::ids::{HostId, Incarnation, ReplicaId, Time};
use crate::input::{PlanInput, Target};
use crate::observation::Life;
use crate::plan::{Act, Plan, PlanStatus, Step};
use crate::policy::Remedy;

/// Whether a step changes something at a replica.
pub(super) fn touches(step: &Step) -> bool {
    match step.act {
        Act::Drain { .. } | Act::Kill { .. } | Act::Start { .. } | Act::Load { .. } => true,
        Act::Snapshot { .. }
        | Act::Probe { .. }
        | Act::MarkStable { .. }
        | Act::Reject { .. }
        | Act::Notify { .. } => false,
    }
}

/// The replicas at which the plan changes something.
pub(super) fn touched(plan: &Plan) -> BTreeSet<&ReplicaId> {
    plan.steps.iter().filter(|step| touches(step)).filter_map(|step| step.replica.as_ref()).collect()
}

/// The lives of a replica that are seen.
pub(super) fn seen<'a>(input: &'a PlanInput, replica: &ReplicaId) -> Option<&'a BTreeMap<Incarnation, Life>> {
    input.observation.replicas.get(replica).map(|seen| &seen.lives)
}

/// One life, if it is seen.
pub(super) fn life<'a>(input: &'a PlanInput, replica: &ReplicaId, it: Incarnation) -> Option<&'a Life> {
    seen(input, replica)?.get(&it)
}

/// Where each life of a replica that is seen or on record was.
pub(super) fn places<'a>(input: &'a PlanInput, replica: &ReplicaId) -> BTreeMap<Incarnation, &'a HostId> {
    let mut places = BTreeMap::new();
    for past in input.history.lives.get(replica).into_iter().flatten() {
        places.insert(past.incarnation, &past.host);
    }
    for (incarnation, life) in seen(input, replica).into_iter().flatten() {
        places.insert(*incarnation, &life.host);
    }
    places
}

/// Where a replica runs, or ran last by the order of the record: leaders whose clocks differ name incarnations, and so
/// the newest name need not be the newest life.
pub(super) fn last_place<'a>(input: &'a PlanInput, replica: &ReplicaId) -> Option<&'a HostId> {
    let seen = || seen(input, replica).into_iter().flatten();
    let ordered = |incarnation: &Incarnation| input.history.unproven.number(replica, *incarnation);
    let running =
        seen().filter(|(_, life)| life.is_alive()).max_by_key(|(incarnation, _)| ordered(incarnation));
    let recorded = input.history.lives.get(replica).and_then(|lives| lives.back());
    let of_seen = |(_, life): (_, &'a Life)| &life.host;
    running.map(of_seen).or(recorded.map(|past| &past.host)).or_else(|| seen().next_back().map(of_seen))
}

/// Whether a life of the replica takes work, as far as is seen, and is not recorded as dead.
pub(super) fn serves(input: &PlanInput, replica: &ReplicaId) -> bool {
    let recorded = input.history.lives.get(replica).into_iter().flatten();
    let dead: BTreeSet<Incarnation> =
        recorded.filter(|life| life.obituary.is_some()).map(|life| life.incarnation).collect();
    let mut seen = seen(input, replica).into_iter().flatten();
    seen.any(|(incarnation, life)| is_serving(life) && !dead.contains(incarnation))
}

/// Since when a life is seen as it is, no heal of it ended since; measured by nobody's clock but our own.
pub(super) fn unchanged_since(life: &Life, replica: &ReplicaId, input: &PlanInput) -> Time {
    let by_itself = life.member.as_ref().map(|member| member.since);
    let by_host = life.process.as_ref().map(|process| process.since);
    let heals = input.history.heals.get(replica).into_iter().flatten();
    let by_us = heals.filter_map(|heal| heal.ended_at).max();
    let latest = by_itself.max(by_host).max(by_us).max(Some(life.steady_since));
    latest.unwrap_or_default().min(input.now)
}

/// Whether a plan is at work on the replica, so that what is seen of it may be over already.
pub(super) fn is_worked_on(replica: &ReplicaId, input: &PlanInput) -> bool {
    let running = input.history.open_plans.values().filter(|open| open.status == PlanStatus::Running);
    running.flat_map(|open| &open.plan.heals).any(|heal| heal.replica == *replica)
}

/// Whether the agent of a host is there.
pub(super) fn is_present(input: &PlanInput, host: &HostId) -> bool {
    input.observation.hosts.get(host).is_some_and(crate::observation::HostSeen::is_present)
}

/// What a replica should hold now: the candidate when it was ordered there and is not tried elsewhere, else the stable version.
pub(super) fn held_to(replica: &ReplicaId, input: &PlanInput) -> Target {
    let rollout = input.history.rollout.as_ref();
    let moved = |rollout: &&crate::rollout::Rollout| {
        rollout.moved.contains_key(replica) && !rollout.trials.contains_key(replica)
    };
    rollout.filter(moved).map_or(input.target, |rollout| candidate(rollout, input))
}

/// What it should hold once the plan is carried out.
pub(super) fn led_to(replica: &ReplicaId, plan: &Plan, input: &PlanInput) -> Target {
    let heal = plan.heals.iter().find(|heal| heal.replica == *replica);
    match (heal.map(|heal| heal.remedy), &input.history.rollout) {
        (Some(Remedy::Roll), Some(rollout)) => candidate(rollout, input),
        (Some(Remedy::Trial), _) => input.target,
        _ => held_to(replica, input),
    }
}

fn candidate(rollout: &crate::rollout::Rollout, input: &PlanInput) -> Target {
    Target { version: rollout.to, state_hash: rollout.state_hash, ..input.target }
}
