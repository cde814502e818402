//! Desk: an embedded agent takes orders: the epoch, each step once, one at a time.

use std::collections::BTreeMap;

use watchdog_core::ids::{Incarnation, StepId};
use watchdog_core::plan::{Act, Agent};

use super::{Mood, Running, Trait};
use crate::event::{Event, LifeWork};
use crate::fact::{Effect, Fact};
use crate::mutant::Safeguard;
use crate::net::Node;
use crate::order::{Answer, Asker, Fate, Order, Reply, SealAsk};
use crate::world::World;

impl World {
    /// An order reaches an embedded agent.
    pub(crate) fn order_life(&mut self, incarnation: Incarnation, order: Order, asker: Asker) {
        let forgets = self.lacks(Safeguard::EpochAtAgents);
        let repeats = self.lacks(Safeguard::StepsOnce);
        let blind_target = self.lacks(Safeguard::InstanceIds);
        // Who is stopped does not answer, and neither does the dead.
        let Some(life) = self.lives.get_mut(&incarnation).filter(|life| life.mood != Mood::Stopped) else {
            return;
        };
        let host = life.host;
        let refusal = if order.target != incarnation.to_string() && !blind_target {
            Some(format!("this is incarnation {incarnation}"))
        } else if order.epoch < life.epoch && !forgets {
            Some(format!("epoch {} is over; this agent has seen epoch {}", order.epoch, life.epoch))
        } else {
            None
        };
        if let Some(why) = refusal {
            return self.answer_step(Node::Host(host), &order.step, (Reply::refused(why), asker));
        }
        life.epoch = life.epoch.max(order.epoch);
        match life.steps.get(&order.step).filter(|_| !repeats).cloned() {
            Some(Some(reply)) => return self.answer_step(Node::Host(host), &order.step, (reply, asker)),
            Some(None) => {
                if let Some(running) = life.running.as_mut().filter(|it| it.order.step == order.step) {
                    running.askers.push(asker);
                }
                return;
            }
            None => {}
        }
        if life.given_up.contains(&order.step) && !repeats && !forgets {
            let why = Reply::refused("its leader gave it up before it arrived");
            return self.answer_step(Node::Host(host), &order.step, (why, asker));
        }
        if life.running.is_some() {
            let busy = Reply::refused("busy: another step runs here");
            return self.answer_step(Node::Host(host), &order.step, (busy, asker));
        }
        self.begin_at_life(incarnation, order, asker);
    }

    fn begin_at_life(&mut self, incarnation: Incarnation, order: Order, asker: Asker) {
        let host = self.lives.get(&incarnation).map_or(0, |life| life.host);
        self.hear(&Fact::Acts(Effect::of(&order, incarnation.to_string())));
        let (step, node) = (order.step.clone(), Node::Host(host));
        let Some(life) = self.lives.get_mut(&incarnation) else { return };
        match order.act {
            Act::Drain { .. } => {
                life.is_draining = true;
                life.steps.insert(step.clone(), Some(Reply::done()));
                self.recount(incarnation);
                self.answer_step(node, &step, (Reply::done(), asker));
            }
            Act::Load { .. } => {
                let slow = Trait::of(&order.state, &order.replica) == Trait::Slow;
                let takes = if slow { self.rng.range(3_000, 9_000) } else { self.rng.range(30, 900) };
                life.steps.insert(step.clone(), None);
                life.running = Some(Running { order, askers: vec![asker] });
                self.plan_in(takes, Event::Life(incarnation, LifeWork::Loaded(step)));
                self.recount(incarnation);
            }
            _ => {
                let reply = Reply::refused("an embedded agent drains and loads");
                self.answer_step(node, &step, (reply, asker));
            }
        }
    }

    /// A load comes to its end.
    pub(crate) fn end_load(&mut self, incarnation: Incarnation, step: &StepId) {
        let now = self.now;
        let Some(life) = self.lives.get_mut(&incarnation) else { return };
        if life.mood == Mood::Stopped {
            // It goes on when it runs again.
            return self.plan_in(1_000, Event::Life(incarnation, LifeWork::Loaded(step.clone())));
        }
        let Some(Running { order, askers }) = life.running.take_if(|it| it.order.step == *step) else {
            return;
        };
        let host = life.host;
        let does = Trait::of(&order.state, &order.replica);
        let reply = if !life.is_ready || life.mood == Mood::Stuck {
            Reply::failed("the application does not answer")
        } else if does == Trait::FailsToLoad {
            Reply::failed("prepare failed, nothing was loaded")
        } else {
            if life.hash != order.hash {
                life.fall_ill(now);
            }
            (life.state, life.version, life.hash) = (order.state.clone(), order.version, order.hash);
            // What it was drained for was given up.
            life.is_draining = false;
            life.reckon(now);
            Reply::done()
        };
        life.steps.insert(step.clone(), Some(reply.clone()));
        if matches!(&reply, Reply::Ended { error: None, .. }) {
            let does = if does == Trait::DiesAtStart { Trait::Dies } else { does };
            self.behave(incarnation, does);
            self.say(|_| format!("{} has loaded version {}", order.replica, order.version));
        }
        for asker in askers {
            self.answer_step(Node::Host(host), step, (reply.clone(), asker));
        }
    }

    /// A seal reaches an embedded agent.
    pub(crate) fn seal_life(&mut self, incarnation: Incarnation, ask: SealAsk, asker: Asker) {
        let Some(life) = self.lives.get_mut(&incarnation).filter(|life| life.mood != Mood::Stopped) else {
            return;
        };
        if ask.epoch < life.epoch {
            return;
        }
        life.epoch = ask.epoch;
        let target = Agent::Replica(life.replica.clone(), incarnation);
        let (host, instance) = (life.host, incarnation.to_string());
        if ask.agent == target {
            // What is called never begun never begins.
            let unbegun = ask.steps.keys().filter(|step| !life.steps.contains_key(*step));
            life.given_up.extend(unbegun.cloned());
        }
        let fate = |step: &StepId| match life.steps.get(step) {
            Some(Some(reply)) => Fate::Done(reply.clone()),
            Some(None) => Fate::Running,
            None if ask.agent != target => Fate::Lost,
            None => Fate::Never,
        };
        let fates: BTreeMap<StepId, Fate> = ask.steps.keys().map(|step| (step.clone(), fate(step))).collect();
        let running = running_of(&fates);
        self.hear(&Fact::Sealed { agent: &target, instance: &instance, epoch: ask.epoch, running });
        self.answer(Node::Host(host), &Answer::Seal { ask, instance, fates }, asker);
    }
}

/// The steps that are under way.
pub(crate) fn running_of(fates: &BTreeMap<StepId, Fate>) -> Vec<StepId> {
    fates.iter().filter(|(_, fate)| **fate == Fate::Running).map(|(step, _)| step.clone()).collect()
}
