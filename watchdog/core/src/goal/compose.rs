//! Compose: from a goal and the state at the head to the changes that make it hold, one a key.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Goal;
use crate::change::{Change, same};
use crate::state::{Key, State};

/// The changes, in the order of their keys, that make `goal` hold of `head`; keys that are right already are left out.
///
/// `restored` is the state that the goal returns to, of which only the application's part is taken: declarations of
/// replicas and bounds are not the past's to say.
pub fn compose(goal: &Goal, head: &State, restored: Option<&State>) -> Vec<Change> {
    let mut edits: BTreeMap<Key, Option<Value>> = BTreeMap::new();
    if let Some(restored) = restored {
        edits.extend(head.application().difference(&restored.application()).0);
    }
    edits.extend(goal.set.iter().map(|(key, value)| (key.clone(), Some(value.clone()))));
    edits.extend(goal.remove.iter().map(|key| (key.clone(), None)));
    let changes = edits.into_iter().map(|(key, after)| Change::of(head, key, after));
    changes.filter(|change| !same(change.before.as_ref(), change.after.as_ref())).collect()
}

/// The state after `changes`.
#[must_use]
pub fn applied(head: &State, changes: &[Change]) -> State {
    let mut state = head.clone();
    for change in changes {
        state.apply(&change.key, change.after.as_ref());
    }
    state
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    fn state(value: Value) -> State {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn a_goal_becomes_the_fewest_changes() {
        let head = state(json!({"model/m": 1, "rule/old": "x", "replica/a": {}, "setting/s": 1.0}));
        let past = state(json!({"model/m": 0, "rule/gone": "y", "replica/b": {}}));
        let table = [
            (json!({"set": {"model/m": 1, "setting/s": 1}}), vec![]),
            (
                json!({"set": {"model/m": 2}, "remove": ["rule/old", "rule/none"]}),
                vec!["model/m=2", "rule/old-"],
            ),
            (json!({"restore": 3}), vec!["model/m=0", "rule/gone=\"y\"", "rule/old-", "setting/s-"]),
            (
                json!({"restore": 3, "set": {"model/m": 1}, "remove": ["rule/gone"]}),
                vec!["rule/old-", "setting/s-"],
            ),
        ];
        for (goal, expected) in table {
            let read: Goal = serde_json::from_value(goal.clone()).unwrap();
            let changes = compose(&read, &head, read.restore.map(|_| &past));
            let told: Vec<String> = changes
                .iter()
                .map(|change| match &change.after {
                    Some(value) => format!("{}={value}", change.key),
                    None => format!("{}-", change.key),
                })
                .collect();
            assert_eq!(told, expected, "{goal}");
            assert!(
                compose(&read, &applied(&head, &changes), read.restore.map(|_| &past)).is_empty(),
                "{goal}"
            );
        }
    }
}
