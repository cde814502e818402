//! History: the record, folded into what decisions need.
//!
//! Budgets, tries and delays are read from here and nowhere else, so that a
//! change of leader resets none of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::blame::Blame;
use crate::finding::{Conviction, FaultKind, Subject};
use crate::ids::{Epoch, HostId, Incarnation, PlanId, ReplicaId, Sequence, StepId, Time, Version};
use crate::observation::Obituary;
use crate::plan::{Agent, Outcome, Plan, PlanStatus};
use crate::policy::{Policy, Remedy};
use crate::record::Mark;
use crate::rollout::{PendingGoal, Rollout, Undoing};
use crate::state::Hash;
use crate::vet::Unproven;
use crate::vet::witness::Witness;

/// See the module.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct History {
    /// The last entry that was folded in.
    pub through: Sequence,
    /// The highest term that was opened.
    pub epoch: Epoch,
    /// The time of the newest entry; time never runs backwards from here.
    pub last_at: Time,
    /// How many plans the current term has made.
    pub plans_in_term: u64,
    /// The pause, when there is one.
    pub pause: Option<Pause>,
    /// Holds, by replica or host name.
    pub holds: BTreeMap<String, Pause>,
    /// Quarantined replicas, and why.
    pub quarantined: BTreeMap<ReplicaId, Quarantine>,
    /// When the storm guard was last overruled.
    pub storm_released_at: Option<Time>,
    /// Marks by version.
    pub marks: BTreeMap<Version, Mark>,
    /// The hashes of the application's state at marked versions, where they were told.
    #[serde(default)]
    pub marked_hashes: BTreeMap<Version, Hash>,
    /// The version that was marked stable last, and stands.
    pub stable: Option<Version>,
    /// When it was.
    #[serde(default)]
    pub stable_at: Time,
    /// Goals that wait for their turn, oldest first.
    #[serde(default)]
    pub pending: VecDeque<PendingGoal>,
    /// The goal that rolls.
    #[serde(default)]
    pub rollout: Option<Rollout>,
    /// What must be taken back before the next goal begins.
    #[serde(default)]
    pub undoing: Option<Undoing>,
    /// Hashes of states that were given up: who holds one leaves it.
    #[serde(default)]
    pub abandoned: BTreeSet<Hash>,
    /// Hashes of states that were proven bad: rejected, or doubted when they were stable.
    #[serde(default)]
    pub proven_bad: BTreeSet<Hash>,
    /// What starts on each marked state, or on the candidate, came to.
    #[serde(default)]
    pub starts: BTreeMap<Hash, Starts>,
    /// What the linter counts by itself.
    #[serde(default)]
    pub witness: Witness,
    /// The last entry that changed what some replica should hold.
    #[serde(default)]
    pub aimed_at: Sequence,
    /// Plans that may still act.
    pub open_plans: BTreeMap<PlanId, OpenPlan>,
    /// Steps that were sent, or are about to be, and whose fate is not recorded.
    pub open_intents: BTreeMap<StepId, Intent>,
    /// Starts among them, whose life may or may not have begun.
    #[serde(default)]
    pub open_starts: BTreeMap<StepId, (ReplicaId, Incarnation)>,
    /// Replicas of which an order's fate stayed unknown; disturbed until seen healthy or replaced.
    pub unsettled: BTreeSet<ReplicaId>,
    /// What was tried on each replica, oldest first, at most an hour back or [`HEALS_KEPT`].
    pub heals: BTreeMap<ReplicaId, VecDeque<PastHeal>>,
    /// Since when deaths and tries of a replica count again: a human released it, or it was moved to or from a candidate.
    #[serde(default)]
    pub forgiven: BTreeMap<ReplicaId, Time>,
    /// When a human last released a replica from a quarantine, or from the blame of a failed trial: what was done to it
    /// before is held against it no more.
    #[serde(default)]
    pub released: BTreeMap<ReplicaId, Time>,
    /// The lives of each replica that we ordered or know to have died, in the order of the record: all that are not proven
    /// dead, and of those that are the last [`LIVES_KEPT`].
    pub lives: BTreeMap<ReplicaId, VecDeque<PastLife>>,
    /// When the newest of those that were forgotten died, by the clock of the host on which it did.
    #[serde(default)]
    pub forgotten: BTreeMap<ReplicaId, BTreeMap<HostId, Time>>,
    /// The latest name of a life that was ordered; new ones are named later, so that they read in order.
    #[serde(default)]
    pub newest_name: Option<Incarnation>,
    /// The same lives as the linter counts them for itself.
    #[serde(default)]
    pub unproven: Unproven,
    /// What a human declined to have done, by [`History::declined_key`], and in which plan.
    #[serde(default)]
    pub declined: BTreeMap<String, PlanId>,
    /// Convictions that stand, by [`History::conviction_key`].
    pub convictions: BTreeMap<String, Conviction>,
    /// Hosts that were ever seen.
    pub hosts: BTreeMap<HostId, PastHost>,
    /// Agents that took the epoch of the current term.
    pub sealed: BTreeSet<Agent>,
}

