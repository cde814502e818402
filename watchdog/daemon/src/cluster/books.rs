//! Books: the journal as one cluster's task reads and writes it.
//!
//! *On an answer that never came.* A write whose fate is unknown is kept and
//! asked again with its request id before anything else is written, so that
//! nothing is written twice and nothing is skipped.

use std::sync::Arc;

use uuid::Uuid;
use watchdog_core::change::{Head, LogEntry};
use watchdog_core::ids::{ClusterId, Epoch, Sequence, Version};
use watchdog_core::record::{Body, Entry};
use watchdog_core::refusal::{Reason, Refusal};
use watchdog_leader::log_view::LogView;
use watchdog_membership::records::EpochRecord;
use watchdog_ports::healing_log::{HealingLog, PlanInputRecord, Write};
use watchdog_ports::journal_error::JournalError;
use watchdog_ports::metadata_log::MetadataLog;

use crate::cluster::world::{SharedWorld, World};

/// How many entries are read at once.
pub(crate) const BATCH: u32 = 1_000;

/// What is written at once, all or none.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// Entries of the record, in order.
    pub(crate) bodies: Vec<Body>,
    /// What the plans among them were computed from.
    pub(crate) inputs: Vec<PlanInputRecord>,
}

impl From<Vec<Body>> for Batch {
    fn from(bodies: Vec<Body>) -> Self {
        Self { bodies, inputs: Vec::new() }
    }
}

/// Both halves of the journal, as one thing to hold.
pub(crate) trait Journal: MetadataLog + HealingLog {}
impl<T: MetadataLog + HealingLog> Journal for T {}

/// See the module.
pub(crate) struct Books {
    cluster: ClusterId,
    journal: Arc<dyn Journal>,
    world: SharedWorld,
    /// Whether everything was read once.
    log_begun: bool,
    pending: Option<Write>,
}

impl Books {
    /// The books of one cluster.
    pub(crate) fn new(cluster: ClusterId, journal: Arc<dyn Journal>, world: SharedWorld) -> Self {
        Self { cluster, journal, world, log_begun: false, pending: None }
    }

    /// The journal itself.
    pub(crate) fn journal(&self) -> &Arc<dyn Journal> {
        &self.journal
    }

    /// Reads what is new in the record and in the log, told of it or not.
    ///
    /// Answers why everything must be held when what was read before is not there any more.
    pub(crate) async fn catch_up(&mut self) -> Result<Option<Refusal>, JournalError> {
        let outcome = if self.log_begun { self.read_all().await } else { self.read_anew().await };
        let mut world = self.world.lock();
        match &outcome {
            Ok(_) => world.journal_fault = None,
            Err(error) => {
                let since = world.journal_fault.as_ref().map_or_else(|| world.now(), |(since, _)| *since);
                world.journal_fault = Some((since, error.to_string()));
            }
        }
        outcome
    }

    /// Reads everything for the first time, beside what is shown: what was read through an earlier session stays in
    /// view until the new reading is whole, because an old view is better than none.
    async fn read_anew(&mut self) -> Result<Option<Refusal>, JournalError> {
        let (shown, aside) = (self.world.clone(), SharedWorld::new(World::new(self.cluster.clone())));
        self.world = aside.clone();
        let outcome = self.read_all().await;
        self.world = shown;
        if outcome.is_ok() {
            let through = {
                let mut world = self.world.lock();
                world.adopt_journal(&mut aside.lock());
                world.history.through
            };
            self.world.announce(through);
        }
        outcome
    }

    async fn read_all(&mut self) -> Result<Option<Refusal>, JournalError> {
        let (through, known) = {
            let world = self.world.lock();
            (world.history.through, world.log.head)
        };
        if self.log_begun {
            // The last entry that we know is read again: a journal that lost it is an older one.
            // The two reads don't wait for each other: both are on the way of every heal.
            let (record, log) = tokio::join!(
                self.journal.entries_after(&self.cluster, Sequence(through.0.saturating_sub(1))),
                self.journal.log_from(&self.cluster, known.version),
            );
            let (record, log) = (record?, log?);
            let record_whole =
                through.0 == 0 || record.first().is_some_and(|entry| entry.sequence == through);
            let log_whole = known.version.0 == 0
                || log
                    .first()
                    .is_some_and(|entry| (entry.version, entry.hash) == (known.version, known.hash));
            if !(record_whole && log_whole) {
                return self.behind(known.version).await.map(Some);
            }
            self.take_record(record).await?;
            self.take_log(log.get(usize::from(known.version.0 > 0)..).unwrap_or_default()).await?;
        } else {
            let record = self.journal.entries_after(&self.cluster, through).await?;
            self.take_record(record).await?;
            self.begin_log().await?;
        }
        if self.is_stable_unread() {
            self.world.lock().log = LogView::empty();
            self.begin_log().await?;
        }
        self.aim();
        Ok(None)
    }

