//! Wrong version: a replica holds another state than it should, and says so.

use crate::assess::state_mismatch::lie;
use crate::finding::{FaultKind, Finding, Source};
use crate::ids::Incarnation;
use crate::observation::Life;
use crate::scene::Case;

/// A finding when its state is another one. The same state under another number is not a fault: it only needs renaming.
pub(super) fn check(case: &Case<'_>, incarnation: Incarnation, life: &Life) -> Option<Finding> {
    let loaded = life.loaded()?;
    let target = &case.scene.target;
    if loaded.state_hash == target.state_hash || lie(target, loaded).is_some() {
        return None;
    }
    if case.is_coming_up(incarnation, life) {
        return None;
    }
    let detail = format!("it holds version {} and should hold version {}", loaded.version, target.version);
    let source = if life.member.is_some() { Source::Replica } else { Source::HostAgent };
    Some(case.finding(FaultKind::WrongVersion, detail, case.proven(source)).of_life(incarnation))
}
