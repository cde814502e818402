//! Duplicate: two lives of one replica at once.

use crate::finding::{FaultKind, Finding, Source};
use crate::scene::Case;

/// A finding when more than one life is there; which of them goes is for the planner to say.
pub(super) fn check(case: &Case<'_>) -> Option<Finding> {
    let alive = case.seen.lives.iter().filter(|(_, life)| life.is_alive());
    if case.seen.lives.len() < 2 || alive.clone().count() < 2 {
        return None;
    }
    let (mut words, mut listed) = (Vec::new(), false);
    for (incarnation, life) in alive {
        listed |= life.process.is_some();
        words.push(format!("{incarnation} on {}", life.host));
    }
    let source = if listed { Source::HostAgent } else { Source::Group };
    let detail = format!("{} lives of it run: {}", words.len(), words.join(", "));
    Some(case.finding(FaultKind::Duplicate, detail, case.proven(source)))
}
