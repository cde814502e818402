//! Desk: an embedded agent takes orders, at the desk that ships.

use std::collections::BTreeMap;
use std::time::Duration;

use watchdog_core::desk::{Refused, StepOrder, Taken};
use watchdog_core::ids::{Incarnation, StepId};
use watchdog_core::plan::{Act, Agent};
use watchdog_leader::seal::{SealCall, SealReply, StepFate};

use super::{Loading, Mood, Trait};
use crate::event::{Event, LifeWork};
use crate::fact::{Effect, Fact};
use crate::mutant::Safeguard;
use crate::net::Node;
use crate::order::{Answer, Asker, Order, Reply, step_fate};
use crate::world::World;

/// Its fence has no lease, so that nothing depends on the time.
const ANY_TIME: Duration = Duration::ZERO;

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
        let node = Node::Host(life.host);
        if order.target != incarnation.to_string() && !blind_target {
            let why = Reply::refused(format!("this is incarnation {incarnation}"));
            return self.answer_step(node, &order.step, (why, asker));
        }
        let newest = order.epoch.max(life.desk.fence.epoch());
        let epoch = if forgets { newest } else { order.epoch };
        let step_order = StepOrder { epoch, session: "", step: &order.step, replica: Some(&life.replica) };
        let reply = match life.desk.order(step_order, ANY_TIME, &life.recent) {
            Ok(Taken::Begin { .. }) => return self.begin_at_life(incarnation, order, asker),
            Ok(_) | Err(Refused::GivenUp(_)) if repeats => {
                return self.begin_at_life(incarnation, order, asker);
            }
            Ok(Taken::Follow(loading)) => return loading.askers.push(asker),
            Ok(Taken::Ended(reply)) => reply,
            Err(refused) => refused.into(),
        };
        self.answer_step(node, &order.step, (reply, asker));
    }

    fn begin_at_life(&mut self, incarnation: Incarnation, order: Order, asker: Asker) {
        let host = self.lives.get(&incarnation).map_or(0, |life| life.host);
        self.hear(&Fact::Acts(Effect::of(&order, incarnation.to_string())));
        let (step, node) = (order.step.clone(), Node::Host(host));
        let Some(life) = self.lives.get_mut(&incarnation) else { return };
        match order.act {
            Act::Drain { .. } => {
                life.is_draining = true;
                life.recent.remember(step.clone(), Reply::done());
                self.recount(incarnation);
                self.answer_step(node, &step, (Reply::done(), asker));
            }
            Act::Load { .. } => {
                let slow = Trait::of(&order.state, &order.replica) == Trait::Slow;
                let takes = if slow { self.rng.range(3_000, 9_000) } else { self.rng.range(30, 900) };
                life.desk.begin(&step, Some(&life.replica), Loading { order, askers: vec![asker] });
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
        let Some(Loading { order, askers }) = life.desk.filed(step) else { return };
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
        life.recent.remember(step.clone(), reply.clone());
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
    pub(crate) fn seal_life(&mut self, incarnation: Incarnation, call: SealCall, asker: Asker) {
        let forgets = self.lacks(Safeguard::EpochAtAgents);
        let Some(life) = self.lives.get_mut(&incarnation).filter(|life| life.mood != Mood::Stopped) else {
            return;
        };
        let target = Agent::Replica(life.replica.clone(), incarnation);
        let (host, instance) = (life.host, incarnation.to_string());
        let steps: Vec<StepId> = call.steps.keys().cloned().collect();
        let are_ours = call.to.agent == target;
        // Where the layer below is taken away, this one may not hide it.
        let barred = if forgets { &[] } else { steps.as_slice() };
        if life.desk.seal(call.epoch, (barred, are_ours), &life.recent).is_err() {
            return;
        }
        let fate = |step: &StepId| step_fate(life.desk.fate((step, are_ours), &life.recent));
        let fates: BTreeMap<StepId, StepFate> = steps.iter().map(|step| (step.clone(), fate(step))).collect();
        let running = running_of(&fates);
        self.hear(&Fact::Sealed { agent: &target, instance: &instance, epoch: call.epoch, running });
        self.answer(Node::Host(host), &Answer::Seal(call, SealReply { instance, fates }), asker);
    }
}

/// The steps that are under way.
pub(crate) fn running_of(fates: &BTreeMap<StepId, StepFate>) -> Vec<StepId> {
    fates.iter().filter(|(_, fate)| **fate == StepFate::Running).map(|(step, _)| step.clone()).collect()
}
