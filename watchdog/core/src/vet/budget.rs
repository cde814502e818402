//! Budget: no more replicas are disturbed or healed at once, or healed within an hour, than policy allows.

use std::collections::BTreeSet;

use crate::condition::is_serving;
use crate::history::{Begun, OpenPlan};
use crate::ids::{ReplicaId, Time};
use crate::input::PlanInput;
use crate::plan::{Act, Agent, Plan, PlanStatus};
use crate::policy::Remedy;

use super::Objection;
use super::facts::{held_to, is_present, last_place, seen, serves, touched};

const HOUR_MS: u64 = 3_600_000;

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let touched = touched(plan);
    let mut objections = uncounted(plan, input);
    let serving: BTreeSet<&ReplicaId> = touched.iter().copied().filter(|it| serves(input, it)).collect();
    let max = input.policy.max_disturbed.of(input.replicas.len());
    let mut disturbed: BTreeSet<&ReplicaId> =
        already_disturbed(plan, input).union(&serving).copied().collect();
    if let Some(spared) = spared(plan, &serving, input) {
        disturbed.retain(|replica| serving.contains(replica) || !spared.contains(replica));
    }
    if !serving.is_empty() && disturbed.len() > max {
        let disturbed = disturbed.into_iter().cloned().collect();
        objections.push(Objection::TooManyDisturbed { disturbed, max });
    }
    let max = input.policy.heals_parallel as usize;
    let down = touched.len() - serving.len();
    let healing = down + open_heals_of_down(plan, input);
    if down > 0 && healing > max {
        objections.push(Objection::TooManyHeals { healing, max });
    }
    let is_moved =
        |it: &&ReplicaId| plan.heals.iter().any(|heal| heal.replica == **it && heal.remedy == Remedy::Roll);
    let healed = touched.into_iter().filter(|replica| !is_moved(replica));
    objections.extend(healed.filter_map(|replica| too_often(replica, plan, input)));
    objections
}

fn uncounted(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let counted = |replica: &ReplicaId| {
        let mut heals = plan.heals.iter().filter(|heal| heal.replica == *replica);
        let only = heals.next().filter(|_| heals.next().is_none());
        only.is_some_and(|heal| heal.disturbs == serves(input, replica) && heal.remedy != Remedy::Quarantine)
    };
    let uncounted = touched(plan).into_iter().filter(|replica| !counted(replica));
    uncounted.map(|replica| Objection::Uncounted { replica: replica.clone() }).collect()
}

/// Whom nobody can help, and who so may not keep `leaving` on a version that was given up: when every one of these
/// leaves such a version, and another serves meanwhile or all of them serve on.
fn spared<'a>(
    plan: &Plan,
    leaving: &BTreeSet<&ReplicaId>,
    input: &'a PlanInput,
) -> Option<BTreeSet<&'a ReplicaId>> {
    let leaves = |replica: &&ReplicaId| {
        let should = held_to(replica, input).state_hash;
        let mut alive = seen(input, replica).into_iter().flatten().filter(|(_, life)| life.is_alive());
        alive.any(|(_, life)| {
            let held = life.loaded().map(|it| it.state_hash).filter(|hash| *hash != should);
            held.is_some_and(|hash| input.history.abandoned.contains(&hash))
        })
    };
    // Only a load can be live; who is ended does not serve meanwhile.
    let ended = |replica: &ReplicaId| {
        plan.steps_of(replica).any(|step| matches!(step.act, Act::Drain { .. } | Act::Kill { .. }))
    };
    let is_live =
        |replica: &ReplicaId| matches!(input.replicas.get(replica), Some(Ok(spec)) if spec.live_load);
    let live = |replica: &ReplicaId| is_live(replica) && !ended(replica);
    let mut others = input.replicas.keys().filter(|other| serves(input, other));
    let another = others.any(|other| !leaving.contains(other) || live(other));
    let may = leaving.iter().all(leaves) && (another || leaving.iter().all(|replica| live(replica)));
    let lost = input.replicas.keys().filter(|replica| {
        let gone = || {
            last_place(input, replica).is_some_and(|host| !is_present(input, host)) && !serves(input, replica)
        };
        input.history.quarantined.contains_key(*replica) || gone()
    });
    may.then(|| lost.collect())
}

