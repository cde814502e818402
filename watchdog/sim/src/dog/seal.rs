//! Seal: takes our epoch to every agent that an earlier leader may still have orders with.

use std::collections::BTreeMap;

use watchdog_core::ids::{Incarnation, PlanId, ReplicaId, StepId, Time};
use watchdog_core::observation::Presence;
use watchdog_core::plan::{Agent, Outcome};
use watchdog_core::record::Body;

use super::Mind;
use super::draft::destination;
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
        for (step, intent) in mind.history.open_intents.iter().filter(|(_, intent)| intent.epoch < epoch) {
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
                Some(Report { outcome, error, obituary }) => {
                    bodies.extend(obituary.map(|obituary| Body::Died { obituary }));
                    bodies.push(Body::Closed { plan: plan.clone(), step: step.clone(), outcome, error });
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
    let Ok(target) = destination(agent, &mind.observation) else { return false };
    let embedded = matches!(agent, Agent::Replica(_, life) if *instance == life.to_string());
    !embedded || target == *instance
}

fn close(steps: &Steps, why: &str) -> Vec<Body> {
    let closed = steps.iter().map(|(step, plan)| Body::Closed {
        plan: plan.clone(),
        step: step.clone(),
        outcome: Outcome::Unknown,
        error: Some(why.to_owned()),
    });
    closed.collect()
}

/// Agents that can't be asked and need not be.
fn settled_without_asking(mind: &Mind, agent: &Agent, steps: &Steps) -> Option<Vec<Body>> {
    match agent {
        Agent::Leader => Some(close(steps, "its leader is gone")),
        Agent::Replica(replica, incarnation) => {
            if is_lost_with_its_host(mind, (replica, *incarnation)) {
                return Some(close(steps, "its host has been unseen for longer than a lease"));
            }
            let seen = mind.observation.replicas.get(replica).and_then(|seen| seen.lives.get(incarnation));
            let dead_seen = seen.is_some_and(|life| life.obituary.is_some());
            let mut lives = mind.history.lives.get(replica).into_iter().flatten();
            let dead_known = lives.any(|life| life.incarnation == *incarnation && life.obituary.is_some());
            let mute = is_unlisted(mind, (replica, *incarnation)) || is_mute(mind, (replica, *incarnation));
            (dead_seen || dead_known || mute).then(|| {
                let mut bodies = close(steps, "the life that it was for is dead");
                bodies.push(Body::Sealed { agent: agent.clone() });
                bodies
            })
        }
        Agent::Host(host) => match mind.observation.hosts.get(host).map(|seen| seen.presence) {
            Some(Presence::Gone { since }) if lease_over(mind, since) => {
                Some(close(steps, "its host has been unseen for longer than a lease"))
            }
            Some(Presence::Gone { .. } | Presence::Present) | None => None,
        },
    }
}

/// Whether nobody sees this life although its host's agent lists all that it has: then it is over, and nobody buried it.
fn is_unlisted(mind: &Mind, (replica, incarnation): (&ReplicaId, Incarnation)) -> bool {
    let seen = mind.observation.replicas.get(replica).and_then(|seen| seen.lives.get(&incarnation));
    let mut ordered = mind.history.lives.get(replica).into_iter().flatten();
    let past = ordered.find(|life| life.incarnation == incarnation).map(|life| &life.host);
    let host = past.and_then(|host| mind.observation.hosts.get(host));
    let lists_all = host.is_some_and(|host| host.is_present() && host.inventory_complete);
    lists_all && seen.is_none_or(|life| !life.is_alive())
}

/// Whether its agent has been out of the group for longer than a lease, so that only its host's can end it.
fn is_mute(mind: &Mind, (replica, incarnation): (&ReplicaId, Incarnation)) -> bool {
    let Some(seen) = mind.observation.replicas.get(replica) else { return false };
    let speaks = seen.lives.get(&incarnation).is_some_and(|life| life.member.is_some());
    !speaks && seen.memberless_since.is_some_and(|since| lease_over(mind, since))
}

/// Whether nobody sees this life, and its host has been away for longer than a lease.
fn is_lost_with_its_host(mind: &Mind, (replica, incarnation): (&ReplicaId, Incarnation)) -> bool {
    let seen = mind.observation.replicas.get(replica).and_then(|seen| seen.lives.get(&incarnation));
    let mut ordered = mind.history.lives.get(replica).into_iter().flatten();
    let past = ordered.find(|life| life.incarnation == incarnation).map(|life| &life.host);
    let host = seen.map(|life| &life.host).or(past).and_then(|host| mind.observation.hosts.get(host));
    let gone =
        host.is_some_and(|host| matches!(host.presence, Presence::Gone { since } if lease_over(mind, since)));
    gone && seen.is_none_or(|life| !life.is_alive())
}

fn lease_over(mind: &Mind, since: Time) -> bool {
    let policy = &mind.log.policy;
    let longest = mind.log.replicas.values().flatten().map(|spec| spec.lease_ms).max();
    let lease = longest.unwrap_or_default().max(policy.lease_ms) + policy.lease_margin_ms;
    mind.observation.at.since_ms(since) > lease
}
