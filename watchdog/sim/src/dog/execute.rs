//! Execute: sends the steps whose intents are written, asks again until they are answered, and hears the answers.

use std::rc::Rc;

use watchdog_core::ids::{PlanId, StepId, Time, Version};
use watchdog_core::plan::{Act, Agent, Outcome, Step};
use watchdog_core::record::{Body, Entry};
use watchdog_core::state::State;
use watchdog_leader::begin::{Intent, Screened, intents, is_late, screen};
use watchdog_leader::destination::destination;
use watchdog_leader::report::Report;

use super::Call;
use crate::event::{DogWork, Event};
use crate::fact::Fact;
use crate::mutant::Safeguard;
use crate::net::Node;
use crate::order::{Answer, Order, Reply, To};
use crate::world::World;

/// How often a step that is not answered is asked again, at first and at most.
const AGAIN_MS: (u64, u64) = (1_000, 4_000);

impl World {
    /// Sends every step that `entries` intend, if it is still to be begun.
    pub(super) fn execute(&mut self, dog: usize, entries: &[Entry]) {
        let intents = intents(entries);
        let checks = !self.lacks(Safeguard::IntentFirst) && !self.lacks(Safeguard::SentInTime);
        if checks && !intents.is_empty() && self.is_late(dog) {
            self.look(dog);
        }
        let Screened { sent, never } =
            if checks { self.screen(dog, intents) } else { Screened { sent: intents, never: Vec::new() } };
        for Intent { plan, step, agent, instance, .. } in &sent {
            self.call(dog, (plan, step), (agent, instance));
        }
        if never.is_empty() {
            return;
        }
        if let Some(lead) = self.dogs[dog].lead.as_mut() {
            for (intent, bodies) in never {
                lead.ended.add(intent.step, bodies);
            }
        }
        self.wake_in(dog, 0);
    }

    fn is_late(&self, dog: usize) -> bool {
        let now = self.told(dog);
        self.dogs[dog].mind.as_ref().is_some_and(|mind| is_late(&mind.observation, now))
    }

    fn screen(&self, dog: usize, intents: Vec<Intent>) -> Screened {
        let (Some(lead), Some(mind)) = (self.dogs[dog].lead.as_ref(), self.dogs[dog].mind.as_ref()) else {
            return Screened::default();
        };
        screen(&mind.known(&self.setup.cluster), (lead.epoch, self.now_of(dog)), intents)
    }

    pub(super) fn send_before_it_is_written(&mut self, dog: usize, bodies: &[Body]) {
        let plans: Vec<_> = bodies
            .iter()
            .filter_map(|body| match body {
                Body::PlanRecorded { plan, .. } => Some(plan.clone()),
                _ => None,
            })
            .collect();
        for body in bodies {
            let Body::Intended { plan, step, agent, instance: Some(instance), .. } = body else { continue };
            let found = plans.iter().find(|it| it.id == *plan);
            let found = found.and_then(|it| it.steps.iter().find(|it| it.id == *step)).cloned();
            if let Some(found) = found {
                self.place_call(dog, (plan, &found), (agent, instance));
            }
        }
    }

    fn call(&mut self, dog: usize, (plan, step): (&PlanId, &StepId), to: (&Agent, &String)) {
        let found = self.history_of(dog).and_then(|history| {
            let open = history.open_plans.get(plan)?;
            open.plan.steps.iter().find(|it| it.id == *step).cloned()
        });
        let Some(found) = found else { return };
        self.place_call(dog, (plan, &found), to);
    }

