//! Missing: a replica is declared, no life of it is there, and nobody has said why.

use crate::fate::Fate;
use crate::finding::{Evidence, FaultKind, Finding};
use crate::scene::Case;

/// A finding when its newest life is not there and has no obituary, or when it was never started.
pub(super) fn check(case: &Case<'_>, fate: &Fate) -> Option<Finding> {
    let Fate::Absent { incarnation, source, proof, detail } = fate else {
        return None;
    };
    let evidence = Evidence { proof: *proof, ..case.proven(*source) };
    Some(Finding { incarnation: *incarnation, ..case.finding(FaultKind::Missing, detail.clone(), evidence) })
}
