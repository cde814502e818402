//! Outdated: plans that wait for a human although what they were for is over, has become graver, or would do harm by now.
//!
//! A plan that waits bars its replicas, so that one which could not be approved any more must not wait for ever.

use crate::finding::{Conviction, Subject};
use crate::history::{History, OpenPlan};
use crate::ids::{PlanId, ReplicaId};
use crate::input::{Declarations, PlanInput};
use crate::plan::PlanStatus;
use crate::policy::{Policy, Remedy};
use crate::record::Body;
use crate::vet::vet;

/// The plans that are not worth an answer any more; who is ill is not kept waiting for one.
///
/// `replicas` are declared.
pub fn outdated(
    history: &History,
    convictions: &[Conviction],
    (policy, replicas): (&Policy, usize),
) -> Vec<PlanId> {
    let waits = history.open_plans.values().filter(|open| open.status == PlanStatus::AwaitingApproval);
    let over = waits.filter(|open| !stands(open, history, (convictions, policy, replicas)));
    over.map(|open| open.plan.id.clone()).collect()
}

/// Ends plans that await approval and to which the linter objects now, unless the objection passes by itself
/// ([`Objection::passes`](crate::vet::Objection::passes)): a version that is not expected any more, a life or host that is
/// gone, a replica that may not be touched.
pub fn refused(input: &PlanInput) -> Vec<Body> {
    let waits = input.history.open_plans.values().filter(|open| open.status == PlanStatus::AwaitingApproval);
    let refused = waits.filter_map(|open| {
        let objection = vet(&open.plan, input).into_iter().find(|objection| !objection.passes())?;
        let why = format!("it would not be right any more: {objection}");
        Some(Body::PlanStatus { plan: open.plan.id.clone(), status: PlanStatus::Superseded, why })
    });
    refused.collect()
}

/// The ends of the quarantines of those that `replicas` does not declare any more: declared again they begin anew.
pub fn undeclared(history: &History, replicas: &Declarations) -> Vec<Body> {
    let gone = history.quarantined.keys().filter(|replica| !replicas.contains_key(*replica));
    gone.map(|replica| Body::Released { target: replica.to_string() }).collect()
}

fn stands(
    open: &OpenPlan,
    history: &History,
    (convictions, policy, replicas): (&[Conviction], &Policy, usize),
) -> bool {
    let plan = &open.plan;
    if plan.remedies().any(|remedy| remedy == Remedy::FallBack) {
        return history.quarantined.len() >= policy.broken_stable_of(replicas);
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
