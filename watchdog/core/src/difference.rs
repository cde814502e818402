//! Difference: what leads from one state of the metadata log to another.
//!
//! ```text
//! two states ──one walk along both──► Difference ◄──first and last value of each key── changes between them
//! ```

use std::cmp::Ordering;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::change::Change;
use crate::state::{Key, State};

/// What to put (`Some`) and what to remove (`None`) to get from one state to another.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Difference(pub BTreeMap<Key, Option<Value>>);

impl Difference {
    /// The net difference that changes add up to, oldest first; where only some keys changed it needs no states.
    pub fn of_changes<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Self {
        let mut ends: BTreeMap<&Key, (Option<&Value>, Option<&Value>)> = BTreeMap::new();
        for Change { key, before, after } in changes {
            ends.entry(key).or_insert((before.as_ref(), None)).1 = after.as_ref();
        }
        let net = ends.into_iter().filter(|(_, (before, after))| match (before, after) {
            (Some(before), Some(after)) => !alike(before, after),
            (None, None) => false,
            _ => true,
        });
        Self(net.map(|(key, (_, after))| (key.clone(), after.cloned())).collect())
    }

    /// The part that replicas load.
    #[must_use]
    pub fn application(mut self) -> Self {
        self.0.retain(|key, _| !key.is_ours());
        self
    }

    /// Whether the two states are the same.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl State {
    /// The net difference that turns this state into `target`, whichever is newer.
    pub fn difference(&self, target: &State) -> Difference {
        let mut difference = Difference::default();
        // Both are in order, so one walk along the two finds everything.
        let (mut ours, mut theirs) = (self.0.iter().peekable(), target.0.iter().peekable());
        loop {
            let order = match (ours.peek(), theirs.peek()) {
                (Some((our, _)), Some((their, _))) => our.cmp(their),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => return difference,
            };
            let before = if order.is_le() { ours.next() } else { None };
            let after = if order.is_ge() { theirs.next() } else { None };
            match (before, after) {
                (Some((_, before)), Some((_, after))) if alike(before, after) => {}
                (_, Some((key, after))) => drop(difference.0.insert(key.clone(), Some(after.clone()))),
                (Some((key, _)), None) => drop(difference.0.insert(key.clone(), None)),
                (None, None) => {}
            }
        }
    }
}

/// Whether two values are equal; objects with their members in the same order, as they mostly are, need no look-ups.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let in_order = a.len() == b.len()
                && a.iter()
                    .zip(b)
                    .all(|((key, value), (other, other_value))| key == other && alike(value, other_value));
            in_order || a == b
        }
        _ => a == b,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::state::tests::state;

    #[test]
    fn a_difference_leads_from_one_state_to_the_other() {
        let a = state(&[("model/m", json!(1)), ("rule/old", json!("x"))]);
        let b = state(&[("model/m", json!(2)), ("rule/new", json!("y"))]);
        let difference = a.difference(&b);
        let mut moved = a.clone();
        for (key, after) in &difference.0 {
            moved.apply(key, after.as_ref());
        }
        assert_eq!(moved, b);
        assert!(b.difference(&b).is_empty());
    }

    #[test]
    fn changes_add_up_to_the_difference_of_their_ends() {
        let start = state(&[("model/m", json!({"x": 1, "y": 2})), ("rule/old", json!("x"))]);
        let edits = [
            ("model/m", Some(json!(2))),
            ("rule/new", Some(json!("y"))),
            ("rule/old", None),
            ("model/m", Some(json!({"y": 2, "x": 1}))),
            ("rule/passing", Some(json!(0))),
            ("rule/passing", None),
            ("policy/healing", Some(json!({}))),
        ];
        let (mut now, mut changes) = (start.clone(), Vec::new());
        for (key, after) in edits {
            let change = Change::of(&now, key.parse().unwrap(), after);
            now.apply(&change.key, change.after.as_ref());
            changes.push(change);
            assert_eq!(Difference::of_changes(&changes), start.difference(&now));
        }
        let back: Vec<Change> = changes.iter().rev().map(Change::undo).collect();
        assert_eq!(Difference::of_changes(&back), now.difference(&start));
        assert_eq!(Difference::of_changes(&changes).application().0.len(), 2);
    }
}
