//! Obsolete: open plans that serve a goal which is not wanted any more, or stand in the way of the one that begins.

use crate::history::{History, OpenPlan};
use crate::ids::{Epoch, PlanId};
use crate::plan::PlanStatus;
use crate::policy::Remedy;
use crate::record::Body;

/// The plans to close when the goal that rolls ends before its time, or another begins; `deciding` is the plan by which
/// it ends, and closes itself.
///
/// An order that is under way stays open until its fate is known; what it did is put right like any drift. A try on the
/// stable version that runs is left to its end, because it leads to where its replica should be now.
pub fn obsolete<'a>(history: &'a History, deciding: Option<&'a PlanId>) -> impl Iterator<Item = &'a PlanId> {
    let others = history.open_plans.values().filter(move |open| Some(&open.plan.id) != deciding);
    others.filter(|open| serves_a_goal(open)).map(|open| &open.plan.id)
}

/// The ends of these plans, as they are recorded; see [`obsolete`].
pub fn superseded(history: &History, deciding: Option<&PlanId>, why: &str) -> Vec<Body> {
    let ended = |plan: &PlanId| Body::PlanStatus {
        plan: plan.clone(),
        status: PlanStatus::Superseded,
        why: why.to_owned(),
    };
    obsolete(history, deciding).map(ended).collect()
}

/// The ends of the plans that older leaders than that of `epoch` left open: everything is planned anew, nothing resumed.
pub fn of_older_leaders(history: &History, epoch: Epoch) -> Vec<Body> {
    let older = history.open_plans.values().filter(|open| open.plan.epoch < epoch);
    let ended = |open: &OpenPlan| Body::PlanStatus {
        plan: open.plan.id.clone(),
        status: PlanStatus::Superseded,
        why: format!("epoch {epoch} leads now and plans anew"),
    };
    older.map(ended).collect()
}

fn serves_a_goal(open: &OpenPlan) -> bool {
    open.plan.remedies().any(|remedy| match remedy {
        Remedy::Roll | Remedy::Reject | Remedy::MarkStable | Remedy::FallBack => true,
        Remedy::Trial => open.status == PlanStatus::AwaitingApproval,
        Remedy::Load
        | Remedy::Restart
        | Remedy::Start
        | Remedy::Relocate
        | Remedy::Kill
        | Remedy::Stop
        | Remedy::Quarantine => false,
    })
}
