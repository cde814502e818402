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
use super::facts::{seen, serves, unchanged_since};
use super::reject::is_bad_candidate;

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let mut objections = of_moves(plan, input);
    objections.extend(of_trials(plan, input));
    objections
}

fn of_moves(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let heals = plan.heals.iter().filter(|heal| heal.remedy == Remedy::Roll);
    let rolled: BTreeSet<&ReplicaId> = heals.map(|heal| &heal.replica).collect();
    if rolled.is_empty() {
        return Vec::new();
    }
    let all = |why: &'static str| {
        rolled.iter().map(move |replica| Objection::NotItsTurn { replica: (*replica).clone(), why }).collect()
    };
    let Some(rollout) = &input.history.rollout else { return all("no goal rolls") };
    let declared = |it: &&ReplicaId| input.replicas.contains_key(*it);
    let failed = rollout.trials.iter().filter(|(_, trial)| trial.failed.is_some());
    if failed.map(|(replica, _)| replica).any(|replica| declared(&replica)) {
        return all("the goal is held");
    }
    if is_bad_candidate(rollout.to, input) {
        return all("the version is to blame");
    }
    let holds = |replica: &&ReplicaId| well_since(replica, rollout, input).is_some();
    let anew = rollout.restart || rollout.pace.prove_start;
    if input.target.stable.is_none() && !(anew && rolled.iter().all(holds)) {
        return all("nothing is stable to come from");
    }
    let before: Vec<&ReplicaId> =
        rollout.moved.keys().filter(declared).filter(|it| !rollout.trials.contains_key(*it)).collect();
    let soaked = |replica: &&ReplicaId| {
        let since = well_since(replica, rollout, input).filter(|_| is_anew(replica, rollout, input));
        let since = since.filter(|_| !rollout.trials.contains_key(*replica));
        since.is_some_and(|since| input.now.since_ms(since) >= rollout.pace.soak_ms)
    };
    // Who did not serve when it was moved endangers nobody, and is no canary for those who do; nor does it spread a version
    // to start it once more where it is.
    let cost = |it: &&ReplicaId| !rollout.moved.get(*it).is_some_and(|moved| moved.volunteer);
    let spreads = |it: &&ReplicaId| (rollout.restart || !rollout.expects(it)) && serves(input, it);
    let rolled: BTreeSet<&ReplicaId> = rolled.iter().copied().filter(spreads).collect();
    if !rolled.is_empty() && !before.iter().all(holds) {
        return all("another that was moved is not well");
    }
    let before: Vec<&ReplicaId> =
        before.into_iter().filter(cost).filter(|it| is_anew(it, rollout, input)).collect();
    let beyond: Vec<&ReplicaId> = match &rollout.pace.canary {
        Canary::Count(0) => Vec::new(),
        Canary::Count(count) => {
            let more = before.len() + rolled.len() > *count as usize;
            let tried = before.len() > *count as usize || (!before.is_empty() && before.iter().all(soaked));
            if !more || tried { Vec::new() } else { rolled.iter().copied().collect() }
        }
        Canary::Replicas(chosen) => {
            // One that does not serve and was never moved protects nobody.
            let tries = |it: &&ReplicaId| serves(input, it) || rollout.moved.contains_key(*it);
            let canary: Vec<&ReplicaId> = chosen.iter().filter(declared).filter(tries).collect();
            let further = before.iter().any(|it| !chosen.contains(it));
            let may = further || (!canary.is_empty() && canary.iter().all(soaked));
            rolled.iter().copied().filter(|it| !may && !chosen.contains(it)).collect()
        }
    };
    let why = "the canary has not soaked";
    beyond.into_iter().map(|it| Objection::NotItsTurn { replica: it.clone(), why }).collect()
}

/// Nobody is tried on the stable version who was not moved away from it.
fn of_trials(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let tried = plan.heals.iter().filter(|heal| heal.remedy == Remedy::Trial);
    let moved = |replica: &ReplicaId| {
        input.history.rollout.as_ref().is_some_and(|rollout| rollout.moved.contains_key(replica))
    };
    let why = "it was not moved";
    let others = tried.filter(|heal| !moved(&heal.replica));
    others.map(|heal| Objection::NotItsTurn { replica: heal.replica.clone(), why }).collect()
}

/// Since when a replica holds the candidate, healthy.
fn well_since(replica: &ReplicaId, rollout: &Rollout, input: &PlanInput) -> Option<Time> {
    let aim = rollout.aim(&input.target);
    let mut alive = seen(input, replica).into_iter().flatten().filter(|(_, life)| life.is_alive());
    let (Some((_, life)), None) = (alive.next(), alive.next()) else { return None };
    let ordered_at = rollout.moved.get(replica).map(|moved| moved.at);
    let since = unchanged_since(life, replica, input).max(ordered_at.unwrap_or_default());
    is_healthy_on(life, &aim).then_some(since)
}

/// Whether a life of it runs that was ordered since the goal began, if the goal asks for that.
fn is_anew(replica: &ReplicaId, rollout: &Rollout, input: &PlanInput) -> bool {
    let alive = seen(input, replica).into_iter().flatten().filter(|(_, life)| life.is_alive());
    let alive: BTreeSet<_> = alive.map(|(incarnation, _)| *incarnation).collect();
    let mut ordered = input.history.lives.get(replica).into_iter().flatten();
    !rollout.restart || ordered.any(|it| alive.contains(&it.incarnation) && it.at >= rollout.started_at)
}
