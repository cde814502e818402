//! Wrong version: a replica holds another state than it should, and says so.

use crate::assess::state_mismatch::lie;
use crate::finding::{FaultKind, Finding, Source};
use crate::ids::Incarnation;
use crate::observation::{Life, Loaded};
use crate::scene::Case;

/// A finding when its state is another one. The same state under another number is not a fault: it only needs renaming.
pub(super) fn check(case: &Case<'_>, incarnation: Incarnation, life: &Life) -> Option<Finding> {
    let loaded = life.loaded()?;
    let target = &case.target;
    if loaded.state_hash == target.state_hash || lie(case, loaded).is_some() {
        return None;
    }
    if case.is_coming_up(incarnation, life) || case.is_being_moved() || is_tolerated(case, loaded) {
        return None;
    }
    let detail = format!("it holds version {} and should hold version {}", loaded.version, target.version);
    let source = if life.member.is_some() { Source::Replica } else { Source::HostAgent };
    Some(case.finding(FaultKind::WrongVersion, detail, case.proven(source)).of_life(incarnation))
}

/// Whether an earlier goal brought it where it is, and the goal that took over will move it on from there. One that
/// founds the cluster moves nobody: there the head is what all should hold.
fn is_tolerated(case: &Case<'_>, loaded: Loaded) -> bool {
    let Some(rollout) = &case.scene.history.rollout else { return false };
    let moves_on = case.scene.target.stable.is_some() && !rollout.expects(case.replica);
    moves_on && rollout.earlier.contains(&loaded.state_hash)
}
