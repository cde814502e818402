//! Lives: what the record says of births, deaths and hosts.
//!
//! *Guarantees.* Lives stand in the order in which the record tells of them, whatever the clocks say that named them. One
//! that is not proven dead is never forgotten, because another may not be started beside it.

use std::collections::VecDeque;

use crate::history::{HOSTS_KEPT, History, LIVES_KEPT, PastHost, PastLife};
use crate::ids::{Incarnation, ReplicaId, Time};
use crate::observation::Obituary;
use crate::record::{Body, Entry};

impl History {
    /// Remembers a life that is ordered, as the newest; what is known of it already stays.
    pub(super) fn expect_life(&mut self, replica: &ReplicaId, life: PastLife) {
        self.newest_name = self.newest_name.max(Some(life.incarnation));
        let lives = self.lives.entry(replica.clone()).or_default();
        if lives.iter().all(|known| known.incarnation != life.incarnation) {
            lives.push_back(life);
        }
    }

    /// Forgets a life that never began and never will.
    pub(super) fn forget_life(&mut self, replica: &ReplicaId, incarnation: Incarnation) {
        if let Some(lives) = self.lives.get_mut(replica) {
            lives.retain(|life| life.incarnation != incarnation);
        }
        if self.lives.get(replica).is_some_and(VecDeque::is_empty) {
            self.lives.remove(replica);
        }
    }

    /// Files a proof of death, also of a life that we did not order.
    pub(super) fn bury(&mut self, obituary: &Obituary, at: Time) {
        let life = self.dead_life(obituary, at);
        life.obituary = Some(obituary.clone());
        life.buried_at.get_or_insert(at);
        self.settle_starts(&obituary.replica);
        self.prune_lives(&obituary.replica);
    }

    /// Whether a death is in the record already, or lies so far back that its life was forgotten.
    pub fn knows_death(&self, obituary: &Obituary) -> bool {
        let mut lives = self.lives.get(&obituary.replica).into_iter().flatten();
        let known = lives.find(|life| life.incarnation == obituary.incarnation);
        known.map_or_else(|| self.has_forgotten(obituary), |life| life.obituary.is_some())
    }

    /// Whether it tells of a life that was forgotten since: one that died on its host, by the clock there, not after
    /// another of which we know that. Nothing unproven was ever forgotten, so that nothing is missed.
    fn has_forgotten(&self, obituary: &Obituary) -> bool {
        let until = self.forgotten.get(&obituary.replica).and_then(|hosts| hosts.get(&obituary.host));
        until.is_some_and(|until| obituary.at <= *until)
    }

    /// Takes a host agent's word that a life ended; its own obituary may follow, or have come before.
    pub(super) fn confirm_kill(&mut self, word: Obituary) {
        let (replica, at) = (word.replica.clone(), word.at);
        let life = self.dead_life(&word, at);
        life.obituary.get_or_insert(word);
        life.buried_at.get_or_insert(at);
        self.settle_starts(&replica);
        self.prune_lives(&replica);
    }

    /// The life that an obituary tells of. One that was never heard of before came before those, at the end, that may
    /// still run, and after all whose death was told of earlier.
    fn dead_life(&mut self, obituary: &Obituary, at: Time) -> &mut PastLife {
        let lives = self.lives.entry(obituary.replica.clone()).or_default();
        let known = lives.iter().position(|life| life.incarnation == obituary.incarnation);
        let place = known.unwrap_or_else(|| {
            let place = after_the_dead(lives);
            let Obituary { incarnation, host, .. } = obituary;
            let life = PastLife {
                incarnation: *incarnation,
                host: host.clone(),
                at,
                obituary: None,
                buried_at: None,
            };
            lives.insert(place, life);
            place
        });
        &mut lives[place]
    }

    /// Where a life stands among those of its replica, the highest being the newest.
    ///
    /// By the place in the record; and one that is seen and was never told of in it came before those, at the end, that
    /// may still run. Names say nothing: leaders whose clocks differ made them.
    pub fn rank(
        &self,
        replica: &ReplicaId,
        (incarnation, obituary): (Incarnation, Option<&Obituary>),
    ) -> usize {
        let lives = self.lives.get(replica);
        let known = lives.and_then(|lives| lives.iter().position(|life| life.incarnation == incarnation));
        match known {
            Some(place) => 2 * place + 2,
            None if obituary.is_some_and(|obituary| self.has_forgotten(obituary)) => 0,
            None => 2 * lives.map_or(0, after_the_dead) + 1,
        }
    }

    /// Whether a life was ordered after this one, which happens only when the end of this one was established.
    pub fn is_succeeded(&self, replica: &ReplicaId, incarnation: Incarnation) -> bool {
        let Some(lives) = self.lives.get(replica) else { return false };
        let own = lives.iter().position(|life| life.incarnation == incarnation);
        own.is_some_and(|own| own + 1 < lives.len())
    }

    /// Remembers a host; a changed boot id is an obituary for all that was started there before.
    ///
    /// A life whose start is still open may have begun after the boot, so it is left to the agent's word.
    pub(super) fn see_host(&mut self, entry: &Entry) {
        let Body::HostSeen { host, instance, boot_id, address } = &entry.body else {
            return;
        };
        let now = PastHost { instance: instance.clone(), boot_id: boot_id.clone(), address: address.clone() };
        let before = self.hosts.insert(host.clone(), now);
        if before.is_none_or(|before| before.boot_id == *boot_id) {
            return;
        }
        let open = &self.open_starts;
        let mut buried = Vec::new();
        for (replica, lives) in &mut self.lives {
            for life in lives.iter_mut().filter(|life| life.host == *host && life.obituary.is_none()) {
                if open.values().any(|(_, incarnation)| *incarnation == life.incarnation) {
                    continue;
                }
                buried.push(replica.clone());
                life.buried_at = Some(entry.at);
                life.obituary = Some(Obituary {
                    replica: replica.clone(),
                    incarnation: life.incarnation,
                    host: host.clone(),
                    status: "its host booted again".to_owned(),
                    tree_gone: true,
                    at: entry.at,
                });
            }
        }
        for replica in &buried {
            self.prune_lives(replica);
        }
    }

    /// Forgets the oldest of those that are proven dead, beyond as many as are kept.
    fn prune_lives(&mut self, replica: &ReplicaId) {
        let Some(lives) = self.lives.get_mut(replica) else { return };
        let dead = lives.iter().filter(|life| life.obituary.is_some()).count();
        for _ in LIVES_KEPT..dead {
            let oldest = lives.iter().position(|life| life.obituary.is_some());
            let Some(forgotten) = oldest.and_then(|oldest| lives.remove(oldest)) else { return };
            // What was concluded when it was written down has no stamp of its host.
            let told = forgotten.obituary.filter(|obituary| Some(obituary.at) != forgotten.buried_at);
            let Some(obituary) = told else { continue };
            let hosts = self.forgotten.entry(replica.clone()).or_default();
            let until = hosts.entry(obituary.host).or_default();
            *until = obituary.at.max(*until);
            // What stands in the group longer than that is told of once more, and forgotten again.
            while hosts.len() > HOSTS_KEPT {
                hosts.pop_first();
            }
        }
    }
}

/// The first place after all that are proven dead.
fn after_the_dead(lives: &VecDeque<PastLife>) -> usize {
    lives.iter().rposition(|life| life.obituary.is_some()).map_or(0, |last| last + 1)
}
