//! Rollout: how a candidate is brought to the replicas, as far as the record tells.
//!
//! ```text
//! begun ─► canary moved ─► soak ─► batches ─► all moved ─► soak ─► stable: achieved
//!              │ fails there, after the ladder's tries
//!              └─► trial: once on stable ──lives──► the version is to blame ─► (too many) ─► rejected
//!                                        └─dies───► the host is ─► held, for a human
//! ```
//!
//! Everything that decides is folded from the record, so that a new leader goes on where an old one died.

mod expected;
pub mod survey;
pub mod verdict;
pub mod volunteer;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::goal::{Goal, Pace};
use crate::ids::{GoalId, HostId, PlanId, ReplicaId, Time, Version};
use crate::input::Target;
use crate::policy::Policy;
use crate::state::Hash;

pub use self::expected::expected;

/// A goal that is declared and has not begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PendingGoal {
    /// Its id.
    pub goal: GoalId,
    /// What it wants.
    pub spec: Goal,
    /// Who declared it.
    pub by: String,
    /// When.
    pub at: Time,
    /// Whether it takes over from one that rolls.
    pub supersede: bool,
    /// Whether who declared it may loosen what guards the cluster.
    #[serde(default)]
    pub may_loosen: bool,
}

/// Changes in the log that must be taken back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Undoing {
    /// The goal that they belong to; `None` when what was stable was doubted.
    pub goal: Option<GoalId>,
    /// Where the log stood before them.
    pub base: Version,
    /// Why.
    pub why: String,
    /// The policy before them, in force until they are taken back.
    #[serde(default)]
    pub guard: Option<Box<Policy>>,
    /// Replicas whose declaration they changed, and which get a fresh start when that is taken back.
    #[serde(default)]
    pub edits: BTreeSet<ReplicaId>,
}

/// A goal that rolls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollout {
    /// Which.
    pub goal: GoalId,
    /// Where the log stood before its changes and those of the goals that it took over from.
    pub base: Version,
    /// The candidate: the last of its changes.
    pub to: Version,
    /// The hash of the application's state there.
    pub state_hash: Hash,
    /// How carefully.
    pub pace: Pace,
    /// Whether every replica is started anew.
    pub restart: bool,
    /// When it began.
    pub started_at: Time,
    /// The policy before it, when it changes that: its own edits never loosen its own rollout.
    pub guard: Option<Box<Policy>>,
    /// What goals that it took over from brought to some replicas; these need not return before they are moved on.
    pub earlier: BTreeSet<Hash>,
    /// Who was ordered to it; expected there from then on.
    pub moved: BTreeMap<ReplicaId, Move>,
    /// Who failed on it and is tried on the stable version; expected there.
    pub trials: BTreeMap<ReplicaId, Trial>,
    /// Who failed on it, was well on the stable version where it failed, and was moved again.
    pub failures: Vec<ReplicaId>,
    /// Replicas that it declares anew: they are born on the candidate, the first state that knows them.
    #[serde(default)]
    pub adds: BTreeSet<ReplicaId>,
    /// Replicas that were declared before and whose declaration it changes.
    #[serde(default)]
    pub edits: BTreeSet<ReplicaId>,
    /// Those of `adds` that were seen well. Only these count as disturbed when they are down.
    #[serde(default)]
    pub arrived: BTreeSet<ReplicaId>,
}

/// A replica's order to the candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// By which plan.
    pub plan: PlanId,
    /// When.
    pub at: Time,
    /// Whether it did not serve, so that moving it cost nothing: it is no canary for those who do.
    #[serde(default)]
    pub volunteer: bool,
}

/// A replica's try on the stable version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// By which plan.
    pub plan: PlanId,
    /// On which host.
    pub host: Option<HostId>,
    /// When it was ordered.
    pub at: Time,
    /// When it was first seen well there.
    pub well_at: Option<Time>,
    /// Why it was not well there either, so that not the version is to blame.
    pub failed: Option<String>,
}

impl Trial {
    /// Whether nothing can be said of it yet, not even that it began well.
    pub fn is_unfinished(&self) -> bool {
        self.well_at.is_none() && self.failed.is_none()
    }
}

impl Rollout {
    /// Whether the replica should hold the candidate by now.
    pub fn expects(&self, replica: &ReplicaId) -> bool {
        self.moved.contains_key(replica) && !self.trials.contains_key(replica)
    }

    /// Whether the replica was ordered to it at all, whatever came of that.
    pub fn has_sent(&self, replica: &ReplicaId) -> bool {
        self.moved.contains_key(replica) || self.trials.contains_key(replica)
    }

    /// Whether the goal declares the replica, anew or in another way.
    pub fn declares(&self, replica: &ReplicaId) -> bool {
        self.adds.contains(replica) || self.edits.contains(replica)
    }

    /// Who should hold the candidate by now.
    pub fn sent(&self) -> impl Iterator<Item = &ReplicaId> {
        self.moved.keys().filter(|replica| self.expects(replica))
    }

    /// What a replica that was moved should hold, where others should hold `base`.
    pub fn aim(&self, base: &Target) -> Target {
        Target { version: self.to, state_hash: self.state_hash, ..*base }
    }

    /// Whether the candidate differs from what is stable, so that it can be to blame.
    pub fn is_blamable(&self, base: &Target) -> bool {
        base.stable.is_some() && self.state_hash != base.state_hash
    }

    /// Replicas whose failed trials blame `target`: themselves, or the host that they were on.
    pub fn blamed_as<'a>(&'a self, target: &'a str) -> impl Iterator<Item = &'a ReplicaId> {
        let failed = self.trials.iter().filter(|(_, trial)| trial.failed.is_some());
        let named = move |(replica, trial): &(&ReplicaId, &Trial)| {
            replica.as_str() == target || trial.host.as_ref().is_some_and(|host| host.as_str() == target)
        };
        failed.filter(named).map(|(replica, _)| replica)
    }

    /// The trial that blames a host instead of the version, if there is one.
    pub fn held(&self) -> Option<(&ReplicaId, &Trial)> {
        self.trials.iter().find(|(_, trial)| trial.failed.is_some())
    }
}
