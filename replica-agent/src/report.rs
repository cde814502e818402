//! Report: how a running step tells how it goes, and how those who asked for it follow.

use std::time::{Duration, Instant};

use futures_util::Stream;
use futures_util::stream::unfold;
use tokio::sync::watch;
use tonic::Status;
use watchdog_proto::agent::{ActEvent, Progress, StepResult, act_event};

use crate::application::Milestone;
use crate::desk::Standing;

/// Where a running step tells how it goes.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    standing: watch::Sender<Standing>,
    patience: Duration,
}

impl Report {
    pub(crate) fn new(standing: watch::Sender<Standing>, patience: Duration) -> Self {
        Self { standing, patience }
    }

    /// A report that nobody follows: of the load at the start.
    pub(crate) fn unfollowed(patience: Duration) -> Self {
        let deadline = Instant::now() + patience;
        Self::new(watch::Sender::new(Standing::begun(deadline)), patience)
    }

    /// How long the step may go without progress.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// When the step fails unless it makes progress.
    pub(crate) fn deadline(&self) -> Instant {
        self.standing.borrow().deadline
    }

    /// What was last told.
    pub(crate) fn milestone(&self) -> Milestone {
        self.standing.borrow().milestone.clone()
    }

    /// Progress was made, so patience begins anew.
    pub(crate) fn progress(&self, milestone: Milestone) {
        let deadline = Instant::now() + self.patience;
        self.standing.send_modify(|standing| {
            standing.deadline = deadline;
            standing.milestone = milestone;
        });
    }

    /// The next stage begins; that is progress too, but nothing to tell.
    pub(crate) fn next_stage(&self) {
        self.progress(self.milestone());
    }

    /// Tells the result; the first one stands.
    pub(crate) fn finish(&self, result: StepResult) {
        self.standing.send_if_modified(|standing| {
            let first = standing.result.is_none();
            standing.result.get_or_insert(result);
            first
        });
    }
}

/// What those who asked for a step hear: its latest progress, then its result, then nothing.
pub(crate) fn follow(
    standing: watch::Receiver<Standing>,
) -> impl Stream<Item = Result<ActEvent, Status>> + Send + 'static {
    let follower = Follower { standing, told: 0, over: false };
    unfold(follower, |mut follower| async move { Some((follower.next().await?, follower)) })
}

struct Follower {
    standing: watch::Receiver<Standing>,
    told: u64,
    over: bool,
}

impl Follower {
    async fn next(&mut self) -> Option<Result<ActEvent, Status>> {
        while !self.over {
            let Standing { milestone, result, .. } = self.standing.borrow_and_update().clone();
            if let Some(result) = result {
                self.over = true;
                return Some(Ok(ActEvent { event: Some(act_event::Event::Result(result)) }));
            }
            if milestone.count > self.told {
                self.told = milestone.count;
                let progress = Progress { message: milestone.message, percent: milestone.percent };
                return Some(Ok(ActEvent { event: Some(act_event::Event::Progress(progress)) }));
            }
            if self.standing.changed().await.is_err() {
                self.over = true;
                return Some(Err(Status::aborted("the agent ended before the step did")));
            }
        }
        None
    }
}
