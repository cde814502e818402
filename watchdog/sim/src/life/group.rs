//! Group: how a life that embeds the agent stands in the group, unless it was declared dead.

use watchdog_core::ids::Incarnation;

use crate::event::LateWord;
use crate::mutant::Safeguard;
use crate::net::Node;
use crate::world::World;
use crate::zoo::{Holder, Owned, Zoo};

impl World {
    /// Brings what the group knows of a life up to date, if it can be reached.
    pub(crate) fn tell_group(&mut self, incarnation: Incarnation) {
        let Some(life) = self.lives.get(&incarnation).filter(|life| life.embeds && !life.is_disowned) else {
            return;
        };
        if !self.is_covered(Holder::Life(incarnation)) {
            return;
        }
        let (replica, host) = (life.replica.clone(), life.host);
        if self.zoo.obituary(&replica, incarnation).is_some() && !self.lacks(Safeguard::ObituaryBeatsMember) {
            return self.disown(incarnation);
        }
        let kept = life.session.filter(|session| self.zoo.sessions.contains_key(session));
        let session = kept.unwrap_or_else(|| self.zoo.open(Holder::Life(incarnation)));
        let wall = self.wall_of_host(host);
        let name = self.setup.hosts[host].clone();
        let now = self.now;
        let Some(life) = self.lives.get_mut(&incarnation) else { return };
        life.session = Some(session);
        life.desk.fence.learn(self.zoo.epoch.epoch);
        let record = life.word(wall);
        life.told = Some(record.clone());
        let own = self.zoo.lives.get(&replica).and_then(|lives| lives.get(&incarnation));
        let shown = own.and_then(|nodes| nodes.member.as_ref());
        if shown.is_some_and(|it| it.session == session && it.record == record) {
            return;
        }
        self.zoo.change(&replica, now, |lives| {
            Zoo::nodes(lives, incarnation, &name).member = Some(Owned { session, record });
        });
        self.stir();
    }

    /// What the dead said last reaches the group; an obituary that stands refuses it.
    pub(crate) fn late_word(&mut self, word: LateWord) {
        let LateWord { replica, incarnation, host, record } = word;
        let stands = self.zoo.obituary(&replica, incarnation).is_some();
        let link = self.hosts[host].on && self.zoo.down == 0 && self.net.is_open(Node::Host(host), Node::Zoo);
        if !link || (stands && !self.lacks(Safeguard::ObituaryBeatsMember)) {
            return;
        }
        // A session of the dead, which nobody keeps alive.
        let session = self.zoo.open(Holder::Life(incarnation));
        let (name, now) = (self.setup.hosts[host].clone(), self.now);
        self.zoo.change(&replica, now, |lives| {
            Zoo::nodes(lives, incarnation, &name).member = Some(Owned { session, record });
        });
        self.cover();
        self.stir();
    }

    /// A life that was declared dead stops serving and ends.
    fn disown(&mut self, incarnation: Incarnation) {
        if let Some(life) = self.lives.get_mut(&incarnation) {
            life.is_disowned = true;
            let replica = life.replica.clone();
            self.say(|_| format!("{replica} hears that it was declared dead, and ends"));
        }
        self.die(incarnation, "declared dead");
    }
}
