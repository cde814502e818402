//! Desk: a host agent takes orders: its instance, the epoch, each step once, one at a time for each replica.

use std::collections::BTreeMap;

use watchdog_core::ids::{Incarnation, StepId};
use watchdog_core::plan::{Act, Agent};

use super::{AtWork, Begun, End, Kind};
use crate::event::Event;
use crate::fact::Fact;
use crate::life::desk::running_of;
use crate::mutant::Safeguard;
use crate::net::Node;
use crate::order::{Answer, Asker, Fate, Order, Reply, SealAsk};
use crate::world::World;

impl World {
    /// An order reaches a host agent.
    pub(crate) fn order_host(&mut self, index: usize, order: Order, asker: Asker) {
        if !self.hosts[index].is_up() || !self.hosts[index].has_stock {
            return;
        }
        let node = Node::Host(index);
        if let Err(reply) = self.admit(index, &order) {
            return self.answer_step(node, &order.step, (*reply, asker));
        }
        let repeats = self.lacks(Safeguard::StepsOnce);
        // Where the layer below is taken away, this one may not hide it.
        let bars = !self.lacks(Safeguard::EpochAtAgents);
        let host = &mut self.hosts[index];
        host.epoch = host.epoch.max(order.epoch);
        if !repeats {
            if let Some(same) = host.at_work.get_mut(&order.step) {
                return same.askers.push(asker);
            }
            match host.disk.steps.get(&order.step).map(|begun| begun.end.clone()) {
                Some(End::Done(reply)) => return self.answer_step(node, &order.step, (reply, asker)),
                Some(End::Never) if bars => {
                    let why = "its leader gave it up before it arrived";
                    return self.answer_step(node, &order.step, (Reply::refused(why), asker));
                }
                Some(End::Open | End::Lost) => {
                    let why = "it was begun before this agent's last crash";
                    return self.answer_step(node, &order.step, (Reply::refused(why), asker));
                }
                Some(End::Never) | None => {}
            }
        }
        if let Err(reply) = self.makes_sense(index, &order) {
            return self.answer_step(node, &order.step, (*reply, asker));
        }
        let Some((kind, life)) = kind_of(&order.act) else {
            return self.answer_step(
                node,
                &order.step,
                (Reply::refused("a host agent does not do that"), asker),
            );
        };
        let host = &mut self.hosts[index];
        let is_known = host.not_taken.contains(&order.step) && !repeats;
        if host.full_by > 0 || is_known {
            host.not_taken.insert(order.step.clone());
            let why = "its record can't be written: no space is left on this host";
            return self.answer_step(node, &order.step, (Reply::refused(why), asker));
        }
        host.disk.epoch = host.disk.epoch.max(order.epoch);
        if kind != Kind::Snapshot {
            host.disk.steps.insert(order.step.clone(), Begun { kind, life, end: End::Open });
        }
        let step = order.step.clone();
        host.at_work.insert(step.clone(), AtWork { order, kind, askers: vec![asker] });
        self.begin_at_host(index, &step);
        if let Some(ms) = self.hosts[index].falls_in_act.take_if(|_| kind != Kind::Snapshot) {
            let soon = self.rng.range(0, 9);
            self.plan_in(soon, Event::FallInAct(index, ms));
        }
    }

    /// The instance, the epoch, and whether we can know who leads.
    pub(super) fn admit(&self, index: usize, order: &Order) -> Result<(), Box<Reply>> {
        let host = &self.hosts[index];
        if order.target != host.disk.instance && !self.lacks(Safeguard::InstanceIds) {
            return Err(Box::new(Reply::refused(format!(
                "this is instance {}, not {}",
                host.disk.instance, order.target
            ))));
        }
        let silent_ms = host.unconfirmed_since.map_or(0, |since| self.now - since);
        if silent_ms > self.setup.policy.lease_ms && !self.lacks(Safeguard::Confirmed) {
            let why = "nobody has told this agent lately who leads".to_owned();
            return Err(Box::new(Reply::Refused { why, is_final: false }));
        }
        if order.session != host.session_word() && !self.ignores_sessions() {
            let why = "the order was given before this agent was out of touch for longer than a lease";
            return Err(Box::new(Reply::refused(why)));
        }
        if order.epoch < host.epoch && !self.lacks(Safeguard::EpochAtAgents) {
            let why = format!("epoch {} is over; this agent has seen epoch {}", order.epoch, host.epoch);
            return Err(Box::new(Reply::refused(why)));
        }
        Ok(())
    }

