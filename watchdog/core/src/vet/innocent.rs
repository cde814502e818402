//! Innocent: no replica is given up on which nothing was begun since it was last released.

use crate::input::PlanInput;
use crate::plan::{Act, Plan};

use super::Objection;

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let given_up = plan.steps.iter().filter(|step| matches!(step.act, Act::Notify { quarantine: true, .. }));
    let innocent = given_up
        .filter_map(|step| step.replica.as_ref())
        .filter(|replica| !input.history.witness.acted.contains(*replica));
    innocent.map(|replica| Objection::Untouched { replica: replica.clone() }).collect()
}
