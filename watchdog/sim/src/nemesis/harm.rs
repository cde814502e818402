//! Harm: how each piece of the schedule is done, and undone.

use watchdog_core::ids::{Incarnation, ReplicaId};
use watchdog_core::plan::Act;
use watchdog_core::state::Hash;

use super::Harm;
use crate::dog::Wish;
use crate::event::{AgentWork, Event, LifeWork};
use crate::life::Mood;
use crate::net::Node;
use crate::order::To;
use crate::world::World;

impl World {
    /// A fault begins.
    pub(crate) fn strike(&mut self, index: usize) {
        let Some(mut fault) = self.nemesis.faults.get(index).cloned() else { return };
        fault.harm = fault.harm.now(|host| self.stands_now(host));
        self.nemesis.faults[index] = fault.clone();
        self.say(|_| format!("*** {}", fault.harm));
        if self.inflict(&fault.harm, fault.lasts_ms) {
            self.nemesis.done.0[fault.harm.kind()] += 1;
        }
        let armed = matches!(
            fault.harm,
            Harm::CrashAgentInAct(_)
                | Harm::FreezeDogAtSend(_)
                | Harm::FreezeDogAtWrite(_)
                | Harm::PauseHostAtOrder(_)
        );
        if let Some(ms) = fault.lasts_ms.filter(|ms| *ms > 0 && !armed) {
            self.plan_in(ms, Event::Mend(index));
        }
        self.meet();
    }

    /// A fault ends.
    pub(crate) fn mend(&mut self, index: usize) {
        let Some(fault) = self.nemesis.faults.get(index).cloned() else { return };
        self.say(|_| format!("*** it is over that {}", fault.harm));
        match fault.harm {
            Harm::Stick(replica) | Harm::Freeze(replica) | Harm::Sicken(replica) => {
                let lives = self.lives.values().filter(|life| life.replica == replica);
                let lives: Vec<Incarnation> = lives.map(|life| life.incarnation).collect();
                for life in lives {
                    // It happens when its machine runs again.
                    self.plan_in(0, Event::Life(life, LifeWork::Recover));
                }
            }
            Harm::SlowStarts(host) => self.hosts[host].slow -= 1,
            Harm::LoseHost(host) => self.restore_host(host),
            Harm::CrashAgent(host) | Harm::LoseState(host) => {
                self.hosts[host].agent_off_by -= 1;
                self.raise_agent(host);
            }
            Harm::PauseHost(host) => self.resume_host(host),
            Harm::CrashDog(dog) => {
                self.dogs[dog].off_by -= 1;
                self.have_begun(dog, 1);
            }
            Harm::FreezeDog(dog) => self.thaw_dog(dog),
            Harm::CutOneWay(from, to) => self.net.mend(from, to),
            Harm::Cut(a, b) => {
                self.net.mend(a, b);
                self.net.mend(b, a);
            }
            Harm::Isolate(node) => self.isolate(node, false),
            Harm::BadWeather => self.net.weather(false),
            Harm::JournalDown => {
                self.ailing.down -= 1;
                self.journal.up = self.ailing.down == 0;
            }
            Harm::JournalLoses => self.ailing.loses -= 1,
            Harm::JournalSlow => self.ailing.slow -= 1,
            Harm::JournalFull => self.ailing.full -= 1,
            Harm::JournalRefuses => self.ailing.refuses -= 1,
            Harm::SilenceAgent(host) => self.unsilence_agent(host),
            Harm::FillAgent(host) => self.hosts[host].full_by -= 1,
            Harm::ZooDown => self.wake_zoo(),
            Harm::Crash(_)
            | Harm::Drift(_)
            | Harm::ClockJump(..)
            | Harm::ClockHours(..)
            | Harm::ReplaceHost(_)
            | Harm::BadVersion(..)
            | Harm::Whim(_)
            | Harm::CrashAgentInAct(_)
            | Harm::FreezeDogAtSend(_)
            | Harm::FreezeDogAtWrite(_)
            | Harm::PauseHostAtOrder(_) => {}
        }
        self.meet();
    }

