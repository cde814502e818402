//! Lead: one term of one leader: what it holds, and how it waits between checks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tracing::Instrument as _;
use watchdog_core::goal::obsolete::of_older_leaders;
use watchdog_core::ids::{Time, WatchdogId};
use watchdog_core::observation::Sight;
use watchdog_core::record::{Body, Entry};
use watchdog_core::refusal::Refusal;
use watchdog_leader::begin::{Screened, intents, is_late, screen};
use watchdog_leader::judge::News;
use watchdog_leader::looked::Looked;
use watchdog_leader::report::Ends;
use watchdog_leader::seal::Sealing;
use watchdog_membership::obituary;
use watchdog_membership::records::Paths;
use watchdog_membership::term::{Lost, Term, TermError};
use watchdog_ports::journal_error::{JournalError, Remedy};

use crate::agents::Agents;
use crate::cluster::books::{Batch, Books};
use crate::cluster::execute::{Executor, Finished};
use crate::cluster::observe::Observer;
use crate::cluster::operator::Act;
use crate::cluster::seal::{self, Sealed, Sealer};
use crate::cluster::world::SharedWorld;
use crate::cycle;

/// How soon a journal that did not answer is asked again, in milliseconds.
const RETRY_MS: u64 = 100;
/// How often the group is tidied, in milliseconds.
const TIDY_EVERY_MS: u64 = 10_000;

/// Why a term ends.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stop {
    /// The coordination service says that we don't lead any more.
    #[error("deposed: {0}")]
    Lost(Lost),
    /// The journal says so.
    #[error("a newer leader writes to the journal")]
    Fenced(#[source] JournalError),
    /// An operator asked for it.
    #[error("resigned at the wish of {0}")]
    Resigned(String),
    /// The process is told to end.
    #[error("shutting down")]
    ShuttingDown,
    /// The journal can't be reached from here, but from elsewhere.
    #[error("the journal can't be reached from here, but another watchdog can reach it")]
    CutOff,
    /// An agent is in the group, and does not answer us.
    #[error("the agent at {0} is in the group and does not answer this watchdog; another may reach it")]
    Unheard(String),
    /// What it measures time with was set.
    #[error("this machine's clock was set by more than a minute; leases and soaks are counted anew")]
    ClockSet,
}

/// See the module.
pub(crate) struct Lead {
    pub(crate) id: WatchdogId,
    pub(crate) world: SharedWorld,
    pub(crate) books: Books,
    pub(crate) observer: Observer,
    pub(crate) term: Arc<Term>,
    pub(crate) agents: Arc<Agents>,
    pub(crate) executor: Arc<Executor>,
    pub(crate) sealing: Sealing,
    pub(crate) sealer: Sealer,
    pub(crate) finished: mpsc::UnboundedReceiver<Finished>,
    pub(crate) sealed: mpsc::UnboundedReceiver<Sealed>,
    pub(crate) unread: Unread,
    pub(crate) resign_after: Duration,
    pub(crate) tidied_at: Time,
    /// When it last asked an agent again because it had not answered.
    pub(crate) asked_again_at: Option<Instant>,
    /// How often the clock had stepped when the term began.
    pub(crate) clock_steps: u64,
    /// What was seen and is not judged yet.
    pub(crate) unjudged: Looked,
}

/// What came between two checks and is not in the record yet.
#[derive(Default)]
pub(crate) struct Unread {
    pub(crate) finished: Vec<Finished>,
    pub(crate) ended: Ends,
    pub(crate) sealed: Vec<Sealed>,
    pub(crate) acts: Vec<Act>,
}

impl Lead {
    /// Leads until it may not any more. Whatever takes long in a check, the term is confirmed beside it.
    pub(crate) async fn reign(
        &mut self,
        acts: &mut mpsc::Receiver<Act>,
        shutdown: &mut crate::shutdown::Shutdown,
    ) -> Stop {
        let (term, world) = (Arc::clone(&self.term), self.world.clone());
        let head = || {
            let head = world.lock().log.head;
            (head.version, head.hash)
        };
        tokio::select! {
            stop = self.checks(acts, shutdown) => stop,
            never = term.keep_confirmed(head) => match never {},
        }
    }

    async fn checks(
        &mut self,
        acts: &mut mpsc::Receiver<Act>,
        shutdown: &mut crate::shutdown::Shutdown,
    ) -> Stop {
        if let Err(stop) = self.begin().await {
            return stop;
        }
        for tick in 1_u64.. {
            let next_at = match self.check(tick).await {
                Ok(next_at) => next_at,
                Err(stop) => return stop,
            };
            let spacing = self.world.lock().log.policy.check_spacing_ms;
            tokio::time::sleep(Duration::from_millis(spacing)).await;
            if let Err(stop) = self.wait(next_at, acts, shutdown).await {
                return stop;
            }
        }
        Stop::ShuttingDown
    }

