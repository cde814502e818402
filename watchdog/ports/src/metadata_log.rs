//! Metadata log: the versioned, append-only, hash-chained log of a cluster's changes.
//!
//! *Guarantees.* An append is all of its changes or none, durable when it is
//! acknowledged, under the term that it names. Asked again with the same
//! request id it answers what it did the first time.

use async_trait::async_trait;
use uuid::Uuid;
use watchdog_core::change::{Change, Head, LogEntry};
use watchdog_core::ids::{ClusterId, Epoch, GoalId, Time, Version};
use watchdog_core::state::State;

use crate::journal_error::JournalError;

/// Changes to append.
#[derive(Debug, Clone)]
pub struct Append {
    /// To whose log.
    pub cluster: ClusterId,
    /// Under which leader.
    pub epoch: Epoch,
    /// Identifies the request, so that it can be asked again.
    pub request: Uuid,
    /// The head that it was computed against.
    pub expected: Version,
    /// When.
    pub at: Time,
    /// Who asked for it.
    pub author: String,
    /// The goal that it belongs to.
    pub goal: Option<GoalId>,
    /// What is changed, at least one, in order.
    pub changes: Vec<Change>,
}

/// What `verify` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Entries that were read and found good.
    pub entries: u64,
    /// The first broken one, and what is wrong with it.
    pub broken: Option<(Version, String)>,
}

/// See the module.
#[async_trait]
pub trait MetadataLog: Send + Sync {
    /// The newest entry.
    async fn head(&self, cluster: &ClusterId) -> Result<Head, JournalError>;

    /// Appends changes; answers the new head.
    async fn append(&self, append: Append) -> Result<Head, JournalError>;

    /// At most `limit` entries from version `from` on, oldest first, their hashes checked.
    async fn entries(
        &self,
        cluster: &ClusterId,
        from: Version,
        limit: u32,
    ) -> Result<Vec<LogEntry>, JournalError>;

    /// The state at `version`; version 0 is empty.
    async fn state(&self, cluster: &ClusterId, version: Version) -> Result<State, JournalError>;

    /// Reads the whole log and proves its chain.
    async fn verify(&self, cluster: &ClusterId) -> Result<Verification, JournalError>;
}
