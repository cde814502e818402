//! Flapping: a replica dies again and again.

use crate::finding::{FaultKind, Finding, Source};
use crate::history::PastLife;
use crate::ids::Time;
use crate::scene::Case;

/// A finding when it died too often within the window; those that were forgiven, or that a candidate caused, do not count.
/// A death counts from when it was recorded, because the clock of its host may be wrong.
pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let policy = case.scene.policy;
    let needed = policy.flapping_deaths.max(1) as usize;
    let past = case.past.filter(|past| past.len() >= needed)?;
    let history = case.scene.history;
    let trial = history.rollout.as_ref().and_then(|rollout| rollout.trials.get(case.replica));
    let counts = |at: Time| {
        let recent = case.now().since_ms(at) < policy.flapping_window_ms;
        recent && history.counts(case.replica, at) && trial.is_none_or(|trial| at > trial.at)
    };
    let died_at = |life: &PastLife| life.obituary.as_ref().map(|it| life.buried_at.unwrap_or(it.at));
    let deaths = past.iter().filter_map(died_at).filter(|at| counts(*at)).count();
    let detail = || format!("it died {deaths} times within {} s", policy.flapping_window_ms / 1_000);
    (deaths >= needed).then(|| case.finding(FaultKind::Flapping, detail(), case.proven(Source::Record)))
}
