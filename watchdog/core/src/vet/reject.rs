//! Reject: a version is given up only on proof, and only for one that was proven good.

use crate::condition::is_healthy_on;
use crate::ids::{ReplicaId, Version};
use crate::input::PlanInput;
use crate::plan::{Act, Plan};
use crate::record::Mark;
use crate::rollout::Trial;

use super::Objection;
use super::facts::{seen, unchanged_since};

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let rejections = plan.steps.iter().filter_map(|step| match &step.act {
        Act::Reject { version, goal, to, .. } => Some((*version, goal.is_some(), *to)),
        _ => None,
    });
    let unproven = rejections.filter(|(version, is_candidate, to)| {
        let proven =
            if *is_candidate { is_bad_candidate(*version, input) } else { is_bad_stable(*version, input) };
        !proven || input.history.marks.get(to) != Some(&Mark::Stable)
    });
    unproven.map(|(version, ..)| Objection::Unproven { version }).collect()
}

/// Whether more replicas than may failed on the candidate and were well on the stable version.
pub(super) fn is_bad_candidate(version: Version, input: &PlanInput) -> bool {
    let Some(rollout) = input.history.rollout.as_ref().filter(|rollout| rollout.to == version) else {
        return false;
    };
    // The same state as the stable one has been proven already.
    if input.target.stable.is_none() || rollout.state_hash == input.target.state_hash {
        return false;
    }
    let well = |(replica, trial): &(&ReplicaId, &Trial)| {
        let mut alive = seen(input, replica).into_iter().flatten().filter(|(_, life)| life.is_alive());
        let (Some((_, life)), None) = (alive.next(), alive.next()) else { return false };
        let since = unchanged_since(life, replica, input).max(trial.at);
        let for_long = input.now.since_ms(since) >= rollout.pace.probation_ms;
        let there = trial.host.as_ref().is_none_or(|host| *host == life.host);
        trial.failed.is_none() && is_healthy_on(life, &input.target) && there && for_long
    };
    let blaming = rollout.trials.iter().filter(well).count();
    blaming > 0 && rollout.failures.len() + blaming > rollout.pace.max_failures as usize
}

/// Whether enough replicas were given up while it was the stable version, and nothing else is about to change it.
fn is_bad_stable(version: Version, input: &PlanInput) -> bool {
    if input.history.rollout.is_some() || input.history.undoing.is_some() {
        return false;
    }
    let given_up =
        input.replicas.keys().filter(|replica| input.history.quarantined.contains_key(*replica)).count();
    input.history.stable == Some(version) && given_up >= input.policy.broken_stable.max(1) as usize
}
