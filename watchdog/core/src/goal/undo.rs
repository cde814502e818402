//! Undo: the changes that take back what a goal did, when it was not achieved.

use std::collections::BTreeSet;

use crate::change::{Change, LogEntry};
use crate::state::{Key, State};

/// The changes that return `head` to the stable state.
///
/// Of the application everything returns, because only the state as a whole was proven. Of what the watchdog itself
/// understands (declarations, bounds) only the keys that the goal `touched` return to how they stood at its `base`.
pub fn undo(head: &State, stable: &State, base: &State, touched: &BTreeSet<Key>) -> Vec<Change> {
    let mut changes: Vec<Change> = head
        .application()
        .difference(&stable.application())
        .0
        .into_iter()
        .map(|(key, after)| Change::of(head, key, after))
        .collect();
    for key in touched.iter().filter(|key| key.is_ours() && head.get(key) != base.get(key)) {
        changes.push(Change::of(head, key.clone(), base.get(key).cloned()));
    }
    changes.sort_by(|a, b| a.key.cmp(&b.key));
    changes
}

/// Takes the next entry of the log into the keys that goals have changed and nobody else has since: what an operator
/// decided stands.
pub fn touch(touched: &mut BTreeSet<Key>, entry: &LogEntry) {
    let key = &entry.change.key;
    match entry.goal {
        Some(_) => drop(touched.insert(key.clone())),
        None => drop(touched.remove(key)),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::goal::compose::applied;

    fn state(value: Value) -> State {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_application_returns_as_a_whole_and_declarations_by_the_keys_that_were_touched() {
        let stable = state(json!({"model/m": 1, "rule/r": "x"}));
        let base = state(json!({"model/m": 1, "rule/r": "x", "replica/a": 1, "policy/healing": 1}));
        let head =
            state(json!({"model/m": 2, "model/new": 1, "replica/a": 2, "replica/b": 2, "policy/healing": 2}));
        let touched = ["model/m", "model/new", "rule/r", "replica/a", "replica/b"];
        let touched = touched.iter().map(|key| key.parse().unwrap()).collect();
        let changes = undo(&head, &stable, &base, &touched);
        let after = applied(&head, &changes);
        assert_eq!(after.hash(), stable.hash());
        let ours = state(json!({"model/m": 1, "rule/r": "x", "replica/a": 1, "policy/healing": 2}));
        assert_eq!(after, ours, "a bound that somebody else changed meanwhile stands");
        assert!(undo(&after, &stable, &base, &touched).is_empty());
    }
}
