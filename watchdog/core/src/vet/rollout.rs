//! Rollout: a candidate goes to the canary first, further only when all who hold it are well, and never from a held goal.

use std::collections::BTreeSet;

use crate::condition::is_healthy_on;
use crate::goal::Canary;
use crate::ids::{ReplicaId, Time};
use crate::input::PlanInput;
use crate::plan::Plan;
use crate::policy::Remedy;
use crate::rollout::Rollout;

use super::Objection;
use super::facts::seen;

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let heals = plan.heals.iter().filter(|heal| heal.remedy == Remedy::Roll);
    let rolled: BTreeSet<&ReplicaId> = heals.map(|heal| &heal.replica).collect();
    if rolled.is_empty() {
        return Vec::new();
    }
    let all = |why: &'static str| {
        rolled.iter().map(move |replica| Objection::NotItsTurn { replica: (*replica).clone(), why }).collect()
    };
    let Some(rollout) = &input.history.rollout else { return all("no goal rolls") };
    if rollout.trials.values().any(|trial| trial.failed.is_some()) {
        return all("the goal is held");
    }
    if input.target.stable.is_none() {
        return all("nothing is stable to come from");
    }
    let before: Vec<&ReplicaId> =
        rollout.moved.keys().filter(|it| !rollout.trials.contains_key(*it)).collect();
    let well = before.iter().all(|replica| well_since(replica, rollout, input).is_some());
    if !well {
        return all("another that was moved is not well");
    }
    let beyond: Vec<&ReplicaId> =
        rolled.iter().copied().filter(|it| !is_canary(it, before.len() + rolled.len(), rollout)).collect();
    let only_canary = match &rollout.pace.canary {
        Canary::Count(count) => before.len() <= *count as usize,
        Canary::Replicas(chosen) => before.iter().all(|replica| chosen.contains(replica)),
    };
    let soaked = before.iter().all(|replica| {
        let since = well_since(replica, rollout, input);
        since.is_some_and(|since| input.now.since_ms(since) >= rollout.pace.soak_ms)
    });
    if only_canary && has_canary(rollout) && (before.is_empty() || !soaked) {
        let why = "the canary has not soaked";
        return beyond.into_iter().map(|it| Objection::NotItsTurn { replica: it.clone(), why }).collect();
    }
    Vec::new()
}

fn has_canary(rollout: &Rollout) -> bool {
    rollout.pace.canary != Canary::Count(0)
}

/// Whether it is one of the canary, of which there would be so many.
fn is_canary(replica: &ReplicaId, canaries: usize, rollout: &Rollout) -> bool {
    match &rollout.pace.canary {
        Canary::Count(count) => canaries <= *count as usize,
        Canary::Replicas(chosen) => chosen.contains(replica),
    }
}

/// Since when a replica holds the candidate, healthy.
fn well_since(replica: &ReplicaId, rollout: &Rollout, input: &PlanInput) -> Option<Time> {
    let aim = rollout.aim(&input.target);
    let mut alive = seen(input, replica).into_iter().flatten().filter(|(_, life)| life.is_alive());
    let (Some((_, life)), None) = (alive.next(), alive.next()) else { return None };
    let since = [life.member.as_ref().map(|it| it.since), life.process.as_ref().map(|it| it.since)];
    is_healthy_on(life, &aim).then(|| since.into_iter().flatten().max().unwrap_or_default().min(input.now))
}
