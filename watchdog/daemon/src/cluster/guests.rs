//! Guests: the journal as those who ask read it: a few at a time, so that they never stand in the leader's way.
//!
//! The connections to a database are few, and whoever waits for one is served in turn. However many people and
//! programs read, most connections are left to the task of the cluster.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{Semaphore, SemaphorePermit};
use watchdog_core::change::{Head, LogEntry};
use watchdog_core::ids::{ClusterId, Epoch, PlanId, Sequence, Time, Version, WatchdogId};
use watchdog_core::record::Entry;
use watchdog_core::state::State;
use watchdog_ports::healing_log::{HealingLog, PlanInputRecord, Write};
use watchdog_ports::journal_error::JournalError;
use watchdog_ports::metadata_log::{Append, MetadataLog, Verification};

use crate::cluster::books::Journal;

/// How many read at once. The journal has eight connections.
const READERS: usize = 3;
/// How many of them may read a whole log.
const VERIFIERS: usize = 1;

/// See the module.
pub(crate) struct Guests {
    journal: Arc<dyn Journal>,
    turns: Semaphore,
    verifiers: Semaphore,
}

impl Guests {
    /// Reads `journal`.
    pub(crate) fn of(journal: Arc<dyn Journal>) -> Self {
        Self { journal, turns: Semaphore::new(READERS), verifiers: Semaphore::new(VERIFIERS) }
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, JournalError> {
        let closed = |error: tokio::sync::AcquireError| JournalError::Unavailable {
            operation: "wait for a turn to read",
            source: error.into(),
        };
        self.turns.acquire().await.map_err(closed)
    }
}

#[async_trait]
impl MetadataLog for Guests {
    async fn head(&self, cluster: &ClusterId) -> Result<Head, JournalError> {
        let _turn = self.turn().await?;
        self.journal.head(cluster).await
    }

    async fn append(&self, append: Append) -> Result<Head, JournalError> {
        self.journal.append(append).await
    }

    async fn entries(
        &self,
        cluster: &ClusterId,
        from: Version,
        limit: u32,
    ) -> Result<Vec<LogEntry>, JournalError> {
        let _turn = self.turn().await?;
        MetadataLog::entries(&*self.journal, cluster, from, limit).await
    }

    async fn state(&self, cluster: &ClusterId, version: Version) -> Result<State, JournalError> {
        let _turn = self.turn().await?;
        self.journal.state(cluster, version).await
    }

    async fn verify(&self, cluster: &ClusterId) -> Result<Verification, JournalError> {
        // A permit that can't be had is as good as one: nobody closes these.
        let _alone = self.verifiers.acquire().await.ok();
        let _turn = self.turn().await?;
        self.journal.verify(cluster).await
    }
}

#[async_trait]
impl HealingLog for Guests {
    async fn highest_term(&self, cluster: &ClusterId) -> Result<Epoch, JournalError> {
        let _turn = self.turn().await?;
        self.journal.highest_term(cluster).await
    }

    async fn open_term(
        &self,
        cluster: &ClusterId,
        epoch: Epoch,
        watchdog: &WatchdogId,
        at: Time,
    ) -> Result<(), JournalError> {
        self.journal.open_term(cluster, epoch, watchdog, at).await
    }

    async fn write(&self, write: Write) -> Result<Vec<Entry>, JournalError> {
        self.journal.write(write).await
    }

    async fn entries(
        &self,
        cluster: &ClusterId,
        after: Sequence,
        limit: u32,
    ) -> Result<Vec<Entry>, JournalError> {
        let _turn = self.turn().await?;
        HealingLog::entries(&*self.journal, cluster, after, limit).await
    }

    async fn plan_input(
        &self,
        cluster: &ClusterId,
        plan: &PlanId,
    ) -> Result<Option<PlanInputRecord>, JournalError> {
        let _turn = self.turn().await?;
        self.journal.plan_input(cluster, plan).await
    }
}
