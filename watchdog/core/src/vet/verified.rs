//! Verified: every heal ends by looking whether it helped, at a life that it left alive.

use crate::input::PlanInput;
use crate::plan::{Act, Plan};
use crate::policy::Remedy;

use super::Objection;
use super::facts::touched;

pub(super) fn check(plan: &Plan, _input: &PlanInput) -> Vec<Objection> {
    let mut objections = Vec::new();
    for replica in touched(plan) {
        // Who is ended for good has nothing left to look at: its kill must succeed.
        if plan.heals.iter().any(|heal| heal.replica == *replica && heal.remedy == Remedy::Stop) {
            continue;
        }
        let steps: Vec<_> = plan.steps_of(replica).collect();
        let looked_at = steps.last().filter(|step| !step.optional).and_then(|step| match step.act {
            Act::Probe { incarnation, .. } => Some(incarnation),
            _ => None,
        });
        let killed = |incarnation| {
            steps
                .iter()
                .any(|step| matches!(step.act, Act::Kill { incarnation: it, .. } if it == incarnation))
        };
        if looked_at.is_none_or(killed) {
            objections.push(Objection::NotVerified { replica: replica.clone() });
        }
    }
    objections
}
