//! Desk: a host agent takes orders, at the desk that ships.

use std::collections::BTreeMap;
use std::time::Duration;

use watchdog_core::blame::Blame;
use watchdog_core::desk::{Kind, Refused, StepOrder, Taken};
use watchdog_core::ids::{Epoch, Incarnation, StepId};
use watchdog_core::plan::{Act, Agent};
use watchdog_leader::seal::{SealCall, SealReply, StepFate};

use super::{AtWork, Begun, End, Host};
use crate::event::Event;
use crate::fact::Fact;
use crate::life::desk::running_of;
use crate::mutant::Safeguard;
use crate::net::Node;
use crate::order::{Answer, Asker, Order, Reply, step_fate};
use crate::world::World;

/// The epoch, the session and the moment with which an order comes to the desk: its own, or those that a mutant gives it.
type Heard = (Epoch, String, Duration);

impl World {
    /// An order reaches a host agent.
    pub(crate) fn order_host(&mut self, index: usize, order: Order, asker: Asker) {
        if !self.hosts[index].is_up() || !self.hosts[index].has_stock {
            return;
        }
        let node = Node::Host(index);
        let repeats = self.lacks(Safeguard::StepsOnce);
        if let Some(why) = self.is_for_another(index, &order) {
            return self.answer_step(node, &order.step, (why, asker));
        }
        let (epoch, session, now) = self.heard(index, &order);
        let host = &mut self.hosts[index];
        let has_effect = Kind::of(&order.act).is_some_and(Kind::has_effect);
        let replica = Some(&order.replica).filter(|_| has_effect);
        let step_order = StepOrder { epoch, session: &session, step: &order.step, replica };
        let reply = match host.desk.order(step_order, now, &host.disk) {
            Ok(Taken::Begin { .. }) => return self.take(index, order, asker),
            Ok(_) | Err(Refused::GivenUp(_) | Refused::Busy(_) | Refused::Lost(_)) if repeats => {
                return self.take(index, order, asker);
            }
            Ok(Taken::Follow(at_work)) => return at_work.askers.push(asker),
            Ok(Taken::Ended(reply)) => reply,
            Err(refused) => refused.into(),
        };
        self.answer_step(node, &order.step, (reply, asker));
    }

    /// What the desk lets begin is begun, if it makes sense and the disk takes it.
    fn take(&mut self, index: usize, order: Order, asker: Asker) {
        let (node, step) = (Node::Host(index), order.step.clone());
        if let Some(why) = self.makes_no_sense(index, &order) {
            return self.answer_step(node, &step, (why, asker));
        }
        let (Some(kind), Some(life)) = (Kind::of(&order.act), order.act.incarnation()) else {
            let why = Reply::refused("a host agent does not do that");
            return self.answer_step(node, &step, (why, asker));
        };
        let host = &mut self.hosts[index];
        let (epoch, replica) = (order.epoch, Some(order.replica.clone()).filter(|_| kind.has_effect()));
        host.desk.begin(&step, replica.as_ref(), AtWork { order, kind, askers: vec![asker] });
        if host.full_by > 0 && (kind.has_effect() || epoch > host.disk.epoch) {
            return self.fail_full(index, &step);
        }
        host.disk.epoch = host.disk.epoch.max(epoch);
        host.desk.fence.recorded(epoch);
        if kind.has_effect() {
            host.disk.steps.insert(step.clone(), Begun { kind, life, end: End::Open });
        }
        self.begin_at_host(index, &step);
        if let Some(ms) = self.hosts[index].falls_in_act.take_if(|_| kind.has_effect()) {
            let soon = self.rng.range(0, 9);
            self.plan_in(soon, Event::FallInAct(index, ms));
        }
    }

    /// The disk does not take that a step begins; facts it takes, with the space that is kept for them.
    fn fail_full(&mut self, index: usize, step: &StepId) {
        let Some(AtWork { order, .. }) = self.hosts[index].at_work(step) else { return };
        if let Act::Start { incarnation, .. } = order.act {
            self.bury_unborn(index, order.replica.clone(), incarnation);
        }
        let error = Some("its record can't be written: no space is left on this host".to_owned());
        self.end_at_host(index, step, &Reply::Ended { error, obituary: None, blame: Some(Blame::Host) });
        self.show(index);
    }

    /// Why an order is not for this instance of the agent.
    fn is_for_another(&self, index: usize, order: &Order) -> Option<Reply> {
        let ours = &self.hosts[index].disk.instance;
        let is_ours = order.target == *ours || self.lacks(Safeguard::InstanceIds);
        let why = format!("this is instance {ours}, not {}", order.target);
        (!is_ours).then_some(Reply::Refused { why, blame: Blame::Channel, is_final: true })
    }

