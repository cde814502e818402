//! Observation: what one watchdog sees, and how it knows.
//!
//! "I could not see" is a value of its own ([`Sight::Blind`], `None`, absent
//! reports), so that it can neither convict nor acquit.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::history::History;
use crate::ids::{Epoch, HostId, Incarnation, ReplicaId, Time, Version};
use crate::state::Hash;

/// Everything that was seen when a check was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// When.
    pub at: Time,
    /// Since when the observer has watched without a break, in the same term and by the same clock.
    #[serde(default)]
    pub watched_since: Time,
    /// Whether the observer itself sees.
    pub sight: Sight,
    /// When the observer's last fenced write was committed: the proof that it is not the one that is cut off.
    pub fenced_write_at: Option<Time>,
    /// Every host that is, or was, there.
    pub hosts: BTreeMap<HostId, HostSeen>,
    /// Every replica that is declared or seen.
    pub replicas: BTreeMap<ReplicaId, ReplicaSeen>,
}

impl Observation {
    /// What is known before the first look: nothing, and why.
    pub fn unseen(at: Time) -> Self {
        let why = "this watchdog has just started and has not looked yet".to_owned();
        Self {
            at,
            watched_since: at,
            sight: Sight::Blind { since: at, why },
            fenced_write_at: None,
            hosts: BTreeMap::new(),
            replicas: BTreeMap::new(),
        }
    }

    /// From now on nothing can be seen, for this reason.
    pub fn go_blind(&mut self, now: Time, why: &str) {
        let since = match &self.sight {
            Sight::Clear => now,
            Sight::Blind { since, .. } => *since,
        };
        self.sight = Sight::Blind { since, why: why.to_owned() };
    }
}

/// What was there between two looks, and at neither: its absence is a new one, and a lease that was granted meanwhile runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flashes {
    /// Hosts whose agent was there.
    pub hosts: BTreeSet<HostId>,
    /// Replicas of which a member was there.
    pub members: BTreeSet<ReplicaId>,
    /// Replicas of which a process was there.
    pub processes: BTreeSet<ReplicaId>,
}

/// Whether the observer sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// Its session is confirmed and its view is complete.
    Clear,
    /// It can't see; what it last saw is old.
    Blind {
        /// Since when.
        since: Time,
        /// Why, in one sentence.
        why: String,
    },
}

/// A host, by its agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostSeen {
    /// Whether its agent's session lives.
    pub presence: Presence,
    /// The id of its agent's state directory.
    pub instance: String,
    /// Where its agent answers.
    pub address: String,
    /// Its agent's process.
    pub pid: u32,
    /// Which boot it is.
    pub boot_id: String,
    /// Whether the processes that it reports are all that it has.
    pub inventory_complete: bool,
    /// What it calls the time since it was last out of touch for longer than a lease; orders name it.
    #[serde(default)]
    pub session: String,
}

impl HostSeen {
    /// Whether its agent is there.
    pub fn is_present(&self) -> bool {
        matches!(self.presence, Presence::Present)
    }
}

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Its session lives.
    Present,
    /// Its session is gone, by this observer's own first sight of that.
    Gone {
        /// Since when.
        since: Time,
    },
}

/// A replica: all lives of it that are seen or were reported dead.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReplicaSeen {
    /// Counts every time that its nodes were read, so that newer evidence can be told from older.
    pub look: u64,
    /// Since when no life of it is seen alive, by this observer's own first sight of that.
    pub absent_since: Option<Time>,
    /// Whether a life of it was ever a member, so that one that runs without being one is a zombie.
    #[serde(default)]
    pub embeds: bool,
    /// Since when no life of it is a member, by this observer's own first sight of that.
    #[serde(default)]
    pub memberless_since: Option<Time>,
    /// Its lives, by name; which of them is the newest is not theirs to say.
    pub lives: BTreeMap<Incarnation, Life>,
}

