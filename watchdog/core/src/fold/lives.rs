//! Lives: what the record says of births, deaths and hosts.

use std::collections::VecDeque;

use crate::history::{History, LIVES_KEPT, PastHost, PastLife};
use crate::ids::{Incarnation, ReplicaId};
use crate::observation::Obituary;
use crate::record::{Body, Entry};

impl History {
    /// Remembers a life, in its place among the others; what is known of it already stays.
    pub(super) fn expect_life(&mut self, replica: &ReplicaId, life: PastLife) -> &mut PastLife {
        let lives = self.lives.entry(replica.clone()).or_default();
        let place = lives.partition_point(|known| known.incarnation < life.incarnation);
        if lives.get(place).is_none_or(|known| known.incarnation != life.incarnation) {
            lives.insert(place, life);
        }
        &mut lives[place]
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
    pub(super) fn bury(&mut self, obituary: &Obituary) {
        self.expect_life(&obituary.replica, unordered(obituary)).obituary = Some(obituary.clone());
        self.prune_lives(&obituary.replica);
    }

    /// Whether a death is in the record already, or lies so far back that its life was forgotten.
    pub fn knows_death(&self, obituary: &Obituary) -> bool {
        let Some(lives) = self.lives.get(&obituary.replica) else { return false };
        let known = lives.iter().find(|life| life.incarnation == obituary.incarnation);
        let forgotten = |oldest: &PastLife| obituary.incarnation < oldest.incarnation;
        known.map_or_else(
            || lives.len() >= LIVES_KEPT && lives.front().is_some_and(forgotten),
            |life| life.obituary.is_some(),
        )
    }

    /// Takes a host agent's word that a life ended; its own obituary may follow, or have come before.
    pub(super) fn confirm_kill(&mut self, word: Obituary) {
        let replica = word.replica.clone();
        self.expect_life(&replica, unordered(&word)).obituary.get_or_insert(word);
        self.prune_lives(&replica);
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
        for (replica, lives) in &mut self.lives {
            for life in lives.iter_mut().filter(|life| life.host == *host && life.obituary.is_none()) {
                if open.values().any(|(_, incarnation)| *incarnation == life.incarnation) {
                    continue;
                }
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
    }

    pub(super) fn prune_lives(&mut self, replica: &ReplicaId) {
        if let Some(lives) = self.lives.get_mut(replica) {
            while lives.len() > LIVES_KEPT {
                lives.pop_front();
            }
        }
    }
}

fn unordered(obituary: &Obituary) -> PastLife {
    let Obituary { incarnation, host, at, .. } = obituary;
    PastLife { incarnation: *incarnation, host: host.clone(), at: *at, obituary: None }
}
