//! Desk: where an agent takes the orders of one cluster: who may order, and what was begun, so that no step has effect twice.
//!
//! ```text
//! order ─► fence ─► at work? ─► given up? ─► remembered? ─► replica free? ─► Begin
//!            │ refused │ Follow    │ refused     │ its end        │ refused
//! seal ──► fence ─► what was not begun is given up, and then the fate of each step can be told
//! ```
//!
//! An agent holds it in one place, so that a seal and an order can't pass each other: after a seal was answered, no older
//! order begins, and what it called never begun never begins. The host agent, the embedded agent and the simulator have
//! this one; what differs is where they remember, and how those who wait for a step hear of it.

mod fence;
mod memory;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::fence::Fence;
pub use self::memory::{Memory, Recalled, Recent};
use crate::blame::Blame;
use crate::ids::{Epoch, ReplicaId, StepId};
use crate::plan::Act;

/// Why an order or a seal is refused. Nothing was done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A newer leader was seen.
    #[error("epoch {asked} is over; this agent has seen epoch {seen}")]
    OlderEpoch {
        /// The order's.
        asked: Epoch,
        /// The highest seen.
        seen: Epoch,
    },
    /// Nobody can know whether the order's leader still leads.
    #[error("the epoch was not read from the coordination service within the lease of {} ms (last: {})", lease.as_millis(), ago(*age))]
    Unconfirmed {
        /// How old the last reading may be.
        lease: Duration,
        /// How old it is; `None` when there was none.
        age: Option<Duration>,
    },
    /// The order is from before a silence in which others may have been given it.
    #[error("the order was given before this agent was out of touch for longer than its lease of {} ms; plan anew", lease.as_millis())]
    EarlierSession {
        /// The lease.
        lease: Duration,
    },
    /// Its leader gave the step up before it arrived.
    #[error("step {0} was given up by its leader before it arrived; plan anew")]
    GivenUp(StepId),
    /// Another step is at work on the same replica.
    #[error("step {0} is still running here; one act at a time")]
    Busy(StepId),
    /// The step was begun before a crash, and its end can't be known.
    #[error("step {0} was begun before this agent's last crash; look, and plan anew")]
    Lost(StepId),
}

fn ago(age: Option<Duration>) -> String {
    age.map_or_else(|| "never".to_owned(), |age| format!("{} ms ago", age.as_millis()))
}

impl Refused {
    /// The word for it, which never changes its meaning.
    pub fn word(&self) -> &'static str {
        match self {
            Self::OlderEpoch { .. } => "older_epoch",
            Self::Unconfirmed { .. } => "unconfirmed",
            Self::EarlierSession { .. } => "earlier_session",
            Self::GivenUp(_) => "given_up",
            Self::Busy(_) => "busy",
            Self::Lost(_) => "lost",
        }
    }

    /// Whose it is: nothing was begun, and the order was right when it was given, or will be soon.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Lost(_) => Blame::Agent,
            _ => Blame::Channel,
        }
    }

    /// Whether the same order is taken as soon as the agent is in touch again, so that it is worth asking again.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Unconfirmed { .. })
    }
}

/// What kind of act an order is to a host agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Start a process.
    Start,
    /// End one.
    Kill,
    /// Look at one closely.
    Snapshot,
    /// Render files, and tell one to read them.
    Load,
}

impl Kind {
    /// The kind of an act; `None` when no host agent carries it out.
    pub fn of(act: &Act) -> Option<Self> {
        match act {
            Act::Start { .. } => Some(Self::Start),
            Act::Kill { .. } => Some(Self::Kill),
            Act::Snapshot { .. } => Some(Self::Snapshot),
            Act::Load { .. } => Some(Self::Load),
            Act::Drain { .. }
            | Act::Probe { .. }
            | Act::MarkStable { .. }
            | Act::Reject { .. }
            | Act::Notify { .. } => None,
        }
    }

    /// Whether it has any effect on its replica; what has none disturbs no other step, and need not be remembered.
    pub fn has_effect(self) -> bool {
        self != Self::Snapshot
    }
}

