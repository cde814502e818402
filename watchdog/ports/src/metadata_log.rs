//! Metadata log: the versioned, append-only, hash-chained log of a cluster's changes.
//!
//! *Guarantees.* An append is all of its changes or none, durable when it is
//! acknowledged, under the term that it names. Asked again with the same
//! request id it answers what it did the first time.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;
use uuid::Uuid;
use watchdog_core::change::{Change, Head, LogEntry, same};
use watchdog_core::ids::{ClusterId, Epoch, GoalId, Time, Version};
use watchdog_core::state::{Hash, Key, State, VALUE_BYTES_MAX, canonical};

use crate::journal_error::{JournalError, storable};

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

impl Append {
    /// The entries that this adds on top of `head`, where `state` stands.
    ///
    /// Every adapter makes them here, so that all hash and refuse alike.
    ///
    /// # Errors
    ///
    /// [`JournalError::HeadMoved`], [`JournalError::Misfit`] or [`JournalError::Unstorable`].
    pub fn entries_on(&self, head: Head, state: &State) -> Result<Vec<LogEntry>, JournalError> {
        if head.version != self.expected {
            return Err(JournalError::HeadMoved { expected: self.expected, found: head.version });
        }
        storable("author", &self.author)?;
        let mut head = head;
        let mut moved: BTreeMap<&Key, Option<&Value>> = BTreeMap::new();
        let mut entries = Vec::with_capacity(self.changes.len());
        for change in &self.changes {
            let stands = moved.get(&change.key).copied().unwrap_or_else(|| state.get(&change.key));
            if !same(stands, change.before.as_ref()) {
                return Err(JournalError::Misfit { key: change.key.to_string(), head: head.version });
            }
            check_size(change)?;
            moved.insert(&change.key, change.after.as_ref());
            let entry = self.entry(change, head);
            head = Head { version: entry.version, hash: entry.hash };
            entries.push(entry);
        }
        Ok(entries)
    }

    fn entry(&self, change: &Change, head: Head) -> LogEntry {
        let entry = LogEntry {
            version: head.version.next(),
            at: self.at,
            epoch: self.epoch,
            author: self.author.clone(),
            goal: self.goal.clone(),
            change: change.clone(),
            previous: head.hash,
            hash: Hash::default(),
        };
        entry.sealed()
    }
}

fn check_size(change: &Change) -> Result<(), JournalError> {
    let bytes = change.after.as_ref().map_or(0, |value| canonical(value).len());
    if bytes > VALUE_BYTES_MAX {
        let key = &change.key;
        let what = format!("{bytes} bytes under {key}: at most {VALUE_BYTES_MAX}, put a reference instead");
        return Err(JournalError::Unstorable { what });
    }
    Ok(())
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