impl History {
    /// Under what a conviction stands: `scoring-b/exited`, `host h1/host_gone`.
    pub fn conviction_key(subject: &Subject, fault: FaultKind) -> String {
        format!("{subject}/{fault}")
    }

    /// Under what it is remembered that a human declined a remedy: `scoring-b/restart`, `/reject`.
    pub fn declined_key(replica: Option<&ReplicaId>, remedy: Remedy) -> String {
        format!("{}/{}", replica.map_or("", ReplicaId::as_str), remedy.word())
    }

    /// The bounds that stand until what rolls, or is to be taken back, is decided: its own edits loosen nothing.
    pub fn guard(&self) -> Option<&Policy> {
        let rolling = self.rollout.as_ref().map(|rollout| &rollout.guard);
        rolling.or(self.undoing.as_ref().map(|undoing| &undoing.guard))?.as_deref()
    }

    /// Whether a release of this replica or host would change anything.
    pub fn is_releasable(&self, target: &str) -> bool {
        let declined = |key: &String| key.strip_prefix(target).is_some_and(|rest| rest.starts_with('/'));
        self.holds.contains_key(target)
            || self.quarantined.keys().any(|replica| replica.as_str() == target)
            || self.declined.keys().any(declined)
            || self.rollout.as_ref().is_some_and(|rollout| rollout.blamed_as(target).next().is_some())
    }

    /// Whether something that happened to a replica at `at` still counts against it.
    pub fn counts(&self, replica: &ReplicaId, at: Time) -> bool {
        self.forgiven.get(replica).is_none_or(|forgiven| at >= *forgiven)
    }

    /// Whether something was done to a replica at `at` before a human last looked after it.
    pub fn was_released_since(&self, replica: &ReplicaId, at: Time) -> bool {
        self.released.get(replica).is_some_and(|released| at < *released)
    }

    /// Whether this life was ordered by us and is not known to be dead; a stranger only ever has an obituary here.
    pub fn is_ours(&self, replica: &ReplicaId, incarnation: Incarnation) -> bool {
        let mut ordered = self.lives.get(replica).into_iter().flatten();
        ordered.any(|life| life.incarnation == incarnation && life.obituary.is_none())
    }

    /// Whether the goal that rolls declares a replica anew and it was never well yet.
    pub fn is_newborn(&self, replica: &ReplicaId) -> bool {
        let rollout = self.rollout.as_ref().filter(|rollout| rollout.adds.contains(replica));
        rollout.is_some_and(|rollout| !rollout.arrived.contains(replica))
    }

    /// The newest stable version whose state is not that of the one that stands, to fall back to.
    pub fn stable_before(&self) -> Option<(Version, Hash)> {
        let stands = self.marked_hashes.get(&self.stable?)?;
        let stable = self.marks.range(..self.stable?).rev().filter(|(_, mark)| **mark == Mark::Stable);
        let mut other = stable.filter_map(|(version, _)| Some((*version, *self.marked_hashes.get(version)?)));
        other.find(|(_, hash)| hash != stands && !self.proven_bad.contains(hash))
    }
}

/// That a replica is left alone until it is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredQuarantine")]
pub struct Quarantine {
    /// Why.
    pub why: String,
    /// The hash of the state that it should have held: on another one it gets another chance.
    pub on: Option<Hash>,
}

/// Inputs of plans that were recorded before hold the reason alone.
#[derive(Deserialize)]
#[serde(untagged)]
enum StoredQuarantine {
    Reason(String),
    Whole { why: String, on: Option<Hash> },
}

impl From<StoredQuarantine> for Quarantine {
    fn from(stored: StoredQuarantine) -> Self {
        match stored {
            StoredQuarantine::Reason(why) => Self { why, on: None },
            StoredQuarantine::Whole { why, on } => Self { why, on },
        }
    }
}

/// What starting replicas on one state came to, as far as these starts were begun.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Starts {
    /// Whether a replica that was started on it was seen well.
    pub proven: bool,
    /// Replicas that were started on it and were not seen well, nor since.
    pub failed: BTreeSet<ReplicaId>,
}

