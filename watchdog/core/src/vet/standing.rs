//! Standing: only a declared replica that is convicted of something is touched.

use crate::finding::Subject;
use crate::input::PlanInput;
use crate::plan::Plan;

use super::Objection;

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let mut objections = Vec::new();
    let named = plan.steps.iter().filter_map(|step| step.replica.as_ref());
    let replicas: std::collections::BTreeSet<_> =
        named.chain(plan.heals.iter().map(|heal| &heal.replica)).collect();
    for replica in replicas {
        if !matches!(input.replicas.get(replica), Some(Ok(_))) {
            objections.push(Objection::NotDeclared { replica: replica.clone() });
        }
        let subject = Subject::Replica(replica.clone());
        if !input.convictions.iter().any(|conviction| conviction.finding.subject == subject) {
            objections.push(Objection::NotConvicted { replica: replica.clone() });
        }
    }
    objections
}
