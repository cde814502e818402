//! Memory journal: both logs in memory, for tests and simulations.
//!
//! *Guarantees.* Those of the two traits, except that nothing outlives the value.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use uuid::Uuid;
use watchdog_core::change::{Head, LogEntry};
use watchdog_core::ids::{ClusterId, Epoch, PlanId, Sequence, Time, Version, WatchdogId};
use watchdog_core::record::{Body, Entry};
use watchdog_core::state::{Hash, State};

use crate::BoxError;
use crate::healing_log::{HealingLog, PAGE_BYTES_MAX, PLAN_INPUTS_MAX, PlanInputRecord, Write};
use crate::journal_error::JournalError;
use crate::metadata_log::{Append, MetadataLog, Verification};

/// What is wrong with the database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Outage {
    /// Nothing.
    #[default]
    None,
    /// It can't be reached.
    Gone,
    /// It does what it is asked, and the answer is lost.
    AnswersLost,
    /// It reads, and has no room to write.
    Full,
}

/// See the module.
#[derive(Debug, Default)]
pub struct MemoryJournal(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    outage: Outage,
    clusters: BTreeMap<ClusterId, Book>,
}

/// One cluster's part.
#[derive(Debug, Default)]
struct Book {
    epoch: Epoch,
    watchdog: Option<WatchdogId>,
    log: Vec<LogEntry>,
    appended: BTreeMap<Uuid, Head>,
    record: Vec<Entry>,
    written: BTreeMap<Uuid, Vec<Entry>>,
    /// Oldest first.
    inputs: VecDeque<PlanInputRecord>,
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new() -> Self {
        Self::default()
    }

    /// Breaks the database, or repairs it.
    pub fn set_outage(&self, outage: Outage) {
        self.inner().outage = outage;
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read<T>(
        &self,
        cluster: &ClusterId,
        look: impl FnOnce(&Book) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let inner = self.inner();
        match inner.outage {
            Outage::Gone | Outage::AnswersLost => Err(unavailable("read")),
            Outage::None | Outage::Full => look(inner.clusters.get(cluster).unwrap_or(&Book::default())),
        }
    }

    fn change<T>(
        &self,
        cluster: &ClusterId,
        act: impl FnOnce(&mut Book) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        let mut inner = self.inner();
        match inner.outage {
            Outage::Gone => return Err(unavailable("write")),
            Outage::Full => {
                return Err(JournalError::Full {
                    operation: "write",
                    source: BoxError::from("told to be full"),
                });
            }
            Outage::None | Outage::AnswersLost => {}
        }
        let done = act(inner.clusters.entry(cluster.clone()).or_default())?;
        match inner.outage {
            Outage::AnswersLost => Err(unavailable("write")),
            _ => Ok(done),
        }
    }
}

fn unavailable(operation: &'static str) -> JournalError {
    JournalError::Unavailable { operation, source: BoxError::from("told to be away") }
}

impl Book {
    fn head(&self) -> Head {
        self.log.last().map_or(Head::default(), |entry| Head { version: entry.version, hash: entry.hash })
    }

    fn fence(&self, ours: Epoch) -> Result<(), JournalError> {
        if ours != self.epoch || ours == Epoch(0) {
            return Err(JournalError::Fenced { ours, theirs: self.epoch });
        }
        Ok(())
    }

    fn add(&mut self, write: Write) -> Vec<Entry> {
        let Write { at, epoch, by, bodies, inputs, .. } = write;
        for input in inputs {
            self.inputs.retain(|old| old.plan != input.plan);
            self.inputs.push_back(input);
        }
        while self.inputs.len() as u64 > PLAN_INPUTS_MAX {
            self.inputs.pop_front();
        }
        let first = self.record.len() as u64 + 1;
        let entry =
            |(sequence, body)| Entry { sequence: Sequence(sequence), at, epoch, by: by.clone(), body };
        let entries: Vec<Entry> = (first..).zip(bodies).map(entry).collect();
        self.record.extend_from_slice(&entries);
        entries
    }

    fn state(&self, version: Version) -> Result<State, JournalError> {
        let head = self.head().version;
        if version > head {
            return Err(JournalError::NoSuchVersion { version, head });
        }
        let mut state = State::default();
        for entry in self.log.iter().take_while(|entry| entry.version <= version) {
            state.apply(&entry.change.key, entry.change.after.as_ref());
        }
        Ok(state)
    }

