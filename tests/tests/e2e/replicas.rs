//! Replicas: one of them dies, hangs, drifts or lies.

use std::time::Duration;

use serde_json::json;
use watchdog_tests::story::{Backend, PATIENCE, Replica, Story, runs};
use watchdog_tests::{admin, http};

crate::stories!(
    a_dead_replica_is_replaced_and_a_stopped_one_is_killed_for_real,
    a_drifted_or_lying_replica_is_brought_back_without_a_restart,
    a_replica_that_dies_at_every_start_is_quarantined_and_the_others_are_left_alone,
    a_healthy_drifted_replica_waits_while_two_of_three_are_down,
);

fn untouched(story: &Story, before: &[Replica]) {
    for replica in before {
        let now = story.replica(&replica.name).unwrap();
        assert_eq!((now.pid, &now.incarnation), (replica.pid, &replica.incarnation), "{}", replica.name);
    }
}

fn a_dead_replica_is_replaced_and_a_stopped_one_is_killed_for_real(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let others = [story.replica("demo-a").unwrap(), story.replica("demo-c").unwrap()];

    let dead = story.replica("demo-b").unwrap();
    let since = story.now().unwrap();
    story.kill(&dead).unwrap();
    let heir = story.until_replaced(&dead).unwrap();
    assert_eq!((heir.version, &heir.state_hash), (dead.version, &dead.state_hash));
    let obituary = story.until_event("the obituary", since, |event| event["kind"] == "died").unwrap();
    assert!(obituary["message"].as_str().unwrap().contains("SIGKILL"), "{obituary}");
    story.until_event("the plan's end", since, |event| event["kind"] == "plan_status").unwrap();
    assert_eq!(story.steps_for("demo-b", since).unwrap(), ["start", "probe"]);

    let since = story.now().unwrap();
    story.freeze(&[heir.pid]).unwrap();
    let second = story.until_replaced(&heir).unwrap();
    assert_ne!(second.pid, heir.pid);
    assert_eq!(story.steps_for("demo-b", since).unwrap(), ["snapshot", "kill", "start", "probe"]);
    let filed = story.until_event("the snapshot", since, |event| event["kind"] == "snapshot_filed").unwrap();
    let plan = filed["plan"].as_str().unwrap();
    let snapshots = story.dev.json(&["plan", "snapshot", plan]).unwrap();
    let picture = snapshots["snapshots"][0]["snapshot_json"].as_str().unwrap();
    assert!(picture.contains(&heir.pid.to_string()), "{picture}");
    untouched(&story, &others);
}

fn a_drifted_or_lying_replica_is_brought_back_without_a_restart(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let all = story.healthy().unwrap();
    let good = story.replica("demo-b").unwrap();
    for (path, fault) in [("/debug/drift?version=2", "wrong_version"), ("/debug/drift", "state_mismatch")] {
        let since = story.now().unwrap();
        let (status, body) = http::ask("POST", &good.address, path, PATIENCE).unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        story
            .until_event(fault, since, |event| {
                event["kind"] == "convicted" && event["message"].as_str().unwrap().contains(fault)
            })
            .unwrap();
        story
            .until(&format!("demo-b as it was before {path}"), |status| {
                let row = status["replicas"].as_array()?.iter().find(|row| row["replica"] == "demo-b")?;
                let back = row["state"] == "healthy"
                    && row["version"] == good.version
                    && row["state_hash"] == good.state_hash.as_str();
                (back && status["plan"].is_null()).then_some(())
            })
            .unwrap();
        let steps = story.steps_for("demo-b", since).unwrap();
        assert!(steps.contains(&"load".to_owned()) && !steps.contains(&"kill".to_owned()), "{steps:?}");
        untouched(&story, &all);
        // Quiet, so that the next fault is a new incident and not the same one again.
        std::thread::sleep(Duration::from_millis(2_200));
    }
}

fn a_replica_that_dies_at_every_start_is_quarantined_and_the_others_are_left_alone(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let others = [story.replica("demo-a").unwrap(), story.replica("demo-c").unwrap()];
    let spec = admin::value(&story.dev, "replica/demo-b").unwrap();
    let mut broken = spec.clone();
    // The address of another process: it can't listen there, and ends.
    let taken = others[0].address.trim_start_matches("http://");
    broken["parameters"]["listen"] = json!(taken);
    admin::append(&story.dev, &[("replica/demo-b", Some(broken))]).unwrap();

    let since = story.now().unwrap();
    story.kill(&story.replica("demo-b").unwrap()).unwrap();
    story
        .until_event("the quarantine", since, |event| {
            event["kind"] == "quarantined" && event["replica"] == "demo-b"
        })
        .unwrap();
    story.until_event("the escalation", since, |event| event["kind"] == "escalated").unwrap();
    let starts = story.steps_for("demo-b", since).unwrap().iter().filter(|kind| *kind == "start").count();
    assert!((2..=6).contains(&starts), "{starts} starts, but tries are bounded and backed off from");
    assert_eq!(story.why("demo-b").unwrap()["state"], "quarantined");
    untouched(&story, &others);

    admin::append(&story.dev, &[("replica/demo-b", Some(spec))]).unwrap();
    let released = story.dev.ctl(&["release", "demo-b"]).unwrap();
    assert!(released.status.success(), "{}", String::from_utf8_lossy(&released.stderr));
    story.until_all_healthy().unwrap();
    untouched(&story, &others);
}

fn a_healthy_drifted_replica_waits_while_two_of_three_are_down(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    // The two that die stay down for a while, because they can't listen where they are told to.
    let drifted = story.replica("demo-a").unwrap();
    let taken = drifted.address.trim_start_matches("http://").to_owned();
    let mut policy = admin::value(&story.dev, "policy/healing").unwrap();
    policy["tries"] = json!({ "load": 9, "restart": 9 });
    let (b, c) = (declared(&story, "replica/demo-b"), declared(&story, "replica/demo-c"));
    let broken = |spec: &serde_json::Value| {
        let mut spec = spec.clone();
        spec["parameters"]["listen"] = json!(taken);
        Some(spec)
    };
    admin::append(
        &story.dev,
        &[("policy/healing", Some(policy)), ("replica/demo-b", broken(&b)), ("replica/demo-c", broken(&c))],
    )
    .unwrap();
    let since = story.now().unwrap();
    for name in ["demo-b", "demo-c"] {
        story.kill(&story.replica(name).unwrap()).unwrap();
    }
    let (status, _) = http::ask("POST", &drifted.address, "/debug/drift?version=2", PATIENCE).unwrap();
    assert_eq!(status, 200);
    story
        .until("demo-a is not touched, and it is said why", |_| {
            let why = story.why("demo-a").ok()?;
            let refusals = why["refusals"].as_array()?;
            refusals.iter().any(|refusal| refusal["kind"] == "would_disturb").then_some(())
        })
        .unwrap();
    assert!(story.steps_for("demo-a", since).unwrap().is_empty());

    admin::append(&story.dev, &[("replica/demo-b", Some(b)), ("replica/demo-c", Some(c))]).unwrap();
    story.until_all_healthy().unwrap();
    assert!(story.steps_for("demo-a", since).unwrap().contains(&"load".to_owned()));
    assert!(runs(drifted.pid), "the drifted one was loaded, not restarted");
}

fn declared(story: &Story, key: &str) -> serde_json::Value {
    admin::value(&story.dev, key).unwrap()
}
