//! Desk: takes orders in, each step once, one at a time for each replica.
//!
//! ```text
//! order ─► instance? ─► epoch? ─► known step? ──yes──► its first result, or the running one
//!                                     └─no─► replica free? ─► record ─► act ─► result ─► record
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::Instrument as _;
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
    floor: Mutex<Floor>,
}

type Key = (ClusterId, StepId);

/// What is held in one place, so that an order and a seal that gives it up can't pass each other.
#[derive(Default)]
struct Floor {
    running: BTreeMap<Key, Running>,
    /// Given up before they arrived, and perhaps not on disk yet.
    given_up: BTreeSet<Key>,
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
    /// It was never begun here, and never will be: its epoch is fenced off, or it was given up on the record.
    Never,
    /// It is under way, for at most this long.
    Running(Duration),
    /// It was begun before a crash.
    Lost,
}

impl Desk {
    /// An empty desk.
    pub(crate) fn new(supervisor: Arc<Supervisor>, fence: Arc<Fence>) -> Self {
        Self { supervisor, fence, floor: Mutex::default() }
    }

    /// Takes an order in; the act goes on whether or not anybody waits for its answer.
    ///
    /// # Errors
    ///
    /// Nothing was done.
    pub(crate) fn take(self: &Arc<Self>, order: Order, act: Act) -> Result<Answer, Refusal> {
        self.check_instance(&order.target)?;
        let mut floor = self.floor();
        let new_epoch = self.fence.admit(&order.cluster, order.epoch, &order.session)?;
        let key = (order.cluster.clone(), order.step.clone());
        if let Some(same) = floor.running.get(&key) {
            return Ok(same.answer.clone());
        }
        if floor.given_up.contains(&key) {
            return Err(Refusal::GivenUp { step: key.1 });
        }
        if let Some(first) = self.first_result(&key)? {
            drop(floor);
            return Ok(self.answer_again(&key, first));
        }
        let (replica, _) = act.whom();
        let busy = |(_, other): &(_, &Running)| other.replica == *replica && other.touches();
        if act.kind() != ActKind::Snapshot
            && let Some(((_, step), _)) =
                floor.running.iter().filter(|(key, _)| key.0 == order.cluster).find(busy)
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
        floor.running.insert(key, entry);
        drop(floor);
        watchdog_crash_points::crash_point!("host.order.admitted");
        let carrying = self.clone();
        let carried = async move {
            let key = (order.cluster.clone(), order.step.clone());
            let outcome = carrying.carry_out(&order, act, new_epoch).await;
            watchdog_crash_points::crash_point!("host.act.done");
            result.send_replace(Some(outcome.clone()));
            watchdog_crash_points::crash_point!("host.act.answered");
            carrying.file(key, outcome).await;
            watchdog_crash_points::crash_point!("host.act.filed");
        };
        tokio::spawn(carried.in_current_span());
        Ok(answer)
    }

    fn floor(&self) -> MutexGuard<'_, Floor> {
        self.floor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_instance(&self, theirs: &str) -> Result<(), Refusal> {
        let ours = self.supervisor.ledger.read(|book| book.instance.clone());
        if theirs == ours { Ok(()) } else { Err(Refusal::WrongInstance { theirs: theirs.to_owned(), ours }) }
    }

    fn first_result(&self, key: &(ClusterId, StepId)) -> Result<Option<Outcome>, Refusal> {
        let fate = self.supervisor.ledger.read(|book| book.steps.get(key).map(|step| step.fate.clone()));
        match fate {
            None => Ok(None),
            Some(Fate::Done(outcome)) => Ok(Some(*outcome)),
            Some(Fate::Never) => Err(Refusal::GivenUp { step: key.1.clone() }),
            Some(Fate::Open | Fate::Lost) => Err(Refusal::Lost { step: key.1.clone() }),
        }
    }

    /// The first result once more, with the picture that stands in a file of its own.
    fn answer_again(&self, (cluster, step): &Key, mut outcome: Outcome) -> Answer {
        let (result, answer) = watch::channel(None);
        let path = self.supervisor.dirs.snapshot(cluster, step);
        drop(tokio::task::spawn_blocking(move || {
            outcome.snapshot = std::fs::read_to_string(path).ok();
            result.send_replace(Some(outcome));
        }));
        answer
    }

