//! Overlap: one replica is dealt with by one plan at a time.

use crate::input::PlanInput;
use crate::plan::{Agent, Plan};

use super::Objection;

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let mut objections = Vec::new();
    for heal in &plan.heals {
        let object = |plan| Objection::Overlap { replica: heal.replica.clone(), plan };
        for open in input.history.open_plans.values().filter(|open| open.plan.id != plan.id) {
            if open.plan.heals.iter().any(|other| other.replica == heal.replica) {
                objections.push(object(open.plan.id.clone()));
            }
        }
        for intent in input.history.open_intents.values() {
            let acts = intent.agent != Agent::Leader && intent.replica.as_ref() == Some(&heal.replica);
            if acts && intent.plan != plan.id {
                objections.push(object(intent.plan.clone()));
            }
        }
    }
    objections
}
