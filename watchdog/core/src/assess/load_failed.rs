//! Load failed: the last load that a plan tried on the life that runs did not help.

use crate::finding::{FaultKind, Finding, Source};
use crate::history::PastHeal;
use crate::ids::Incarnation;
use crate::observation::Life;
use crate::policy::Remedy;
use crate::scene::Case;

/// A finding while it still holds something else than it should.
pub(super) fn check(case: &Case<'_>, incarnation: Incarnation, life: &Life) -> Option<Finding> {
    let loaded = life.loaded()?;
    if loaded.state_hash == case.target.state_hash || case.is_being_moved() {
        return None;
    }
    let history = case.scene.history;
    let loads = |heal: &&PastHeal| {
        matches!(heal.remedy, Remedy::Load | Remedy::Roll) && history.counts(case.replica, heal.at)
    };
    let last = case.heals?.iter().rev().find(loads)?;
    let started_at =
        case.past.into_iter().flatten().find(|past| past.incarnation == incarnation).map(|past| past.at);
    let on_this_life = started_at.is_none_or(|started_at| started_at <= last.at);
    let failed = last.missed.as_ref().filter(|missed| last.is_over() && missed.is_try() && on_this_life)?;
    let detail = format!("plan {} failed to load what it should hold: {}", last.plan, failed.why);
    Some(case.finding(FaultKind::LoadFailed, detail, case.proven(Source::Record)).of_life(incarnation))
}