/// An order, as far as the desk is concerned.
#[derive(Debug, Clone, Copy)]
pub struct StepOrder<'a> {
    /// Under which epoch.
    pub epoch: Epoch,
    /// For which session of the agent; empty when whoever orders knows of none.
    pub session: &'a str,
    /// Which step.
    pub step: &'a StepId,
    /// Which replica it has effect on, if it has any.
    pub replica: Option<&'a ReplicaId>,
}

/// What comes of an order.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken<'a, R, F> {
    /// Carry it out, and say so by [`Desk::begin`].
    Begin {
        /// Whether its epoch must be on disk before anything is done under it.
        newer: bool,
    },
    /// It was begun before, and those who follow it hear how it ends.
    Follow(&'a mut F),
    /// It was begun before, and this is how it ended.
    Ended(R),
}

/// What a seal brings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealing {
    /// Whether its epoch must be on disk before it is answered.
    pub newer: bool,
    /// The steps that never begin from here on; that must be on disk too, where steps are.
    pub given_up: Vec<StepId>,
}

/// What became of a step, as a seal asks.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate<'a, R, F> {
    /// It ended.
    Done(R),
    /// It was not begun, and never will be.
    Never,
    /// It is under way, and these follow it.
    Running(&'a F),
    /// It may have been begun, and its end can't be known.
    Lost,
}

/// The desk: `R` is how a step ends, `F` whoever waits for that.
#[derive(Debug)]
pub struct Desk<R, F> {
    /// Who may order.
    pub fence: Fence,
    at_work: BTreeMap<StepId, AtWork<R, F>>,
    /// Given up before they arrived, and perhaps not remembered anywhere else yet. Few: only what was not answered in time
    /// is ever given up.
    given_up: BTreeSet<StepId>,
}

#[derive(Debug)]
struct AtWork<R, F> {
    replica: Option<ReplicaId>,
    followers: F,
    progress: Progress<R>,
}

#[derive(Debug)]
enum Progress<R> {
    Running,
    /// Not remembered yet.
    Ended(R),
    /// Whoever carried it out is gone without a word.
    Broken,
}

impl<R: Clone, F> Desk<R, F> {
    /// An empty desk behind this fence.
    pub fn new(fence: Fence) -> Self {
        Self { fence, at_work: BTreeMap::new(), given_up: BTreeSet::new() }
    }

