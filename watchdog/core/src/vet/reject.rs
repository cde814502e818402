//! Reject: a version is given up only on proof, and only for one that was proven good.

use crate::condition::is_healthy_on;
use crate::ids::{ReplicaId, Version};
use crate::input::PlanInput;
use crate::plan::{Act, Plan};
use crate::record::Mark;
use crate::rollout::{Rollout, Trial};

use super::Objection;
use super::facts::{seen, unchanged_since};

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let rejections = plan.steps.iter().filter_map(|step| match &step.act {
        Act::Reject { version, goal, to, .. } => Some((*version, goal.is_some(), *to)),
        _ => None,
    });
    let unproven = rejections.filter(|(version, is_candidate, to)| {
        let proven =
            if *is_candidate { may_be_rejected(*version, input) } else { is_bad_stable(*version, input) };
        !proven || input.history.marks.get(to) != Some(&Mark::Stable)
    });
    unproven.map(|(version, ..)| Objection::Unproven { version }).collect()
}

/// Whether a candidate is bad, or what its goal declares can't be run.
fn may_be_rejected(version: Version, input: &PlanInput) -> bool {
    let rollout = candidate(version, input);
    rollout.is_some_and(|rollout| is_badly_declared(rollout, input)) || is_bad_candidate(version, input)
}

/// The rollout of a version that can be given up for what is stable.
fn candidate(version: Version, input: &PlanInput) -> Option<&Rollout> {
    let rollout = input.history.rollout.as_ref()?;
    (rollout.to == version && input.target.stable.is_some()).then_some(rollout)
}

/// Whether more replicas than may failed on the candidate and were well on the stable version.
pub(super) fn is_bad_candidate(version: Version, input: &PlanInput) -> bool {
    let Some(rollout) = candidate(version, input) else { return false };
    // The same state as the stable one has been proven already.
    if rollout.state_hash == input.target.state_hash {
        return false;
    }
    let reached = input.history.witness.reached.get(&rollout.state_hash);
    let well = |(replica, trial): &(&ReplicaId, &Trial)| {
        let mut alive = seen(input, replica).into_iter().flatten().filter(|(_, life)| life.is_alive());
        let (Some((_, life)), None) = (alive.next(), alive.next()) else { return false };
        let since = unchanged_since(life, replica, input).max(trial.at);
        let for_long = input.now.since_ms(since) >= rollout.pace.probation_ms;
        let there = trial.host.as_ref().is_none_or(|host| *host == life.host);
        // A version that never got there has not failed there.
        let was_reached = reached.is_some_and(|reached| reached.contains(*replica));
        was_reached && trial.failed.is_none() && is_healthy_on(life, &input.target) && there && for_long
    };
    let blaming = rollout.trials.iter().filter(well).count();
    blaming > 0 && rollout.failures.len() + blaming > rollout.pace.max_failures as usize
}

/// Whether a replica that the goal declares, anew or in another way, was started so as often as may be and was never well
/// for as long as a quiet.
fn is_badly_declared(rollout: &Rollout, input: &PlanInput) -> bool {
    let mut declared = rollout.adds.iter().chain(&rollout.edits);
    let tries = input.policy.tries.restart;
    let quiet_ms = input.policy.quiet_ms.max(rollout.pace.soak_ms);
    declared.any(|replica| {
        let starts = input.history.witness.starts.get(replica).copied().unwrap_or_default();
        let sent = rollout.moved.contains_key(replica) && input.replicas.contains_key(replica);
        let mut lives = seen(input, replica).into_iter().flatten();
        let well = lives.any(|(_, life)| is_healthy_on(life, &rollout.aim(&input.target)));
        // A probe may pass in the moment before it dies.
        let lasted_ms = input.history.witness.longest_well_ms(replica, input.now);
        sent && starts > 0 && starts >= tries && !well && lasted_ms < quiet_ms
    })
}

/// Whether a goal that is not held brings this replica to another state yet, on which it may come up.
fn is_still_to_be_moved(replica: &ReplicaId, input: &PlanInput) -> bool {
    let Some(rollout) = &input.history.rollout else { return false };
    let held =
        rollout.trials.iter().any(|(it, trial)| trial.failed.is_some() && input.replicas.contains_key(it));
    let sent = rollout.moved.contains_key(replica) || rollout.trials.contains_key(replica);
    rollout.state_hash != input.target.state_hash && !held && !sent
}

/// Whether enough replicas were given up while it was the stable version, and nothing else is about to change it.
fn is_bad_stable(version: Version, input: &PlanInput) -> bool {
    if input.history.undoing.is_some() {
        return false;
    }
    let given_up = |replica: &&ReplicaId| {
        let history = &input.history;
        let is = history.quarantined.contains_key(*replica) && history.witness.acted.contains(*replica);
        is && !is_still_to_be_moved(replica, input)
    };
    let given_up = input.replicas.keys().filter(given_up).count();
    // A cluster that is smaller than the bound can be as broken as a large one.
    let enough = (input.policy.broken_stable.max(1) as usize).min(input.replicas.len()).max(1);
    input.history.stable == Some(version) && given_up >= enough
}
