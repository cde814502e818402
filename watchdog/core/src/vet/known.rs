//! Known: a step acts on a life that its replica has, where it has it; never on a stranger.

use std::collections::BTreeMap;

use crate::ids::{HostId, Incarnation, ReplicaId};
use crate::input::PlanInput;
use crate::plan::{Act, Plan};

use super::Objection;
use super::facts::places;

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let mut objections = Vec::new();
    let mut started: BTreeMap<Incarnation, (&ReplicaId, &HostId)> = BTreeMap::new();
    for step in &plan.steps {
        let Some(incarnation) = step.act.incarnation() else { continue };
        let Some(replica) = &step.replica else {
            objections.push(Objection::UnknownLife { step: step.id.clone(), incarnation });
            continue;
        };
        if let Act::Start { host, .. } = &step.act {
            started.insert(incarnation, (replica, host));
            continue;
        }
        let just_started = started.get(&incarnation).filter(|(whose, _)| *whose == replica);
        let place = places(input, replica).get(&incarnation).copied().or(just_started.map(|(_, host)| *host));
        let fits = match &step.act {
            Act::Kill { host, .. } | Act::Snapshot { host, .. } => place == Some(host),
            Act::Drain { .. } | Act::Load { .. } | Act::Probe { .. } => place.is_some(),
            Act::Start { .. } | Act::MarkStable { .. } | Act::Reject { .. } | Act::Notify { .. } => true,
        };
        if !fits {
            objections.push(Objection::UnknownLife { step: step.id.clone(), incarnation });
        }
    }
    objections
}
