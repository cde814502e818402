//! Timed: a journal whose calls are timed and whose refusals are counted.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use watchdog_core::change::{Head, LogEntry};
use watchdog_core::ids::{ClusterId, Epoch, PlanId, Sequence, Time, Version, WatchdogId};
use watchdog_core::record::Entry;
use watchdog_core::state::State;
use watchdog_ports::healing_log::{HealingLog, PlanInputRecord, Write};
use watchdog_ports::journal_error::JournalError;
use watchdog_ports::metadata_log::{Append, MetadataLog, Verification};
use watchdog_telemetry::metrics::{Histograms, Labels, short};

use crate::cluster::books::Journal;

/// What can be asked of a journal.
const OPERATIONS: [&str; 10] = [
    "log_head",
    "log_append",
    "log_read",
    "log_state",
    "log_verify",
    "term_read",
    "term_open",
    "record_write",
    "record_read",
    "plan_input",
];

/// How long each took, and how often each failed; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Times {
    seconds: Histograms,
    errors: Family<Labels, Counter>,
}

impl Times {
    /// Times that stand in `registry`, each operation at zero.
    pub(super) fn registered(registry: &mut Registry) -> Self {
        let times = Self { seconds: Histograms::new_with_constructor(short), errors: Family::default() };
        for operation in OPERATIONS {
            drop(times.seconds.get_or_create(&vec![("operation", operation.to_owned())]));
            for error in ["unavailable", "full"] {
                drop(times.errors.get_or_create(&failed(operation, error)));
            }
        }
        let help = "Time that the journal took to do what it was asked";
        registry.register("watchdog_journal_seconds", help, times.seconds.clone());
        let help = "Times that the journal did not do what it was asked";
        registry.register("watchdog_journal_errors", help, times.errors.clone());
        times
    }

    async fn take<T>(
        &self,
        operation: &'static str,
        asked: impl Future<Output = Result<T, JournalError>>,
    ) -> Result<T, JournalError> {
        let begun = Instant::now();
        let answer = asked.await;
        let labels = vec![("operation", operation.to_owned())];
        self.seconds.get_or_create(&labels).observe(begun.elapsed().as_secs_f64());
        if let Err(error) = &answer {
            self.errors.get_or_create(&failed(operation, word_of(error))).inc();
        }
        answer
    }
}

fn failed(operation: &str, error: &str) -> Labels {
    vec![("operation", operation.to_owned()), ("error", error.to_owned())]
}

fn word_of(error: &JournalError) -> &'static str {
    match error {
        JournalError::Fenced { .. } => "fenced",
        JournalError::HeadMoved { .. } => "head_moved",
        JournalError::Misfit { .. } => "misfit",
        JournalError::Unavailable { .. } => "unavailable",
        JournalError::Full { .. } => "full",
        JournalError::CorruptLog { .. }
        | JournalError::CorruptRecord { .. }
        | JournalError::CorruptInput { .. } => "corrupt",
        JournalError::NoSuchVersion { .. } => "no_such_version",
        JournalError::Unstorable { .. } => "unstorable",
        JournalError::Address { .. } => "address",
        JournalError::Schema { .. } => "schema",
    }
}

/// See the module.
pub(super) struct Timed {
    /// Whose calls.
    pub(super) journal: Arc<dyn Journal>,
    /// Where they are timed.
    pub(super) times: Times,
}

#[async_trait]
impl MetadataLog for Timed {
    async fn head(&self, cluster: &ClusterId) -> Result<Head, JournalError> {
        self.times.take("log_head", self.journal.head(cluster)).await
    }

    async fn append(&self, append: Append) -> Result<Head, JournalError> {
        self.times.take("log_append", self.journal.append(append)).await
    }

    async fn entries(
        &self,
        cluster: &ClusterId,
        from: Version,
        limit: u32,
    ) -> Result<Vec<LogEntry>, JournalError> {
        let asked = MetadataLog::entries(self.journal.as_ref(), cluster, from, limit);
        self.times.take("log_read", asked).await
    }

    async fn state(&self, cluster: &ClusterId, version: Version) -> Result<State, JournalError> {
        self.times.take("log_state", self.journal.state(cluster, version)).await
    }

    async fn verify(&self, cluster: &ClusterId) -> Result<Verification, JournalError> {
        self.times.take("log_verify", self.journal.verify(cluster)).await
    }
}

#[async_trait]
impl HealingLog for Timed {
    async fn highest_term(&self, cluster: &ClusterId) -> Result<Epoch, JournalError> {
        self.times.take("term_read", self.journal.highest_term(cluster)).await
    }

    async fn open_term(
        &self,
        cluster: &ClusterId,
        epoch: Epoch,
        watchdog: &WatchdogId,
        at: Time,
    ) -> Result<(), JournalError> {
        self.times.take("term_open", self.journal.open_term(cluster, epoch, watchdog, at)).await
    }

    async fn write(&self, write: Write) -> Result<Vec<Entry>, JournalError> {
        self.times.take("record_write", self.journal.write(write)).await
    }

    async fn entries(
        &self,
        cluster: &ClusterId,
        after: Sequence,
        limit: u32,
    ) -> Result<Vec<Entry>, JournalError> {
        let asked = HealingLog::entries(self.journal.as_ref(), cluster, after, limit);
        self.times.take("record_read", asked).await
    }

    async fn plan_input(
        &self,
        cluster: &ClusterId,
        plan: &PlanId,
    ) -> Result<Option<PlanInputRecord>, JournalError> {
        self.times.take("plan_input", self.journal.plan_input(cluster, plan)).await
    }
}
