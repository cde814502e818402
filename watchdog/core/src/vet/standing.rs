//! Standing: only a declared replica that is convicted of something, or whose turn it is in a rollout, is touched.

use std::collections::BTreeSet;

use crate::finding::{FaultKind, Subject};
use crate::ids::ReplicaId;
use crate::input::PlanInput;
use crate::plan::Plan;
use crate::policy::Remedy;

use super::Objection;
use super::facts::seen;

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let mut objections = Vec::new();
    let named = plan.steps.iter().filter_map(|step| step.replica.as_ref());
    let replicas: BTreeSet<_> = named.chain(plan.heals.iter().map(|heal| &heal.replica)).collect();
    for replica in replicas {
        let remedy = plan.heals.iter().find(|heal| heal.replica == *replica).map(|heal| heal.remedy);
        match remedy {
            // Nothing is wrong with who is moved to a candidate; whether it is its turn is another matter.
            Some(Remedy::Roll) if matches!(input.replicas.get(replica), Some(Ok(_))) => continue,
            Some(Remedy::Stop | Remedy::Quarantine) if is_leftover(replica, input) => continue,
            // Nobody else is ended for good.
            Some(Remedy::Stop) => {
                objections.push(Objection::NotConvicted { replica: replica.clone() });
                continue;
            }
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

/// Whether the log does not declare a replica any more of which a life runs that we ordered, and it is convicted of that.
fn is_leftover(replica: &ReplicaId, input: &PlanInput) -> bool {
    let subject = Subject::Replica(replica.clone());
    let convicted = input
        .convictions
        .iter()
        .any(|it| it.finding.subject == subject && it.finding.kind == FaultKind::Undeclared);
    let ordered = input.history.lives.get(replica).into_iter().flatten().map(|past| past.incarnation);
    let running = seen(input, replica).into_iter().flatten().filter(|(_, life)| life.is_alive());
    let running: BTreeSet<_> = running.map(|(incarnation, _)| *incarnation).collect();
    convicted && !input.replicas.contains_key(replica) && ordered.into_iter().any(|it| running.contains(&it))
}
