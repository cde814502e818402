//! Fault: what is wrong with a goal or an edit, found before anything is appended; by key and in one sentence.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Canary, Goal, Restore, bounds};
use crate::ids::{ReplicaId, Version};
use crate::policy::{POLICY_KEY, Policy};
use crate::replica::ReplicaSpec;
use crate::state::{Key, State, VALUE_BYTES_MAX, canonical};

/// The key that says which kinds the application has; without it every kind is allowed.
pub const KINDS_KEY: &str = "policy/application";
/// The most keys that one goal may name.
pub const KEYS_MAX: usize = 10_000;
/// The most bytes that all values of a goal may have.
pub const GOAL_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest reason of a goal, in bytes.
pub const REASON_BYTES_MAX: usize = 1_000;

/// How deep a value may be nested.
const DEPTH_MAX: u32 = 64;
/// Beyond this a double does not tell one whole number from the next.
const EXACT_MAX: u64 = 1 << 53;

/// The value of [`KINDS_KEY`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Application {
    /// The kinds that replicas load.
    kinds: Vec<String>,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key or field.
    pub field: String,
    /// What is wrong with it, and how to mend it.
    pub what: String,
}

/// A longer sentence says no more; it may repeat what was given, however long that is.
const WHAT_CHARACTERS_MAX: usize = 500;

impl Fault {
    fn of(field: impl fmt::Display, what: impl AsRef<str>) -> Self {
        let mut what: String = what
            .as_ref()
            .chars()
            .take(WHAT_CHARACTERS_MAX + 1)
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        if what.chars().count() > WHAT_CHARACTERS_MAX {
            what.pop();
            what.push('…');
        }
        Self { field: field.to_string(), what }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.what)
    }
}

/// The first thing that is wrong with `goal`, declared on top of `head` at version `at`.
///
/// # Errors
///
/// A [`Fault`]; nothing of the goal may be appended then.
pub fn find(goal: &Goal, head: &State, at: Version, stable: Option<Version>) -> Result<(), Fault> {
    let keys = goal.set.len() + goal.remove.len();
    if keys == 0 && goal.restore.is_none() && !goal.restart {
        return Err(Fault::of(
            "goal",
            "it asks for nothing; give [set.\"kind/name\"], remove, restore or restart",
        ));
    }
    if goal.reason.len() > REASON_BYTES_MAX {
        let bytes = goal.reason.len();
        let what = format!("it is {bytes} bytes long; at most {REASON_BYTES_MAX} are allowed");
        return Err(Fault::of("reason", what));
    }
    if keys > KEYS_MAX {
        return Err(Fault::of(
            "goal",
            format!("it names {keys} keys; at most {KEYS_MAX} are allowed in one goal"),
        ));
    }
    if let Some(key) = goal.remove.iter().find(|key| goal.set.contains_key(key)) {
        return Err(Fault::of(key, "it is both set and removed"));
    }
    let mut bytes = 0;
    for (key, value) in &goal.set {
        bytes += canonical(value).len();
        of_edit(key, Some(value), head)?;
    }
    for key in &goal.remove {
        of_edit(key, None, head)?;
    }
    if bytes > GOAL_BYTES_MAX {
        return Err(Fault::of(
            "goal",
            format!("its values are {bytes} bytes; at most {GOAL_BYTES_MAX} are allowed"),
        ));
    }
    of_restore(goal, at, stable)?;
    of_canary(goal, head)
}

fn of_restore(goal: &Goal, at: Version, stable: Option<Version>) -> Result<(), Fault> {
    match goal.restore {
        Some(Restore::Version(version)) if version == Version(0) || version > at => {
            Err(Fault::of("restore", format!("there is no version {version}; the log ends at {at}")))
        }
        Some(Restore::Named(_)) if stable.is_none() => {
            Err(Fault::of("restore", "no version is stable yet; name a number instead"))
        }
        None | Some(Restore::Version(_) | Restore::Named(_)) => Ok(()),
    }
}

fn of_canary(goal: &Goal, head: &State) -> Result<(), Fault> {
    let Some(Canary::Replicas(chosen)) = &goal.rollout.canary else { return Ok(()) };
    let field = "rollout.canary";
    if chosen.is_empty() {
        return Err(Fault::of(field, "it names nobody; name replicas, or give a number (0 for none)"));
    }
    for replica in chosen {
        let key = Key::of_replica(replica);
        let declared =
            goal.set.contains_key(&key) || (head.get(&key).is_some() && !goal.remove.contains(&key));
        if !declared {
            return Err(Fault::of(field, format!("{replica} is not declared as a replica")));
        }
    }
    Ok(())
}

