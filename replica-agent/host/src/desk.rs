//! Desk: takes orders in, each step once, one at a time for each replica.
//!
//! ```text
//! order ─► instance? ─► epoch? ─► known step? ──yes──► its first result, or the running one
//!                                     └─no─► replica free? ─► record ─► act ─► result ─► record
//! ```

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use watchdog_core::ids::{ClusterId, Epoch, ReplicaId, StepId};

use crate::acts;
use crate::fence::Fence;
use crate::ledger::{ActKind, Entry, Fate, Outcome};
use crate::refusal::Refusal;
use crate::server::order::{Act, Order};
use crate::supervisor::Supervisor;

/// Where the result of a step appears.
pub(crate) type Answer = watch::Receiver<Option<Outcome>>;

/// The desk.
pub(crate) struct Desk {
    pub(crate) supervisor: Arc<Supervisor>,
    pub(crate) fence: Arc<Fence>,
    running: Mutex<BTreeMap<(ClusterId, StepId), Running>>,
}

struct Running {
    replica: ReplicaId,
    kind: ActKind,
    until: Instant,
    answer: Answer,
}

impl Running {
    /// Whether whoever carried it out is gone without a result.
    fn is_broken(&self) -> bool {
        self.answer.has_changed().is_err() && self.answer.borrow().is_none()
    }

    /// Whether it may still touch its replica.
    fn touches(&self) -> bool {
        self.kind != ActKind::Snapshot && self.answer.borrow().is_none() && !self.is_broken()
    }
}

/// What became of a step, for a new leader.
pub(crate) enum StepFate {
    /// It ended.
    Done(Box<Outcome>),
    /// It was never begun here, and never will be: its epoch is fenced off.
    Never,
    /// It is under way, for at most this long.
    Running(Duration),
    /// It was begun before a crash.
    Lost,
}

impl Desk {
    /// An empty desk.
    pub(crate) fn new(supervisor: Arc<Supervisor>, fence: Arc<Fence>) -> Self {
        Self { supervisor, fence, running: Mutex::default() }
    }

    /// Takes an order in; the act goes on whether or not anybody waits for its answer.
    ///
    /// # Errors
    ///
    /// Nothing was done.
    pub(crate) fn take(self: &Arc<Self>, order: Order, act: Act) -> Result<Answer, Refusal> {
        self.check_instance(&order.target)?;
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let new_epoch = self.fence.admit(&order.cluster, order.epoch)?;
        let key = (order.cluster.clone(), order.step.clone());
        if let Some(same) = running.get(&key) {
            return Ok(same.answer.clone());
        }
        if let Some(first) = self.first_result(&key)? {
            return Ok(watch::channel(Some(first)).1);
        }
        let (replica, _) = act.whom();
        let busy = |(_, other): &(_, &Running)| other.replica == *replica && other.touches();
        if act.kind() != ActKind::Snapshot
            && let Some(((_, step), _)) = running.iter().filter(|(key, _)| key.0 == order.cluster).find(busy)
        {
            return Err(Refusal::Busy { replica: replica.clone(), step: step.clone() });
        }
        acts::check(&self.supervisor, &order, &act)?;
        let (result, answer) = watch::channel(None);
        let entry = Running {
            replica: replica.clone(),
            kind: act.kind(),
            until: Instant::now() + order.timeout.max(acts::longest(&act)),
            answer: answer.clone(),
        };
        running.insert(key, entry);
        drop(running);
        watchdog_crash_points::crash_point!("host.order.admitted");
        let carrying = self.clone();
        tokio::spawn(async move {
            let key = (order.cluster.clone(), order.step.clone());
            let outcome = carrying.carry_out(&order, act, new_epoch).await;
            watchdog_crash_points::crash_point!("host.act.done");
            result.send_replace(Some(outcome.clone()));
            watchdog_crash_points::crash_point!("host.act.answered");
            carrying.file(key, outcome).await;
            watchdog_crash_points::crash_point!("host.act.filed");
        });
        Ok(answer)
    }

    fn check_instance(&self, theirs: &str) -> Result<(), Refusal> {
        let ours = self.supervisor.ledger.read(|book| book.instance.clone());
        if theirs == ours { Ok(()) } else { Err(Refusal::WrongInstance { theirs: theirs.to_owned(), ours }) }
    }

    fn first_result(&self, key: &(ClusterId, StepId)) -> Result<Option<Outcome>, Refusal> {
        let fate = self.supervisor.ledger.read(|book| book.steps.get(key).map(|step| step.fate.clone()));
        match fate {
            None => Ok(None),
            Some(Fate::Done(outcome)) => Ok(Some(self.with_snapshot(key, *outcome))),
            Some(Fate::Open | Fate::Lost) => Err(Refusal::Lost { step: key.1.clone() }),
        }
    }

    fn with_snapshot(&self, (cluster, step): &(ClusterId, StepId), mut outcome: Outcome) -> Outcome {
        outcome.snapshot = std::fs::read_to_string(self.supervisor.dirs.snapshot(cluster, step)).ok();
        outcome
    }

    async fn carry_out(&self, order: &Order, act: Act, new_epoch: bool) -> Outcome {
        let (replica, incarnation) = act.whom();
        let (kind, replica) = (act.kind(), replica.clone());
        let mut begun = Vec::new();
        if new_epoch {
            begun.push(Entry::Epoch { cluster: order.cluster.clone(), epoch: order.epoch });
        }
        let outcome = acts::run(&self.supervisor, order, act, begun).await;
        if new_epoch && self.supervisor.ledger.read(|book| book.epoch(&order.cluster)) >= order.epoch {
            self.fence.recorded(&order.cluster, order.epoch);
            self.supervisor.show_epoch(&order.cluster, order.epoch);
        }
        tracing::info!(step = %order.step, ?kind, %replica, %incarnation, error = outcome.error, "a step has ended");
        outcome
    }

    /// Remembers a result; what the disk does not take is remembered here, as long as we live.
    async fn file(&self, key: (ClusterId, StepId), outcome: Outcome) {
        let done = Entry::Done { cluster: key.0.clone(), step: key.1.clone(), outcome };
        if self.supervisor.ledger.record_fact(vec![done]).await.is_ok() {
            self.running.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
        }
    }

    /// Takes a newer epoch in, durably.
    ///
    /// # Errors
    ///
    /// It is older than one seen, or the disk does not take it.
    pub(crate) async fn seal(&self, cluster: &ClusterId, epoch: Epoch) -> Result<(), Refusal> {
        if self.fence.raise(cluster, epoch)? {
            watchdog_crash_points::crash_point!("host.seal.raised");
            self.supervisor
                .ledger
                .record_order(vec![Entry::Epoch { cluster: cluster.clone(), epoch }])
                .await?;
            watchdog_crash_points::crash_point!("host.seal.recorded");
            self.fence.recorded(cluster, epoch);
            self.supervisor.show_epoch(cluster, epoch);
        }
        Ok(())
    }

    /// What became of a step.
    pub(crate) fn fate(&self, cluster: &ClusterId, step: &StepId) -> StepFate {
        let key = (cluster.clone(), step.clone());
        if let Some(running) = self.running.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return match running.answer.borrow().clone() {
                Some(outcome) => StepFate::Done(Box::new(outcome)),
                None if running.is_broken() => StepFate::Lost,
                None => StepFate::Running(running.until.saturating_duration_since(Instant::now())),
            };
        }
        match self.first_result(&key) {
            Ok(Some(outcome)) => StepFate::Done(Box::new(outcome)),
            Ok(None) => StepFate::Never,
            Err(_) => StepFate::Lost,
        }
    }
}
