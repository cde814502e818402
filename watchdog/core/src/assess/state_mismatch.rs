//! State mismatch: a replica says a version and holds something else.

use crate::finding::{FaultKind, Finding, Source};
use crate::ids::{Incarnation, Version};
use crate::input::Target;
use crate::observation::{Life, Loaded};
use crate::scene::Case;
use crate::state::Hash;

/// A finding when the hash of what it holds is not that of the version that it says.
pub(super) fn check(case: &Case<'_>, incarnation: Incarnation, life: &Life) -> Option<Finding> {
    let loaded = life.loaded()?;
    let expected = lie(&case.scene.target, loaded)?;
    if case.is_coming_up(incarnation, life) {
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
pub(super) fn lie(target: &Target, loaded: Loaded) -> Option<Hash> {
    let expected = if loaded.version == target.version || Some(loaded.version) == target.stable {
        target.state_hash
    } else if loaded.version == Version(0) {
        target.empty_hash
    } else {
        return None;
    };
    (loaded.state_hash != expected).then_some(expected)
}