    /// One check, timed and told apart from others.
    async fn check(&mut self, tick: u64) -> Result<Time, Stop> {
        let begun = Instant::now();
        let span =
            tracing::info_span!("cycle", cluster = %self.executor.cluster, epoch = %self.term.epoch(), tick);
        let checked = cycle::cycle(self).instrument(span).await;
        self.world.lock().tally.cycle(begun.elapsed());
        checked
    }

    /// Closes what older leaders left open: plans are made anew, never resumed.
    async fn begin(&mut self) -> Result<(), Stop> {
        let epoch = self.term.epoch();
        let open: Vec<Body> = {
            let world = self.world.lock();
            of_older_leaders(&world.history, epoch)
        };
        self.record(open).await.map(drop)
    }

    /// Looks at the group, and again at whatever is suspect; what is not judged in this check is in the next.
    ///
    /// # Errors
    ///
    /// When the session that everything is seen through is over.
    pub(crate) async fn observe(&mut self) -> Result<(), Stop> {
        let suspects = self.world.lock().strikes.suspects();
        let seen = self.observer.observe(&self.world, &suspects, &self.agents).await;
        let earlier = std::mem::replace(&mut self.unjudged, Looked::Nothing);
        self.unjudged = earlier.and(seen);
        watchdog_crash_points::crash_point!("daemon.group.observed");
        if self.observer.is_over() { Err(Stop::Lost(Lost::Expired)) } else { Ok(()) }
    }

    /// Reads what is new in the journal and proves that we still lead; `None` when one of them does not answer.
    ///
    /// The term is confirmed also without a journal, because that is how its end is noticed.
    pub(crate) async fn catch_up(&mut self) -> Result<Option<Time>, Stop> {
        let outcome = match self.read_journal().await {
            Ok((behind, late)) => {
                self.begin_steps(&late).await?;
                Ok(behind)
            }
            Err(error) => Err(error),
        };
        let confirmed = self.confirm().await?;
        watchdog_crash_points::crash_point!("daemon.term.confirmed");
        match outcome {
            Ok(None) => {
                self.world.lock().obstacles.clear();
                Ok(confirmed)
            }
            Ok(Some(behind)) => {
                self.world.lock().hold(behind);
                Ok(None)
            }
            Err(error) => self.journal_failed(error).map(|()| None),
        }
    }

    /// What the journal lacks, when it lacks something, and what of ours was recorded before its answer was lost.
    async fn read_journal(&mut self) -> Result<(Option<Refusal>, Vec<Entry>), JournalError> {
        let behind = self.books.catch_up().await?;
        let settles = behind.is_none() && self.books.is_waiting();
        let late = if settles { self.books.settle().await? } else { Vec::new() };
        Ok((behind, late))
    }

    /// Has carried out what `entries` intend, after another look when to write them took long; answers whether all of it is.
    pub(crate) async fn begin_steps(&mut self, entries: &[Entry]) -> Result<bool, Stop> {
        let intents = intents(entries);
        if !intents.is_empty() && self.world.as_of_now(|world, now| is_late(&world.observation, now)) {
            self.observe().await?;
        }
        let Screened { sent, never } =
            self.world.as_of_now(|world, now| screen(&world.known(), (self.term.epoch(), now), intents));
        let all = never.is_empty();
        for (intent, bodies) in never {
            tracing::warn!(plan = %intent.plan, step = %intent.step, "not begun any more; the record says why");
            self.unread.ended.add(intent.step, bodies);
        }
        self.executor.execute(sent);
        Ok(all)
    }

    async fn confirm(&mut self) -> Result<Option<Time>, Stop> {
        // The head as we know it: what a journal from a backup lacks must stay known to the next leader.
        let (term, head) = (self.term.epoch(), self.world.lock().log.head);
        match self.term.confirm(term, head.version, head.hash).await {
            Ok(()) if self.term.surely_alive() => {
                let written_at = self.books.now();
                let mut world = self.world.lock();
                if world.clock_steps() != self.clock_steps {
                    return Err(Stop::ClockSet);
                }
                world.observation.fenced_write_at = Some(written_at);
                // Decisions are made as of the look: who was stopped since has not seen what happened meanwhile, and may
                // not count that time.
                Ok(Some(world.observation.at.max(world.history.last_at)))
            }
            Err(TermError::Deposed { .. }) => Err(Stop::Lost(Lost::Deposed)),
            Ok(()) => Ok(None),
            Err(error) => {
                tracing::warn!(%error, "can't prove that we still lead; holding");
                match self.term.reason_to_stop() {
                    Some(lost) if lost.is_final() => Err(Stop::Lost(lost)),
                    Some(_) | None => Ok(None),
                }
            }
        }
    }

