//! Change: one reversible edit of one key, and its place in the hash-chained log.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ids::{Epoch, GoalId, Time, Version};
use crate::state::{Hash, Key, State, canonical};

/// One reversible edit: the value before and the value after; `None` means that the key is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Which key.
    pub key: Key,
    /// What stood there.
    pub before: Option<Value>,
    /// What stands there from now on.
    pub after: Option<Value>,
}

impl Change {
    /// The change that sets (or removes) `key` in `state`.
    pub fn of(state: &State, key: Key, after: Option<Value>) -> Self {
        let before = state.get(&key).cloned();
        Self { key, before, after }
    }

    /// The change that undoes this one.
    #[must_use]
    pub fn undo(&self) -> Self {
        Self { key: self.key.clone(), before: self.after.clone(), after: self.before.clone() }
    }
}

/// A change at its position in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Its position, from 1.
    pub version: Version,
    /// When it was appended.
    pub at: Time,
    /// Under which leader.
    pub epoch: Epoch,
    /// Who asked for it.
    pub author: String,
    /// The goal that it belongs to.
    pub goal: Option<GoalId>,
    /// What it does.
    pub change: Change,
    /// The hash of the entry before it; all zeros for the first.
    pub previous: Hash,
    /// The hash of this entry, over everything above.
    pub hash: Hash,
}

impl LogEntry {
    /// The hash that this entry must carry: SHA-256 over the canonical JSON of its other fields.
    pub fn computed_hash(&self) -> Hash {
        let fields = json!({
            "version": self.version, "at": self.at, "epoch": self.epoch, "author": self.author,
            "goal": self.goal, "key": self.change.key, "before": self.change.before,
            "after": self.change.after, "previous": self.previous,
        });
        Hash::of(canonical(&fields).as_bytes())
    }

    /// This entry with its hash filled in.
    #[must_use]
    pub fn sealed(mut self) -> Self {
        self.hash = self.computed_hash();
        self
    }
}

/// The newest entry of a log: what the next append must name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Head {
    /// Its position; 0 when the log is empty.
    pub version: Version,
    /// Its hash; zeros when the log is empty.
    pub hash: Hash,
}