    /// Does it; false when there was nobody to do it to.
    #[expect(clippy::too_many_lines, reason = "a table is as long as there are kinds of harm")]
    fn inflict(&mut self, harm: &Harm, lasts_ms: Option<u64>) -> bool {
        match harm {
            Harm::Crash(replica) => {
                return self.each_life(replica, |it, life| it.die(life, "signal 11 (SIGSEGV)"));
            }
            Harm::Stick(replica) => return self.afflict(replica, Mood::Stuck),
            Harm::Freeze(replica) => return self.afflict(replica, Mood::Stopped),
            Harm::Sicken(replica) => return self.afflict(replica, Mood::Sick),
            Harm::Drift(replica) => {
                return self
                    .each_life(replica, |it, life| it.live(life, LifeWork::Drift(Hash::of(b"drifted"))));
            }
            Harm::SlowStarts(host) => self.hosts[*host].slow += 1,
            Harm::LoseHost(host) => self.lose_host(*host),
            Harm::CrashAgent(host) => {
                self.hosts[*host].agent_off_by += 1;
                self.fell_agent(*host);
            }
            Harm::LoseState(host) => {
                self.hosts[*host].agent_off_by += 1;
                self.fell_agent(*host);
                self.lose_disk(*host);
            }
            Harm::CrashDog(dog) => {
                self.dogs[*dog].off_by += 1;
                self.fell_dog(*dog);
            }
            Harm::FreezeDog(dog) => self.dogs[*dog].frozen_by += 1,
            Harm::CutOneWay(from, to) => self.net.cut(*from, *to),
            Harm::Cut(a, b) => {
                self.net.cut(*a, *b);
                self.net.cut(*b, *a);
            }
            Harm::Isolate(node) => self.isolate(*node, true),
            Harm::BadWeather => self.net.weather(true),
            Harm::JournalDown => {
                self.ailing.down += 1;
                self.journal.up = false;
            }
            Harm::JournalLoses => self.ailing.loses += 1,
            Harm::JournalSlow => self.ailing.slow += 1,
            Harm::JournalFull => self.ailing.full += 1,
            Harm::JournalRefuses => self.ailing.refuses += 1,
            Harm::SilenceAgent(host) => self.hosts[*host].silent_by += 1,
            Harm::FillAgent(host) => self.hosts[*host].full_by += 1,
            Harm::ClockHours(dog, ms) => {
                *self.clocks.entry(Node::Dog(*dog)).or_default() += ms;
            }
            Harm::ReplaceHost(host) => return self.replace_host(*host),
            Harm::ZooDown => self.zoo.down += 1,
            Harm::ClockJump(node, ms) => {
                *self.clocks.entry(*node).or_default() += ms;
                self.jumps.push((self.now, ms.unsigned_abs()));
            }
            Harm::BadVersion(how, who) => {
                let goal = self.version(how, who.as_ref());
                self.wish(Wish::Declare(Box::new(goal), false));
            }
            Harm::Whim(whim) => self.indulge(whim, lasts_ms.is_none()),
            Harm::PauseHost(host) => self.hosts[*host].paused_by += 1,
            Harm::PauseHostAtOrder(host) => self.hosts[*host].stops_at_order = lasts_ms,
            Harm::CrashAgentInAct(host) => self.hosts[*host].falls_in_act = lasts_ms,
            Harm::FreezeDogAtSend(dog) => self.dogs[*dog].stops_at_send = lasts_ms,
            Harm::FreezeDogAtWrite(dog) => self.dogs[*dog].stops_at_write = lasts_ms,
        }
        true
    }

    fn lives_of(&self, replica: &ReplicaId) -> Vec<Incarnation> {
        let runs = |host: usize| self.hosts[host].paused_by == 0;
        self.lives
            .values()
            .filter(|life| life.replica == *replica && runs(life.host))
            .map(|life| life.incarnation)
            .collect()
    }

    fn each_life(&mut self, replica: &ReplicaId, act: impl Fn(&mut Self, Incarnation)) -> bool {
        let lives = self.lives_of(replica);
        for life in &lives {
            act(self, *life);
        }
        !lives.is_empty()
    }

    fn afflict(&mut self, replica: &ReplicaId, mood: Mood) -> bool {
        self.each_life(replica, |world, life| {
            if let Some(it) = world.lives.get_mut(&life).filter(|it| it.mood == Mood::Well) {
                (it.mood, it.until_mended) = (mood, true);
                world.recount(life);
            }
        })
    }