    fn place_call(
        &mut self,
        dog: usize,
        (plan, step): (&PlanId, &Step),
        (agent, instance): (&Agent, &String),
    ) {
        let Some(epoch) = self.dogs[dog].lead.as_ref().map(|lead| lead.epoch) else { return };
        let Some(replica) = step.replica.clone() else { return };
        let version = match &step.act {
            Act::Start { version, .. } => Some(*version),
            Act::Load { to, .. } => Some(*to),
            _ => None,
        };
        let session = self.session_seen(dog, agent);
        let (state, hash) = match version {
            Some(version) => self.application(version),
            None => Default::default(),
        };
        let Some(mind) = self.dogs[dog].mind.as_ref() else { return };
        let spec = mind.log.replicas.get(&replica).and_then(|spec| spec.as_ref().ok()).cloned();
        let order = Order {
            epoch,
            plan: plan.clone(),
            step: step.id.clone(),
            agent: agent.clone(),
            target: instance.clone(),
            session,
            replica,
            act: step.act.clone(),
            spec,
            state,
            version: version.unwrap_or_default(),
            hash,
        };
        let call = Call { order, step: step.clone(), begun_at: self.now, sent: 0 };
        if let Some(lead) = self.dogs[dog].lead.as_mut() {
            lead.calls.entry(step.id.clone()).or_insert(call);
        }
        self.plan_dog(dog, 0, DogWork::Send(step.id.clone()));
    }

    /// In which session the host's agent was last seen that carries out what `agent` is told; that which a replica embeds
    /// has none, because its incarnation says it all.
    fn session_seen(&self, dog: usize, agent: &Agent) -> String {
        let session = || {
            let seen = &self.dogs[dog].mind.as_ref()?.observation;
            Some(destination(agent, seen).ok()?.session)
        };
        session().unwrap_or_default()
    }

    fn application(&self, version: Version) -> (Rc<State>, watchdog_core::state::Hash) {
        let state = self.journal.state(version);
        let hash = self.journal.hash(version).unwrap_or_else(|| state.hash());
        (state, hash)
    }

    /// Sends a step, or sends it again.
    pub(crate) fn send(&mut self, dog: usize, step: &StepId) {
        let surely = self.surely_leads(dog);
        let first = self.lacks(Safeguard::IntentFirst);
        let known = self.history_of(dog).is_some_and(|it| it.open_intents.contains_key(step)) || first;
        let at = self.dogs[dog].mind.as_ref().map(|mind| &mind.observation);
        let Some(call) = self.dogs[dog].lead.as_ref().and_then(|lead| lead.calls.get(step)) else { return };
        let asked = call.sent > 0;
        if !surely || !known {
            let fate = if asked { Outcome::Unknown } else { Outcome::Never };
            let report = Report::of(fate, "this watchdog stopped leading before the agent answered");
            return self.end_call(dog, step, report);
        }
        let to = at.and_then(|seen| destination(&call.order.agent, seen).ok());
        if !asked && to.is_none_or(|to| to.target != call.order.target) {
            let why = format!("{} is not the one any more that the step was planned for", call.order.agent);
            return self.end_call(dog, step, Report::of(Outcome::Never, why));
        }
        let wait = (AGAIN_MS.0 << call.sent.min(2)).min(AGAIN_MS.1);
        if asked && self.now - call.begun_at + wait > call.step.timeout_ms + 500 {
            let why = format!("no answer within {} ms", call.step.timeout_ms);
            return self.end_call(dog, step, Report::of(Outcome::Unknown, why));
        }
        let epoch = call.order.epoch;
        if let Some(call) = self.dogs[dog].lead.as_mut().and_then(|lead| lead.calls.get_mut(step)) {
            call.sent += 1;
        }
        self.hear(&Fact::Sent { dog, epoch, step });
        self.plan_dog(dog, wait, DogWork::Send(step.clone()));
        if let Some(ms) = self.dogs[dog].stops_at_send.take() {
            // Between the look at the lease and the socket.
            let term = self.dogs[dog].term;
            self.freeze_in_act(dog, ms);
            return self.dogs[dog].put_off.push((term, DogWork::Transmit(step.clone())));
        }
        self.transmit(dog, step);
    }

    /// Puts a step on its way.
    pub(crate) fn transmit(&mut self, dog: usize, step: &StepId) {
        let term = self.dogs[dog].term;
        let Some(call) = self.dogs[dog].lead.as_ref().and_then(|lead| lead.calls.get(step)) else { return };
        let order = call.order.clone();
        if let Some((host, to)) = self.whereabouts(&order.agent) {
            let delays = self.net.deliver((Node::Dog(dog), Node::Host(host)), &mut self.rng);
            for delay in delays.into_iter().flatten() {
                self.plan_in(delay, Event::Order(to, Box::new(order.clone()), (dog, term)));
            }
        }
    }

