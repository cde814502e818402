//! Places: replicas come, go and move by goals, as many and where they are declared.

use serde_json::json;
use watchdog_tests::admin;
use watchdog_tests::story::{Backend, Story, runs};

use super::{achieve, pace, same_lives};

crate::stories!(
    a_cluster_grows_to_five_and_shrinks_to_two,
    a_replica_moves_to_another_host,
    a_rejected_goal_takes_its_replicas_with_it,
);

fn a_cluster_grows_to_five_and_shrinks_to_two(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let before = story.healthy().unwrap();
    let spec = admin::value(&story.dev, "replica/demo-a").unwrap();
    let set = json!({ "replica/demo-d": spec, "replica/demo-e": spec });
    achieve(&story, &json!({ "name": "grow", "set": set, "rollout": pace() }));
    story.until_all_hold_one_state().unwrap();
    let five = story.healthy().unwrap();
    assert_eq!(five.len(), 5, "{five:?}");
    same_lives(&story, &before);

    let remove = ["replica/demo-c", "replica/demo-d", "replica/demo-e"];
    achieve(&story, &json!({ "name": "shrink", "remove": remove, "rollout": pace() }));
    story.until("two replicas", |status| (status["replicas"].as_array()?.len() == 2).then_some(())).unwrap();
    for gone in five.iter().filter(|replica| ["demo-c", "demo-d", "demo-e"].contains(&replica.name.as_str()))
    {
        assert!(!runs(gone.pid), "{} still runs", gone.name);
    }
    same_lives(&story, &before[..2]);
}

fn a_replica_moves_to_another_host(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let before = story.replica("demo-b").unwrap();
    let to = if before.host == "h1" { "h2" } else { "h1" };
    let mut spec = admin::value(&story.dev, "replica/demo-b").unwrap();
    spec["hosts"] = json!([to]);
    let since = story.now().unwrap();
    achieve(&story, &json!({ "set": { "replica/demo-b": spec }, "rollout": pace() }));
    story.until_all_hold_one_state().unwrap();
    let after = story.replica("demo-b").unwrap();
    assert_eq!(after.host, to);
    assert!(!runs(before.pid));
    assert_eq!(story.steps_for("demo-b", since).unwrap(), ["snapshot", "drain", "kill", "start", "probe"]);
}

fn a_rejected_goal_takes_its_replicas_with_it(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let before = story.healthy().unwrap();
    let spec = admin::value(&story.dev, "replica/demo-a").unwrap();
    let mut bad = super::goal(&super::incident("fail_load", &["demo-a"]));
    bad["set"]["replica/demo-d"] = spec;
    super::fail(&story, &bad);
    story
        .until("the new replica gone", |status| (status["replicas"].as_array()?.len() == 3).then_some(()))
        .unwrap();
    story.until_all_hold_one_state().unwrap();
    same_lives(&story, &before);
}