impl ReplicaSeen {
    /// Fills in what only time tells, from what was seen `before`: whoever observes calls it with each new look.
    pub fn carry_over(&mut self, before: Option<&ReplicaSeen>, at: Time) {
        let member = self.lives.values().any(|life| life.is_alive() && life.member.is_some());
        let alive = self.lives.values().any(Life::is_alive);
        let since = |when: Option<Time>| Some(when.unwrap_or(at));
        self.embeds = member || before.is_some_and(|before| before.embeds);
        self.absent_since = if alive { None } else { since(before.and_then(|before| before.absent_since)) };
        self.memberless_since =
            if member { None } else { since(before.and_then(|before| before.memberless_since)) };
        for (incarnation, life) in &mut self.lives {
            life.is_mute = self.embeds && life.member.is_none() && life.is_alive();
            let past = before.and_then(|before| before.lives.get(incarnation));
            life.steady_since = past.filter(|past| past.is_as(life)).map_or(at, |past| past.steady_since);
            life.stamp_by_sight(past, at);
        }
    }

    /// The newest of the lives that `fit`: by the record, and where it knows none of two, by the stamps of the host on
    /// which both are. The order of names only breaks a tie.
    pub fn newest(
        &self,
        (replica, history): (&ReplicaId, &History),
        fits: impl Fn(Incarnation, &Life) -> bool,
    ) -> Option<(Incarnation, &Life)> {
        let mut fitting = self.lives.iter().filter(|(incarnation, life)| fits(**incarnation, life));
        let (incarnation, life) = fitting.next()?;
        let mut newest = (*incarnation, life);
        let rank = |(incarnation, life): (Incarnation, &Life)| {
            history.rank(replica, (incarnation, life.obituary.as_ref()))
        };
        for (incarnation, life) in fitting {
            let other = (*incarnation, life);
            let is_older = match rank(other).cmp(&rank(newest)) {
                Ordering::Less => true,
                Ordering::Equal => life.is_older_than(newest.1),
                Ordering::Greater => false,
            };
            if !is_older {
                newest = other;
            }
        }
        Some(newest)
    }

    /// Forgets what only watching without a break could tell: nobody looked for a while.
    pub fn unwatched(&mut self) {
        (self.absent_since, self.memberless_since) = (None, None);
        self.lives.clear();
    }
}

/// One incarnation, from up to three sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Life {
    /// Where it runs or ran.
    pub host: HostId,
    /// What its host agent says.
    pub process: Option<ProcessSeen>,
    /// What it says itself.
    pub member: Option<MemberSeen>,
    /// The proof that it is dead; beats the other two.
    pub obituary: Option<Obituary>,
    /// Since when it has been as it is, by this observer's own clock; those of hosts may be wrong.
    #[serde(default)]
    pub steady_since: Time,
    /// Whether it embeds an agent that is not in the group, so that nobody knows what it holds.
    #[serde(default)]
    pub is_mute: bool,
}

impl Life {
    /// A life on `host` of which nobody says anything yet.
    pub fn on(host: HostId) -> Self {
        let steady_since = Time::default();
        Self { host, process: None, member: None, obituary: None, steady_since, is_mute: false }
    }

    /// Whether it works as this other sight of it did, and on the same state.
    fn is_as(&self, other: &Life) -> bool {
        let by_host = |life: &Life| life.process.as_ref().map(|it| (it.pid, it.stopping, it.probe));
        let by_itself = |life: &Life| life.member.as_ref().map(|it| it.health);
        let state = |life: &Life| life.loaded().map(|loaded| loaded.state_hash);
        (by_host(self), by_itself(self), state(self)) == (by_host(other), by_itself(other), state(other))
    }

    /// Measures by our own clock since when it is as its host and it say; a stamp of theirs that moved says that it
    /// was something else in between.
    fn stamp_by_sight(&mut self, past: Option<&Life>, at: Time) {
        let since = |same: bool, since: Option<Time>| since.filter(|_| same).unwrap_or(at);
        if let Some(process) = &mut self.process {
            let before = past.and_then(|past| past.process.as_ref());
            let told = |it: &ProcessSeen| (it.pid, it.stopping, it.probe, it.stamp);
            let same = before.is_some_and(|before| told(before) == told(process));
            process.since = since(same, before.map(|before| before.since));
        }
        if let Some(member) = &mut self.member {
            let before = past.and_then(|past| past.member.as_ref());
            let told = |it: &MemberSeen| (it.pid, it.health, it.stamp);
            let same = before.is_some_and(|before| told(before) == told(member));
            member.since = since(same, before.map(|before| before.since));
        }
    }