fn already_disturbed<'a>(plan: &'a Plan, input: &'a PlanInput) -> BTreeSet<&'a ReplicaId> {
    // What the goal that rolls declares anew, and was never seen well, was never among those who served.
    let added = |replica: &ReplicaId| {
        let adds = input.history.rollout.as_ref().is_some_and(|rollout| rollout.adds.contains(replica));
        adds && !input.history.witness.arrived.contains(replica)
    };
    let down = input.replicas.keys().filter(|replica| !serves(input, replica) && !added(replica));
    let mut disturbed: BTreeSet<&ReplicaId> = down.collect();
    for open in acting(plan, input) {
        let heals = open.plan.heals.iter().filter(|heal| heal.remedy != Remedy::Quarantine);
        disturbed.extend(heals.map(|heal| &heal.replica));
    }
    for intent in input.history.open_intents.values() {
        match &intent.agent {
            Agent::Host(_) => disturbed.extend(intent.replica.as_ref()),
            Agent::Replica(replica, _) => drop(disturbed.insert(replica)),
            Agent::Leader => {}
        }
    }
    let doubtful = input.history.unsettled.iter().filter(|replica| !is_well(replica, input));
    // What became of an order to one that is undeclared by now is nobody's to wait for.
    disturbed.extend(doubtful.filter(|replica| input.replicas.contains_key(*replica)));
    disturbed
}

/// Other plans that act; one that waits for a human touches nobody.
fn acting<'a>(plan: &'a Plan, input: &'a PlanInput) -> impl Iterator<Item = &'a OpenPlan> {
    let others = input.history.open_plans.values().filter(|open| open.plan.id != plan.id);
    others.filter(|open| open.status != PlanStatus::AwaitingApproval)
}

/// Whether a replica of which an order's fate is not known is seen to serve, on a host that is there, when the order is
/// too old to be carried out any more.
fn is_well(replica: &ReplicaId, input: &PlanInput) -> bool {
    let lease_ms = input.policy.lease_ms + input.policy.lease_margin_ms;
    let fresh = |at: Time| input.now.since_ms(at) < lease_ms;
    let ends = input.history.heals.get(replica).into_iter().flatten().filter_map(|heal| heal.ended_at);
    // Nobody's clock but our own says how old an order is.
    if ends.chain([input.observation.watched_since]).any(fresh) {
        return false;
    }
    let alive: Vec<_> =
        seen(input, replica).into_iter().flatten().filter(|(_, life)| life.is_alive()).collect();
    let [(_, life)] = alive[..] else { return false };
    is_serving(life) && !life.is_mute && is_present(input, &life.host)
}

fn open_heals_of_down(plan: &Plan, input: &PlanInput) -> usize {
    let heals = acting(plan, input).flat_map(|open| &open.plan.heals);
    heals.filter(|heal| !heal.disturbs && heal.remedy != Remedy::Quarantine).count()
}

fn too_often(replica: &ReplicaId, plan: &Plan, input: &PlanInput) -> Option<Objection> {
    // How often it was healed while it was declared does not keep it from being ended, nor the other way round.
    let stops = plan.heals.iter().any(|heal| heal.replica == *replica && heal.remedy == Remedy::Stop);
    let mut heals = 0;
    for heal in input.history.heals.get(replica).into_iter().flatten() {
        match heal.remedy {
            // Whoever released it allowed as many again.
            Remedy::Quarantine => heals = 0,
            _ if input.history.was_released_since(replica, heal.at) => {}
            // One that waits for a human is looked at again, and is not one more than itself.
            _ if heal.plan == plan.id => {}
            // Who is moved by a goal is not ill, and what was never begun did nothing to it.
            Remedy::Roll => {}
            remedy if (remedy == Remedy::Stop) != stops => {}
            _ if heal.begun == Begun::Never => {}
            _ if input.now.since_ms(heal.at) < HOUR_MS => heals += 1,
            _ => {}
        }
    }
    let max = input.policy.heals_per_hour;
    (heals >= max as usize).then(|| Objection::TooOften { replica: replica.clone(), heals, max })
}
