//! Standing: only a declared replica that is convicted of something, or whose turn it is in a rollout, is touched.

use crate::finding::Subject;
use crate::ids::ReplicaId;
use crate::input::PlanInput;
use crate::plan::Plan;
use crate::policy::Remedy;

use super::Objection;

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let mut objections = Vec::new();
    let named = plan.steps.iter().filter_map(|step| step.replica.as_ref());
    let replicas: std::collections::BTreeSet<_> =
        named.chain(plan.heals.iter().map(|heal| &heal.replica)).collect();
    for replica in replicas {
        match plan.heals.iter().find(|heal| heal.replica == *replica).map(|heal| heal.remedy) {
            // Nothing is wrong with who is moved to a candidate; whether it is its turn is another matter.
            Some(Remedy::Roll) if matches!(input.replicas.get(replica), Some(Ok(_))) => continue,
            Some(Remedy::Stop) if is_leftover(replica, input) => continue,
            _ => {}
        }
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

/// Whether the log does not declare a replica any more that we ordered once, and that is convicted of just that.
fn is_leftover(replica: &ReplicaId, input: &PlanInput) -> bool {
    let subject = Subject::Replica(replica.clone());
    let convicted = input.convictions.iter().any(|it| it.finding.subject == subject);
    convicted && !input.replicas.contains_key(replica) && input.history.lives.contains_key(replica)
}
