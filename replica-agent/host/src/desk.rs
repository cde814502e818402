//! Desk: takes orders in, each step once, one at a time for each replica; the core's desk decides, the ledger remembers.
//!
//! ```text
//! order ─► instance? ─► core's desk ──Begin──► record ─► act ─► result ─► record
//!                            └─ Follow, Ended, or refused
//! ```

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::Instrument as _;
use watchdog_core::desk::{self, Memory, Recalled, StepOrder, Taken};
use watchdog_core::ids::{ClusterId, Epoch, StepId};

use crate::acts;
use crate::floor::Floor;
use crate::ledger::{Entry, Fate, Ledger, Outcome};
use crate::refusal::Refusal;
use crate::server::order::{Act, Order};
use crate::supervisor::Supervisor;

/// Where the result of a step appears.
pub(crate) type Answer = watch::Receiver<Option<Outcome>>;

/// The desk.
pub(crate) struct Desk {
    pub(crate) supervisor: Arc<Supervisor>,
    pub(crate) floor: Arc<Floor>,
}

type Key = (ClusterId, StepId);

/// Where the result of a running step appears, and when the step is over at the latest.
#[derive(Debug)]
pub(crate) struct Following {
    until: Instant,
    answer: Answer,
}

/// What came of an order.
enum Received {
    /// Carry it out, and tell here how it ends.
    Begun {
        /// Whether its epoch is not on disk yet.
        newer: bool,
        result: watch::Sender<Option<Outcome>>,
        answer: Answer,
    },
    /// It was begun before.
    Repeated(Answer),
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

/// What the ledger remembers of a cluster's steps.
struct Recorded<'a>(&'a Ledger, &'a ClusterId);

impl Memory<Outcome> for Recorded<'_> {
    fn recall(&self, step: &StepId) -> Recalled<Outcome> {
        let key = (self.1.clone(), step.clone());
        match self.0.read(|book| book.steps.get(&key).map(|step| step.fate.clone())) {
            None => Recalled::Unknown,
            Some(Fate::Done(outcome)) => Recalled::Done(*outcome),
            Some(Fate::Never) => Recalled::GivenUp,
            Some(Fate::Open | Fate::Lost) => Recalled::Lost,
        }
    }
}

impl Desk {
    /// Takes an order in; the act goes on whether or not anybody waits for its answer.
    ///
    /// # Errors
    ///
    /// Nothing was done.
    pub(crate) fn take(self: &Arc<Self>, order: Order, act: Act) -> Result<Answer, Refusal> {
        self.check_instance(&order.target)?;
        let (newer, result, answer) = match self.receive(&order, &act)? {
            Received::Begun { newer, result, answer } => (newer, result, answer),
            Received::Repeated(answer) => return Ok(answer),
        };
        watchdog_crash_points::crash_point!("host.order.admitted");
        let carrying = self.clone();
        let carried = async move {
            let key = (order.cluster.clone(), order.step.clone());
            let _guard = BrokenUnlessEnded(&carrying.floor, &key);
            let outcome = carrying.carry_out(&order, act, newer).await;
            watchdog_crash_points::crash_point!("host.act.done");
            carrying.floor.at(&key.0, |desk, _| desk.ended(&key.1, outcome.clone()));
            result.send_replace(Some(outcome.clone()));
            watchdog_crash_points::crash_point!("host.act.answered");
            carrying.file(&key, outcome).await;
            watchdog_crash_points::crash_point!("host.act.filed");
        };
        tokio::spawn(carried.in_current_span());
        Ok(answer)
    }

    /// At the desk: whether it is begun.
    fn receive(&self, order: &Order, act: &Act) -> Result<Received, Refusal> {
        let replica = Some(act.whom().0).filter(|_| act.kind().has_effect());
        let (epoch, session) = (self.epoch_of(order), order.session.as_str());
        let step_order = StepOrder { epoch, session, step: &order.step, replica };
        self.floor.at(&order.cluster, |desk, now| {
            let newer = match desk.order(step_order, now, &self.recorded(&order.cluster))? {
                Taken::Follow(following) => return Ok(Received::Repeated(following.answer.clone())),
                Taken::Ended(first) => return Ok(Received::Repeated(self.answer_again(order, first))),
                Taken::Begin { newer } => newer,
            };
            acts::check(&self.supervisor, order, act)?;
            let (result, answer) = watch::channel(None);
            let until = Instant::now() + order.timeout.max(acts::longest(act));
            desk.begin(&order.step, replica, Following { until, answer: answer.clone() });
            Ok(Received::Begun { newer, result, answer })
        })
    }

    /// The epoch under which an order is taken: its own. Without the fence every order is one of the newest.
    fn epoch_of(&self, order: &Order) -> Epoch {
        if !cfg!(feature = "unfenced") {
            return order.epoch;
        }
        order.epoch.max(self.floor.at(&order.cluster, |desk, _| desk.fence.epoch()))
    }

