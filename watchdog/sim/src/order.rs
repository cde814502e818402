//! Order: what watchdogs and agents say to each other.

use std::rc::Rc;

use watchdog_core::blame::Blame;
use watchdog_core::desk::{self, Refused};
use watchdog_core::ids::{Epoch, Incarnation, PlanId, ReplicaId, StepId, Version};
use watchdog_core::observation::Obituary;
use watchdog_core::plan::{Act, Agent, Outcome};
use watchdog_core::replica::ReplicaSpec;
use watchdog_core::state::{Hash, State};
use watchdog_leader::report::Report;
use watchdog_leader::seal::{SealCall, SealReply, StepFate};

/// Whom a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// The agent of a host.
    Host(usize),
    /// The agent embedded in one life.
    Life(Incarnation),
}

/// Who waits for the answer: a watchdog, in one of its terms.
pub type Asker = (usize, u64);

/// A step on its way.
#[derive(Debug, Clone)]
pub struct Order {
    /// Under which leader.
    pub epoch: Epoch,
    /// Of which plan.
    pub plan: PlanId,
    /// Which step.
    pub step: StepId,
    /// Who carries it out, as the plan says.
    pub agent: Agent,
    /// The instance that is meant.
    pub target: String,
    /// In which session of it.
    pub session: String,
    /// Whom it touches.
    pub replica: ReplicaId,
    /// What is done.
    pub act: Act,
    /// What is declared of the replica.
    pub spec: Option<ReplicaSpec>,
    /// The state to reach.
    pub state: Rc<State>,
    /// Its version.
    pub version: Version,
    /// Its hash.
    pub hash: Hash,
}

/// What an agent says of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// It came to its end.
    Ended {
        /// Why it failed.
        error: Option<String>,
        /// The proof of death that it brought.
        obituary: Option<Obituary>,
        /// Whose it is, where that is said.
        blame: Option<Blame>,
    },
    /// It was not begun.
    Refused {
        /// Why.
        why: String,
        /// Whose that is.
        blame: Blame,
        /// Whether to ask again is of no use.
        is_final: bool,
    },
}

impl Reply {
    /// It worked.
    pub fn done() -> Self {
        Self::Ended { error: None, obituary: None, blame: None }
    }

    /// It did not.
    pub fn failed(error: impl Into<String>) -> Self {
        Self::Ended { error: Some(error.into()), obituary: None, blame: None }
    }

    /// What it was to end is dead.
    pub fn dead(obituary: Option<Obituary>) -> Self {
        Self::Ended { error: None, obituary, blame: None }
    }

    /// Not begun, and never will be, because the order does not fit what is here.
    pub fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into(), blame: Blame::Ours, is_final: true }
    }
}

impl From<Refused> for Reply {
    fn from(refused: Refused) -> Self {
        Self::Refused { why: refused.to_string(), blame: refused.blame(), is_final: !refused.passes() }
    }
}

/// What a desk says of a step, as a leader hears it.
pub(crate) fn step_fate<F>(fate: desk::Fate<'_, Reply, F>) -> StepFate {
    match fate {
        desk::Fate::Done(reply) => StepFate::Ended(Box::new(reply.into())),
        desk::Fate::Never => StepFate::Never,
        desk::Fate::Running(_) => StepFate::Running,
        desk::Fate::Lost => StepFate::Lost,
    }
}

/// What comes back to a watchdog.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Of a step.
    Step(StepId, Reply),
    /// Of a seal.
    Seal(SealCall, SealReply),
}

impl From<Reply> for Report {
    /// What an agent's word means.
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Ended { error, obituary, blame } => {
                let outcome = if error.is_some() { Outcome::Failed } else { Outcome::Done };
                Self { outcome, error, obituary, blame, ..Self::done() }
            }
            // What an agent refuses it has not begun.
            Reply::Refused { why, blame, .. } => Self::of(Outcome::Never, why).blaming(blame),
        }
    }
}
