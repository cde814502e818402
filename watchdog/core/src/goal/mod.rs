//! Goal: what an operator wants to hold of the state; the system composes the changes.
//!
//! ```text
//! goal ─► fault_in? ─► declared (queued) ─► desired ─► changes ─► rollout ─► achieved │ rejected │ withdrawn
//! ```

mod bounds;
pub mod compose;
pub mod errand;
pub mod fault;
pub mod given_up;
pub mod obsolete;
pub mod pace;
pub mod redeclared;
pub mod undo;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{GoalId, Version};
use crate::state::Key;

pub use self::pace::{Canary, Pace, PaceWish};

/// What must hold, in the shape of a goal file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Goal {
    /// What to call it; a number is added when the name was used before.
    pub name: Option<GoalId>,
    /// Why, for people.
    pub reason: String,
    /// Values that shall stand under their keys.
    pub set: BTreeMap<Key, Value>,
    /// Keys that shall not be there.
    pub remove: BTreeSet<Key>,
    /// An earlier state of the application to return to, before `set` and `remove`.
    pub restore: Option<Restore>,
    /// Whether every replica shall be started anew, one after the other.
    pub restart: bool,
    /// How carefully it is rolled out, where that differs from policy.
    pub rollout: PaceWish,
}

impl Goal {
    /// In a few words, for people: `set model/fraud, remove rule/old`.
    pub fn gist(&self) -> String {
        let mut words = Vec::new();
        match self.restore {
            Some(Restore::Version(version)) => words.push(format!("restore version {version}")),
            Some(Restore::Named(Named::Stable)) => words.push("restore stable".to_owned()),
            None => {}
        }
        words.extend(few("set", self.set.keys()));
        words.extend(few("remove", self.remove.iter()));
        if self.restart {
            words.push("restart".to_owned());
        }
        if words.is_empty() { "nothing".to_owned() } else { words.join(", ") }
    }
}

/// More keys than these are only counted.
const KEYS_TOLD: usize = 3;

fn few<'a>(verb: &str, keys: impl ExactSizeIterator<Item = &'a Key>) -> Option<String> {
    let count = keys.len();
    let named: Vec<&str> = keys.take(KEYS_TOLD).map(Key::as_str).collect();
    let more = if count > KEYS_TOLD { format!(" and {} more", count - KEYS_TOLD) } else { String::new() };
    (count > 0).then(|| format!("{verb} {}{more}", named.join(" ")))
}

/// An earlier state of the application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Restore {
    /// The state at this version.
    Version(Version),
    /// The state that this word names.
    Named(Named),
}

/// A word for a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// The last stable one.
    Stable,
}

/// How far a goal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GoalStatus {
    /// It waits for another one to end.
    Pending,
    /// Its changes are in the log, and replicas are being moved.
    Rolling,
    /// Every replica holds it, healthy, and it is stable.
    Achieved,
    /// Its version was proven bad, and its changes are undone.
    Rejected,
    /// Another goal took over.
    Superseded,
    /// An operator took it back, and its changes are undone.
    Withdrawn,
}

impl GoalStatus {
    /// The word for it, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Rolling => "rolling",
            Self::Achieved => "achieved",
            Self::Rejected => "rejected",
            Self::Superseded => "superseded",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether nothing more will come of it.
    pub fn is_over(self) -> bool {
        !matches!(self, Self::Pending | Self::Rolling)
    }
}

impl fmt::Display for GoalStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_goal_reads_as_it_is_written_and_says_what_it_is() {
        let table = [
            (json!({}), Some("nothing")),
            (
                json!({"set": {"model/fraud": 1}, "remove": ["rule/old"]}),
                Some("set model/fraud, remove rule/old"),
            ),
            (json!({"set": {"a/1": 1, "a/2": 1, "a/3": 1, "a/4": 1}}), Some("set a/1 a/2 a/3 and 1 more")),
            (json!({"restore": "stable"}), Some("restore stable")),
            (json!({"restore": 41, "restart": true}), Some("restore version 41, restart")),
            (json!({"rollout": {"canary": ["demo-b"], "soak_ms": 0}, "restart": true}), Some("restart")),
            (json!({"restore": "yesterday"}), None),
            (json!({"sets": {}}), None),
            (json!({"set": {"model": 1}}), None),
            (json!({"rollout": {"canaries": 1}}), None),
        ];
        for (text, gist) in table {
            let read = serde_json::from_value::<Goal>(text.clone()).ok();
            assert_eq!(read.as_ref().map(Goal::gist).as_deref(), gist, "{text}");
            if let Some(goal) = read {
                let again: Goal = serde_json::from_value(serde_json::to_value(&goal).unwrap()).unwrap();
                assert_eq!(again, goal);
            }
        }
    }
}
