//! Record: the append-only story of one cluster's healing; what `events` prints and what history is folded from.
//!
//! Every entry is written under a term. Intents stand here before their acts,
//! so that a new leader knows everything that an old one may still be touching.

mod fit;

pub use self::fit::ENTRY_BYTES_MAX;
pub(crate) use self::fit::cut;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::blame::Blame;
use crate::finding::{Conviction, FaultKind, Subject};
use crate::goal::{Goal, GoalStatus, Pace};
use crate::ids::{
    Epoch, GoalId, HostId, Incarnation, PlanId, ReplicaId, Sequence, StepId, Time, Version, WatchdogId,
};
use crate::observation::Obituary;
use crate::plan::{Agent, Outcome, Plan, PlanStatus};
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::state::Hash;

/// An entry at its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place, from 1.
    pub sequence: Sequence,
    /// When it was written, by the writer's clock.
    pub at: Time,
    /// Under which leader.
    pub epoch: Epoch,
    /// Who: a watchdog, or the operator that asked for it.
    pub by: String,
    /// What.
    pub body: Body,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Body {
    /// An operator, the entry's `by`, ordered something. What was written for it follows in the same transaction.
    Asked {
        /// What: `pause`, `plan approve`.
        act: String,
        /// From which address.
        from: String,
        /// How it is known who it was: by certificate, token, or being on the same machine.
        proof: String,
        /// What they called themselves, where that is another name.
        claimed: Option<String>,
        /// What it is about, as it stood before.
        before: Value,
        /// The same, as it stands now.
        after: Value,
    },
    /// A leader's term began.
    TermOpened {
        /// Who leads.
        watchdog: WatchdogId,
    },
    /// A leader left of its own will.
    Resigned {
        /// Why.
        why: String,
    },
    /// A fault has its strikes.
    Convicted {
        /// Which.
        conviction: Conviction,
    },
    /// A convicted fault is gone.
    Cleared {
        /// Whose.
        subject: Subject,
        /// Which.
        fault: FaultKind,
    },
    /// A plan was made; its first intents follow in the same transaction.
    PlanRecorded {
        /// The plan.
        plan: Plan,
        /// Running, or awaiting approval.
        status: PlanStatus,
    },
    /// A plan ended, or changed its status.
    PlanStatus {
        /// Which.
        plan: PlanId,
        /// To what.
        status: PlanStatus,
        /// Why.
        why: String,
    },
    /// A step is about to be sent.
    Intended {
        /// Which plan.
        plan: PlanId,
        /// Which step.
        step: StepId,
        /// Whom it touches.
        replica: Option<ReplicaId>,
        /// Who carries it out.
        agent: Agent,
        /// The instance of the agent's state directory, for host agents.
        instance: Option<String>,
    },
    /// What became of a step.
    Closed {
        /// Which plan.
        plan: PlanId,
        /// Which step.
        step: StepId,
        /// What became of it.
        outcome: Outcome,
        /// What the agent said, when it failed.
        error: Option<String>,
        /// Whose it is, when that was said; [`Blame::of`] says it of all.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blame: Option<Blame>,
    },
    /// The picture that was taken before something destructive.
    SnapshotFiled {
        /// For which plan.
        plan: PlanId,
        /// By which step.
        step: StepId,
        /// Of whom.
        replica: ReplicaId,
        /// Of which life.
        incarnation: Incarnation,
        /// The picture.
        snapshot: Value,
    },
    /// A proof of death, copied from the coordination service.
    Died {
        /// The proof.
        obituary: Obituary,
    },
    /// A host agent came, or came back as another instance.
    HostSeen {
        /// Which host.
        host: HostId,
        /// The id of its state directory.
        instance: String,
        /// Which boot.
        boot_id: String,
        /// Where its agent answers.
        address: String,
    },
    /// An agent took our epoch, so that nothing older can happen there.
    Sealed {
        /// Which agent.
        agent: Agent,
    },
    /// A version was marked.
    Marked {
        /// Which.
        version: Version,
        /// As what.
        mark: Mark,
        /// The hash of the application's state there, where that is known.
        #[serde(default)]
        state_hash: Option<Hash>,
        /// Why.
        why: String,
    },
    /// Why nothing is done, when that changed ([`crate::refusal::news`]).
    Refused {
        /// What is new since the last such entry; in those of earlier versions, all that stood.
        refusals: Vec<Refusal>,
        /// How many more are new, by kind, and are only counted here.
        #[serde(default)]
        more: BTreeMap<String, u64>,
        /// How many of those that stood before do not any more, by kind.
        #[serde(default)]
        over: BTreeMap<String, u64>,
        /// How many stand now; 0 in entries of earlier versions too.
        #[serde(default)]
        standing: u64,
    },
    /// A replica is left alone until a human releases it.
    Quarantined {
        /// Which.
        replica: ReplicaId,
        /// Why.
        why: String,
    },
    /// A human must look.
    Escalated {
        /// Whom it is about.
        subject: Option<Subject>,
        /// What to tell.
        message: String,
    },
    /// The cluster is paused.
    Paused {
        /// Why.
        reason: String,
        /// Until when; `None` is until resumed.
        until: Option<Time>,
    },
    /// The pause is over.
    Resumed,
    /// A replica or host is held.
    Held {
        /// Which.
        target: String,
        /// Why.
        reason: String,
        /// Until when; `None` is until released.
        until: Option<Time>,
    },
    /// A hold, or a quarantine, is over.
    Released {
        /// Whose.
        target: String,
    },
    /// The storm guard was overruled.
    StormReleased {
        /// Why.
        reason: String,
    },
    /// An operator declared a goal; it waits for its turn.
    GoalDeclared {
        /// Its id.
        goal: GoalId,
        /// Identifies the request, so that it can be asked again.
        request: String,
        /// What it wants.
        spec: Goal,
        /// Whether it takes over from one that rolls.
        supersede: bool,
        /// Whether who declared it may loosen what guards the cluster; what guards it then may be more than now.
        #[serde(default)]
        may_loosen: bool,
    },
    /// A goal's changes stand in the log, and its rollout begins.
    GoalBegun {
        /// Which.
        goal: GoalId,
        /// Where the log stood before its changes.
        base: Version,
        /// The candidate: its last change, or the head when it has none.
        to: Version,
        /// The hash of the application's state there.
        state_hash: Hash,
        /// How carefully.
        pace: Pace,
        /// Whether every replica is started anew.
        restart: bool,
        /// The policy before it, when it changes that.
        guard: Option<Box<Policy>>,
        /// Replicas that it declares anew.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        adds: BTreeSet<ReplicaId>,
        /// Replicas that were declared before and whose declaration it changes.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        edits: BTreeSet<ReplicaId>,
    },
    /// A goal is over, one way or the other.
    GoalEnded {
        /// Which.
        goal: GoalId,
        /// How.
        status: GoalStatus,
        /// Why.
        why: String,
    },
    /// What an ended goal changed is taken back; the log's head is the stable state again.
    Undone {
        /// The goal; `None` when what was stable was doubted.
        goal: Option<GoalId>,
        /// The head after it.
        to: Version,
        /// How many changes that took.
        changes: u64,
    },
    /// Changes were appended to the metadata log.
    Appended {
        /// The first of them.
        from: Version,
        /// The last of them.
        to: Version,
        /// Why.
        why: String,
    },
}

/// What a version was proven to be; a mark, never an edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// On trial.
    Candidate,
    /// Proven by a soak on every replica.
    Stable,
    /// Proven bad.
    Rejected,
}