    async fn behind(&self, expected: Version) -> Result<Refusal, JournalError> {
        let journal = self.journal.head(&self.cluster).await?.version;
        Ok(Refusal { subject: None, reason: Reason::JournalBehind { journal, expected } })
    }

    /// Takes in a page of the record and all that follow; a page may end early, so only one without news is the last.
    async fn take_record(&self, mut entries: Vec<Entry>) -> Result<(), JournalError> {
        loop {
            let (before, through) = {
                let mut world = self.world.lock();
                let before = world.history.through;
                world.apply(&entries);
                (before, world.history.through)
            };
            if before == through {
                return Ok(());
            }
            self.world.announce(through);
            entries = self.journal.entries_after(&self.cluster, through).await?;
        }
    }

    async fn take_log(&self, entries: &[LogEntry]) -> Result<(), JournalError> {
        let mut full = entries.len() >= BATCH as usize;
        self.world.lock().log.extend(entries);
        // The entry that was read again counts against the batch, so a full one is read on from its end.
        full |= entries.len() + 1 == BATCH as usize;
        while full {
            let from = self.world.lock().log.head.version.next();
            let more = self.journal.log_from(&self.cluster, from).await?;
            full = more.len() >= BATCH as usize;
            self.world.lock().log.extend(&more);
        }
        Ok(())
    }

    /// Reads the log from the stable version on; what lies before it can't be asked of anybody any more.
    async fn begin_log(&mut self) -> Result<(), JournalError> {
        let stable = self.world.lock().history.stable;
        if let Some(version) = stable {
            let state = self.journal.state(&self.cluster, version).await?;
            let at = self.journal.log_from(&self.cluster, version).await?;
            let hash = at.first().map(|entry| entry.hash).unwrap_or_default();
            self.world.lock().log = LogView::starting_at(Head { version, hash }, state);
            self.take_log(at.get(1..).unwrap_or_default()).await?;
        }
        let from = self.world.lock().log.head.version.next();
        let entries = self.journal.log_from(&self.cluster, from).await?;
        self.take_log(&entries).await?;
        self.log_begun = true;
        Ok(())
    }

    /// Whether the stable version is one from before what was read of the log, because a later one was given up.
    fn is_stable_unread(&self) -> bool {
        let world = self.world.lock();
        world.history.stable.is_some_and(|stable| world.log.is_before(stable))
    }

    /// Derives from marks and log what replicas should hold, and within which bounds.
    fn aim(&self) {
        let mut guard = self.world.lock();
        let world = &mut *guard;
        world.log.aim(&world.history);
    }

    /// What the coordination service says that the journal must hold, and it does not.
    pub(crate) async fn missing(&self, must: &EpochRecord) -> Result<Option<Refusal>, JournalError> {
        let term = self.journal.highest_term(&self.cluster).await?;
        let same_entry = if must.head == Version(0) {
            true
        } else {
            let at = self.journal.log_entry(&self.cluster, must.head).await?;
            at.is_some_and(|entry| entry.hash == must.hash)
        };
        if same_entry && term >= must.term {
            return Ok(None);
        }
        self.behind(must.head).await.map(Some)
    }

    /// Writes under `epoch`, after whatever is still of unknown fate.
    pub(crate) async fn write(
        &mut self,
        epoch: Epoch,
        by: &str,
        batch: impl Into<Batch>,
    ) -> Result<Vec<Entry>, JournalError> {
        self.settle().await?;
        self.pending = Some(self.draw_up(epoch, by, batch.into()));
        self.settle().await
    }

    /// The same for somebody who is told at once that there was no room: it must not come true behind their back.
    pub(crate) async fn write_once(
        &mut self,
        epoch: Epoch,
        by: &str,
        batch: impl Into<Batch>,
    ) -> Result<Vec<Entry>, JournalError> {
        self.settle().await?;
        self.pending = Some(self.draw_up(epoch, by, batch.into()));
        let written = self.settle().await;
        if matches!(written, Err(JournalError::Full { .. })) {
            self.pending = None;
        }
        written
    }