/// What is wrong with putting (or, without a value, removing) one key on top of `head`.
///
/// # Errors
///
/// A [`Fault`] that names the key.
pub fn of_edit(key: &Key, value: Option<&Value>, head: &State) -> Result<(), Fault> {
    let fault = match value {
        Some(value) => size(value)
            .or_else(|| storable(value, DEPTH_MAX))
            .or_else(|| {
                value.is_null().then(|| "null stands for nothing; name the key in `remove`".to_owned())
            })
            .or_else(|| of_value(key, value, head)),
        None => of_removal(key),
    };
    fault.map_or(Ok(()), |what| Err(Fault::of(key, what)))
}

fn size(value: &Value) -> Option<String> {
    let bytes = canonical(value).len();
    (bytes > VALUE_BYTES_MAX).then(|| {
        format!(
            "the value is {bytes} bytes; at most {VALUE_BYTES_MAX} are allowed, put larger things elsewhere as {{uri, sha256, bytes}}"
        )
    })
}

/// Whoever reads a value again must get the same one: numbers are doubles there, and readers go only so deep.
fn storable(value: &Value, depth: u32) -> Option<String> {
    match value {
        Value::Array(_) | Value::Object(_) if depth == 0 => {
            Some(format!("it is nested more than {DEPTH_MAX} deep"))
        }
        Value::Array(items) => items.iter().find_map(|item| storable(item, depth - 1)),
        Value::Object(members) => members.values().find_map(|member| storable(member, depth - 1)),
        Value::Number(number) => {
            let size = number.as_u64().or(number.as_i64().map(i64::unsigned_abs));
            size.filter(|size| *size > EXACT_MAX).map(|_| {
                format!("the whole number {number} is beyond 2^53, where numbers are not exact; write it as a text")
            })
        }
        Value::Null | Value::Bool(_) | Value::String(_) => None,
    }
}

fn of_value(key: &Key, value: &Value, head: &State) -> Option<String> {
    match key.kind() {
        "replica" => {
            let name = ReplicaId::new(key.name()).err().map(|error| error.to_string());
            name.or_else(|| fits::<ReplicaSpec>(value))
                .or_else(|| of_hosts(value))
                .or_else(|| of_lease(value))
        }
        "policy" => match key.as_str() {
            POLICY_KEY => fits::<Policy>(value).or_else(|| of_bounds(value)),
            KINDS_KEY => fits::<Application>(value),
            _ => Some(format!("unknown policy; there are {POLICY_KEY} and {KINDS_KEY}")),
        },
        kind => unknown_kind(kind, head),
    }
}

/// What replicas hold can't be removed from under them; that is a matter of what they are declared as.
fn of_removal(key: &Key) -> Option<String> {
    let known = key.kind() != "policy" || [POLICY_KEY, KINDS_KEY].contains(&key.as_str());
    (!known).then(|| format!("unknown policy; there are {POLICY_KEY} and {KINDS_KEY}"))
}

fn unknown_kind(kind: &str, head: &State) -> Option<String> {
    let declared = head.0.get(&Key::new(KINDS_KEY).ok()?)?;
    let known = Application::deserialize(declared).ok()?.kinds;
    if known.iter().any(|known| known == kind) {
        return None;
    }
    let all: BTreeSet<&str> = known.iter().map(String::as_str).chain(["policy", "replica"]).collect();
    let all: Vec<&str> = all.into_iter().collect();
    Some(format!("unknown kind {kind:?}; {KINDS_KEY} knows {}", all.join(", ")))
}

fn fits<T: DeserializeOwned>(value: &Value) -> Option<String> {
    if !value.is_object() {
        return Some("it must be a table of fields".to_owned());
    }
    T::deserialize(value).err().map(|error| error.to_string())
}

fn of_bounds(value: &Value) -> Option<String> {
    bounds::slip(&Policy::deserialize(value).ok()?)
}

fn of_hosts(value: &Value) -> Option<String> {
    let hosts = value.get("hosts").and_then(Value::as_array)?;
    if hosts.is_empty() {
        return Some("hosts is empty; name at least one host that it may live on".to_owned());
    }
    let mut seen = BTreeSet::new();
    let twice = hosts.iter().find(|host| !seen.insert(host.as_str()));
    twice.map(|host| format!("hosts names {host} twice"))
}

