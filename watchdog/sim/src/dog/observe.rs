//! Observe: turns what stands in the group into the observation that decisions are made of.

use std::collections::{BTreeMap, BTreeSet};

use watchdog_core::hosts::of_concern;
use watchdog_core::ids::{HostId, Incarnation, ReplicaId, Sequence, Time, Version};
use watchdog_core::observation::{HostSeen, Life, Presence, ReplicaSeen, Sight};
use watchdog_leader::looked::Looked;

use super::Mind;
use crate::host::Host;
use crate::mutant::Safeguard;
use crate::net::Node;
use crate::world::World;
use crate::zoo::{Holder, Zoo};

/// Probe rounds are counted from the beginning, one each so many milliseconds.
const ROUND_MS: u64 = 100;

/// What was last read of the group, and when.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The stamp of the last change that was read; `None` before the first look.
    pub stamp: Option<u64>,
    look: u64,
    full_look: u64,
    looks: BTreeMap<ReplicaId, u64>,
    rounds: BTreeMap<Incarnation, u64>,
    aimed: Option<(Version, Sequence)>,
    /// When each obituary was first seen here.
    pub buried_at: BTreeMap<Incarnation, Time>,
}

impl View {
    fn looked(&self, replica: &ReplicaId) -> u64 {
        self.looks.get(replica).copied().unwrap_or(0).max(self.full_look)
    }
}

impl World {
    /// Looks at the group; what is not judged in this check is in the next.
    pub(super) fn look(&mut self, dog: usize) {
        let seen = self.observe(dog);
        if let Some(lead) = self.dogs[dog].lead.as_mut() {
            let earlier = std::mem::replace(&mut lead.unjudged, Looked::Nothing);
            lead.unjudged = earlier.and(seen);
        }
    }

    /// Looks at the group, and again at whatever is suspect.
    fn observe(&mut self, dog: usize) -> Looked {
        let now = self.told(dog);
        let sees = self.is_covered(Holder::Dog(dog)) || self.lacks(Safeguard::Sight);
        let mut rounds = Vec::new();
        if sees {
            rounds = self.look_at_hosts(dog);
        }
        let Some(mind) = self.dogs[dog].mind.as_mut() else { return Looked::Nothing };
        let now = now.max(mind.history.last_at);
        mind.observation.at = now;
        if !sees {
            mind.go_blind(now, "the connection is lost, so what is not seen is unknown");
            return Looked::Nothing;
        }
        mind.take_in(&self.zoo, &rounds)
    }

    /// The newest probe rounds of what is suspect, from the host agents that answer; these show what they find.
    fn look_at_hosts(&mut self, dog: usize) -> Vec<Round> {
        let Some(mind) = self.dogs[dog].mind.as_ref() else { return Vec::new() };
        let mut found = Vec::new();
        for replica in mind.strikes.suspects() {
            let Some(seen) = mind.observation.replicas.get(&replica) else { continue };
            for (incarnation, life) in seen.lives.iter().filter(|(_, life)| life.is_alive()) {
                let present = mind.observation.hosts.get(&life.host).is_some_and(HostSeen::is_present);
                let Some(index) = self.setup.hosts.iter().position(|it| *it == life.host) else { continue };
                let host: &Host = &self.hosts[index];
                let answers = host.answers() && self.net.is_whole(Node::Dog(dog), Node::Host(index));
                if !(present && answers && host.kept.contains_key(incarnation)) {
                    continue;
                }
                found.push((index, replica.clone(), *incarnation));
            }
        }
        let round = self.now / ROUND_MS;
        found
            .into_iter()
            .map(|(index, replica, life)| (replica, life, round, self.probe(index, life)))
            .collect()
    }
}

type Round = (ReplicaId, Incarnation, u64, watchdog_core::observation::Probed);

