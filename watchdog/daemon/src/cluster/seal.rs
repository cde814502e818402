//! Seal: takes our epoch to every agent that an earlier leader may still have orders with.
//!
//! ```text
//! open intents of older epochs, by agent ──► there? ──► Seal rpc ──► done │ never │ lost │ running (asked again)
//!                                              │ no
//!                                              ├─ its life is proven dead ──► unknown, sealed
//!                                              └─ unseen for lease + margin ──► unknown
//! ```
//!
//! Until it is sealed nothing that the agent has is touched; other agents'
//! replicas are not waited for. Intents are settled here, never resumed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use watchdog_core::ids::{Epoch, PlanId, StepId, Time};
use watchdog_core::observation::Presence;
use watchdog_core::plan::{Agent, Outcome};
use watchdog_core::record::Body;
use watchdog_proto::agent::{SealReply, SealRequest, SealedStep};

use crate::agents::{Agents, Report};
use crate::cluster::orders;
use crate::cluster::world::World;

/// From one try at an agent to the next.
const AGAIN: Duration = Duration::from_millis(500);

/// An agent's answer.
#[derive(Debug)]
pub(crate) struct Sealed {
    agent: Agent,
    target: String,
    steps: BTreeMap<StepId, PlanId>,
    reply: Option<SealReply>,
}

/// See the module.
pub(crate) struct Sealing {
    epoch: Epoch,
    agents: Arc<Agents>,
    answers: mpsc::UnboundedSender<Sealed>,
    /// When each agent is to be asked again; in flight ones wait here too.
    not_before: BTreeMap<Agent, Instant>,
}

impl Sealing {
    /// Nothing asked yet.
    pub(crate) fn new(epoch: Epoch, agents: Arc<Agents>, answers: mpsc::UnboundedSender<Sealed>) -> Self {
        Self { epoch, agents, answers, not_before: BTreeMap::new() }
    }

    /// Asks every agent that is due; answers what can be said about the others without asking.
    pub(crate) fn advance(&mut self, world: &World) -> Vec<Body> {
        let mut bodies = Vec::new();
        for (agent, steps) in unsealed(world, self.epoch) {
            if let Some(said) = settled_without_asking(world, &agent, &steps) {
                bodies.extend(said);
                continue;
            }
            let due = self.not_before.get(&agent).is_none_or(|at| *at <= Instant::now());
            match orders::destination(&agent, &world.observation) {
                Ok(to) if due => self.ask(world, agent, (to, steps)),
                Ok(_) | Err(_) => {}
            }
        }
        bodies
    }

    fn ask(&mut self, world: &World, agent: Agent, (to, steps): (orders::Destination, Steps)) {
        let patience = Duration::from_millis(world.log.policy.timeouts.seal_ms);
        self.not_before.insert(agent.clone(), Instant::now() + patience + AGAIN);
        let request = SealRequest {
            cluster: world.cluster.to_string(),
            epoch: self.epoch.0,
            target: to.target.clone(),
            steps: steps.keys().map(ToString::to_string).collect(),
        };
        let (agents, answers) = (Arc::clone(&self.agents), self.answers.clone());
        tokio::spawn(async move {
            let reply = agents.seal(&to.address, request, patience).await;
            if let Err(error) = &reply {
                tracing::warn!(%agent, %error, "agent not sealed; asking again");
            }
            // Nobody listens any more when the term is over.
            let _ = answers.send(Sealed { agent, target: to.target, steps, reply: reply.ok() });
        });
    }

    /// What an answer means for the record.
    pub(crate) fn conclude(&mut self, sealed: Sealed) -> Vec<Body> {
        let Sealed { agent, target, steps, reply } = sealed;
        let Some(reply) = reply else {
            self.not_before.insert(agent, Instant::now() + AGAIN);
            return Vec::new();
        };
        let mut bodies = vec![Body::Sealed { agent: agent.clone() }];
        let fates: BTreeMap<&str, &SealedStep> =
            reply.steps.iter().map(|fate| (fate.step.as_str(), fate)).collect();
        for (step, plan) in steps {
            let report = if reply.instance == target {
                fate(fates.get(step.as_str()).copied())
            } else {
                // A new instance refuses what its predecessor was told; what became of it is seen by looking.
                Some(Report::of(Outcome::Unknown, "the agent's state directory is new"))
            };
            match report {
                Some(Report { outcome, error, .. }) => {
                    bodies.push(Body::Closed { plan, step, outcome, error });
                }
                None => {
                    self.not_before.insert(agent.clone(), Instant::now() + AGAIN);
                }
            }
        }
        bodies
    }
}

type Steps = BTreeMap<StepId, PlanId>;

/// Open intents of older epochs, by the agent that has them.
fn unsealed(world: &World, epoch: Epoch) -> BTreeMap<Agent, Steps> {
    let mut agents: BTreeMap<Agent, Steps> = BTreeMap::new();
    for (step, intent) in world.history.open_intents.iter().filter(|(_, intent)| intent.epoch < epoch) {
        agents.entry(intent.agent.clone()).or_default().insert(step.clone(), intent.plan.clone());
    }
    agents
}

/// What an agent said of a step; `None` when it is still at it.
fn fate(said: Option<&SealedStep>) -> Option<Report> {
    let Some(said) = said else {
        return Some(Report::of(Outcome::Unknown, "the agent did not say what became of it"));
    };
    match said.fate.as_str() {
        "done" => Some(match &said.result {
            Some(result) => Report::from_result(result.clone()),
            None => Report { outcome: Outcome::Done, error: None, snapshot: None, obituary: None },
        }),
        "never" => Some(Report::of(Outcome::Never, "the agent never began it, and never will")),
        "running" => None,
        _ => Some(Report::of(Outcome::Unknown, "begun before the agent's own crash; settled by looking")),
    }
}

/// Agents that can't be asked and need not be.
fn settled_without_asking(world: &World, agent: &Agent, steps: &Steps) -> Option<Vec<Body>> {
    let close = |why: &str| {
        let closed = steps.iter().map(|(step, plan)| Body::Closed {
            plan: plan.clone(),
            step: step.clone(),
            outcome: Outcome::Unknown,
            error: Some(why.to_owned()),
        });
        closed.collect::<Vec<_>>()
    };
    match agent {
        // The leader's own steps touch nobody.
        Agent::Leader => Some(close("its leader is gone")),
        Agent::Replica(replica, incarnation) => {
            let seen = world.observation.replicas.get(replica).and_then(|seen| seen.lives.get(incarnation));
            let dead_seen = seen.is_some_and(|life| life.obituary.is_some());
            let lives = world.history.lives.get(replica);
            let dead_known = lives
                .into_iter()
                .flatten()
                .any(|life| life.incarnation == *incarnation && life.obituary.is_some());
            (dead_seen || dead_known).then(|| {
                let mut bodies = close("the life that it was for is dead");
                bodies.push(Body::Sealed { agent: agent.clone() });
                bodies
            })
        }
        Agent::Host(host) => {
            let presence = world.observation.hosts.get(host).map(|seen| seen.presence);
            match presence {
                Some(Presence::Gone { since }) if lease_over(world, since) => {
                    Some(close("its host has been unseen for longer than a lease"))
                }
                Some(Presence::Gone { .. } | Presence::Present) | None => None,
            }
        }
    }
}

fn lease_over(world: &World, since: Time) -> bool {
    let policy = &world.log.policy;
    let longest = world.log.replicas.values().flatten().map(|spec| spec.lease_ms).max();
    let lease = longest.unwrap_or_default().max(policy.lease_ms) + policy.lease_margin_ms;
    world.observation.at.since_ms(since) > lease
}
