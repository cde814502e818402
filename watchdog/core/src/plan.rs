//! Plan: an immutable value that says what will be done, and why.
//!
//! Steps of one replica run in their order; those of different replicas run
//! side by side, because a plan never holds more than the budget allows at once.

use serde::{Deserialize, Serialize};

use crate::finding::Conviction;
use crate::ids::{Epoch, GoalId, HostId, Incarnation, PlanId, ReplicaId, StepId, Time, Version};
use crate::policy::Remedy;
use crate::state::Hash;

/// What will be done, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// Under which leader.
    pub epoch: Epoch,
    /// When it was computed.
    pub created_at: Time,
    /// One sentence for people.
    pub reason: String,
    /// The convictions that it answers.
    pub convictions: Vec<Conviction>,
    /// What each replica in it gets.
    pub heals: Vec<Heal>,
    /// What is done, in order.
    pub steps: Vec<Step>,
}

impl Plan {
    /// What it is for: the remedies of its heals, and what it does to the cluster as a whole.
    pub fn remedies(&self) -> impl Iterator<Item = Remedy> + '_ {
        let whole = self.steps.iter().filter_map(|step| match &step.act {
            Act::MarkStable { .. } => Some(Remedy::MarkStable),
            Act::Reject { goal: Some(_), .. } => Some(Remedy::Reject),
            Act::Reject { goal: None, .. } => Some(Remedy::FallBack),
            _ => None,
        });
        self.heals.iter().map(|heal| heal.remedy).chain(whole)
    }

    /// The steps that touch a replica, in their order.
    pub fn steps_of(&self, replica: &ReplicaId) -> impl DoubleEndedIterator<Item = &Step> + Clone {
        self.steps.iter().filter(move |step| step.replica.as_ref() == Some(replica))
    }

    /// Whether it is about one of the replicas' heals.
    pub fn heals(&self, replica: &ReplicaId) -> bool {
        self.heals.iter().any(|heal| heal.replica == *replica)
    }
}

/// What one replica gets: the rung of its ladder, kept in the record so that tries are counted across leaders.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heal {
    /// Which replica.
    pub replica: ReplicaId,
    /// Which rung.
    pub remedy: Remedy,
    /// When the fault that it answers was first seen; the quiet after the last heal ended here.
    pub since: Time,
    /// Whether it served when it was touched: counts against `max_disturbed`.
    pub disturbs: bool,
}

/// One act of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its id, by which agents remember it.
    pub id: StepId,
    /// Whom it touches.
    pub replica: Option<ReplicaId>,
    /// What is done.
    pub act: Act,
    /// Why, in one sentence.
    pub why: String,
    /// How long it may go without progress, in milliseconds.
    pub timeout_ms: u64,
    /// Whether the plan goes on when this step fails (a snapshot must never stop a heal).
    pub optional: bool,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Act {
    /// Take the bounded picture of a process.
    Snapshot {
        /// Where.
        host: HostId,
        /// Of which life.
        incarnation: Incarnation,
        /// How long it may take.
        budget_ms: u64,
    },
    /// Stop taking new work.
    Drain {
        /// Which life.
        incarnation: Incarnation,
    },
    /// End one life and all that it started.
    Kill {
        /// Where.
        host: HostId,
        /// Which life.
        incarnation: Incarnation,
        /// How long it may take to leave by itself; 0 is SIGKILL at once.
        grace_ms: u64,
    },
    /// Start a new life with the full state.
    Start {
        /// Where.
        host: HostId,
        /// Which life; minted by whoever asked for the plan.
        incarnation: Incarnation,
        /// With which state.
        version: Version,
    },
    /// Move what is in memory by the net difference.
    Load {
        /// Which life.
        incarnation: Incarnation,
        /// From what it holds.
        from: Version,
        /// To what it should hold.
        to: Version,
    },
    /// See it healthy on the version.
    Probe {
        /// Which life.
        incarnation: Incarnation,
        /// On which version.
        version: Version,
        /// What it must hold in memory; any version that hashes to this will do.
        state_hash: Hash,
    },
    /// Mark a version stable, and with it achieve the goal that it is the candidate of.
    MarkStable {
        /// Which.
        version: Version,
        /// The hash of the application's state there.
        state_hash: Hash,
        /// The goal.
        goal: Option<GoalId>,
    },
    /// Reject a version, after which the log returns to the stable state.
    Reject {
        /// Which.
        version: Version,
        /// The hash of the application's state there.
        state_hash: Hash,
        /// The goal whose candidate it is; `None`: it was stable, and is not any more.
        goal: Option<GoalId>,
        /// The stable version to return to.
        to: Version,
    },
    /// Tell a human.
    Notify {
        /// What.
        message: String,
        /// Whether the replica is quarantined with it.
        quarantine: bool,
    },
}