    fn unsilence_agent(&mut self, host: usize) {
        self.hosts[host].silent_by -= 1;
        if self.hosts[host].silent_by == 0 {
            // What came meanwhile lies in its sockets.
            for event in std::mem::take(&mut self.hosts[host].unread) {
                self.plan_in(0, event);
            }
        }
    }

    pub(super) fn lose_host(&mut self, host: usize) {
        self.hosts[host].off_by += 1;
        if !self.hosts[host].on {
            return;
        }
        self.fell_agent(host);
        self.hosts[host].on = false;
        let lives: Vec<Incarnation> =
            self.lives.values().filter(|life| life.host == host).map(|life| life.incarnation).collect();
        for life in lives {
            self.die(life, "its host lost power");
        }
    }

    fn restore_host(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        host.off_by -= 1;
        if host.off_by == 0 {
            (host.on, host.boot) = (true, host.boot + 1);
            self.raise_agent(index);
        }
    }

    /// A machine that was stopped runs again.
    pub(crate) fn resume_host(&mut self, host: usize) {
        self.hosts[host].paused_by -= 1;
        if self.hosts[host].paused_by == 0 {
            // What came meanwhile lies in its sockets.
            for event in std::mem::take(&mut self.hosts[host].put_off) {
                self.plan_in(0, event);
            }
        }
    }

    /// Stops a machine that was to be stopped by its next order; that order is the first thing that it reads when it runs
    /// again.
    pub(crate) fn stop_at_order(&mut self, event: Event) -> Option<Event> {
        let host = match &event {
            Event::Order(To::Host(host), order, _) if !matches!(order.act, Act::Snapshot { .. }) => *host,
            _ => return Some(event),
        };
        let Some(ms) = self.hosts[host].stops_at_order.take() else { return Some(event) };
        self.say(|world| format!("all of {} is stopped before it reads an order", world.setup.hosts[host]));
        self.hosts[host].paused_by += 1;
        self.hosts[host].put_off.push(event);
        self.plan_in(ms, Event::ResumeHost(host));
        self.meet();
        None
    }

    /// The agent ends between two effects of its act.
    pub(crate) fn fall_in_act(&mut self, host: usize, ms: u64) {
        if self.hosts[host].is_up() {
            self.say(|world| format!("the agent of {} crashes in the act", world.setup.hosts[host]));
            self.fell_agent(host);
            let run = self.hosts[host].run;
            self.plan_in(ms, Event::Agent(host, run, AgentWork::Rise));
        }
    }

    /// Stops a watchdog in the act, for so long.
    pub(crate) fn freeze_in_act(&mut self, dog: usize, ms: u64) {
        self.say(|world| format!("{} is stopped in the act", world.setup.dogs[dog]));
        self.dogs[dog].frozen_by += 1;
        self.plan_in(ms, Event::Thaw(dog));
        self.cover();
    }

    pub(crate) fn thaw_dog(&mut self, dog: usize) {
        self.dogs[dog].frozen_by = self.dogs[dog].frozen_by.saturating_sub(1);
        if self.dogs[dog].frozen_by == 0 {
            // Everything that came while it was stopped happens now.
            for (term, work) in std::mem::take(&mut self.dogs[dog].put_off) {
                self.plan_in(0, Event::Dog(dog, term, work));
            }
            self.cover();
        }
    }

    fn isolate(&mut self, node: Node, cut: bool) {
        let dogs = (0..self.dogs.len()).map(Node::Dog);
        let hosts = (0..self.hosts.len()).map(Node::Host);
        for other in dogs.chain(hosts).chain([Node::Zoo, Node::Journal]).filter(|it| *it != node) {
            for (from, to) in [(node, other), (other, node)] {
                if cut { self.net.cut(from, to) } else { self.net.mend(from, to) }
            }
        }
    }

    /// `ZooKeeper` is back: every session has all of its time again.
    fn wake_zoo(&mut self) {
        self.zoo.down -= 1;
        if self.zoo.down > 0 {
            return;
        }
        self.zoo.back_at = self.now;
        let silent: Vec<(u64, u64)> = self
            .zoo
            .sessions
            .iter()
            .filter(|(_, it)| it.silent_since.is_some())
            .map(|(id, it)| (*id, it.round))
            .collect();
        for (session, round) in silent {
            self.plan_in(self.setup.session_ms, Event::Expire(session, round));
        }
    }
}