    fn verify(&self) -> Verification {
        let mut previous = Hash::default();
        for (good, entry) in (0..).zip(&self.log) {
            if entry.previous != previous || entry.hash != entry.computed_hash() {
                let broken = Some((entry.version, "it does not carry the hash that it must".to_owned()));
                return Verification { entries: good, broken };
            }
            previous = entry.hash;
        }
        Verification { entries: self.log.len() as u64, broken: None }
    }
}

#[async_trait]
impl HealingLog for MemoryJournal {
    async fn highest_term(&self, cluster: &ClusterId) -> Result<Epoch, JournalError> {
        self.read(cluster, |book| Ok(book.epoch))
    }

    async fn open_term(
        &self,
        cluster: &ClusterId,
        epoch: Epoch,
        watchdog: &WatchdogId,
        at: Time,
    ) -> Result<(), JournalError> {
        self.change(cluster, |book| {
            if epoch <= book.epoch {
                let ours = epoch == book.epoch && book.watchdog.as_ref() == Some(watchdog);
                let refusal = JournalError::Fenced { ours: epoch, theirs: book.epoch };
                return if ours { Ok(()) } else { Err(refusal) };
            }
            book.epoch = epoch;
            book.watchdog = Some(watchdog.clone());
            let bodies = vec![Body::TermOpened { watchdog: watchdog.clone() }];
            let by = watchdog.to_string();
            let (cluster, request, inputs) = (cluster.clone(), Uuid::nil(), Vec::new());
            book.add(Write { cluster, epoch, request, at, by, bodies, inputs });
            Ok(())
        })
    }

    async fn write(&self, write: Write) -> Result<Vec<Entry>, JournalError> {
        let cluster = write.cluster.clone();
        self.change(&cluster, |book| {
            book.fence(write.epoch)?;
            write.check()?;
            if let Some(entries) = book.written.get(&write.request) {
                return Ok(entries.clone());
            }
            let request = write.request;
            let entries = book.add(write);
            book.written.insert(request, entries.clone());
            Ok(entries)
        })
    }

    async fn entries(
        &self,
        cluster: &ClusterId,
        after: Sequence,
        limit: u32,
    ) -> Result<Vec<Entry>, JournalError> {
        self.read(cluster, |book| {
            let newer = book.record.iter().filter(|entry| entry.sequence > after);
            let mut ahead = 0;
            let within = newer.take(limit as usize).take_while(|entry| {
                let fits = ahead < PAGE_BYTES_MAX;
                ahead += serde_json::to_string(&entry.body).map_or(0, |text| text.len() as u64);
                fits
            });
            Ok(within.cloned().collect())
        })
    }

    async fn plan_input(
        &self,
        cluster: &ClusterId,
        plan: &PlanId,
    ) -> Result<Option<PlanInputRecord>, JournalError> {
        self.read(cluster, |book| Ok(book.inputs.iter().find(|input| input.plan == *plan).cloned()))
    }
}

#[async_trait]
impl MetadataLog for MemoryJournal {
    async fn head(&self, cluster: &ClusterId) -> Result<Head, JournalError> {
        self.read(cluster, |book| Ok(book.head()))
    }

    async fn append(&self, append: Append) -> Result<Head, JournalError> {
        self.change(&append.cluster, |book| {
            book.fence(append.epoch)?;
            if let Some(head) = book.appended.get(&append.request) {
                return Ok(*head);
            }
            let entries = append.entries_on(book.head(), &book.state(book.head().version)?)?;
            book.log.extend(entries);
            book.appended.insert(append.request, book.head());
            Ok(book.head())
        })
    }

    async fn entries(
        &self,
        cluster: &ClusterId,
        from: Version,
        limit: u32,
    ) -> Result<Vec<LogEntry>, JournalError> {
        self.read(cluster, |book| {
            let newer = book.log.iter().filter(|entry| entry.version >= from);
            Ok(newer.take(limit as usize).cloned().collect())
        })
    }

    async fn state(&self, cluster: &ClusterId, version: Version) -> Result<State, JournalError> {
        self.read(cluster, |book| book.state(version))
    }

    async fn verify(&self, cluster: &ClusterId) -> Result<Verification, JournalError> {
        self.read(cluster, |book| Ok(book.verify()))
    }
}