fn of_lease(value: &Value) -> Option<String> {
    let needs = value.get("exclusive").and_then(Value::as_bool).unwrap_or_default();
    let none = value.get("lease_ms").is_some_and(|lease| lease.as_u64() == Some(0));
    (needs && none).then(|| "exclusive needs a lease; lease_ms is 0".to_owned())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use serde_json::json;

    use super::*;

    fn state(value: Value) -> State {
        serde_json::from_value(value).unwrap()
    }

    fn nested(depth: u32) -> Value {
        (0..depth).fold(json!(1), |value, _| json!([value]))
    }

    #[test]
    fn what_does_not_fit_is_refused_by_its_key() {
        let free = State::default();
        let strict = state(json!({"policy/application": {"kinds": ["model", "rule"]}}));
        let big = json!("x".repeat(VALUE_BYTES_MAX));
        let table = [
            (&free, "model/m", json!({"any": "thing"}), None),
            (&free, "model/m", json!(null), Some("name the key in `remove`")),
            (&free, "model/m", json!({"a": [null, 1.5e300, 9_007_199_254_740_992_u64]}), None),
            (&free, "model/m", json!({"a": [-9_007_199_254_740_993_i64]}), Some("write it as a text")),
            (&free, "model/m", nested(64), None),
            (&free, "model/m", nested(65), Some("nested more than 64 deep")),
            (&free, "replica/a", json!([["h1"], "p"]), Some("a table of fields")),
            (
                &free,
                "replica/a",
                json!({"hosts": ["h1"], "program": "p", "exclusive": true, "lease_ms": 0}),
                Some("needs a lease"),
            ),
            (&free, "policy/healing", json!({"x".repeat(5_000): 1}), Some("…")),
            (&free, "policy/healing", json!({"a\u{1b}\n": 1}), Some("unknown field `a\u{fffd}\u{fffd}`")),
            (&free, "model/m", big, Some("put larger things elsewhere")),
            (&free, "replica/a", json!({"hosts": ["h1"], "program": "p"}), None),
            (&free, "replica/a", json!({"hosts": [], "program": "p"}), Some("hosts is empty")),
            (&free, "replica/a", json!({"hosts": ["h1", "h1"], "program": "p"}), Some("\"h1\" twice")),
            (&free, "replica/a", json!({"hosts": ["h1"]}), Some("missing field `program`")),
            (&free, "replica/a", json!({"hosts": ["H 1"], "program": "p"}), Some("position 1")),
            (&free, "replica/a_b", json!({"hosts": ["h1"], "program": "p"}), Some("'_' at position 2")),
            (&free, "policy/healing", json!({"strikes": 3}), None),
            (&free, "policy/healing", json!({"heals_parallel": 0}), Some("it must be at least 1")),
            (&free, "policy/healing", json!({"strike": 3}), Some("unknown field `strike`")),
            (&free, "policy/application", json!({"kinds": ["model"]}), None),
            (&free, "policy/application", json!({"kinds": "model"}), Some("invalid type")),
            (&free, "policy/other", json!({}), Some("there are policy/healing and policy/application")),
            (&strict, "model/m", json!(1), None),
            (
                &strict,
                "modle/m",
                json!(1),
                Some("unknown kind \"modle\"; policy/application knows model, policy, replica, rule"),
            ),
        ];
        for (head, key, value, fault) in table {
            let key: Key = key.parse().unwrap();
            match (of_edit(&key, Some(&value), head), fault) {
                (Ok(()), None) => {}
                (Err(found), Some(fault)) => {
                    let said = found.to_string();
                    assert!(said.contains(fault) && said.starts_with(key.as_str()), "{said}");
                }
                (found, fault) => panic!("{key}: {found:?} instead of {fault:?}"),
            }
        }
    }

    #[test]
    fn a_goal_is_whole_or_refused() {
        let head = state(json!({"replica/a": {}, "model/m": 1}));
        let table = [
            (json!({"set": {"model/m": 2}}), None),
            (json!({}), Some("goal: it asks for nothing")),
            (
                json!({"set": {"model/m": 2}, "remove": ["model/m"]}),
                Some("model/m: it is both set and removed"),
            ),
            (json!({"restore": 7}), None),
            (json!({"restore": 8}), Some("restore: there is no version 8; the log ends at 7")),
            (json!({"restore": 0}), Some("restore: there is no version 0")),
            (json!({"restore": "stable"}), Some("restore: no version is stable yet")),
            (json!({"restart": true, "rollout": {"canary": ["a"]}}), None),
            (
                json!({"restart": true, "rollout": {"canary": ["z"]}}),
                Some("rollout.canary: z is not declared"),
            ),
            (json!({"restart": true, "rollout": {"canary": []}}), Some("rollout.canary: it names nobody")),
            (
                json!({"remove": ["replica/a"], "rollout": {"canary": ["a"]}}),
                Some("rollout.canary: a is not declared"),
            ),
            (json!({"remove": ["policy/x"]}), Some("policy/x: unknown policy")),
            (json!({"restart": true, "reason": "x".repeat(1_000)}), None),
            (json!({"restart": true, "reason": "x".repeat(1_001)}), Some("reason: it is 1001 bytes long")),
        ];
        for (text, fault) in table {
            let goal: Goal = serde_json::from_value(text.clone()).unwrap();
            let found = find(&goal, &head, Version(7), None).err().map(|fault| fault.to_string());
            match (&found, fault) {
                (None, None) => {}
                (Some(found), Some(fault)) => assert!(found.starts_with(fault), "{text}: {found}"),
                (found, fault) => panic!("{text}: {found:?} instead of {fault:?}"),
            }
        }
    }
}
