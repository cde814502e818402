//! Fence: no agent that may still carry out an earlier leader's order is used, nor is what it may touch.

use crate::ids::ReplicaId;
use crate::input::PlanInput;
use crate::plan::{Agent, Plan};

use super::Objection;
use super::facts::{life, seen, touches};

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let mut objections = Vec::new();
    for intent in input.history.open_intents.values() {
        let sealed = intent.epoch >= input.epoch || input.history.sealed.contains(&intent.agent);
        if sealed || intent.agent == Agent::Leader {
            continue;
        }
        for step in plan.steps.iter().filter(|step| touches(step)) {
            let replica = step.replica.as_ref();
            let touched_by_both = replica.is_some() && replica == intent.replica.as_ref();
            let in_reach = replica.is_some_and(|replica| reaches(&intent.agent, replica, input));
            if touched_by_both || in_reach || step.agent() == intent.agent {
                let agent = intent.agent.to_string();
                objections.push(Objection::Unsealed { step: step.id.clone(), agent });
            }
        }
    }
    objections
}

/// Whether the agent could act on the life of `replica` that runs now.
fn reaches(agent: &Agent, replica: &ReplicaId, input: &PlanInput) -> bool {
    match agent {
        Agent::Host(host) => seen(input, replica)
            .is_some_and(|lives| lives.values().any(|life| life.is_alive() && life.host == *host)),
        Agent::Replica(other, incarnation) => other == replica && life(input, other, *incarnation).is_some(),
        Agent::Leader => false,
    }
}
