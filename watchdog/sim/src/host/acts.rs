//! Acts: what a host agent does for each kind of order.
//!
//! ```text
//! start: intent on disk ──► fork ──► on disk ──► answer
//! kill:  asked to leave, with grace ──► SIGKILL ──► its end is noticed ──► obituary ──► answer
//! ```

use watchdog_core::desk::Kind;
use watchdog_core::ids::{Incarnation, StepId};
use watchdog_core::plan::Act;

use super::{Living, loaded};
use crate::event::{AgentWork, Event, LifeWork};
use crate::fact::{Effect, Fact};
use crate::life::{Mood, Trait};
use crate::mutant::Safeguard;
use crate::order::{Order, Reply};
use crate::world::World;

impl World {
    pub(crate) fn begin_at_host(&mut self, index: usize, step: &StepId) {
        let Some(at_work) = self.hosts[index].at_work(step) else { return };
        let (order, kind) = (at_work.order.clone(), at_work.kind);
        let run = self.hosts[index].run;
        match (kind, &order.act) {
            (Kind::Start, Act::Start { incarnation, .. }) => {
                let living = Living {
                    replica: order.replica.clone(),
                    pid: None,
                    boot: self.hosts[index].boot,
                    loaded: None,
                };
                self.hosts[index].disk.living.insert(*incarnation, living);
                let soon = self.rng.range(1, 8);
                self.plan_in(soon, Event::Agent(index, run, AgentWork::Fork(step.clone())));
            }
            (Kind::Kill, Act::Kill { incarnation, grace_ms, .. }) => {
                self.hear(&Fact::Acts(Effect::of(&order, self.hosts[index].disk.instance.clone())));
                self.kill(index, (*incarnation, *grace_ms), &order);
            }
            (Kind::Load, Act::Load { .. }) => {
                self.hear(&Fact::Acts(Effect::of(&order, self.hosts[index].disk.instance.clone())));
                let soon = self.rng.range(30, 900);
                self.plan_in(soon, Event::Agent(index, run, AgentWork::Finish(step.clone())));
            }
            _ => {
                let soon = self.rng.range(1, 50);
                self.plan_in(soon, Event::Agent(index, run, AgentWork::Finish(step.clone())));
            }
        }
    }

    /// Forks the process of a start, whose intent is on disk.
    pub(crate) fn fork(&mut self, index: usize, step: &StepId) {
        let Some(at_work) = self.hosts[index].at_work(step) else { return };
        let order = at_work.order.clone();
        let Act::Start { incarnation, .. } = order.act else { return };
        if self.may_still(index, &order).is_err() {
            // It was stopped between the order and this, and its lease is over.
            self.bury(index, incarnation, "never started");
            return self.end_at_host(index, step, &Reply::failed("its lease ran out before it was started"));
        }
        self.hear(&Fact::Acts(Effect::of(&order, self.hosts[index].disk.instance.clone())));
        self.be_born(index, &order, incarnation);
        let (pid, plain) = self.lives.get(&incarnation).map_or((0, false), |life| (life.pid, !life.embeds));
        let host = &mut self.hosts[index];
        host.pids.insert(incarnation, pid);
        if let Some(living) = host.disk.living.get_mut(&incarnation) {
            living.pid = Some(pid);
            living.loaded = plain.then(|| loaded(order.version, order.hash));
        }
        self.keep(index, incarnation);
        self.end_at_host(index, step, &Reply::done());
    }

