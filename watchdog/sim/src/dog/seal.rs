//! Seal: takes our epoch to every agent that an earlier leader may still have orders with.

use std::collections::BTreeMap;

use watchdog_core::ids::{PlanId, StepId};
use watchdog_core::plan::{Agent, Outcome};
use watchdog_core::record::Body;
use watchdog_core::seal::{Unasked, lease_ms, unasked};
use watchdog_leader::destination::destination;

use super::Mind;
use crate::event::Event;
use crate::mutant::Safeguard;
use crate::net::Node;
use crate::order::{Answer, Fate, Report, SealAsk};
use crate::world::World;

/// From one try at an agent to the next, and how long one is waited for.
const AGAIN_MS: u64 = 500;

type Steps = BTreeMap<StepId, PlanId>;

impl World {
    /// Asks every agent that is due; answers what can be said about the others without asking.
    pub(super) fn advance_seals(&mut self, dog: usize) -> Vec<Body> {
        let (Some(mind), Some(lead)) = (self.dogs[dog].mind.as_ref(), self.dogs[dog].lead.as_ref()) else {
            return Vec::new();
        };
        let epoch = lead.epoch;
        let mut agents: BTreeMap<(Agent, String), Steps> = BTreeMap::new();
        for (step, intent) in &mind.history.open_intents {
            if intent.epoch >= epoch && !lead.doubts.contains(step) {
                continue;
            }
            let told = (intent.agent.clone(), intent.instance.clone().unwrap_or_default());
            agents.entry(told).or_default().insert(step.clone(), intent.plan.clone());
        }
        let mut bodies = Vec::new();
        let mut asks = Vec::new();
        for (told, steps) in agents {
            if self.lacks(Safeguard::Seal) {
                bodies.push(Body::Sealed { agent: told.0.clone() });
                bodies.extend(close(&steps, "nobody asked"));
            } else if let Some(said) = settled_without_asking(mind, &told.0, &steps) {
                bodies.extend(said);
            } else if lead.seals.get(&told).is_none_or(|at| *at <= self.now) && can_be_asked(&told, mind) {
                asks.push((told, steps));
            }
        }
        for ((agent, target), steps) in asks {
            self.ask_seal(dog, &SealAsk { agent, epoch, target, steps });
        }
        bodies
    }

    fn ask_seal(&mut self, dog: usize, ask: &SealAsk) {
        let again = self.setup.policy.timeouts.seal_ms + AGAIN_MS;
        let (now, term) = (self.now, self.dogs[dog].term);
        if let Some(lead) = self.dogs[dog].lead.as_mut() {
            lead.seals.insert((ask.agent.clone(), ask.target.clone()), now + again);
        }
        if let Some(lead) = self.dogs[dog].lead.as_mut() {
            // Its answer is waited for at the usual pace.
            lead.calm = 0;
        }
        let Some((host, to)) = self.whereabouts(&ask.agent) else { return };
        let delays = self.net.deliver((Node::Dog(dog), Node::Host(host)), &mut self.rng);
        for delay in delays.into_iter().flatten() {
            self.plan_in(delay, Event::Seal(to, Box::new(ask.clone()), (dog, term)));
        }
    }

    /// What an answer means for the record.
    pub(super) fn conclude_seal(&mut self, dog: usize, answer: Answer) -> Vec<Body> {
        let Answer::Seal { ask, instance, fates } = answer else { return Vec::new() };
        let now = self.now;
        let Some(mind) = self.dogs[dog].mind.as_ref() else { return Vec::new() };
        let mut bodies = Vec::new();
        if !mind.history.sealed.contains(&ask.agent) {
            bodies.push(Body::Sealed { agent: ask.agent.clone() });
        }
        let mut running = false;
        for (step, plan) in &ask.steps {
            if !mind.history.open_intents.contains_key(step) {
                continue;
            }
            let report = if instance == ask.target {
                fate(fates.get(step))
            } else {
                // A new instance refuses what its predecessor was told; what became of it is seen by looking.
                Some(Report::of(Outcome::Unknown, "the agent's state directory is new"))
            };
            match report {
                Some(Report { outcome, error, obituary, blame }) => {
                    bodies.extend(obituary.map(|obituary| Body::Died { obituary }));
                    bodies.push(Body::Closed {
                        plan: plan.clone(),
                        step: step.clone(),
                        outcome,
                        error,
                        blame,
                    });
                }
                None => running = true,
            }
        }
        if let Some(lead) = self.dogs[dog].lead.as_mut().filter(|_| running) {
            lead.seals.insert((ask.agent.clone(), ask.target.clone()), now + AGAIN_MS);
        }
        bodies
    }
}

/// What an agent said of a step; `None` when it is still at it.
fn fate(said: Option<&Fate>) -> Option<Report> {
    match said {
        None => Some(Report::of(Outcome::Unknown, "the agent did not say what became of it")),
        Some(Fate::Done(reply)) => Some(Report::from_reply(reply.clone())),
        Some(Fate::Never) => Some(Report::of(Outcome::Never, "the agent never began it, and never will")),
        Some(Fate::Running) => None,
        Some(Fate::Lost) => {
            Some(Report::of(Outcome::Unknown, "begun before the agent's own crash; settled by looking"))
        }
    }
}

/// An embedded agent that is not in the group can't be asked, and its host's knows nothing of it.
fn can_be_asked((agent, instance): &(Agent, String), mind: &Mind) -> bool {
    let Ok(to) = destination(agent, &mind.observation) else { return false };
    let embedded = matches!(agent, Agent::Replica(_, life) if *instance == life.to_string());
    !embedded || to.target == *instance
}

fn close(steps: &Steps, why: &str) -> Vec<Body> {
    let closed = steps.iter().map(|(step, plan)| Body::Closed {
        plan: plan.clone(),
        step: step.clone(),
        outcome: Outcome::Unknown,
        error: Some(why.to_owned()),
        blame: None,
    });
    closed.collect()
}

/// What is said of the steps of an agent that can't be asked, or need not be.
fn settled_without_asking(mind: &Mind, agent: &Agent, steps: &Steps) -> Option<Vec<Body>> {
    let lease_ms = lease_ms(&mind.log.replicas, &mind.log.policy);
    let Unasked { why, is_sealed } = unasked(agent, (&mind.history, &mind.observation), lease_ms)?;
    let sealed = is_sealed.then(|| Body::Sealed { agent: agent.clone() });
    Some(close(steps, why).into_iter().chain(sealed).collect())
}
