//! Exited: the newest life of a replica is proven dead, and no other is there.

use crate::fate::Fate;
use crate::finding::{FaultKind, Finding};
use crate::scene::Case;

/// A finding when its newest life has an obituary, or its host has booted again since.
pub(super) fn check(case: &Case<'_>, fate: &Fate) -> Option<Finding> {
    let Fate::Dead { incarnation, source, detail, .. } = fate else {
        return None;
    };
    Some(case.finding(FaultKind::Exited, detail.clone(), case.proven(*source)).of_life(*incarnation))
}