    fn recorded<'a>(&'a self, cluster: &'a ClusterId) -> Recorded<'a> {
        Recorded(&self.supervisor.ledger, cluster)
    }

    fn check_instance(&self, theirs: &str) -> Result<(), Refusal> {
        let ours = self.supervisor.ledger.read(|book| book.instance.clone());
        if theirs == ours { Ok(()) } else { Err(Refusal::WrongInstance { theirs: theirs.to_owned(), ours }) }
    }

    /// The first result once more, with the picture that stands in a file of its own.
    fn answer_again(&self, order: &Order, mut outcome: Outcome) -> Answer {
        let (result, answer) = watch::channel(None);
        let path = self.supervisor.dirs.snapshot(&order.cluster, &order.step);
        drop(tokio::task::spawn_blocking(move || {
            outcome.snapshot = std::fs::read_to_string(path).ok();
            result.send_replace(Some(outcome));
        }));
        answer
    }

    async fn carry_out(&self, order: &Order, act: Act, newer: bool) -> Outcome {
        let (replica, incarnation) = act.whom();
        let (kind, replica, taken_at) = (act.kind(), replica.clone(), Instant::now());
        let mut begun = Vec::new();
        if newer {
            begun.push(Entry::Epoch { cluster: order.cluster.clone(), epoch: order.epoch });
        }
        let asked = (self.epoch_of(order), order.session.as_str());
        let may = || {
            let admitted = self.floor.at(&order.cluster, |desk, now| desk.fence.admit(asked, now));
            admitted.map(drop).map_err(Refusal::from)
        };
        let outcome = acts::run(&self.supervisor, order, act, (begun, may)).await;
        if newer && self.supervisor.ledger.read(|book| book.epoch(&order.cluster)) >= order.epoch {
            self.floor.recorded(&order.cluster, order.epoch);
            self.supervisor.show_epoch(&order.cluster, order.epoch);
        }
        self.supervisor.ledger.counters.order_took(kind, taken_at.elapsed());
        tracing::info!(step = %order.step, ?kind, %replica, %incarnation, error = outcome.error, "a step has ended");
        outcome
    }

    /// Remembers a result; what the disk does not take is remembered at the desk, as long as we live.
    async fn file(&self, key: &Key, outcome: Outcome) {
        let (cluster, step) = key.clone();
        if self.supervisor.ledger.record_fact(vec![Entry::Done { cluster, step, outcome }]).await.is_ok() {
            self.floor.at(&key.0, |desk, _| desk.filed(&key.1));
        }
    }

    /// Records the epoch, and that those of `steps` that were not begun never begin, before it returns: the fates told
    /// afterwards stay true across a crash. The steps come with whether they were ordered from this instance.
    ///
    /// # Errors
    ///
    /// It is older than one seen, or the disk does not take it.
    pub(crate) async fn seal(
        &self,
        (cluster, epoch): (&ClusterId, Epoch),
        steps: (&[StepId], bool),
    ) -> Result<(), Refusal> {
        let memory = self.recorded(cluster);
        let sealing = self.floor.at(cluster, |desk, _| desk.seal(epoch, steps, &memory))?;
        let never = |step: &StepId| Entry::Never { cluster: cluster.clone(), step: step.clone() };
        let mut entries: Vec<Entry> = sealing.given_up.iter().map(never).collect();
        if sealing.newer {
            entries.push(Entry::Epoch { cluster: cluster.clone(), epoch });
        }
        watchdog_crash_points::crash_point!("host.seal.raised");
        if !entries.is_empty() {
            self.supervisor.ledger.record_order(entries).await?;
        }
        watchdog_crash_points::crash_point!("host.seal.recorded");
        if sealing.newer {
            self.floor.recorded(cluster, epoch);
            self.supervisor.show_epoch(cluster, epoch);
        }
        self.floor.at(cluster, |desk, _| desk.sealed(&sealing.given_up));
        Ok(())
    }

    /// What became of a step.
    pub(crate) fn fate(&self, cluster: &ClusterId, step: (&StepId, bool)) -> StepFate {
        let memory = self.recorded(cluster);
        self.floor.at(cluster, |desk, _| match desk.fate(step, &memory) {
            desk::Fate::Done(outcome) => StepFate::Done(Box::new(outcome)),
            desk::Fate::Never => StepFate::Never,
            desk::Fate::Running(it) => StepFate::Running(it.until.saturating_duration_since(Instant::now())),
            desk::Fate::Lost => StepFate::Lost,
        })
    }
}

/// Tells the desk when whoever carries a step out is gone without a result.
struct BrokenUnlessEnded<'a>(&'a Floor, &'a Key);

impl Drop for BrokenUnlessEnded<'_> {
    fn drop(&mut self) {
        let Self(floor, (cluster, step)) = self;
        floor.at(cluster, |desk, _| desk.broken(step));
    }
}