impl Mind {
    fn take_in(&mut self, zoo: &Zoo, rounds: &[Round]) -> Looked {
        let was_blind = self.observation.sight != Sight::Clear;
        self.observation.sight = Sight::Clear;
        let seen_before = self.view.stamp.unwrap_or_default();
        let first = self.view.stamp.is_none();
        let fresh = first || was_blind;
        if fresh {
            self.observation.watched_since = self.observation.at;
        }
        let suspects = self.strikes.suspects();
        let mut changed: BTreeSet<ReplicaId> = zoo
            .replica_stamps
            .iter()
            .filter(|(_, stamp)| **stamp > seen_before)
            .map(|(replica, _)| replica.clone())
            .collect();
        self.view.look += 1;
        let look = self.view.look;
        if first {
            self.view.full_look = look;
        }
        self.view.looks.extend(changed.iter().chain(&suspects).map(|replica| (replica.clone(), look)));
        let hosts_moved = fresh || zoo.host_stamp > seen_before;
        self.view.stamp = Some(zoo.stamp);
        if hosts_moved {
            self.see_hosts(zoo, fresh);
        }
        for (_, incarnation, round, _) in rounds {
            let known = self.view.rounds.entry(*incarnation).or_default();
            *known = (*known).max(*round);
        }
        let aimed = (self.log.head.version, self.history.aimed_at);
        let all = hosts_moved || self.view.aimed != Some(aimed);
        changed.extend(suspects);
        if all {
            changed.extend(self.log.replicas.keys().cloned());
            changed.extend(self.observation.replicas.keys().cloned());
        }
        if fresh {
            changed.extend(zoo.lives.keys().cloned());
        }
        for replica in &changed {
            self.see(zoo, replica, fresh);
        }
        let now = self.observation.at;
        for (replica, incarnation, round, probe) in rounds {
            let life =
                self.observation.replicas.get_mut(replica).and_then(|it| it.lives.get_mut(incarnation));
            let Some(life) = life else { continue };
            let Some(process) = life.process.as_mut() else { continue };
            process.round = process.round.max(*round);
            if process.probe != *probe {
                (process.probe, process.since, life.steady_since) = (*probe, now, now);
            }
        }
        self.view.aimed = Some(aimed);
        if all { Looked::All } else { Looked::Only(changed) }
    }

    fn see(&mut self, zoo: &Zoo, replica: &ReplicaId, fresh: bool) {
        let now = self.observation.at;
        if let Some(before) = self.observation.replicas.get_mut(replica).filter(|_| fresh) {
            before.unwatched();
        }
        let mut seen = ReplicaSeen { look: self.view.looked(replica), ..ReplicaSeen::default() };
        for (incarnation, nodes) in zoo.lives.get(replica).into_iter().flatten() {
            let mut process = nodes.process.as_ref().map(|it| it.record.clone());
            if let (Some(process), Some(round)) = (process.as_mut(), self.view.rounds.get(incarnation)) {
                process.round = *round;
            }
            let member = nodes.member.as_ref().map(|it| it.record.clone());
            let obituary = nodes.obituary.clone();
            let life = Life { process, member, obituary, ..Life::on(nodes.host.clone()) };
            seen.lives.insert(*incarnation, life);
        }
        seen.carry_over(self.observation.replicas.get(replica), now);
        let declared = self.log.replicas.contains_key(replica);
        if declared || !seen.lives.is_empty() {
            self.observation.replicas.insert(replica.clone(), seen);
        } else {
            self.observation.replicas.remove(replica);
        }
    }

    fn see_hosts(&mut self, zoo: &Zoo, fresh: bool) {
        let now = self.observation.at;
        let mut hosts: BTreeMap<HostId, HostSeen> = BTreeMap::new();
        for (host, past) in &self.history.hosts {
            let seen = HostSeen {
                presence: Presence::Gone { since: now },
                instance: past.instance.clone(),
                address: past.address.clone(),
                pid: 0,
                boot_id: past.boot_id.clone(),
                inventory_complete: false,
                session: String::new(),
            };
            hosts.insert(host.clone(), seen);
        }
        for (host, old) in std::mem::take(&mut self.observation.hosts) {
            let since = match old.presence {
                Presence::Present => now,
                Presence::Gone { .. } if fresh => now,
                Presence::Gone { since } => since,
            };
            hosts.insert(host, HostSeen { presence: Presence::Gone { since }, ..old });
        }
        for (host, node) in &zoo.hosts {
            hosts.insert(host.clone(), node.record.clone());
        }
        let concern = of_concern(&self.log.replicas, &self.history, &self.observation);
        // Who is gone for good, and on whom nothing depends any more, is forgotten.
        hosts.retain(|host, seen| seen.is_present() || concern.contains(host));
        self.observation.hosts = hosts;
    }
}
