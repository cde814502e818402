//! Desk: takes the orders of this process in at [`watchdog_core::desk`], remembers the latest results, and gives each caller
//! the channel on which its step's progress and result appear.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use watchdog_core::desk::{self, Fence, Recent, Refused, StepOrder, Taken};
use watchdog_core::ids::{Epoch, ReplicaId, StepId};
use watchdog_proto::agent::StepResult;

use crate::application::Milestone;

/// How a step stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Standing {
    pub(crate) milestone: Milestone,
    /// When it fails unless it makes progress.
    pub(crate) deadline: Instant,
    pub(crate) result: Option<StepResult>,
}

impl Standing {
    /// One that has made no progress yet.
    pub(crate) fn begun(deadline: Instant) -> Self {
        Self { milestone: Milestone::default(), deadline, result: None }
    }
}

/// What became of a step, as a seal asks.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fate {
    Done(Box<StepResult>),
    Never,
    Running(Duration),
    Lost,
}

/// What came of an order.
#[derive(Debug)]
pub(crate) enum Received {
    /// Carry it out, and tell here how it goes.
    Begun(watch::Sender<Standing>, watch::Receiver<Standing>),
    /// It was begun before; this is how it stands.
    Repeated(watch::Receiver<Standing>),
}

/// The desk of this process.
#[derive(Debug)]
pub(crate) struct Desk {
    /// All steps are of this one: one at a time.
    replica: ReplicaId,
    orders: desk::Desk<StepResult, watch::Receiver<Standing>>,
    recent: Recent<StepResult>,
}

/// A fence without a lease compares no times.
const ANY_TIME: Duration = Duration::ZERO;

impl Desk {
    pub(crate) fn new(replica: ReplicaId, epoch: Epoch) -> Self {
        Self { replica, orders: desk::Desk::new(Fence::new(epoch)), recent: Recent::default() }
    }

    /// The highest epoch that was ever seen here.
    pub(crate) fn epoch(&self) -> Epoch {
        self.orders.fence.epoch()
    }

    /// Learns of an epoch, from whatever source.
    pub(crate) fn learn(&mut self, epoch: Epoch) {
        self.orders.fence.learn(epoch);
    }

    /// Takes an order in. A step that was begun is never begun again.
    pub(crate) fn receive(
        &mut self,
        epoch: Epoch,
        step: &StepId,
        deadline: Instant,
    ) -> Result<Received, Refused> {
        let step_order = StepOrder { epoch, session: "", step, replica: Some(&self.replica) };
        Ok(match self.orders.order(step_order, ANY_TIME, &self.recent)? {
            Taken::Follow(standing) => Received::Repeated(standing.clone()),
            Taken::Ended(result) => {
                let standing = Standing { result: Some(result), ..Standing::begun(deadline) };
                Received::Repeated(watch::channel(standing).1)
            }
            Taken::Begin { .. } => {
                let (sender, receiver) = watch::channel(Standing::begun(deadline));
                self.orders.begin(step, Some(&self.replica), receiver.clone());
                Received::Begun(sender, receiver)
            }
        })
    }

    /// The step has come to its real end: from here on nothing of it happens any more.
    pub(crate) fn ended(&mut self, step: &StepId, result: StepResult) {
        self.recent.remember(step.clone(), result);
        self.orders.filed(step);
    }

    /// What kept the desk busy and was no order is over.
    pub(crate) fn free(&mut self, step: &StepId) {
        self.orders.filed(step);
    }

    /// Takes an epoch in, and lets those of `steps` never begin that were not begun, when they are ours.
    pub(crate) fn seal(&mut self, epoch: Epoch, steps: (&[StepId], bool)) -> Result<(), Refused> {
        self.orders.seal(epoch, steps, &self.recent).map(drop)
    }

    /// What became of a step.
    pub(crate) fn fate(&self, step: (&StepId, bool), now: Instant) -> Fate {
        match self.orders.fate(step, &self.recent) {
            desk::Fate::Done(result) => Fate::Done(Box::new(result)),
            desk::Fate::Never => Fate::Never,
            desk::Fate::Lost => Fate::Lost,
            desk::Fate::Running(standing) => {
                Fate::Running(standing.borrow().deadline.saturating_duration_since(now))
            }
        }
    }
}
