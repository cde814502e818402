//! Cover: whose session is covered, what an uncovered one comes to, and who hears of what changed in the group.
//!
//! ```text
//! a link, a machine, a process or the service came or went ─► meet ─► cover ─► everybody tells ─► stir
//!                                                                 └─ uncovered for a time-out ─► expire
//! ```

use std::time::Duration;

use watchdog_core::ids::Incarnation;

use crate::event::{DogWork, Event};
use crate::life::Mood;
use crate::net::Node;
use crate::world::World;
use crate::zoo::Holder;

impl World {
    /// Whether a holder runs and both directions of its link to the coordination service are open.
    pub(crate) fn is_covered(&self, holder: Holder) -> bool {
        let (runs, node) = match holder {
            Holder::Dog(dog) => (self.dogs[dog].is_up && self.dogs[dog].frozen_by == 0, Node::Dog(dog)),
            Holder::Agent(host) => (self.hosts[host].is_up(), Node::Host(host)),
            Holder::Life(life) => match self.lives.get(&life) {
                Some(life) => {
                    let stopped = life.mood == Mood::Stopped || self.hosts[life.host].paused_by > 0;
                    (!stopped && !life.is_disowned, Node::Host(life.host))
                }
                None => return false,
            },
        };
        runs && self.zoo.down == 0 && self.net.is_whole(node, Node::Zoo)
    }

    /// Looks again at whose session is covered; called after everything that may change it.
    pub(crate) fn cover(&mut self) {
        let sessions: Vec<_> = self.zoo.sessions.iter().map(|(id, it)| (*id, it.holder)).collect();
        for (id, holder) in sessions {
            let owns = self.session_of(holder) == Some(id);
            let covered = owns && self.is_covered(holder);
            let Some(session) = self.zoo.sessions.get_mut(&id) else { continue };
            if covered == session.silent_since.is_none() {
                continue;
            }
            session.round += 1;
            session.silent_since = if covered { None } else { Some(self.now) };
            let round = session.round;
            if !covered && self.zoo.down == 0 {
                self.plan_in(self.setup.session_ms, Event::Expire(id, round));
            }
        }
        for host in 0..self.hosts.len() {
            self.confirm_agent(host);
        }
    }

    fn session_of(&self, holder: Holder) -> Option<u64> {
        match holder {
            Holder::Dog(dog) => self.dogs[dog].session,
            Holder::Agent(host) => self.hosts[host].session,
            Holder::Life(life) => self.lives.get(&life).and_then(|life| life.session),
        }
    }

    /// Renews, or ceases to renew, what depends on an agent's word from the coordination service.
    fn confirm_agent(&mut self, index: usize) {
        let covered = self.is_covered(Holder::Agent(index));
        let host = &mut self.hosts[index];
        match (covered, host.unconfirmed_since) {
            (true, Some(_)) => {
                host.unconfirmed_since = None;
                host.confirmed_at = self.now;
                host.renewals += 1;
                host.desk.fence.confirm(self.zoo.epoch.epoch, Duration::from_millis(self.now));
            }
            (false, None) => {
                // Its last word is from just now.
                host.keep_confirmed(self.zoo.epoch.epoch, self.now);
                host.unconfirmed_since = Some(self.now);
                let renewals = host.renewals;
                self.plan_in(self.setup.policy.lease_ms, Event::Guard(index, renewals));
            }
            _ => {}
        }
    }

    /// After a machine, a link or a service came or went: everybody tells what it has to tell.
    pub(crate) fn meet(&mut self) {
        self.cover();
        for host in 0..self.hosts.len() {
            self.show(host);
        }
        let lives: Vec<Incarnation> = self.lives.keys().copied().collect();
        for life in lives {
            self.tell_group(life);
        }
        for dog in 0..self.dogs.len() {
            let soon = self.rng.range(100, self.setup.session_ms / 8);
            self.wake_in(dog, soon);
            if self.dogs[dog].is_up {
                self.have_begun(dog, soon);
            }
        }
        self.stir();
    }

    /// The guardian of a host ends the exclusive replicas whose lease is over.
    pub(crate) fn guard(&mut self, index: usize, renewals: u64) {
        if self.hosts[index].renewals != renewals || self.hosts[index].unconfirmed_since.is_none() {
            return;
        }
        let exclusive: Vec<Incarnation> = self
            .lives
            .values()
            .filter(|life| life.host == index && life.exclusive)
            .map(|life| life.incarnation)
            .collect();
        for life in exclusive {
            self.die(life, "its lease ran out");
        }
    }

    pub(crate) fn expire(&mut self, session: u64, round: u64) {
        let over =
            self.zoo.sessions.get(&session).is_some_and(|it| it.round == round && it.silent_since.is_some());
        if !over || self.zoo.down > 0 {
            return;
        }
        let holder = self.zoo.sessions.get(&session).map(|it| it.holder);
        self.zoo.close(session, self.now);
        if let Some(Holder::Dog(dog)) = holder {
            self.say(|world| format!("the session of {} is over", world.setup.dogs[dog]));
        }
        self.stir();
    }

    /// Whoever holds a session hears of the newest epoch.
    pub(crate) fn learn(&mut self, holder: Holder) {
        if !self.is_covered(holder) {
            return;
        }
        let epoch = self.zoo.epoch.epoch;
        match holder {
            Holder::Agent(host) => {
                let host = &mut self.hosts[host];
                host.desk.fence.learn(epoch);
                host.disk.epoch = host.disk.epoch.max(epoch);
            }
            Holder::Life(life) => {
                if let Some(life) = self.lives.get_mut(&life) {
                    life.desk.fence.learn(epoch);
                }
            }
            Holder::Dog(_) => {}
        }
    }

    /// Wakes who watches the group, if anything in it has changed.
    pub(crate) fn stir(&mut self) {
        if self.stirred == self.zoo.stamp {
            return;
        }
        self.stirred = self.zoo.stamp;
        for dog in 0..self.dogs.len() {
            if self.dogs[dog].lead.is_some() {
                let soon = self.rng.range(1, 4);
                self.wake_in(dog, soon);
            }
        }
        if let Some((_, dog)) = self.zoo.first().filter(|(_, dog)| self.dogs[*dog].lead.is_none()) {
            let soon = self.rng.range(1, 4);
            self.plan_dog(dog, soon, DogWork::Turn);
        }
    }
}