    async fn carry_out(&self, order: &Order, act: Act, new_epoch: bool) -> Outcome {
        let (replica, incarnation) = act.whom();
        let (kind, replica, taken_at) = (act.kind(), replica.clone(), Instant::now());
        let mut begun = Vec::new();
        if new_epoch {
            begun.push(Entry::Epoch { cluster: order.cluster.clone(), epoch: order.epoch });
        }
        let may = || self.fence.admit(&order.cluster, order.epoch, &order.session).map(drop);
        let outcome = acts::run(&self.supervisor, order, act, (begun, may)).await;
        if new_epoch && self.supervisor.ledger.read(|book| book.epoch(&order.cluster)) >= order.epoch {
            self.fence.recorded(&order.cluster, order.epoch);
            self.supervisor.show_epoch(&order.cluster, order.epoch);
        }
        self.supervisor.ledger.counters.order_took(kind, taken_at.elapsed());
        tracing::info!(step = %order.step, ?kind, %replica, %incarnation, error = outcome.error, "a step has ended");
        outcome
    }

    /// Remembers a result; what the disk does not take is remembered here, as long as we live.
    async fn file(&self, key: (ClusterId, StepId), outcome: Outcome) {
        let done = Entry::Done { cluster: key.0.clone(), step: key.1.clone(), outcome };
        if self.supervisor.ledger.record_fact(vec![done]).await.is_ok() {
            self.floor().running.remove(&key);
        }
    }

    /// Takes an epoch in, and gives up those of `steps` that were not begun, both durably: a leader that asks for the
    /// fate of its own step, because nobody answered it, can then count on it.
    ///
    /// # Errors
    ///
    /// It is older than one seen, or the disk does not take it.
    pub(crate) async fn seal(
        &self,
        cluster: &ClusterId,
        epoch: Epoch,
        steps: &[StepId],
    ) -> Result<(), Refusal> {
        let newer = self.fence.raise(cluster, epoch)?;
        let given_up = self.give_up(cluster, steps);
        let mut entries: Vec<Entry> =
            given_up.iter().cloned().map(|(cluster, step)| Entry::Never { cluster, step }).collect();
        if newer {
            entries.push(Entry::Epoch { cluster: cluster.clone(), epoch });
        }
        watchdog_crash_points::crash_point!("host.seal.raised");
        if !entries.is_empty() {
            self.supervisor.ledger.record_order(entries).await?;
        }
        watchdog_crash_points::crash_point!("host.seal.recorded");
        if newer {
            self.fence.recorded(cluster, epoch);
            self.supervisor.show_epoch(cluster, epoch);
        }
        let mut floor = self.floor();
        for key in &given_up {
            floor.given_up.remove(key);
        }
        Ok(())
    }

    /// Lets none of these steps begin any more; answers those that did not.
    fn give_up(&self, cluster: &ClusterId, steps: &[StepId]) -> Vec<Key> {
        let mut floor = self.floor();
        let mut never = Vec::new();
        for step in steps {
            let key = (cluster.clone(), step.clone());
            let known = self.supervisor.ledger.read(|book| book.steps.contains_key(&key));
            if !known && !floor.running.contains_key(&key) {
                floor.given_up.insert(key.clone());
                never.push(key);
            }
        }
        never
    }

    /// What became of a step.
    pub(crate) fn fate(&self, cluster: &ClusterId, step: &StepId) -> StepFate {
        let key = (cluster.clone(), step.clone());
        if let Some(running) = self.floor().running.get(&key) {
            return match running.answer.borrow().clone() {
                Some(outcome) => StepFate::Done(Box::new(outcome)),
                None if running.is_broken() => StepFate::Lost,
                None => StepFate::Running(running.until.saturating_duration_since(Instant::now())),
            };
        }
        match self.first_result(&key) {
            Ok(Some(outcome)) => StepFate::Done(Box::new(outcome)),
            Ok(None) | Err(Refusal::GivenUp { .. }) => StepFate::Never,
            Err(_) => StepFate::Lost,
        }
    }
}
