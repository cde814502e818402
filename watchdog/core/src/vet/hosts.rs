//! Hosts: a replica is started only where it may live, and only an agent that is there is ordered to act.

use crate::input::PlanInput;
use crate::plan::{Act, Agent, Plan};

use super::Objection;
use super::facts::is_present;

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let mut objections = Vec::new();
    for step in &plan.steps {
        if let Agent::Host(host) = step.agent()
            && !is_present(input, &host)
        {
            objections.push(Objection::HostAbsent { step: step.id.clone(), host });
        }
        if let (Act::Start { host, .. }, Some(replica)) = (&step.act, &step.replica) {
            let spec = input.replicas.get(replica).and_then(|spec| spec.as_ref().ok());
            if spec.is_none_or(|spec| !spec.hosts.contains(host)) {
                let (replica, host) = (replica.clone(), host.clone());
                objections.push(Objection::HostNotAllowed { replica, host });
            }
        }
    }
    objections
}