    /// Removes from the group what the record holds; a failure is no harm, it is tried again.
    pub(crate) async fn tidy_up(&mut self, now: Time) {
        if now.since_ms(self.tidied_at) < TIDY_EVERY_MS {
            return;
        }
        self.tidied_at = now;
        let (paths, known) = {
            let world = self.world.lock();
            let mut known = self.observer.outlived_obituaries(&world.history, now);
            known.extend(self.observer.forged_obituaries(&world.history));
            (Paths::new(&world.cluster), known)
        };
        if let Err(error) = obituary::prune(&self.term, &paths, &known).await {
            tracing::warn!(%error, "old obituaries stay for now");
        }
    }

    /// Everything that came since the last check.
    pub(crate) async fn news(&mut self, now: Time) -> News {
        self.tidy_up(now).await;
        let looked = std::mem::replace(&mut self.unjudged, Looked::Nothing);
        let world = self.world.lock();
        for finished in self.unread.finished.drain(..) {
            let step = finished.step().clone();
            match finished.settle(&world.history) {
                Ok(told) => self.unread.ended.add(step, told),
                Err(why) => self.sealing.doubt(step, why),
            }
        }
        let mut bodies = self.unread.ended.unwritten(&world.history);
        for sealed in self.unread.sealed.drain(..) {
            seal::warn_of_unbelieved(&sealed, &world.history);
            bodies.extend(self.sealing.conclude(sealed, (&world.history, now)));
        }
        let (settled, calls) = self.sealing.advance(&world.known(), now);
        bodies.extend(settled);
        for call in calls {
            self.sealer.ask(&world, call);
        }
        News { epoch: self.term.epoch(), now, looked, bodies }
    }

    /// Writes to the record; `None` when the journal did not answer.
    pub(crate) async fn record(&mut self, batch: impl Into<Batch>) -> Result<Option<Vec<Entry>>, Stop> {
        let batch = batch.into();
        if batch.bodies.is_empty() {
            return Ok(Some(Vec::new()));
        }
        match self.books.write(self.term.epoch(), self.id.as_str(), batch).await {
            Ok(entries) => Ok(Some(entries)),
            Err(error) => self.journal_failed(error).map(|()| None),
        }
    }

    /// When to ask again what did not answer.
    pub(crate) fn retry_at(&self) -> Time {
        self.books.now().plus_ms(RETRY_MS)
    }

    /// When to look again, at the latest.
    pub(crate) fn again_at(&self, wanted: Option<Time>, now: Time) -> Time {
        let interval = self.world.lock().log.policy.check_interval_ms;
        // A term must be confirmed well before half of its session's time-out is over.
        let longest = now.plus_ms(interval.min(self.term.tree().timeout_ms() / 8));
        wanted.map_or(longest, |wanted| wanted.min(longest))
    }

    /// The one place that decides what a failure of the journal means for a leader.
    pub(crate) fn journal_failed(&self, error: JournalError) -> Result<(), Stop> {
        match error.remedy() {
            Remedy::StepDown => return Err(Stop::Fenced(error)),
            Remedy::Page => tracing::error!(%error, "journal refuses; holding"),
            Remedy::Retry | Remedy::LookAgain => tracing::warn!(%error, "journal did not answer; holding"),
        }
        let mut world = self.world.lock();
        let since = world.journal_fault.as_ref().map_or_else(|| world.now(), |(since, _)| *since);
        world.journal_fault = Some((since, error.to_string()));
        let long = u128::from(world.now().since_ms(since)) > self.resign_after.as_millis();
        if long && world.another_reaches_journal(&self.id) { Err(Stop::CutOff) } else { Ok(()) }
    }

    async fn wait(
        &mut self,
        next_at: Time,
        acts: &mut mpsc::Receiver<Act>,
        shutdown: &mut crate::shutdown::Shutdown,
    ) -> Result<(), Stop> {
        let patience = Duration::from_millis(next_at.since_ms(self.books.now()));
        let alive = self.term.surely_alive();
        // While nothing can be seen, what is dirty stays so, and to be woken by it would be to spin.
        let clear = self.world.lock().observation.sight == Sight::Clear;
        let term = Arc::clone(&self.term);
        tokio::select! {
            () = tokio::time::sleep(patience) => {}
            () = self.observer.changed(), if clear => {}
            Some(finished) = self.finished.recv() => self.unread.finished.push(finished),
            Some(sealed) = self.sealed.recv() => self.unread.sealed.push(sealed),
            Some(act) = acts.recv() => self.unread.acts.push(act),
            lost = term.lost(), if alive => {
                if lost.is_final() {
                    return Err(Stop::Lost(lost));
                }
            }
            () = shutdown.asked() => return Err(Stop::ShuttingDown),
        }
        // What else came meanwhile is dealt with in the same check.
        while let Ok(finished) = self.finished.try_recv() {
            self.unread.finished.push(finished);
        }
        while let Ok(sealed) = self.sealed.try_recv() {
            self.unread.sealed.push(sealed);
        }
        while let Ok(act) = acts.try_recv() {
            self.unread.acts.push(act);
        }
        Ok(())
    }
}
