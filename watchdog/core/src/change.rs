//! Change: one reversible edit of one key, and its place in the hash-chained log.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    ///
    /// The object is written here, its members in their canonical order, because
    /// sorting them anew is most of what reading a long log would cost.
    pub fn computed_hash(&self) -> Hash {
        let text = |text: &str| canonical(&Value::from(text));
        let number = |number: u64| canonical(&Value::from(number));
        let maybe = |value: &Option<Value>| value.as_ref().map_or_else(|| "null".to_owned(), canonical);
        let object = format!(
            r#"{{"after":{},"at":{},"author":{},"before":{},"epoch":{},"goal":{},"key":{},"previous":"{}","version":{}}}"#,
            maybe(&self.change.after),
            number(self.at.0),
            text(&self.author),
            maybe(&self.change.before),
            number(self.epoch.0),
            self.goal.as_ref().map_or_else(|| "null".to_owned(), |goal| text(goal.as_str())),
            text(&self.change.key.to_string()),
            self.previous,
            number(self.version.0),
        );
        Hash::of(object.as_bytes())
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

/// Whether two values hash alike: `1.0` and `1` are one number.
pub fn same(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b || canonical(a) == canonical(b),
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_is_hashed_as_its_canonical_object() {
        let odd = json!({"z": 1.0, "a": [null, u64::MAX, 1e300, -0.0], "": "\0\u{7f}\u{2028}雪🦀\"\\/\n"});
        let table = [
            (1, "ops@example", None, None, Some(json!(1))),
            (u64::MAX, "\"quoted\" \\ \u{1} 雪", Some("g-1"), Some(odd.clone()), None),
            (9_007_199_254_740_993, "", Some("g"), Some(json!(null)), Some(odd)),
        ];
        for (number, author, goal, before, after) in table {
            let entry = LogEntry {
                version: Version(number),
                at: Time(number),
                epoch: Epoch(number),
                author: author.to_owned(),
                goal: goal.map(|goal| GoalId::new(goal).unwrap()),
                change: Change { key: Key::new("model/a").unwrap(), before, after },
                previous: Hash::of(author.as_bytes()),
                hash: Hash::default(),
            };
            let object = json!({
                "version": entry.version, "at": entry.at, "epoch": entry.epoch, "author": entry.author,
                "goal": entry.goal, "key": entry.change.key, "before": entry.change.before,
                "after": entry.change.after, "previous": entry.previous,
            });
            assert_eq!(entry.computed_hash(), Hash::of(canonical(&object).as_bytes()), "{object}");
        }
    }
}
