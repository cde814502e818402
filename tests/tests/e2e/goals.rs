//! Goals: a version is declared, proven and promoted, or it is proven bad and undone, and nobody types anything.

use serde_json::{Value, json};
use watchdog_tests::story::{Backend, Story};

crate::stories!(
    a_model_that_crashes_one_of_two_is_rejected_and_undone,
    a_good_model_reaches_all_and_is_stable,
);

/// The model that the demo cluster begins with, and what else is said of it.
fn model(more: &Value) -> Value {
    let mut model = json!({ "weights": { "amount": 0.003, "foreign": 0.7 }, "bias": -1.0 });
    let more = more.as_object().cloned().unwrap_or_default();
    model.as_object_mut().unwrap().extend(more);
    model
}

/// A goal that sets it, at a pace that a test has time for.
fn goal(more: &Value) -> Value {
    json!({ "set": { "model/fraud": model(more) }, "rollout": { "soak_ms": 100, "probation_ms": 200 } })
}

fn crash_on(replicas: &[&str]) -> Value {
    json!({ "incident": { "what": "crash", "on": replicas } })
}

/// Every replica holds the same state, and it is the stable one.
fn all_on_stable(story: &Story) -> String {
    story.until_all_healthy().unwrap();
    let replicas = story.healthy().unwrap();
    let hash = replicas[0].state_hash.clone();
    assert!(replicas.iter().all(|replica| replica.state_hash == hash), "{replicas:?}");
    hash
}

fn a_model_that_crashes_one_of_two_is_rejected_and_undone(backend: Backend) {
    let story = Story::with(backend, &["--replicas", "2"]).unwrap();
    let before = all_on_stable(&story);
    let head = story.dev.status().unwrap()["head"].as_u64().unwrap();
    let a = story.replica("demo-a").unwrap();
    let id = story.declare(&goal(&crash_on(&["demo-b"]))).unwrap();

    let over = story.until_over(&id).unwrap();
    assert_eq!(over["status"], "rejected", "{over:#}");
    assert!(over["why"].as_str().unwrap().contains("demo-b failed on version"), "{over:#}");
    let status = story
        .until("the head returned to the stable state", |status| {
            (status["head"].as_u64()? == head + 2 && status["stable"] == status["head"])
                .then(|| status.clone())
        })
        .unwrap();
    assert!(status["goal"].is_null(), "{status:#}");
    assert_eq!(all_on_stable(&story), before);
    assert_eq!(story.replica("demo-a").unwrap().incarnation, a.incarnation, "A was loaded, not restarted");
    let marks = story.dev.json(&["log", "show", &(head + 1).to_string()]).unwrap();
    assert_eq!(marks["mark"], "rejected");
}

fn a_good_model_reaches_all_and_is_stable(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let before = story.healthy().unwrap();
    let id = story.declare(&goal(&Value::Null)).unwrap();
    let over = story.until_over(&id).unwrap();
    assert_eq!(over["status"], "achieved", "{over:#}");
    let after = all_on_stable(&story);
    assert_ne!(after, before[0].state_hash);
    for replica in &before {
        let now = story.replica(&replica.name).unwrap();
        assert_eq!(now.incarnation, replica.incarnation, "nobody was restarted");
        assert_eq!(over["to"].as_u64(), Some(now.version));
    }
}
