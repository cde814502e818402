//! Board: what a host agent shows of itself, its processes and its dead, whenever it can reach the group.

use watchdog_core::ids::{Incarnation, Time};
use watchdog_core::observation::{HostSeen, Presence, Probed, ProcessSeen};

use super::Host;
use crate::life::Mood;
use crate::mutant::Safeguard;
use crate::world::World;
use crate::zoo::{Holder, Owned, Zoo};

impl World {
    /// Brings the group's knowledge up to date, if it can be reached.
    pub(crate) fn show(&mut self, index: usize) {
        let ready = self.hosts[index].has_stock || self.lacks(Safeguard::Inventory);
        if !ready || !self.is_covered(Holder::Agent(index)) {
            return;
        }
        let live = self.hosts[index].session.filter(|it| self.zoo.sessions.contains_key(it));
        let session = live.unwrap_or_else(|| self.zoo.open(Holder::Agent(index)));
        self.hosts[index].session = Some(session);
        self.declare_dead(index);
        let name = self.setup.hosts[index].clone();
        let shown = self.processes(index);
        let (now, zoo) = (self.now, &mut self.zoo);
        for (replica, incarnation, record) in shown {
            let own = zoo.lives.get(&replica).and_then(|lives| lives.get(&incarnation));
            let known = own.is_some_and(|nodes| {
                // The dead are not shown again.
                let same =
                    nodes.process.as_ref().is_some_and(|it| it.session == session && it.record == record);
                same || nodes.obituary.is_some()
            });
            if !known {
                zoo.change(&replica, now, |lives| {
                    Zoo::nodes(lives, incarnation, &name).process = Some(Owned { session, record });
                });
            }
        }
        // What it does not keep it does not show.
        let kept = &self.hosts[index].kept;
        let stray = |(life, nodes): (&Incarnation, &crate::zoo::Nodes)| {
            nodes.process.as_ref().is_some_and(|it| it.session == session) && !kept.contains_key(life)
        };
        let strays = zoo.lives.iter().filter(|(_, lives)| lives.iter().any(stray));
        for replica in strays.map(|(replica, _)| replica.clone()).collect::<Vec<_>>() {
            zoo.change(&replica, now, |lives| {
                for (_, nodes) in lives.iter_mut().filter(|(life, _)| !kept.contains_key(*life)) {
                    nodes.process.take_if(|it| it.session == session);
                }
            });
        }
        let record = self.record_of(index);
        self.zoo.put_host(&name, Owned { session, record }, now);
        self.stir();
    }

    fn declare_dead(&mut self, index: usize) {
        let now = self.now;
        let new: Vec<_> = self.hosts[index]
            .disk
            .dead
            .values()
            .filter(|(_, shown)| !shown)
            .map(|(obituary, _)| obituary.clone())
            .collect();
        for obituary in new {
            let life = obituary.incarnation;
            self.zoo.change(&obituary.replica.clone(), now, |lives| {
                let nodes = Zoo::nodes(lives, life, &obituary.host);
                (nodes.process, nodes.member) = (None, None);
                nodes.obituary.get_or_insert(obituary);
            });
            if let Some((_, shown)) = self.hosts[index].disk.dead.get_mut(&life) {
                *shown = true;
            }
            // A life that runs all the same hears that its node is gone.
            self.tell_group(life);
        }
    }

    fn processes(&self, index: usize) -> Vec<(watchdog_core::ids::ReplicaId, Incarnation, ProcessSeen)> {
        let host = &self.hosts[index];
        let shown = host.kept.iter().filter_map(|(incarnation, kept)| {
            let living = host.disk.living.get(incarnation)?;
            let record = ProcessSeen {
                pid: living.pid.unwrap_or_default(),
                stopping: kept.stopping,
                probe: kept.probe,
                detail: detail(kept.probe),
                round: 0,
                since: Time::default(),
                stamp: kept.since,
                loaded: living.loaded,
                setup: None,
            };
            Some((living.replica.clone(), *incarnation, record))
        });
        shown.collect()
    }

    fn record_of(&self, index: usize) -> HostSeen {
        let Host { disk, boot, .. } = &self.hosts[index];
        HostSeen {
            presence: Presence::Present,
            instance: disk.instance.clone(),
            address: String::new(),
            pid: 1,
            boot_id: format!("boot-{boot}"),
            inventory_complete: true,
            session: self.hosts[index].desk.fence.session(),
        }
    }

    /// One round of probes, when its answer may differ.
    pub(crate) fn probe(&mut self, index: usize, incarnation: Incarnation) -> Probed {
        let wall = self.wall_of_host(index);
        let answer = self.probe_answer(incarnation);
        let Some(kept) = self.hosts[index].kept.get_mut(&incarnation) else { return answer };
        if kept.probe != answer {
            kept.probe = answer;
            if !kept.stopping {
                kept.since = wall;
            }
            self.show(index);
        }
        answer
    }

    /// What a probe finds now.
    fn probe_answer(&self, incarnation: Incarnation) -> Probed {
        // Who has no word of its own says by its probe that it is ill.
        let answers = self.lives.get(&incarnation).is_some_and(|life| {
            life.is_ready && (life.mood == Mood::Well || life.mood == Mood::Sick && life.embeds)
        });
        if answers { Probed::Passing } else { Probed::Failing }
    }
}

/// What its agent says of a probe.
pub(crate) fn detail(probe: Probed) -> String {
    if probe == Probed::Failing { "no answer".to_owned() } else { String::new() }
}