/// How many heals of a replica are remembered, and all of the last hour.
pub const HEALS_KEPT: usize = 64;

/// How many lives of a replica that are proven dead are remembered.
pub const LIVES_KEPT: usize = 16;

/// For how many hosts of a replica it is remembered when the last forgotten life died there.
pub const HOSTS_KEPT: usize = 64;

/// A pause or hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when; `None` is until ended.
    pub until: Option<Time>,
}

impl Pause {
    /// Whether it stands at `now`.
    pub fn stands(&self, now: Time) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// A plan that may still act, with what is known of its steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPlan {
    /// The plan.
    pub plan: Plan,
    /// Running, or awaiting approval.
    pub status: PlanStatus,
    /// Its steps so far.
    pub progress: Progress,
}

/// What is known of a plan's steps; a step that is not in here is still to be done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// By step.
    pub steps: BTreeMap<StepId, StepProgress>,
}

/// What is known of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepProgress {
    /// When its intent was recorded.
    pub started_at: Time,
    /// When its fate was recorded.
    pub finished_at: Option<Time>,
    /// Its fate.
    pub outcome: Option<Outcome>,
    /// What its agent said.
    pub error: Option<String>,
    /// Whose it is, when that was said.
    #[serde(default)]
    pub blame: Option<Blame>,
}

/// An act that may be under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Of which plan.
    pub plan: PlanId,
    /// Under which leader.
    pub epoch: Epoch,
    /// Whom it touches.
    pub replica: Option<ReplicaId>,
    /// Who carries it out.
    pub agent: Agent,
    /// The instance of its state directory.
    pub instance: Option<String>,
    /// When it was recorded.
    pub at: Time,
}

/// What was tried on a replica.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastHeal {
    /// By which plan.
    pub plan: PlanId,
    /// Which rung.
    pub remedy: Remedy,
    /// When the fault that it answered was first seen ([`crate::plan::Heal::since`]); the quiet before it is counted up to here.
    pub since: Time,
    /// On which host, when it was a start.
    pub host: Option<HostId>,
    /// Which life it was to begin, when it was a start.
    #[serde(default)]
    pub life: Option<Incarnation>,
    /// When the plan was recorded.
    pub at: Time,
    /// When the plan ended.
    pub ended_at: Option<Time>,
    /// How it ended.
    pub status: PlanStatus,
    /// What kept this replica's part from its end; `None` while it goes on, and when it went well.
    #[serde(default)]
    pub missed: Option<Miss>,
    /// Whether anything was done to this replica.
    #[serde(default)]
    pub begun: Begun,
}

/// Whether an act was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Begun {
    /// It was not, and never will be.
    Never,
    /// It may have been.
    Perhaps,
    /// Its agent said so.
    #[default]
    Surely,
}

impl PastHeal {
    /// Whether its plan ended by itself; one that a newer leader superseded or an operator stopped did not.
    pub fn is_over(&self) -> bool {
        matches!(self.status, PlanStatus::Done | PlanStatus::Failed)
    }

    /// Whether this replica's part went well, whatever became of others in the plan.
    pub fn worked(&self) -> bool {
        self.is_over() && self.missed.is_none()
    }

    /// Whether it counts as a try: something was begun, and what came of it is the replica's or the version's.
    pub fn is_try(&self) -> bool {
        self.is_over() && self.missed.as_ref().is_none_or(Miss::is_try)
    }

    /// What kept it from being a try at all, when it was none: only its channel has a back-off then.
    pub fn came_to_nothing(&self) -> Option<&Miss> {
        self.missed.as_ref().filter(|missed| self.is_over() && !missed.is_try())
    }
}

/// The step that kept a heal from its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Miss {
    /// What became of it.
    pub outcome: Outcome,
    /// Whose that is.
    pub blame: Blame,
    /// What was said, in one sentence.
    pub why: String,
}

impl Miss {
    /// Whether it counts against the replica or the version.
    pub fn is_try(&self) -> bool {
        self.outcome == Outcome::Failed && self.blame.is_try()
    }
}

/// A life that we ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastLife {
    /// Which.
    pub incarnation: Incarnation,
    /// Where.
    pub host: HostId,
    /// When its start was intended.
    pub at: Time,
    /// The proof of its death; its time is that of the host's clock.
    pub obituary: Option<Obituary>,
    /// When that proof was recorded; what is counted by time is counted by this.
    #[serde(default)]
    pub buried_at: Option<Time>,
}

/// A host that was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastHost {
    /// The id of its agent's state directory.
    pub instance: String,
    /// Which boot.
    pub boot_id: String,
    /// Where its agent answered.
    pub address: String,
}
