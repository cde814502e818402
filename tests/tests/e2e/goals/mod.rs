//! Goals: a version is declared, proven and promoted, or it is proven bad and undone, and nobody types anything.

mod approvals;
mod blame;
mod declared;
mod places;
mod refused;
mod rollouts;
mod unmodified;

use serde_json::{Value, json};
use watchdog_tests::story::{Replica, Story};

/// The value of a model that scores a little differently than the one that the demo cluster begins with.
fn model(more: &Value) -> Value {
    let mut model = json!({ "weights": { "amount": 0.003, "foreign": 0.7 }, "bias": -1.0 });
    let more = more.as_object().cloned().unwrap_or_default();
    model.as_object_mut().unwrap().extend(more);
    model
}

/// A goal that sets it, at a pace that a test has time for.
fn goal(more: &Value) -> Value {
    json!({ "set": { "model/fraud": model(more) }, "rollout": pace() })
}

/// Without the start that proves a version, because most of these goals are about what a load does.
fn pace() -> Value {
    json!({ "soak_ms": 100, "probation_ms": 200, "prove_start": false })
}

/// Something that goes wrong with a model on some replicas.
fn incident(what: &str, on: &[&str]) -> Value {
    json!({ "incident": { "what": what, "on": on } })
}

/// Declares a goal and waits until it is achieved.
fn achieve(story: &Story, goal: &Value) -> Value {
    let id = story.declare(goal).unwrap();
    let over = story.until_over(&id).unwrap();
    assert_eq!(over["status"], "achieved", "{over:#}");
    over
}

/// Declares a goal and waits until it is rejected.
fn fail(story: &Story, goal: &Value) -> Value {
    let id = story.declare(goal).unwrap();
    let over = story.until_over(&id).unwrap();
    assert_eq!(over["status"], "rejected", "{over:#}");
    over
}

fn head(story: &Story) -> u64 {
    story.dev.status().unwrap()["head"].as_u64().unwrap()
}

fn same_lives(story: &Story, before: &[Replica]) {
    for replica in before {
        let now = story.replica(&replica.name).unwrap();
        assert_eq!(now.incarnation, replica.incarnation, "{} was started anew", replica.name);
    }
}
