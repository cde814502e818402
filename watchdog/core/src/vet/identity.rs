//! Identity: a plan is of this term, and its ids and incarnations were never used.

use std::collections::BTreeSet;

use crate::input::PlanInput;
use crate::plan::{Act, Plan};

use super::Objection;

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let mut objections = Vec::new();
    if plan.steps.is_empty() {
        objections.push(Objection::Empty);
    }
    if plan.epoch != input.epoch || input.epoch < input.history.epoch {
        objections
            .push(Objection::WrongEpoch { theirs: plan.epoch, ours: input.epoch.max(input.history.epoch) });
    }
    let wrong = |id: String| Objection::WrongId { id, epoch: input.epoch };
    let recorded = input.history.open_plans.get(&plan.id).is_some_and(|open| open.plan == *plan);
    if !recorded && !is_fresh(plan, input) {
        objections.push(wrong(plan.id.to_string()));
    }
    for (index, step) in plan.steps.iter().enumerate() {
        if step.id != plan.id.step(index) {
            objections.push(wrong(step.id.to_string()));
        }
    }
    objections.extend(reused(plan, input));
    objections
}

/// Whether the id counts on from the last plan of this term.
fn is_fresh(plan: &Plan, input: &PlanInput) -> bool {
    let count = plan.id.as_str().strip_prefix(&format!("{}-", input.epoch));
    count.and_then(|count| count.parse::<u64>().ok()).is_some_and(|count| count > input.history.plans_in_term)
}

fn reused(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let ordered = input.history.lives.values().flatten().map(|past| past.incarnation);
    let seen = input.observation.replicas.values().flat_map(|seen| seen.lives.keys().copied());
    let mut used: BTreeSet<_> = ordered.chain(seen).collect();
    let starts = plan.steps.iter().filter_map(|step| match step.act {
        Act::Start { incarnation, .. } => Some((step, incarnation)),
        _ => None,
    });
    let again = starts.filter(|(_, incarnation)| !used.insert(*incarnation));
    again.map(|(step, incarnation)| Objection::NotFresh { step: step.id.clone(), incarnation }).collect()
}
