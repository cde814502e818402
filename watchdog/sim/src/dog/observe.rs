//! Observe: reads the group, and asks host agents to look at what is suspect; what is made of it the leader knows.

use std::collections::{BTreeMap, BTreeSet};

use watchdog_core::ids::{HostId, Incarnation, ReplicaId};
use watchdog_core::observation::{Flashes, HostSeen, Life};
use watchdog_leader::glance::{Eyes, Glance, Group};
use watchdog_leader::looked::Looked;
use watchdog_leader::rounds::{Reported, to_ask};

use super::Mind;
use crate::host::board;
use crate::mutant::Safeguard;
use crate::net::Node;
use crate::world::World;
use crate::zoo::{Holder, Nodes, Zoo};

/// Probe rounds are counted from the beginning, one each so many milliseconds.
const ROUND_MS: u64 = 100;

/// What was last read of the group, and when.
#[derive(Debug, Default)]
pub struct View {
    /// What the leader remembers of its looks.
    pub eyes: Eyes,
    /// The stamp of the last change that was read; `None` before the first look.
    stamp: Option<u64>,
    look: u64,
    full_look: u64,
    looks: BTreeMap<ReplicaId, u64>,
}

impl View {
    /// Reads what moved, and the suspects again.
    fn read(&mut self, zoo: &Zoo, suspects: &BTreeSet<ReplicaId>) -> Glance {
        let before = self.stamp.replace(zoo.stamp);
        let since = before.unwrap_or_default();
        let moved: BTreeSet<ReplicaId> = later(&zoo.replica_stamps, since).cloned().collect();
        self.look += 1;
        if before.is_none() {
            self.full_look = self.look;
        }
        self.looks.extend(moved.iter().chain(suspects).map(|replica| (replica.clone(), self.look)));
        let (hosts_moved, suspects) = (zoo.host_stamp > since, suspects.clone());
        let flashes = Flashes {
            hosts: later(&zoo.left.hosts, since).cloned().collect(),
            members: later(&zoo.left.members, since).cloned().collect(),
            processes: later(&zoo.left.processes, since).cloned().collect(),
        };
        Glance { moved, hosts_moved, suspects, flashes, ..Glance::default() }
    }
}

/// What was stamped after `since`.
fn later<K>(stamps: &BTreeMap<K, u64>, since: u64) -> impl Iterator<Item = &K> {
    stamps.iter().filter(move |(_, stamp)| **stamp > since).map(|(key, _)| key)
}

/// What stands in the group, as one view of it has read it.
struct Standing<'a> {
    zoo: &'a Zoo,
    looks: &'a BTreeMap<ReplicaId, u64>,
    full_look: u64,
}

impl Group for Standing<'_> {
    fn hosts(&self) -> Vec<(HostId, HostSeen)> {
        self.zoo.hosts.iter().map(|(host, node)| (host.clone(), node.record.clone())).collect()
    }

    fn replicas(&self) -> Vec<ReplicaId> {
        self.zoo.lives.keys().cloned().collect()
    }

    fn reading(&self, replica: &ReplicaId) -> u64 {
        self.looks.get(replica).copied().unwrap_or_default().max(self.full_look)
    }

    fn lives(&self, replica: &ReplicaId) -> BTreeMap<Incarnation, Life> {
        let life = |nodes: &Nodes| Life {
            process: nodes.process.as_ref().map(|node| node.record.clone()),
            member: nodes.member.as_ref().map(|node| node.record.clone()),
            obituary: nodes.obituary.clone(),
            ..Life::on(nodes.host.clone())
        };
        let lives = self.zoo.lives.get(replica).into_iter().flatten();
        lives.map(|(incarnation, nodes)| (*incarnation, life(nodes))).collect()
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
        let reported = if sees { self.look_at_hosts(dog) } else { Vec::new() };
        let Some(mind) = self.dogs[dog].mind.as_mut() else { return Looked::Nothing };
        let now = now.max(mind.history.last_at);
        mind.observation.at = now;
        if !sees {
            mind.observation.go_blind(now, "the connection is lost, so what is not seen is unknown");
            return Looked::Nothing;
        }
        mind.take_in(&self.zoo, reported)
    }

    /// What the host agents that answer say of what is suspect; they also publish what they find.
    fn look_at_hosts(&mut self, dog: usize) -> Vec<Reported> {
        let Some(mind) = self.dogs[dog].mind.as_ref() else { return Vec::new() };
        let suspects = mind.strikes.suspects();
        let mut found = Vec::new();
        for (name, (_, replicas)) in to_ask(&mind.observation, &suspects) {
            let Some(index) = self.setup.hosts.iter().position(|host| host == name) else { continue };
            let host = &self.hosts[index];
            if host.answers() && self.net.is_whole(Node::Dog(dog), Node::Host(index)) {
                let kept = host.kept.keys().filter_map(|life| Some((*life, &self.lives.get(life)?.replica)));
                let asked = kept.filter(|(_, replica)| replicas.contains(replica));
                found.extend(asked.map(|(life, replica)| (index, replica.clone(), life)));
            }
        }
        let round = self.now / ROUND_MS;
        let mut reported = Vec::new();
        for (index, replica, incarnation) in found {
            let probe = self.probe(index, incarnation);
            let detail = board::detail(probe);
            reported.push(Reported { replica, incarnation, round, probe: Some(probe), detail });
        }
        reported
    }
}

impl Mind {
    fn take_in(&mut self, zoo: &Zoo, reported: Vec<Reported>) -> Looked {
        let Self { observation, history, log, view, strikes, .. } = self;
        let glance = Glance { reported, ..view.read(zoo, &strikes.suspects()) };
        let standing = Standing { zoo, looks: &view.looks, full_look: view.full_look };
        view.eyes.take_in(observation, (history, log), (&glance, &standing))
    }
}
