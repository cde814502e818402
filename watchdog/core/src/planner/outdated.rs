//! Outdated: plans that wait for a human although what they were for is over, or has become graver.

use crate::finding::{Conviction, Subject};
use crate::history::{History, OpenPlan};
use crate::ids::{PlanId, ReplicaId};
use crate::plan::PlanStatus;
use crate::policy::{Policy, Remedy};

/// The plans that are not worth an answer any more; who is ill is not kept waiting for one.
pub fn outdated(history: &History, convictions: &[Conviction], policy: &Policy) -> Vec<PlanId> {
    let waits = history.open_plans.values().filter(|open| open.status == PlanStatus::AwaitingApproval);
    let over = waits.filter(|open| !stands(open, history, (convictions, policy)));
    over.map(|open| open.plan.id.clone()).collect()
}

fn stands(open: &OpenPlan, history: &History, (convictions, policy): (&[Conviction], &Policy)) -> bool {
    let plan = &open.plan;
    if plan.remedies().any(|remedy| remedy == Remedy::FallBack) {
        return history.quarantined.len() >= policy.broken_stable.max(1) as usize;
    }
    let rolls = history.rollout.is_some() || history.stable.is_none();
    plan.heals.iter().all(|heal| match gravest(&heal.replica, convictions) {
        None => heal.remedy == Remedy::Roll && rolls,
        Some(now) => plan.convictions.iter().any(|past| is_same(past, now)),
    }) && (rolls || !plan.heals.is_empty())
}

/// What a replica is convicted of that is dealt with first.
fn gravest<'a>(replica: &ReplicaId, convictions: &'a [Conviction]) -> Option<&'a Conviction> {
    let its = |it: &&Conviction| matches!(&it.finding.subject, Subject::Replica(id) if id == replica);
    convictions.iter().filter(its).min_by_key(|conviction| conviction.finding.kind)
}

fn is_same(past: &Conviction, now: &Conviction) -> bool {
    (&past.finding.subject, past.finding.kind) == (&now.finding.subject, now.finding.kind)
}