    fn draw_up(&self, epoch: Epoch, by: &str, Batch { bodies, inputs }: Batch) -> Write {
        let (cluster, request) = (self.cluster.clone(), Uuid::now_v7());
        let bodies = bodies.into_iter().map(Body::fit).collect();
        Write { cluster, epoch, request, at: self.now(), by: by.to_owned(), bodies, inputs }
    }

    /// Asks again what was never answered; answers its entries.
    pub(crate) async fn settle(&mut self) -> Result<Vec<Entry>, JournalError> {
        let Some(write) = self.pending.clone() else {
            return Ok(Vec::new());
        };
        let outcome = self.journal.write(write).await;
        match &outcome {
            // Its fate is unknown, or there was no room: it stays, to be asked again.
            Err(JournalError::Unavailable { .. } | JournalError::Full { .. }) => {}
            Ok(_) | Err(_) => self.pending = None,
        }
        let entries = outcome?;
        let through = {
            let mut world = self.world.lock();
            world.apply(&entries);
            world.history.through
        };
        self.world.announce(through);
        self.aim();
        Ok(entries)
    }

    /// Whether a write waits for the journal.
    pub(crate) fn is_waiting(&self) -> bool {
        self.pending.is_some()
    }

    /// Now, as decisions see it: never before the newest entry of the record.
    pub(crate) fn now(&self) -> watchdog_core::ids::Time {
        self.world.lock().now()
    }
}

/// Reads with our batch size.
pub(crate) trait Batches: Journal {
    /// Entries of the record after `after`, at most a batch.
    async fn entries_after(&self, cluster: &ClusterId, after: Sequence) -> Result<Vec<Entry>, JournalError> {
        HealingLog::entries(self, cluster, after, BATCH).await
    }

    /// Entries of the log from `from` on, at most a batch.
    async fn log_from(&self, cluster: &ClusterId, from: Version) -> Result<Vec<LogEntry>, JournalError> {
        MetadataLog::entries(self, cluster, from, BATCH).await
    }

    /// One entry of the log.
    async fn log_entry(
        &self,
        cluster: &ClusterId,
        version: Version,
    ) -> Result<Option<LogEntry>, JournalError> {
        let entries = MetadataLog::entries(self, cluster, version, 1).await?;
        Ok(entries.into_iter().find(|entry| entry.version == version))
    }
}
impl<T: Journal + ?Sized> Batches for T {}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use watchdog_core::ids::{Time, WatchdogId};
    use watchdog_ports::fake::{MemoryJournal, Outage};

    use super::*;

    fn paused(reason: &str) -> Body {
        Body::Paused { reason: reason.to_owned(), until: None }
    }

    fn books(journal: &Arc<MemoryJournal>, world: &SharedWorld) -> Books {
        let journal: Arc<dyn Journal> = Arc::clone(journal) as Arc<dyn Journal>;
        Books::new("demo".parse().unwrap(), journal, world.clone())
    }

    fn reason(world: &SharedWorld) -> Option<String> {
        world.lock().history.pause.as_ref().map(|pause| pause.reason.clone())
    }

    #[tokio::test]
    async fn what_was_read_is_shown_until_it_is_read_anew() {
        let cluster: ClusterId = "demo".parse().unwrap();
        let world = SharedWorld::new(World::new(cluster.clone()));
        let journal = Arc::new(MemoryJournal::default());
        let one = WatchdogId::new("one").unwrap();
        journal.open_term(&cluster, Epoch(1), &one, Time(1)).await.unwrap();
        let mut first = books(&journal, &world);
        first.catch_up().await.unwrap();
        first.write(Epoch(1), "ann", vec![paused("racks")]).await.unwrap();
        // Another session, and the journal is away.
        world.lock().doubt_journal();
        let mut second = books(&journal, &world);
        journal.set_outage(Outage::Gone);
        assert!(second.catch_up().await.is_err());
        assert_eq!(reason(&world).as_deref(), Some("racks"));
        assert!(world.lock().journal_fault.is_some(), "it is told to be old");
        journal.set_outage(Outage::None);
        second.catch_up().await.unwrap();
        assert_eq!(reason(&world).as_deref(), Some("racks"));
        assert!(world.lock().journal_fault.is_none());
        // A journal that is another one by then is shown as that one is.
        world.lock().doubt_journal();
        let other = Arc::new(MemoryJournal::default());
        books(&other, &world).catch_up().await.unwrap();
        assert_eq!(reason(&world), None);
        assert_eq!(world.lock().history.through, Sequence(0));
    }
}