    /// Whether its host's clock says that it is as it is since before the other became as that is.
    fn is_older_than(&self, other: &Life) -> bool {
        let stamps = self.process.as_ref().zip(other.process.as_ref());
        self.host == other.host && stamps.is_some_and(|(own, others)| own.stamp < others.stamp)
    }

    /// Whether it may still run: seen by someone, and not proven dead.
    pub fn is_alive(&self) -> bool {
        self.obituary.is_none() && (self.process.is_some() || self.member.is_some())
    }

    /// What it has in memory, by its own word, or by its host agent's where it has no word of its own.
    pub fn loaded(&self) -> Option<Loaded> {
        let own = self.member.as_ref().map(|member| member.loaded);
        own.or_else(|| self.process.as_ref().and_then(|process| process.loaded))
    }
}

/// A version and the hash of what is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loaded {
    /// The version that it says.
    pub version: Version,
    /// The hash of what it holds.
    pub state_hash: Hash,
}

/// A process, as its host agent sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessSeen {
    /// The process.
    pub pid: u32,
    /// Whether it was told to end.
    pub stopping: bool,
    /// What its probes say.
    pub probe: Probed,
    /// Why they fail.
    pub detail: String,
    /// Counts probe rounds; newer evidence has a higher one.
    pub round: u64,
    /// Since when it is so, by this observer's own first sight of it.
    pub since: Time,
    /// The same by its host's clock, which may be wrong: compared only with other stamps of that host.
    #[serde(default)]
    pub stamp: Time,
    /// What was loaded on its behalf, when it embeds no agent.
    pub loaded: Option<Loaded>,
    /// The hash of the program, parameters and probes that it was started with; `None` when its agent does not say.
    #[serde(default)]
    pub setup: Option<Hash>,
}

/// What probes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probed {
    /// There are none, or none has answered yet.
    Unknown,
    /// All pass.
    Passing,
    /// At least one fails.
    Failing,
}

/// A replica, by its own word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberSeen {
    /// Its process.
    pub pid: u32,
    /// Where its agent answers.
    pub address: String,
    /// Where the application answers.
    pub service: Option<String>,
    /// What it has in memory.
    pub loaded: Loaded,
    /// How it feels.
    pub health: Health,
    /// Why.
    pub detail: String,
    /// The highest epoch that it has seen.
    pub epoch: Epoch,
    /// Since when it is so, by this observer's own first sight of it.
    pub since: Time,
    /// The same by its host's clock, which may be wrong: compared only with other stamps of that host.
    #[serde(default)]
    pub stamp: Time,
}

/// How a replica feels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// Not ready yet.
    Starting,
    /// It serves.
    Ready,
    /// It loads, and serves.
    Loading,
    /// It takes no new work.
    Draining,
    /// It says itself that something is wrong.
    Unhealthy,
}

/// The proof that an incarnation is dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obituary {
    /// Which replica.
    pub replica: ReplicaId,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Where it ran.
    pub host: HostId,
    /// How it ended: `exit 1`, `signal 9 (SIGKILL)`, `unknown`, `rebooted` …
    pub status: String,
    /// Whether its whole process tree is proven gone.
    pub tree_gone: bool,
    /// When it was found dead.
    pub at: Time,
}

impl Obituary {
    /// `status` of a life without a known exit status: its agent did not run when it ended, never launched it, or had
    /// adopted its process, whose status goes to another parent.
    pub const UNSEEN: &str = "unknown";
    /// `status` of a life that was recorded under an earlier boot of its host.
    pub const REBOOTED: &str = "rebooted";

    /// Whether `status` holds an exit status, so that the end may be the replica's own doing.
    pub fn was_seen(&self) -> bool {
        self.status != Self::UNSEEN && self.status != Self::REBOOTED
    }
}
