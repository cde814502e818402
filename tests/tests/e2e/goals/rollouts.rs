//! Rollouts: good versions reach every replica, one step at a time, whoever leads.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use watchdog_tests::customer::Customer;
use watchdog_tests::story::{Backend, PATIENCE, Replica, Story};
use watchdog_tests::{admin, ports, wait_for};

use super::{achieve, goal, head, incident, pace, same_lives};

crate::stories!(
    a_good_model_reaches_all_without_a_customer_noticing,
    a_version_is_started_from_once_before_it_is_stable,
    a_rolling_restart_is_not_noticed_either,
    a_rollout_goes_on_under_the_next_leader,
    an_old_version_is_restored_and_its_number_touches_nobody,
    a_goal_of_a_thousand_keys_is_one_version_to_replicas,
    a_slow_load_is_waited_for_and_told_of,
);

fn a_good_model_reaches_all_without_a_customer_noticing(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let before = story.healthy().unwrap();
    let customer = Customer::begin(before.iter().map(|replica| replica.address.clone()).collect());
    let over = achieve(&story, &goal(&Value::Null));
    let experience = customer.end();
    let after = story.until_all_hold_one_state().unwrap();
    assert_ne!(after, before[0].state_hash);
    same_lives(&story, &before);
    assert_eq!(over["to"].as_u64(), Some(story.replica("demo-c").unwrap().version));
    assert_eq!(experience.failed, Vec::<String>::new());
    assert!(experience.answered > 10, "{experience:?}");
}

fn a_version_is_started_from_once_before_it_is_stable(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let before = story.healthy().unwrap();
    let mut proven = goal(&Value::Null);
    proven["rollout"]["prove_start"] = json!(true);
    achieve(&story, &proven);
    let is_anew = |was: &&Replica| story.replica(&was.name).unwrap().incarnation != was.incarnation;
    let anew: Vec<&str> = before.iter().filter(is_anew).map(|was| was.name.as_str()).collect();
    assert_eq!(anew, ["demo-a"], "the canary, and no other");
}

fn a_rolling_restart_is_not_noticed_either(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    // Where each will always be found, also by the customer.
    let mut set = serde_json::Map::new();
    let mut addresses = Vec::new();
    for replica in story.healthy().unwrap() {
        let key = format!("replica/{}", replica.name);
        let mut spec = admin::value(&story.dev, &key).unwrap();
        let address = format!("127.0.0.1:{}", ports::free().unwrap());
        spec["parameters"]["listen"] = json!(address);
        set.insert(key, spec);
        addresses.push(address);
    }
    achieve(&story, &json!({ "set": set, "restart": true, "rollout": pace() }));

    let before = story.healthy().unwrap();
    let since = story.now().unwrap();
    let customer = Customer::begin(addresses);
    achieve(&story, &json!({ "restart": true, "rollout": pace() }));
    let experience = customer.end();
    assert_eq!(experience.failed, Vec::<String>::new());
    for replica in &before {
        let now = story.replica(&replica.name).unwrap();
        assert_ne!(now.incarnation, replica.incarnation, "{} was not restarted", replica.name);
        assert_eq!(now.state_hash, replica.state_hash);
        let steps = story.steps_for(&replica.name, since).unwrap();
        assert_eq!(steps, ["snapshot", "drain", "kill", "start", "probe"], "{}", replica.name);
    }
}

fn a_rollout_goes_on_under_the_next_leader(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let before = story.healthy().unwrap();
    // At each stage: while the canary is asked to load (which takes a while), while it soaks, while another loads.
    for (stage, slow) in [("canary", "demo-a"), ("soak", "demo-z"), ("batch", "demo-b")] {
        let (leader, epoch) = story.leader().unwrap();
        let pid = story.pid(&leader).unwrap();
        let bias =
            json!({ "bias": epoch, "incident": { "what": "slow_load", "on": [slow], "after_ms": 500 } });
        let mut goal = goal(&bias);
        goal["rollout"]["soak_ms"] = json!(1_000);
        let id = story.declare(&goal).unwrap();
        story.until_goal(&id, stage, |view| view["stage"] == stage).unwrap();
        story.dev.kill9(pid).unwrap();
        let over = story.until_over(&id).unwrap();
        assert_eq!(over["status"], "achieved", "{stage}: {over:#}");
        assert!(story.leader().unwrap().1 > epoch, "{stage}: the same leader");
        story.until_all_hold_one_state().unwrap();
        same_lives(&story, &before);
        // The dead watchdog is back before the next one is killed.
        story.pid(&leader).unwrap();
    }
}