    /// Where a layer below is taken away, this one may not hide it.
    fn ignores_sessions(&self) -> bool {
        use Safeguard::{InstanceIds, Sessions, StepsOnDisk};
        [Sessions, InstanceIds, StepsOnDisk].into_iter().any(|it| self.lacks(it))
    }

    fn makes_sense(&self, index: usize, order: &Order) -> Result<(), Box<Reply>> {
        let host = &self.hosts[index];
        let is_picture = matches!(order.act, Act::Snapshot { .. });
        let busy =
            host.at_work.values().any(|it| it.order.replica == order.replica && it.kind != Kind::Snapshot);
        if busy && !is_picture && !self.lacks(Safeguard::StepsOnce) {
            return Err(Box::new(Reply::refused(format!(
                "busy: another step is at work on {}",
                order.replica
            ))));
        }
        let Act::Start { incarnation, .. } = order.act else { return Ok(()) };
        let mut alive = host.disk.living.iter();
        if alive.any(|(_, it)| it.replica == order.replica) {
            return Err(Box::new(Reply::refused(format!("a life of {} runs here", order.replica))));
        }
        if host.disk.dead.contains_key(&incarnation) {
            return Err(Box::new(Reply::refused("this incarnation was declared dead")));
        }
        Ok(())
    }

    /// A step came to its end.
    pub(crate) fn end_at_host(&mut self, index: usize, step: &StepId, reply: &Reply) {
        let host = &mut self.hosts[index];
        if let Some(begun) = host.disk.steps.get_mut(step) {
            begun.end = End::Done(reply.clone());
        }
        let Some(at_work) = host.at_work.remove(step) else { return };
        for asker in at_work.askers {
            self.answer_step(Node::Host(index), step, (reply.clone(), asker));
        }
    }

    /// A seal reaches a host agent.
    pub(crate) fn seal_host(&mut self, index: usize, ask: SealAsk, asker: Asker) {
        let host = &mut self.hosts[index];
        if !host.is_up() || !host.has_stock || ask.epoch < host.epoch {
            return;
        }
        host.epoch = ask.epoch;
        host.disk.epoch = ask.epoch;
        let instance = host.disk.instance.clone();
        for step in ask.steps.keys().filter(|_| ask.target == instance) {
            if !host.at_work.contains_key(step) && !host.disk.steps.contains_key(step) {
                let (kind, life) = (Kind::Snapshot, Incarnation::from_u128(0));
                host.disk.steps.insert(step.clone(), Begun { kind, life, end: End::Never });
            }
        }
        let fate = |step: &StepId| match (host.at_work.contains_key(step), host.disk.steps.get(step)) {
            (true, _) => Fate::Running,
            (false, None) => Fate::Never,
            (false, Some(begun)) => match &begun.end {
                End::Never => Fate::Never,
                End::Done(reply) => Fate::Done(reply.clone()),
                End::Open | End::Lost => Fate::Lost,
            },
        };
        let fates: BTreeMap<StepId, Fate> = ask.steps.keys().map(|step| (step.clone(), fate(step))).collect();
        let running = running_of(&fates);
        let agent = Agent::Host(self.setup.hosts[index].clone());
        self.hear(&Fact::Sealed { agent: &agent, instance: &instance, epoch: ask.epoch, running });
        self.answer(Node::Host(index), &Answer::Seal { ask, instance, fates }, asker);
        self.show(index);
    }
}

fn kind_of(act: &Act) -> Option<(Kind, Incarnation)> {
    match act {
        Act::Start { incarnation, .. } => Some((Kind::Start, *incarnation)),
        Act::Kill { incarnation, .. } => Some((Kind::Kill, *incarnation)),
        Act::Snapshot { incarnation, .. } => Some((Kind::Snapshot, *incarnation)),
        Act::Load { incarnation, .. } => Some((Kind::Load, *incarnation)),
        Act::Drain { .. }
        | Act::Probe { .. }
        | Act::MarkStable { .. }
        | Act::Reject { .. }
        | Act::Notify { .. } => None,
    }
}
