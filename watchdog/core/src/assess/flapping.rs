//! Flapping: a replica dies again and again.

use crate::finding::{FaultKind, Finding, Source};
use crate::scene::Case;

/// A finding when it died too often within the window; deaths before a human released it are forgiven.
pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let policy = case.scene.policy;
    let needed = policy.flapping_deaths.max(1) as usize;
    let past = case.past.filter(|past| past.len() >= needed)?;
    let released = case.scene.history.released.get(case.replica);
    let counts = |at| {
        case.now().since_ms(at) < policy.flapping_window_ms && released.is_none_or(|released| at > *released)
    };
    let deaths = past.iter().filter_map(|life| life.obituary.as_ref()).filter(|it| counts(it.at)).count();
    let detail = || format!("it died {deaths} times within {} s", policy.flapping_window_ms / 1_000);
    (deaths >= needed).then(|| case.finding(FaultKind::Flapping, detail(), case.proven(Source::Record)))
}
