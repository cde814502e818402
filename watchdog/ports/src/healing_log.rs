//! Healing log: terms, and the append-only record that is written under them.
//!
//! *Guarantees.* Opening a term fences every older one: a write under an older
//! term is refused, also when it began earlier, because each fenced
//! transaction *begins* by claiming the term row. An append is durable when it is
//! acknowledged; asked again with the same request id it answers the same entries.

use async_trait::async_trait;
use uuid::Uuid;
use watchdog_core::ids::{ClusterId, Epoch, Sequence, Time, WatchdogId};
use watchdog_core::record::{Body, Entry};

use crate::journal_error::JournalError;

/// Entries to write.
#[derive(Debug, Clone)]
pub struct Write {
    /// In whose record.
    pub cluster: ClusterId,
    /// Under which leader.
    pub epoch: Epoch,
    /// Identifies the request, so that it can be asked again.
    pub request: Uuid,
    /// When.
    pub at: Time,
    /// Who: a watchdog, or the operator that asked for it.
    pub by: String,
    /// What, at least one, in order.
    pub bodies: Vec<Body>,
}

/// See the module.
#[async_trait]
pub trait HealingLog: Send + Sync {
    /// The highest term that was ever opened; 0 when none was.
    async fn highest_term(&self, cluster: &ClusterId) -> Result<Epoch, JournalError>;

    /// Opens a term and writes [`Body::TermOpened`]; refused when a term as high or higher is open,
    /// unless the same watchdog opened just this one (its answer was lost).
    #[expect(clippy::too_many_arguments, reason = "each is another thing, of a type of its own")]
    async fn open_term(
        &self,
        cluster: &ClusterId,
        epoch: Epoch,
        watchdog: &WatchdogId,
        at: Time,
    ) -> Result<(), JournalError>;

    /// Writes entries, all or none; answers them with their places.
    async fn write(&self, write: Write) -> Result<Vec<Entry>, JournalError>;

    /// At most `limit` entries after `after`, oldest first.
    async fn entries(
        &self,
        cluster: &ClusterId,
        after: Sequence,
        limit: u32,
    ) -> Result<Vec<Entry>, JournalError>;
}
