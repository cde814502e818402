//! Picture: everything that one cluster's tree says, decoded.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use watchdog_core::ids::{HostId, Incarnation, ReplicaId};
use watchdog_core::observation::Flashes;

use crate::places::Place;
use crate::records::{
    ContenderRecord, EpochRecord, HostRecord, MemberRecord, ObituaryRecord, PausesRecord, ProcessRecord,
    RecordError, decode,
};
use crate::tree::Node;

/// A record, and when it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped<T> {
    /// What it says.
    pub record: T,
    /// The transaction that created its node; two lives of one path differ in it.
    pub created: i64,
    /// The transaction that changed it last.
    pub modified: i64,
    /// The session that it dies with.
    pub owner: Option<u64>,
}

/// By incarnation, because two lives of one replica at once are a fault that must be seen.
pub type Lives<T> = BTreeMap<Incarnation, Stamped<T>>;

/// What stands in the tree of one cluster, as last read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// The host agents.
    pub hosts: BTreeMap<HostId, Stamped<HostRecord>>,
    /// The processes that they keep; no replica stands here without one.
    pub processes: BTreeMap<ReplicaId, Lives<ProcessRecord>>,
    /// The replicas in the group; no replica stands here without one.
    pub members: BTreeMap<ReplicaId, Lives<MemberRecord>>,
    /// The proofs of death that are not yet in the leader's record.
    pub obituaries: Lives<ObituaryRecord>,
    /// Those who would lead, by their turn; the first is the front runner.
    pub contenders: BTreeMap<u64, Stamped<ContenderRecord>>,
    /// The fence.
    pub epoch: Option<Stamped<EpochRecord>>,
    /// What is to be left alone.
    pub pauses: Option<Stamped<PausesRecord>>,
    /// What cannot be read: path and reason. What stood there before is forgotten, never kept as if it were true.
    pub malformed: BTreeMap<String, String>,
    /// The number of the last look, at anything.
    pub look: u64,
    /// The number of the last look at everything.
    pub full_look: u64,
    /// The number of the last look at one replica, where that is later than the one at everything.
    pub looks: BTreeMap<ReplicaId, u64>,
}

impl Picture {
    /// The number of the last look at this replica; a strike needs a higher one than the strike before.
    pub fn looked(&self, replica: &ReplicaId) -> u64 {
        self.looks.get(replica).copied().unwrap_or(0).max(self.full_look)
    }

    /// The contenders in their order.
    pub fn row(&self) -> impl Iterator<Item = &ContenderRecord> {
        self.contenders.values().map(|contender| &contender.record)
    }

    /// The incarnations of a replica of which anything stands here, the dead that only have an obituary excepted.
    pub fn lives(&self, replica: &ReplicaId) -> BTreeSet<Incarnation> {
        let processes = self.processes.get(replica).into_iter().flat_map(BTreeMap::keys);
        let members = self.members.get(replica).into_iter().flat_map(BTreeMap::keys);
        processes.chain(members).copied().collect()
    }
}

/// What differs from the picture before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each says of one part whether it differs, and any may")]
pub struct Delta {
    /// Everything was read again; the sets below hold what differs all the same.
    pub resynced: bool,
    /// Replicas of which a member, a process or an obituary came, changed or went.
    pub replicas: BTreeSet<ReplicaId>,
    /// Hosts that came, changed or went.
    pub hosts: BTreeSet<HostId>,
    /// Incarnations of which an obituary came, changed or went.
    pub obituaries: BTreeSet<Incarnation>,
    /// What came and went between two readings, so that its absence is a new one.
    pub flashes: Flashes,
    /// The watch was broken, so that anything may have come and gone unseen.
    pub unwatched: bool,
    /// Whether the row of contenders changed.
    pub contenders: bool,
    /// Whether the epoch record changed.
    pub epoch: bool,
    /// Whether what is to be left alone changed.
    pub pauses: bool,
    /// Whether what cannot be read changed.
    pub malformed: bool,
}

impl Delta {
    /// What stands at `place` came and went since the last reading.
    pub(crate) fn note_flash(&mut self, place: &Place) {
        let Flashes { hosts, members, processes } = &mut self.flashes;
        match place {
            Place::Host(host) => drop(hosts.insert(host.clone())),
            Place::Member(replica, _) => drop(members.insert(replica.clone())),
            Place::Process(replica, _) => drop(processes.insert(replica.clone())),
            Place::Obituary(_) | Place::Contender { .. } | Place::Epoch | Place::Pauses => {}
        }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self { resynced: self.resynced, unwatched: self.unwatched, ..Self::default() }
    }

