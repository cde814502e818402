//! Zoo: ZooKeeper as a linearizable node: sessions, ephemeral nodes, contenders, the epoch.
//!
//! *Flow.* Whoever holds a session is covered while it runs and both directions of its link are open. Uncovered for a
//! time-out, the session is over and everything that it owned goes.

use std::collections::BTreeMap;

use watchdog_core::ids::{Epoch, HostId, Incarnation, ReplicaId, Version};
use watchdog_core::observation::{HostSeen, Loaded, MemberSeen, Obituary, ProcessSeen};

/// The number of a session.
pub type SessionId = u64;

/// Who holds a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A watchdog.
    Dog(usize),
    /// A host agent.
    Agent(usize),
    /// A replica's embedded agent.
    Life(Incarnation),
}

/// A session.
#[derive(Debug, Clone)]
pub struct Session {
    /// Whose.
    pub holder: Holder,
    /// Since when it is uncovered.
    pub silent_since: Option<u64>,
    /// Counts coverings, so that an expiry that was planned for an earlier silence is none.
    pub round: u64,
}

/// A node that goes with its session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owned<T> {
    /// Whose.
    pub session: SessionId,
    /// What it says.
    pub record: T,
}

/// What stands about one life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nodes {
    /// Where it runs or ran.
    pub host: HostId,
    /// By its host agent.
    pub process: Option<Owned<ProcessSeen>>,
    /// By itself.
    pub member: Option<Owned<MemberSeen>>,
    /// The proof of its death.
    pub obituary: Option<Obituary>,
}

impl Nodes {
    fn is_empty(&self) -> bool {
        self.process.is_none() && self.member.is_none() && self.obituary.is_none()
    }

    /// What it is said to hold, by itself and by its host agent.
    pub fn loaded(&self) -> impl Iterator<Item = Loaded> {
        let own = self.member.as_ref().map(|member| member.record.loaded);
        own.into_iter().chain(self.process.as_ref().and_then(|process| process.record.loaded))
    }
}

/// The fence.
#[derive(Debug, Clone, Default)]
pub struct EpochNode {
    /// Grows with each write.
    pub written: u64,
    /// The newest epoch.
    pub epoch: Epoch,
    /// What the journal must hold.
    pub head: Version,
    /// When each epoch was last confirmed by a write that committed.
    pub confirmed: BTreeMap<Epoch, u64>,
}

/// The stamps of what went.
#[derive(Debug, Default)]
pub struct Left {
    /// Host agents.
    pub hosts: BTreeMap<HostId, u64>,
    /// Replicas' members.
    pub members: BTreeMap<ReplicaId, u64>,
    /// Replicas' processes.
    pub processes: BTreeMap<ReplicaId, u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Zoo {
    /// Whether it answers anybody.
    pub down: u32,
    /// When it last came back.
    pub back_at: u64,
    /// The sessions that live.
    pub sessions: BTreeMap<SessionId, Session>,
    /// The host agents.
    pub hosts: BTreeMap<HostId, Owned<HostSeen>>,
    /// The lives of each replica of which anything stands.
    pub lives: BTreeMap<ReplicaId, BTreeMap<Incarnation, Nodes>>,
    /// Who would lead, by turn.
    pub contenders: BTreeMap<u64, (SessionId, usize)>,
    /// The fence.
    pub epoch: EpochNode,
    /// Grows with each change of anything.
    pub stamp: u64,
    /// The stamp of the last change of each replica.
    pub replica_stamps: BTreeMap<ReplicaId, u64>,
    /// The stamp of the last change of any host.
    pub host_stamp: u64,
    /// The stamp at which each host's agent last went, a member of each replica, and a process.
    pub left: Left,
    /// When each host's agent went.
    pub gone: BTreeMap<HostId, u64>,
    /// When each host's agent came.
    pub came: BTreeMap<HostId, u64>,
    /// Since when no life of a replica is a member or a process.
    pub absent: BTreeMap<ReplicaId, u64>,
    numbers: u64,
}

impl Zoo {
    /// A new session.
    pub fn open(&mut self, holder: Holder) -> SessionId {
        self.numbers += 1;
        self.sessions.insert(self.numbers, Session { holder, silent_since: None, round: 0 });
        self.numbers
    }

