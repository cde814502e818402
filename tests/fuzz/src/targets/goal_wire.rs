//! Goal wire: a goal as it comes to the leader, from whatever program.
//!
//! *Holds*: what is taken can be recorded and read again, its changes can be stored, sent to a replica as a difference
//! and hashed there to the same state, and composing it again changes nothing.

use serde_json::{Value, json};
use watchdog_core::difference::Difference;
use watchdog_core::goal::compose::{applied, compose};
use watchdog_core::goal::{Goal, fault, wire};
use watchdog_core::ids::Version;
use watchdog_core::record::Body;
use watchdog_core::state::State;
use watchdog_membership::handover::StateFile;
use watchdogctl::outside::goal_file;

use super::{target, texts};
use crate::target::{Flavour, Target, Verdict};
use crate::told;

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("goal_wire", Flavour::Json) };

/// What stands in the log before the goal.
pub(super) fn state() -> State {
    let value = json!({
        "model/fraud": {"bias": 1.0}, "rule/old": "x", "setting/s": 1,
        "setting/big": 9_007_199_254_740_992_u64, "policy/healing": {"strikes": 3},
        "replica/demo-a": {"hosts": ["h1"], "program": "p"}, "replica/demo-b": {"hosts": ["h2"], "program": "p"},
    });
    serde_json::from_value(value).expect("a state")
}

fn fuzz(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::no_text() };
    let goal: Goal = match wire::read(text) {
        Ok(goal) => goal,
        Err(error) => return Verdict::Refused(error.to_string()),
    };
    assert!(!text.trim_start().starts_with('['), "goal: the wire takes a list for a goal");
    if let Err(said) = goal_file("goal.json", bytes) {
        assert!(!said.contains("it is given twice"), "goal: the wire takes a key that is given twice");
    }
    let head = state();
    if let Err(fault) = fault::find(&goal, &head, Version(7), Some(Version(3))) {
        told::check_fault(&fault.to_string(), &fault.field);
        return Verdict::Refused(fault.to_string());
    }
    can_be_recorded(&goal);
    let past = State(
        head.0.iter().filter(|(key, _)| key.kind() != "rule").map(|(k, v)| (k.clone(), v.clone())).collect(),
    );
    let restored = goal.restore.map(|_| &past);
    let changes = compose(&goal, &head, restored);
    let after = applied(&head, &changes);
    assert!(compose(&goal, &after, restored).is_empty(), "goal: composing it again changes something");
    for (key, value) in &goal.set {
        let stands = after.get(key).expect("goal: what it sets is not there");
        assert!(alike(stands, value), "goal: what it sets is there as another");
    }
    for change in &changes {
        for value in [&change.before, &change.after].into_iter().flatten() {
            let text = serde_json::to_string(value).expect("a value is JSON");
            let again: serde_json::Value =
                serde_json::from_str(&text).expect("goal: a value can't be read from the journal again");
            assert_eq!(*value, again, "goal: a value comes out of the journal as another");
        }
    }
    reaches_replicas(&head.application(), &after.application());
    Verdict::Taken(goal.gist())
}

/// Whether two values are the same, however they are spelt: `1.0` and `1` are, and no two whole numbers.
fn alike(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(x), Value::Number(y)) if x.is_f64() || y.is_f64() => x.as_f64() == y.as_f64(),
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(x, y)| alike(x, y)),
        (Value::Object(x), Value::Object(y)) => {
            x.len() == y.len() && x.iter().all(|(name, x)| y.get(name).is_some_and(|y| alike(x, y)))
        }
        _ => a == b,
    }
}

fn can_be_recorded(goal: &Goal) {
    let body = Body::GoalDeclared {
        goal: "g".parse().expect("a name"),
        request: "r".to_owned(),
        spec: goal.clone(),
        supersede: false,
        may_loosen: true,
    };
    let text = serde_json::to_string(&body).expect("an entry is JSON");
    let again: Body =
        serde_json::from_str(&text).expect("goal: its entry can't be read from the journal again");
    assert_eq!(again, body, "goal: its entry comes out of the journal as another");
}

fn reaches_replicas(before: &State, after: &State) {
    let difference = before.difference(after);
    let text = serde_json::to_string(&difference).expect("a difference is JSON");
    let sent: Difference =
        serde_json::from_str(&text).expect("goal: its difference can't be read by an agent");
    let mut held = before.clone();
    for (key, value) in &sent.0 {
        held.apply(key, value.as_ref());
    }
    assert_eq!(held.hash(), after.hash(), "goal: a replica that loads the difference holds another state");
    let file = StateFile { version: Version(8), state_hash: after.hash(), state: after.clone() };
    let text = serde_json::to_string(&file).expect("a state is JSON");
    let again: StateFile = serde_json::from_str(&text).expect("goal: its state can't be read by a replica");
    assert_eq!(again.state.hash(), after.hash(), "goal: a replica that starts with it holds another state");
}

fn samples() -> Vec<Vec<u8>> {
    let values = [
        json!({"set": {"model/fraud": {"bias": 2.0, "weights": {"a": 0.1}}}, "remove": ["rule/old"]}),
        json!({"set": {"setting/s": 1.0}}),
        json!({"set": {"setting/s": 9_007_199_254_740_993_u64}}),
        json!({"set": {"setting/s": -1.5e300, "setting/t": "\u{0}\u{1b}\u{ffff}", "setting/u": ["𝒳", {"": []}]}}),
        json!({"set": {"model/m": null}}),
        json!({"restore": 3, "set": {"rule/new": {}}}),
        json!({"restore": "stable"}),
        json!({"restart": true, "rollout": {"canary": ["demo-a"], "soak_ms": 0, "batch": 0}}),
        json!({"set": {"replica/demo-c": {"hosts": ["h1", "h2"], "program": "p", "exclusive": true}}}),
        json!({"set": {"policy/healing": {"strikes": 1}, "policy/application": {"kinds": ["model"]}}}),
        json!({"name": "g", "reason": "r", "remove": ["replica/demo-b"]}),
        json!({"set": {"setting/d": [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}}),
        json!({"set": {"model": 1}}),
        json!({"sets": {}}),
        json!({"restore": 99}),
    ];
    let mut samples = texts(&values.map(|value| value.to_string()));
    samples.extend(texts(&["{\"set\":{\"model/m\":1,\"model/m\":2}}", "{}", "[]", "7"]));
    samples
}
