//! Sealed: no plan begins that touches what an older leader's order may still reach.

use std::collections::BTreeMap;

use watchdog_core::ids::{Epoch, ReplicaId, StepId};
use watchdog_core::plan::Agent;
use watchdog_core::record::Body;

use super::{Audit, Truth, begins, hosts_of};
use crate::fact::Fact;

/// An order that may be on its way.
struct Order {
    epoch: Epoch,
    replica: Option<ReplicaId>,
    agent: Agent,
    instance: Option<String>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Sealed(BTreeMap<StepId, Order>);

impl Audit for Sealed {
    fn name(&self) -> &'static str {
        "sealed"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        match fact {
            Fact::Acts(effect) => {
                self.0.remove(effect.step);
                return None;
            }
            Fact::Committed { entry, .. } => match &entry.body {
                Body::Intended { step, replica, agent, instance, .. } if *agent != Agent::Leader => {
                    let (replica, agent, instance) = (replica.clone(), agent.clone(), instance.clone());
                    self.0.insert(step.clone(), Order { epoch: entry.epoch, replica, agent, instance });
                    return None;
                }
                // Its own leader knows what it sent.
                Body::Closed { step, .. } if self.0.get(step).is_some_and(|it| it.epoch == entry.epoch) => {
                    self.0.remove(step);
                    return None;
                }
                // Whom nobody has seen for longer than a lease can't be asked; who comes back is looked at.
                Body::Closed { step, .. } if self.0.get(step).is_some_and(|it| is_silent(it, truth)) => {
                    self.0.remove(step);
                    return None;
                }
                _ => {}
            },
            _ => return None,
        }
        let (plan, _) = begins(fact, truth)?;
        let agents: Vec<Agent> = hosts_of(plan).map(Agent::Host).collect();
        let (step, order) = self.0.iter().find(|(_, order)| {
            let touched = order.replica.as_ref().is_some_and(|replica| plan.heals(replica));
            let concerns = touched || agents.contains(&order.agent);
            order.epoch < plan.epoch && concerns && may_still_act(order, truth)
        })?;
        Some(format!(
            "plan {} begins, and {} would still carry out step {step} of epoch {}",
            plan.id, order.agent, order.epoch
        ))
    }
}

fn is_silent(order: &Order, truth: &Truth<'_>) -> bool {
    let silent = |index: usize| truth.silent_since(&truth.setup.hosts[index]).is_some();
    match &order.agent {
        Agent::Host(host) => truth.setup.hosts.iter().position(|it| it == host).is_some_and(silent),
        Agent::Replica(replica, life) => {
            let nodes = truth.zoo.lives.get(replica).and_then(|lives| lives.get(life));
            let mute = nodes.is_none_or(|nodes| nodes.member.is_none());
            mute || truth.lives.get(life).is_none_or(|life| silent(life.host))
        }
        Agent::Leader => false,
    }
}

/// Whether the agent is there, is the one that was told, and knows of no newer epoch.
fn may_still_act(order: &Order, truth: &Truth<'_>) -> bool {
    let of_host = |index: usize| {
        let host = &truth.hosts[index];
        let there = truth.silent_since(&truth.setup.hosts[index]).is_none();
        let told = order.instance.as_ref() == Some(&host.disk.instance);
        there && told && host.is_up() && host.desk.fence.epoch() <= order.epoch
    };
    match &order.agent {
        Agent::Host(host) => truth.setup.hosts.iter().position(|it| it == host).is_some_and(of_host),
        Agent::Replica(_, life) => truth.lives.get(life).is_some_and(|life| {
            let there = truth.silent_since(&truth.setup.hosts[life.host]).is_none();
            if life.embeds { there && life.desk.fence.epoch() <= order.epoch } else { of_host(life.host) }
        }),
        Agent::Leader => false,
    }
}
