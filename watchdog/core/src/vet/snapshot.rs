//! Snapshot: no process is destroyed before a picture of it was asked for, and no picture stops a heal.

use crate::input::PlanInput;
use crate::plan::{Act, Plan, Step};

use super::Objection;
use super::facts::life;

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let mut objections = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let (Act::Kill { incarnation, .. }, Some(replica)) = (&step.act, &step.replica) else { continue };
        let runs = life(input, replica, *incarnation).is_some_and(|life| life.process.is_some());
        let pictured = |before: &Step| {
            matches!(before.act, Act::Snapshot { incarnation: it, .. } if it == *incarnation)
                && before.optional
        };
        if runs && !plan.steps[..index].iter().any(pictured) {
            objections.push(Objection::NoSnapshot { step: step.id.clone() });
        }
    }
    objections
}