    /// Adds a later one.
    pub fn absorb(&mut self, later: Delta) {
        self.resynced |= later.resynced;
        self.unwatched |= later.unwatched;
        let Flashes { hosts, members, processes } = later.flashes;
        self.flashes.hosts.extend(hosts);
        self.flashes.members.extend(members);
        self.flashes.processes.extend(processes);
        self.replicas.extend(later.replicas);
        self.hosts.extend(later.hosts);
        self.obituaries.extend(later.obituaries);
        self.contenders |= later.contenders;
        self.epoch |= later.epoch;
        self.pauses |= later.pauses;
        self.malformed |= later.malformed;
    }
}

impl Picture {
    /// Takes in what stands at `path` now, and notes in `delta` what that changed.
    pub(crate) fn set(&mut self, place: &Place, (path, node): (&str, Option<&Node>), delta: &mut Delta) {
        let was_malformed = self.malformed.remove(path);
        let fault = self.take_in(place, (path, node), delta).err();
        let fault = fault.map(|fault| fault.to_string());
        delta.malformed |= fault != was_malformed;
        if let Some(fault) = fault {
            self.malformed.insert(path.to_owned(), fault);
        }
    }

    fn take_in(
        &mut self,
        place: &Place,
        (path, node): (&str, Option<&Node>),
        delta: &mut Delta,
    ) -> Result<(), RecordError> {
        match place {
            Place::Epoch => {
                let (new, result) = read::<EpochRecord>(path, node, |_| true);
                delta.epoch |= self.epoch != new;
                self.epoch = new;
                result
            }
            Place::Pauses => {
                let (new, result) = read::<PausesRecord>(path, node, |_| true);
                delta.pauses |= self.pauses != new;
                self.pauses = new;
                result
            }
            Place::Contender { turn } => {
                let (new, result) = read(path, node, |_| true);
                delta.contenders |= replace(&mut self.contenders, turn, new);
                result
            }
            Place::Host(host) => {
                let (new, result) = read(path, node, |record: &HostRecord| record.host == *host);
                if replace(&mut self.hosts, host, new) {
                    delta.hosts.insert(host.clone());
                }
                result
            }
            Place::Process(replica, incarnation) => {
                let fits = |r: &ProcessRecord| r.replica == *replica && r.incarnation == *incarnation;
                let (new, result) = read(path, node, fits);
                if replace_life(&mut self.processes, (replica, *incarnation), new) {
                    delta.replicas.insert(replica.clone());
                }
                result
            }
            Place::Member(replica, incarnation) => {
                let fits = |r: &MemberRecord| r.replica == *replica && r.incarnation == *incarnation;
                let (new, result) = read(path, node, fits);
                if replace_life(&mut self.members, (replica, *incarnation), new) {
                    delta.replicas.insert(replica.clone());
                }
                result
            }
            Place::Obituary(incarnation) => {
                let fits = |r: &ObituaryRecord| r.incarnation == *incarnation;
                let (new, result) = read(path, node, fits);
                let old = self.obituaries.get(incarnation);
                let replicas = [old, new.as_ref()].into_iter().flatten().map(|o| o.record.replica.clone());
                let replicas: Vec<ReplicaId> = replicas.collect();
                if replace(&mut self.obituaries, incarnation, new) {
                    delta.obituaries.insert(*incarnation);
                    delta.replicas.extend(replicas);
                }
                result
            }
        }
    }
}

/// Reads a node, `fits` says whether the record is the one that its path names.
fn read<T: DeserializeOwned>(
    path: &str,
    node: Option<&Node>,
    fits: impl FnOnce(&T) -> bool,
) -> (Option<Stamped<T>>, Result<(), RecordError>) {
    let Some(node) = node else { return (None, Ok(())) };
    match decode::<T>(path, &node.data) {
        Ok(record) if fits(&record) => {
            let Node { created, modified, owner, .. } = *node;
            (Some(Stamped { record, created, modified, owner }), Ok(()))
        }
        Ok(_) => (None, Err(RecordError::Misplaced { path: path.to_owned() })),
        Err(error) => (None, Err(error)),
    }
}

/// Whether it differs.
fn replace<K: Ord + Clone, V: PartialEq>(map: &mut BTreeMap<K, V>, key: &K, new: Option<V>) -> bool {
    match new {
        Some(new) if map.get(key) == Some(&new) => false,
        Some(new) => {
            map.insert(key.clone(), new);
            true
        }
        None => map.remove(key).is_some(),
    }
}

/// Whether it differs; leaves no replica without a life.
fn replace_life<T: PartialEq>(
    map: &mut BTreeMap<ReplicaId, Lives<T>>,
    (replica, incarnation): (&ReplicaId, Incarnation),
    new: Option<Stamped<T>>,
) -> bool {
    if new.is_none() && !map.contains_key(replica) {
        return false;
    }
    let lives = map.entry(replica.clone()).or_default();
    let differs = replace(lives, &incarnation, new);
    if lives.is_empty() {
        map.remove(replica);
    }
    differs
}