    fn kill(&mut self, index: usize, (incarnation, grace_ms): (Incarnation, u64), order: &Order) {
        let runs = self.lives.get(&incarnation).is_some_and(|life| life.host == index);
        let kept = self.hosts[index].kept.contains_key(&incarnation);
        if !runs || !kept {
            return self.end_unknown(index, incarnation, order);
        }
        let wall = self.wall_of_host(index);
        if let Some(kept) = self.hosts[index].kept.get_mut(&incarnation) {
            (kept.stopping, kept.since) = (true, wall);
        }
        self.hear(&Fact::Kills { wanted: incarnation, hit: incarnation });
        if self.lacks(Safeguard::ObituaryIsTrue) {
            self.bury(index, incarnation, "signal 15 (SIGTERM)");
        }
        let leaves = self.lives.get(&incarnation).filter(|life| life.mood != Mood::Stopped);
        let leaves_in = leaves.filter(|life| life.mood != Mood::Stuck).map(|life| life.leaves_in_ms);
        if let Some(leaves_in) = leaves_in.filter(|_| grace_ms > 0) {
            self.plan_in(leaves_in, Event::Life(incarnation, LifeWork::Crash("signal 15 (SIGTERM)")));
        }
        let run = self.hosts[index].run;
        self.plan_in(
            grace_ms + 1,
            Event::Agent(index, run, AgentWork::KillNow(order.step.clone(), incarnation)),
        );
        self.show(index);
    }

    /// A kill of what is not kept here: it is over, or never began and never will.
    fn end_unknown(&mut self, index: usize, incarnation: Incarnation, order: &Order) {
        if self.lives.get(&incarnation).is_some_and(|life| life.host == index) {
            // Whoever did start it without our knowledge is found by what it carries.
            self.die(incarnation, "signal 9 (SIGKILL)");
        }
        let host = &mut self.hosts[index];
        if !host.disk.dead.contains_key(&incarnation) {
            self.bury_unborn(index, order.replica.clone(), incarnation);
        }
        let obituary = self.hosts[index].disk.dead.get(&incarnation).map(|(obituary, _)| obituary.clone());
        self.end_at_host(index, &order.step, &Reply::dead(obituary));
        self.show(index);
    }

    /// The grace is over.
    pub(crate) fn kill_now(&mut self, index: usize, step: &StepId, incarnation: Incarnation) {
        if self.lacks(Safeguard::RightProcess) {
            return self.kill_number(index, incarnation);
        }
        if self.hosts[index].at_work(step).is_some() {
            self.die(incarnation, "signal 9 (SIGKILL)");
        }
    }

    /// What a supervisor does that remembers the number of a process, and not the process.
    fn kill_number(&mut self, index: usize, incarnation: Incarnation) {
        let number = self.hosts[index].pids.get(&incarnation).copied();
        let hit = self.lives.values().find(|life| life.host == index && Some(life.pid) == number);
        if let Some(hit) = hit.map(|life| life.incarnation) {
            self.hear(&Fact::Kills { wanted: incarnation, hit });
            self.die(hit, "signal 9 (SIGKILL)");
        }
    }

    /// A step that needed only time comes to its end.
    pub(crate) fn finish(&mut self, index: usize, step: &StepId) {
        let Some(at_work) = self.hosts[index].at_work(step) else { return };
        let order = at_work.order.clone();
        let reply = match order.act {
            Act::Load { incarnation, .. } => self.load_for(index, incarnation, &order),
            _ => Reply::done(),
        };
        self.end_at_host(index, step, &reply);
    }

    /// Loads a version on behalf of a program that knows nothing of us.
    fn load_for(&mut self, index: usize, incarnation: Incarnation, order: &Order) -> Reply {
        let now = self.now;
        let Some(life) = self.lives.get_mut(&incarnation).filter(|life| life.host == index) else {
            return Reply::failed("no process of this incarnation is here");
        };
        let does = Trait::of(&order.state, &order.replica);
        if does == Trait::FailsToLoad {
            return Reply::failed("the program refuses what was rendered");
        }
        if life.hash != order.hash {
            life.fall_ill(now);
        }
        (life.state, life.version, life.hash) = (order.state.clone(), order.version, order.hash);
        life.reckon(now);
        if let Some(living) = self.hosts[index].disk.living.get_mut(&incarnation) {
            living.loaded = Some(loaded(order.version, order.hash));
        }
        self.behave(incarnation, if does == Trait::DiesAtStart { Trait::Dies } else { does });
        self.show(index);
        Reply::done()
    }
}