    /// Takes an order in. A step that was begun is never begun again.
    ///
    /// # Errors
    ///
    /// Nothing was done.
    pub fn order(
        &mut self,
        order: StepOrder<'_>,
        now: Duration,
        memory: &impl Memory<R>,
    ) -> Result<Taken<'_, R, F>, Refused> {
        let newer = self.fence.admit((order.epoch, order.session), now)?;
        if self.given_up.contains(order.step) {
            return Err(Refused::GivenUp(order.step.clone()));
        }
        let busy = self.busy_with(order.replica).cloned();
        if let Some(work) = self.at_work.get_mut(order.step) {
            return Ok(Taken::Follow(&mut work.followers));
        }
        match memory.recall(order.step) {
            Recalled::Done(end) => Ok(Taken::Ended(end)),
            Recalled::Lost => Err(Refused::Lost(order.step.clone())),
            Recalled::GivenUp => Err(Refused::GivenUp(order.step.clone())),
            Recalled::Unknown | Recalled::Forgotten => match busy {
                Some(step) => Err(Refused::Busy(step)),
                None => Ok(Taken::Begin { newer }),
            },
        }
    }

    /// The step that is at work on a replica.
    fn busy_with(&self, replica: Option<&ReplicaId>) -> Option<&StepId> {
        let replica = replica?;
        let touches = |work: &AtWork<R, F>| {
            work.replica.as_ref() == Some(replica) && matches!(work.progress, Progress::Running)
        };
        self.at_work.iter().find(|(_, work)| touches(work)).map(|(step, _)| step)
    }

    /// The step is carried out from here on; `replica` is the one that it has effect on, if it has any.
    pub fn begin(&mut self, step: &StepId, replica: Option<&ReplicaId>, followers: F) {
        let replica = replica.cloned();
        self.at_work.insert(step.clone(), AtWork { replica, followers, progress: Progress::Running });
    }

    /// The steps under way, and who follows them.
    pub fn at_work(&self) -> impl Iterator<Item = (&StepId, &F)> {
        let running = |work: &AtWork<R, F>| matches!(work.progress, Progress::Running);
        self.at_work.iter().filter(move |(_, work)| running(work)).map(|(step, work)| (step, &work.followers))
    }

    /// The step has come to its real end: from here on nothing of it happens any more.
    pub fn ended(&mut self, step: &StepId, end: R) {
        if let Some(work) = self.at_work.get_mut(step) {
            work.progress = Progress::Ended(end);
        }
    }

    /// Whoever carried the step out is gone without having said how it ended.
    pub fn broken(&mut self, step: &StepId) {
        if let Some(work) = self.at_work.get_mut(step)
            && matches!(work.progress, Progress::Running)
        {
            work.progress = Progress::Broken;
        }
    }

    /// How the step ended is remembered elsewhere; answers who followed it.
    pub fn filed(&mut self, step: &StepId) -> Option<F> {
        self.at_work.remove(step).map(|work| work.followers)
    }

    /// Takes an epoch in, and bars those of `steps` that were not begun, so that the fate told afterwards stays true.
    /// Without `are_ours` the steps were ordered from another life or instance of the agent; of those nothing is known, and
    /// none is barred.
    ///
    /// # Errors
    ///
    /// The epoch is older than one seen.
    pub fn seal(
        &mut self,
        epoch: Epoch,
        (steps, are_ours): (&[StepId], bool),
        memory: &impl Memory<R>,
    ) -> Result<Sealing, Refused> {
        let newer = self.fence.raise(epoch)?;
        let unbegun = |step: &&StepId| {
            are_ours && !self.at_work.contains_key(*step) && matches!(memory.recall(step), Recalled::Unknown)
        };
        let given_up: Vec<StepId> = steps.iter().filter(unbegun).cloned().collect();
        self.given_up.extend(given_up.iter().cloned());
        Ok(Sealing { newer, given_up })
    }

    /// That these never begin is remembered elsewhere.
    pub fn sealed(&mut self, given_up: &[StepId]) {
        for step in given_up {
            self.given_up.remove(step);
        }
    }

    /// What became of a step, asked after the seal that named it.
    pub fn fate(&self, (step, is_ours): (&StepId, bool), memory: &impl Memory<R>) -> Fate<'_, R, F> {
        match self.at_work.get(step) {
            Some(AtWork { progress: Progress::Running, followers, .. }) => return Fate::Running(followers),
            Some(AtWork { progress: Progress::Ended(end), .. }) => return Fate::Done(end.clone()),
            Some(AtWork { progress: Progress::Broken, .. }) => return Fate::Lost,
            None => {}
        }
        match memory.recall(step) {
            Recalled::Done(end) => Fate::Done(end),
            Recalled::Unknown | Recalled::GivenUp if is_ours => Fate::Never,
            Recalled::Unknown | Recalled::GivenUp | Recalled::Forgotten | Recalled::Lost => Fate::Lost,
        }
    }
}

/// How a step that was open when its agent ended can be told to have ended, by looking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled<P, O> {
    /// What it was to start runs.
    Runs(P),
    /// What it was to end is dead, with this proof.
    Dead(O),
    /// Looking does not tell.
    Lost,
}

/// How a step that was open when its agent ended did end: by its kind, by what runs of its life, and by that life's obituary.
pub fn settle<P, O>(kind: Kind, runs: Option<P>, obituary: Option<O>) -> Settled<P, O> {
    match (kind, runs, obituary) {
        (Kind::Start, Some(process), _) => Settled::Runs(process),
        (Kind::Kill, None, Some(obituary)) => Settled::Dead(obituary),
        _ => Settled::Lost,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests;