    /// Ends a session, and with it everything that it owns.
    pub fn close(&mut self, session: SessionId, now: u64) {
        if self.sessions.remove(&session).is_none() {
            return;
        }
        let before = self.contenders.len();
        self.contenders.retain(|_, (owner, _)| *owner != session);
        if self.contenders.len() != before {
            self.stamp += 1;
        }
        let hosts: Vec<HostId> =
            self.hosts.iter().filter(|(_, it)| it.session == session).map(|it| it.0.clone()).collect();
        for host in hosts {
            self.hosts.remove(&host);
            self.stamp += 1;
            self.host_stamp = self.stamp;
            self.left.hosts.insert(host.clone(), self.stamp);
            self.gone.insert(host, now);
        }
        let owns = |nodes: &Nodes| {
            let process = nodes.process.as_ref().map(|it| it.session);
            let member = nodes.member.as_ref().map(|it| it.session);
            [process, member].contains(&Some(session))
        };
        let owned = self.lives.iter().filter(|(_, lives)| lives.values().any(owns));
        let replicas: Vec<ReplicaId> = owned.map(|(replica, _)| replica.clone()).collect();
        for replica in replicas {
            self.change(&replica, now, |lives| {
                for nodes in lives.values_mut() {
                    nodes.process.take_if(|it| it.session == session);
                    nodes.member.take_if(|it| it.session == session);
                }
            });
        }
    }

    /// Joins the row at its end.
    pub fn enter(&mut self, session: SessionId, dog: usize) -> u64 {
        self.numbers += 1;
        self.stamp += 1;
        self.contenders.insert(self.numbers, (session, dog));
        self.numbers
    }

    /// Leaves the row.
    pub fn withdraw(&mut self, turn: u64) {
        if self.contenders.remove(&turn).is_some() {
            self.stamp += 1;
        }
    }

    /// Who is first in the row.
    pub fn first(&self) -> Option<(u64, usize)> {
        self.contenders.iter().next().map(|(turn, (_, dog))| (*turn, *dog))
    }

    /// What a host agent says of itself.
    pub fn put_host(&mut self, host: &HostId, record: Owned<HostSeen>, now: u64) {
        if self.hosts.get(host) != Some(&record) {
            if !self.hosts.contains_key(host) {
                self.came.insert(host.clone(), now);
            }
            self.hosts.insert(host.clone(), record);
            self.gone.remove(host);
            self.stamp += 1;
            self.host_stamp = self.stamp;
        }
    }

    /// Changes what stands about the lives of a replica; to call it is to change something.
    pub fn change(
        &mut self,
        replica: &ReplicaId,
        now: u64,
        edit: impl FnOnce(&mut BTreeMap<Incarnation, Nodes>),
    ) {
        let count = |lives: &BTreeMap<Incarnation, Nodes>| {
            let members = lives.values().filter(|nodes| nodes.member.is_some()).count();
            (members, lives.values().filter(|nodes| nodes.process.is_some()).count())
        };
        let lives = self.lives.entry(replica.clone()).or_default();
        let before = count(lives);
        edit(lives);
        lives.retain(|_, nodes| !nodes.is_empty());
        let after = count(lives);
        self.stamp += 1;
        if after.0 < before.0 {
            self.left.members.insert(replica.clone(), self.stamp);
        }
        if after.1 < before.1 {
            self.left.processes.insert(replica.clone(), self.stamp);
        }
        self.replica_stamps.insert(replica.clone(), self.stamp);
        let seen =
            lives.values().any(|it| it.obituary.is_none() && (it.process.is_some() || it.member.is_some()));
        if seen {
            self.absent.remove(replica);
        } else {
            self.absent.entry(replica.clone()).or_insert(now);
        }
    }

    /// The nodes of a life, made if there are none.
    pub fn nodes<'a>(
        lives: &'a mut BTreeMap<Incarnation, Nodes>,
        life: Incarnation,
        host: &HostId,
    ) -> &'a mut Nodes {
        let none = || Nodes { host: host.clone(), process: None, member: None, obituary: None };
        lives.entry(life).or_insert_with(none)
    }

    /// The obituary of a life, if it stands.
    pub fn obituary(&self, replica: &ReplicaId, life: Incarnation) -> Option<&Obituary> {
        self.lives.get(replica)?.get(&life)?.obituary.as_ref()
    }
}