/// Who carries out an act.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agent {
    /// The agent of a host.
    Host(HostId),
    /// The agent embedded in one life of a replica (or its host agent on its behalf).
    Replica(ReplicaId, Incarnation),
    /// The leader itself: looking, marking, telling.
    Leader,
}

impl std::fmt::Display for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Host(host) => write!(f, "host {host}"),
            Self::Replica(replica, incarnation) => write!(f, "{replica} ({incarnation})"),
            Self::Leader => f.write_str("the leader"),
        }
    }
}

impl Act {
    /// The words for all acts.
    pub const WORDS: [&'static str; 9] =
        ["snapshot", "drain", "kill", "start", "load", "probe", "mark_stable", "reject", "notify"];

    /// The word for it, as in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Snapshot { .. } => "snapshot",
            Self::Drain { .. } => "drain",
            Self::Kill { .. } => "kill",
            Self::Start { .. } => "start",
            Self::Load { .. } => "load",
            Self::Probe { .. } => "probe",
            Self::MarkStable { .. } => "mark_stable",
            Self::Reject { .. } => "reject",
            Self::Notify { .. } => "notify",
        }
    }

    /// The life that it touches.
    pub fn incarnation(&self) -> Option<Incarnation> {
        match self {
            Self::Snapshot { incarnation, .. }
            | Self::Drain { incarnation }
            | Self::Kill { incarnation, .. }
            | Self::Start { incarnation, .. }
            | Self::Load { incarnation, .. }
            | Self::Probe { incarnation, .. } => Some(*incarnation),
            Self::MarkStable { .. } | Self::Reject { .. } | Self::Notify { .. } => None,
        }
    }
}

impl Step {
    /// Who carries it out.
    pub fn agent(&self) -> Agent {
        match (&self.act, &self.replica) {
            (Act::Snapshot { host, .. } | Act::Kill { host, .. } | Act::Start { host, .. }, _) => {
                Agent::Host(host.clone())
            }
            (Act::Drain { incarnation } | Act::Load { incarnation, .. }, Some(replica)) => {
                Agent::Replica(replica.clone(), *incarnation)
            }
            (
                Act::Drain { .. }
                | Act::Load { .. }
                | Act::Probe { .. }
                | Act::MarkStable { .. }
                | Act::Reject { .. }
                | Act::Notify { .. },
                _,
            ) => Agent::Leader,
        }
    }
}

/// How a plan ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanStatus {
    /// A human must say yes.
    AwaitingApproval,
    /// Its steps are being done.
    Running,
    /// The symptom is gone.
    Done,
    /// A step failed, or the symptom stayed.
    Failed,
    /// A newer leader or plan took over.
    Superseded,
    /// An operator stopped it.
    Cancelled,
}

impl PlanStatus {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::AwaitingApproval, Self::Running, Self::Done, Self::Failed, Self::Superseded, Self::Cancelled];

    /// The word for it, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::AwaitingApproval => "awaiting_approval",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether it may still act.
    pub fn is_open(self) -> bool {
        matches!(self, Self::AwaitingApproval | Self::Running)
    }
}

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It worked.
    Done,
    /// It did not, and said why.
    Failed,
    /// It was never begun, and never will be.
    Never,
    /// Nobody knows; its replica stays disturbed until it is seen or replaced.
    Unknown,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Done, Self::Failed, Self::Never, Self::Unknown];

    /// The word for it, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Never => "never",
            Self::Unknown => "unknown",
        }
    }
}