    /// How the desk hears an order: as it is, but for the safeguards that are taken away.
    fn heard(&mut self, index: usize, order: &Order) -> Heard {
        let forgets = self.lacks(Safeguard::EpochAtAgents);
        let never_lapses = self.lacks(Safeguard::Confirmed);
        let session = if self.ignores_sessions() { String::new() } else { order.session.clone() };
        let (theirs, now) = (self.zoo.epoch.epoch, self.now);
        let host = &mut self.hosts[index];
        host.keep_confirmed(theirs, now);
        let fence = &host.desk.fence;
        let epoch = if forgets { order.epoch.max(fence.epoch()) } else { order.epoch };
        let now = Duration::from_millis(now);
        (epoch, session, fence.confirmed().filter(|_| never_lapses).unwrap_or(now))
    }

    /// Whether what was ordered before may be done now.
    pub(super) fn may_still(&mut self, index: usize, order: &Order) -> Result<(), Refused> {
        let (epoch, session, now) = self.heard(index, order);
        self.hosts[index].desk.fence.admit((epoch, &session), now).map(drop)
    }

    /// Where a layer below is taken away, this one may not hide it.
    fn ignores_sessions(&self) -> bool {
        use Safeguard::{InstanceIds, Sessions, StepsOnDisk};
        [Sessions, InstanceIds, StepsOnDisk].into_iter().any(|it| self.lacks(it))
    }

    /// Why an order does not fit what is here.
    fn makes_no_sense(&self, index: usize, order: &Order) -> Option<Reply> {
        let Host { disk, .. } = &self.hosts[index];
        let Act::Start { incarnation, .. } = order.act else { return None };
        if disk.living.values().any(|it| it.replica == order.replica) {
            return Some(Reply::refused(format!("a life of {} runs here", order.replica)));
        }
        let is_dead = disk.dead.contains_key(&incarnation);
        is_dead.then(|| Reply::refused("this incarnation was declared dead"))
    }

    /// A step came to its end.
    pub(crate) fn end_at_host(&mut self, index: usize, step: &StepId, reply: &Reply) {
        let host = &mut self.hosts[index];
        let Some(AtWork { order, kind, askers }) = host.desk.filed(step) else { return };
        let life = order.act.incarnation().unwrap_or(Incarnation::from_u128(0));
        host.disk.steps.insert(step.clone(), Begun { kind, life, end: End::Done(reply.clone()) });
        for asker in askers {
            self.answer_step(Node::Host(index), step, (reply.clone(), asker));
        }
    }

    /// A seal reaches a host agent.
    pub(crate) fn seal_host(&mut self, index: usize, call: SealCall, asker: Asker) {
        let forgets = self.lacks(Safeguard::EpochAtAgents);
        let host = &mut self.hosts[index];
        if !host.is_up() || !host.has_stock {
            return;
        }
        let instance = host.disk.instance.clone();
        let steps: Vec<StepId> = call.steps.keys().cloned().collect();
        let are_ours = call.to.instance == instance;
        // Where the layer below is taken away, this one may not hide it.
        let barred = if forgets { &[] } else { steps.as_slice() };
        let Ok(sealing) = host.desk.seal(call.epoch, (barred, are_ours), &host.disk) else { return };
        if host.full_by > 0 && (sealing.newer || !sealing.given_up.is_empty()) {
            // It says that it can't; what it was told it knows all the same, as long as it lives.
            return;
        }
        host.disk.epoch = call.epoch;
        host.desk.fence.recorded(call.epoch);
        for step in &sealing.given_up {
            let (kind, life) = (Kind::Snapshot, Incarnation::from_u128(0));
            host.disk.steps.insert(step.clone(), Begun { kind, life, end: End::Never });
        }
        host.desk.sealed(&sealing.given_up);
        let fate = |step: &StepId| step_fate(host.desk.fate((step, are_ours), &host.disk));
        let fates: BTreeMap<StepId, StepFate> = steps.iter().map(|step| (step.clone(), fate(step))).collect();
        let running = running_of(&fates);
        let agent = Agent::Host(self.setup.hosts[index].clone());
        self.hear(&Fact::Sealed { agent: &agent, instance: &instance, epoch: call.epoch, running });
        self.answer(Node::Host(index), &Answer::Seal(call, SealReply { instance, fates }), asker);
        self.show(index);
    }
}