fn an_old_version_is_restored_and_its_number_touches_nobody(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let first = story.until_all_hold_one_state().unwrap();
    let founded = head(&story);
    achieve(&story, &goal(&Value::Null));
    let second = story.until_all_hold_one_state().unwrap();
    assert_ne!(first, second);

    let over = achieve(&story, &json!({ "restore": founded, "rollout": pace() }));
    assert_eq!(story.until_all_hold_one_state().unwrap(), first);
    assert_eq!(over["to"].as_u64(), Some(founded + 2), "the log only grows");

    // The same state again, by another way: nobody moves for the number, and it needs no proof.
    let before = story.healthy().unwrap();
    let since = story.now().unwrap();
    let rejected = super::fail(&story, &goal(&incident("fail_load", &["demo-a"])));
    assert_eq!(rejected["to"].as_u64(), Some(founded + 3));
    story.until_all_hold_one_state().unwrap();
    let status = story.dev.status().unwrap();
    assert_eq!((&status["head"], &status["stable"]), (&json!(founded + 4), &json!(founded + 4)));
    for name in ["demo-b", "demo-c"] {
        assert_eq!(story.steps_for(name, since).unwrap(), Vec::<String>::new(), "{name}");
        assert_eq!(story.replica(name).unwrap().version, founded + 2);
    }
    same_lives(&story, &before);
    let nothing = achieve(&story, &json!({ "restore": "stable" }));
    assert_eq!(nothing["why"], "all that it asks for holds already");
}

fn a_goal_of_a_thousand_keys_is_one_version_to_replicas(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let from = head(&story);
    let set: serde_json::Map<String, Value> =
        (0..1_000).map(|index| (format!("setting/s-{index}"), json!({ "value": index }))).collect();
    let since = story.now().unwrap();
    let over = achieve(&story, &json!({ "name": "many", "set": set, "rollout": pace() }));
    assert_eq!((over["base"].as_u64(), over["to"].as_u64()), (Some(from), Some(from + 1_000)));
    story.until_all_hold_one_state().unwrap();
    for replica in story.healthy().unwrap() {
        assert_eq!(replica.version, from + 1_000);
        assert_eq!(story.steps_for(&replica.name, since).unwrap(), ["load", "probe"], "{}", replica.name);
    }
    let verified = story.dev.json(&["log", "verify"]).unwrap();
    assert_eq!((&verified["ok"], &verified["entries"]), (&json!(true), &json!(from + 1_000)));
}

fn a_slow_load_is_waited_for_and_told_of(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    // A load that goes on for longer than a step may go without progress, and one that makes none.
    let mut policy = admin::value(&story.dev, "policy/healing").unwrap();
    policy["timeouts"]["load_ms"] = json!(1_000);
    policy["tries"] = json!({ "load": 1, "restart": 1 });
    admin::append(&story.dev, &[("policy/healing", Some(policy))]).unwrap();
    let mut slow = goal(&incident("slow_load", &["demo-a"]));
    slow["set"]["model/fraud"]["incident"]["after_ms"] = json!(2_500);
    let id = story.declare(&slow).unwrap();
    let told = std::cell::RefCell::new(BTreeSet::new());
    let over = wait_for("the slow goal", PATIENCE, || {
        let view = admin::goal(&story.dev, &id).ok()?;
        let row = view["replicas"].as_array()?.iter().find(|row| row["replica"] == "demo-a").cloned();
        told.borrow_mut().extend(row.and_then(|row| row["progress"].as_str().map(ToOwned::to_owned)));
        view["ended_at"].is_string().then_some(view)
    });
    assert_eq!(over.unwrap()["status"], "achieved");
    let told = told.into_inner();
    assert!(told.len() >= 3 && told.iter().any(|said| said.contains("fetching slowly")), "{told:?}");

    let before = story.healthy().unwrap();
    let mut stalled = goal(&incident("stall_load", &["demo-a"]));
    stalled["set"]["model/fraud"]["bias"] = json!(-3.0);
    let over = super::fail(&story, &stalled);
    assert!(over["why"].as_str().unwrap().contains("demo-a failed"), "{over:#}");
    story.until_all_hold_one_state().unwrap();
    same_lives(&story, &before);
}