    /// On which host an agent answers, and who it is there.
    pub(super) fn whereabouts(&self, agent: &Agent) -> Option<(usize, To)> {
        match agent {
            Agent::Host(host) => {
                let index = self.setup.hosts.iter().position(|it| it == host)?;
                Some((index, To::Host(index)))
            }
            Agent::Replica(_, incarnation) => {
                let life = self.lives.get(incarnation)?;
                let to = if life.embeds { To::Life(*incarnation) } else { To::Host(life.host) };
                Some((life.host, to))
            }
            Agent::Leader => None,
        }
    }

    fn end_call(&mut self, dog: usize, step: &StepId, report: Report) {
        let it = &mut self.dogs[dog];
        let (Some(lead), Some(mind)) = (it.lead.as_mut(), it.mind.as_ref()) else { return };
        let Some(call) = lead.calls.remove(step) else { return };
        match report.settle(call.order.plan, &call.step, &mind.history) {
            Ok(told) => lead.ended.add(step.clone(), told),
            Err(why) => lead.sealing.doubt(step.clone(), why),
        }
        self.wake_in(dog, 0);
    }

    /// Hears an agent.
    pub(crate) fn hear_agent(&mut self, dog: usize, answer: Answer) {
        match answer {
            Answer::Step(step, reply) => {
                let Some(call) = self.dogs[dog].lead.as_ref().and_then(|lead| lead.calls.get(&step)) else {
                    return;
                };
                let again = call.sent > 1;
                let report = match reply {
                    Reply::Refused { is_final: false, .. } => return,
                    // Refused again it may have been begun before.
                    Reply::Refused { why, .. } if again => Report::of(Outcome::Unknown, why),
                    reply => reply.into(),
                };
                self.end_call(dog, &step, report);
            }
            Answer::Seal(call, reply) => {
                if let Some(lead) = self.dogs[dog].lead.as_mut() {
                    lead.sealed.push((call, reply));
                    self.wake_in(dog, 0);
                }
            }
        }
    }

    /// Everything that came since the last check.
    pub(super) fn news(&mut self, dog: usize, now: Time) -> Vec<Body> {
        self.tidy_up(dog);
        let it = &mut self.dogs[dog];
        let (Some(lead), Some(mind)) = (it.lead.as_mut(), it.mind.as_ref()) else { return Vec::new() };
        let mut bodies = lead.ended.unwritten(&mind.history);
        for (call, reply) in lead.sealed.drain(..) {
            bodies.extend(lead.sealing.conclude((call, Some(reply)), (&mind.history, now)));
        }
        let (settled, calls) = lead.sealing.advance(&mind.known(&self.setup.cluster), now);
        bodies.extend(settled);
        for call in calls {
            bodies.extend(self.ask_seal(dog, &call));
        }
        bodies
    }

    /// Removes from the group the obituaries that the record holds.
    fn tidy_up(&mut self, dog: usize) {
        let now = self.now;
        let Some(lead) = self.dogs[dog].lead.as_mut().filter(|lead| now - lead.tidied_at >= 10_000) else {
            return;
        };
        lead.tidied_at = now;
        let Some(mind) = self.dogs[dog].mind.as_mut() else { return };
        let obituaries = self.zoo.lives.values().flatten();
        let standing =
            obituaries.filter_map(|(life, nodes)| Some((*life, nodes.obituary.clone()?))).collect();
        for incarnation in mind.view.eyes.outlived(&standing, (&mind.history, mind.observation.at)) {
            let replica = &standing[&incarnation].replica;
            self.zoo.change(replica, now, |lives| {
                if let Some(nodes) = lives.get_mut(&incarnation) {
                    nodes.obituary = None;
                }
            });
        }
    }
}
