//! State mismatch: a replica says a version and holds something else.

use crate::finding::{FaultKind, Finding, Source};
use crate::ids::{Incarnation, Version};
use crate::observation::{Life, Loaded};
use crate::scene::Case;
use crate::state::Hash;

/// A finding when the hash of what it holds is not that of the version that it says.
pub(super) fn check(case: &Case<'_>, incarnation: Incarnation, life: &Life) -> Option<Finding> {
    let loaded = life.loaded()?;
    let expected = lie(case, loaded)?;
    if case.is_coming_up(incarnation, life) || case.is_being_moved() {
        return None;
    }
    let detail = format!(
        "it says version {}, whose state hashes to {}, but what it holds hashes to {}",
        loaded.version,
        expected.short(),
        loaded.state_hash.short()
    );
    let source = if life.member.is_some() { Source::Replica } else { Source::HostAgent };
    Some(case.finding(FaultKind::StateMismatch, detail, case.proven(source)).of_life(incarnation))
}

/// The hash that the version it says must have, when we know that and it holds another.
pub(super) fn lie(case: &Case<'_>, loaded: Loaded) -> Option<Hash> {
    let (own, base) = (&case.target, &case.scene.target);
    let candidate = case.scene.history.rollout.as_ref().filter(|rollout| rollout.to == loaded.version);
    let expected = if loaded.version == own.version {
        own.state_hash
    } else if let Some(candidate) = candidate {
        candidate.state_hash
    } else if loaded.version == base.version || Some(loaded.version) == base.stable {
        base.state_hash
    } else if loaded.version == Version(0) {
        base.empty_hash
    } else {
        return None;
    };
    (loaded.state_hash != expected).then_some(expected)
}
