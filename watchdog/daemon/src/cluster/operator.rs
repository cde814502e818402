//! Operator: what operators ask a leader to write, checked before anything is written.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use watchdog_core::change::Change;
use watchdog_core::ids::{ReplicaId, Version};
use watchdog_core::policy::{POLICY_KEY, Policy};
use watchdog_core::record::Body;
use watchdog_core::replica::ReplicaSpec;
use watchdog_core::state::{Key, State, VALUE_BYTES_MAX, canonical};

/// What an operator asks for.
#[derive(Debug)]
pub(crate) struct Act {
    /// Who asks.
    pub(crate) by: String,
    /// For what.
    pub(crate) wish: Wish,
    /// Where the answer goes: a sentence, or why not.
    pub(crate) answer: oneshot::Sender<Result<String, Denial>>,
}

/// See [`Act`].
#[derive(Debug)]
pub(crate) enum Wish {
    /// Write this, and say that.
    Write {
        /// The entries.
        bodies: Vec<Body>,
        /// What to answer when they are written.
        done: String,
    },
    /// Append these changes to the metadata log.
    Append {
        /// The head that they were made for.
        expected: Version,
        /// Key and new value; `None` removes.
        edits: Vec<(Key, Option<Value>)>,
    },
    /// Stop leading.
    Resign,
}

/// Why an operator's wish was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Denial {
    /// Another watchdog leads, or none.
    #[error("this watchdog does not lead the cluster")]
    NotLeader,
    /// The head has moved.
    #[error(
        "the log has moved on: its head is {found}, not {expected}; look at the difference and try again"
    )]
    HeadMoved {
        /// What was expected.
        expected: Version,
        /// What stands.
        found: Version,
    },
    /// Something in it is wrong.
    #[error("{field}: {what}")]
    Invalid {
        /// Which part.
        field: String,
        /// What is wrong with it.
        what: String,
    },
    /// The journal did not answer; whether it was written is not known.
    #[error("the journal did not confirm it: {0}; look before trying again")]
    Unconfirmed(String),
}

/// Where acts are sent.
pub(crate) type Acts = mpsc::Sender<Act>;

/// The changes that edits come to in `state`; edits that change nothing are left out.
///
/// # Errors
///
/// The first edit that may not be appended, by its key.
pub(crate) fn changes(state: &State, edits: Vec<(Key, Option<Value>)>) -> Result<Vec<Change>, Denial> {
    let mut seen = BTreeSet::new();
    for (key, value) in &edits {
        let invalid = |what: String| Denial::Invalid { field: key.to_string(), what };
        if !seen.insert(key.clone()) {
            return Err(invalid("the key is given twice".to_owned()));
        }
        if let Some(fault) = value.as_ref().and_then(|value| fault_of(key, value)) {
            return Err(invalid(fault));
        }
    }
    let all = edits.into_iter().map(|(key, after)| Change::of(state, key, after));
    Ok(all.filter(|change| change.before != change.after).collect())
}

fn fault_of(key: &Key, value: &Value) -> Option<String> {
    let bytes = canonical(value).len();
    if bytes > VALUE_BYTES_MAX {
        return Some(format!(
            "the value is {bytes} bytes; at most {VALUE_BYTES_MAX} are allowed, put larger things elsewhere as {{uri, sha256, bytes}}"
        ));
    }
    match key.kind() {
        "replica" => ReplicaId::new(key.name()).err().map(|error| error.to_string()).or_else(|| {
            let spec = fits::<ReplicaSpec>(value);
            spec.or_else(|| no_hosts(value))
        }),
        "policy" if key.as_str() == POLICY_KEY => fits::<Policy>(value),
        "policy" => Some(format!("unknown policy; the only one is {POLICY_KEY}")),
        _ => None,
    }
}

fn fits<T: DeserializeOwned>(value: &Value) -> Option<String> {
    T::deserialize(value).err().map(|error| error.to_string())
}

fn no_hosts(value: &Value) -> Option<String> {
    let none = value.get("hosts").and_then(Value::as_array).is_some_and(Vec::is_empty);
    none.then(|| "hosts is empty; name at least one host that it may live on".to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_by_its_key() {
        let big = json!("x".repeat(VALUE_BYTES_MAX));
        let table = [
            ("model/m", json!({"any": "thing"}), None),
            ("model/m", big, Some("put larger things elsewhere")),
            ("replica/a", json!({"hosts": ["h1"], "program": "p"}), None),
            ("replica/a", json!({"hosts": [], "program": "p"}), Some("hosts is empty")),
            ("replica/a", json!({"hosts": ["h1"]}), Some("missing field `program`")),
            ("replica/a", json!({"hosts": ["H 1"], "program": "p"}), Some("position 1")),
            ("replica/a_b", json!({"hosts": ["h1"], "program": "p"}), Some("'_' at position 2")),
            ("policy/healing", json!({"strikes": 3}), None),
            ("policy/healing", json!({"strike": 3}), Some("unknown field `strike`")),
            ("policy/other", json!({}), Some("the only one is policy/healing")),
        ];
        for (key, value, fault) in table {
            let key: Key = key.parse().unwrap();
            let found = changes(&State::default(), vec![(key.clone(), Some(value))]);
            match (found, fault) {
                (Ok(_), None) => {}
                (Err(denial), Some(fault)) => {
                    let said = denial.to_string();
                    assert!(said.contains(fault) && said.starts_with(key.as_str()), "{said}");
                }
                (found, fault) => panic!("{key}: {found:?} instead of {fault:?}"),
            }
        }
    }
}
