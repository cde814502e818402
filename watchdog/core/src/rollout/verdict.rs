//! Verdict: what a try on the stable version says of a replica that failed on the candidate.

use crate::condition::is_healthy_on;
use crate::ids::{ReplicaId, Time};
use crate::input::PlanInput;
use crate::planner::case::{lives, settled_since};

use super::{Rollout, Trial};

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is well on the stable version, for long enough: the candidate is to blame.
    Blames,
    /// It was not well there either: its host is to blame, not the candidate.
    Acquits,
    /// It is well on the stable version, but not where it failed: that says nothing, and it is moved again.
    Void,
    /// It is too early to say; time alone will tell then, if it is well.
    Waits {
        /// When.
        until: Option<Time>,
    },
}

/// The verdict of one trial.
pub fn verdict(replica: &ReplicaId, trial: &Trial, input: &PlanInput) -> Verdict {
    if trial.failed.is_some() {
        return Verdict::Acquits;
    }
    let probation_ms = input.history.rollout.as_ref().map_or(0, |rollout| rollout.pace.probation_ms);
    let open = input.history.open_plans.values().any(|open| open.plan.heals(replica));
    let mut alive = lives(input, replica).filter(|(_, life)| life.is_alive());
    let only = alive.next().filter(|_| alive.next().is_none());
    match only.filter(|(_, life)| !open && is_healthy_on(life, &input.target)) {
        None => Verdict::Waits { until: None },
        Some((_, life)) => {
            let until = settled_since(replica, life, input).max(trial.at).plus_ms(probation_ms);
            if trial.host.as_ref().is_some_and(|host| *host != life.host) {
                Verdict::Void
            } else if input.now < until {
                Verdict::Waits { until: Some(until) }
            } else {
                Verdict::Blames
            }
        }
    }
}

/// The trial that holds the goal; one of a replica that is not declared any more does not.
pub fn held_by<'a>(rollout: &'a Rollout, input: &PlanInput) -> Option<(&'a ReplicaId, &'a Trial)> {
    let mut failed = rollout.trials.iter().filter(|(_, trial)| trial.failed.is_some());
    failed.find(|(replica, _)| input.replicas.contains_key(*replica))
}

/// Those whose trial blames the candidate, when they are more than may fail.
pub fn condemned<'a>(rollout: &'a Rollout, input: &PlanInput) -> Option<Vec<&'a ReplicaId>> {
    // A version that never got there has not failed there: the trial must prove its channel.
    let reached = input.history.witness.reached.get(&rollout.state_hash);
    let blames = |(replica, trial): &(&ReplicaId, &Trial)| {
        reached.is_some_and(|reached| reached.contains(*replica))
            && verdict(replica, trial, input) == Verdict::Blames
    };
    let blaming: Vec<&ReplicaId> = rollout.trials.iter().filter(blames).map(|(replica, _)| replica).collect();
    let failures = rollout.failures.len() + blaming.len();
    let too_many = !blaming.is_empty() && failures > rollout.pace.max_failures as usize;
    (too_many && rollout.is_blamable(&input.target)).then_some(blaming)
}
