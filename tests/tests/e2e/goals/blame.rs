//! Blame: a version that fails is told from a host that fails, and only the version is rejected.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use watchdog_tests::customer::Customer;
use watchdog_tests::story::{Backend, PATIENCE, Story};
use watchdog_tests::{admin, http, ports};

use super::{achieve, fail, goal, head, incident, pace, same_lives};

crate::stories!(
    a_model_that_crashes_one_of_two_is_rejected_and_undone,
    a_bad_model_is_undone_on_five_whoever_leads,
    every_way_to_fail_is_blamed_on_the_version,
    a_host_that_fails_everything_is_not_the_versions_fault,
    a_withdrawn_goal_and_a_superseded_one_leave_nothing_behind,
    a_failure_may_be_tolerated,
);

fn a_model_that_crashes_one_of_two_is_rejected_and_undone(backend: Backend) {
    let story = Story::with(backend, &["--replicas", "2"]).unwrap();
    let before = story.until_all_hold_one_state().unwrap();
    let from = head(&story);
    let all = story.healthy().unwrap();
    let customer = Customer::begin(vec![all[0].address.clone(), all[1].address.clone()]);

    let over = fail(&story, &goal(&incident("crash", &["demo-b"])));
    assert!(over["why"].as_str().unwrap().contains("demo-b failed on version"), "{over:#}");
    assert_eq!(story.until_all_hold_one_state().unwrap(), before);
    assert_eq!(customer.end().failed, Vec::<String>::new(), "A answered throughout");
    let status = story.dev.status().unwrap();
    assert_eq!((status["head"].as_u64(), &status["stable"]), (Some(from + 2), &status["head"]));
    same_lives(&story, &all[..1]);
    let entry = story.dev.json(&["log", "show", &(from + 1).to_string()]).unwrap();
    assert_eq!(entry["mark"], "rejected");
    let verified = story.dev.json(&["log", "verify"]).unwrap();
    assert_eq!(verified["ok"], true);
}

fn a_bad_model_is_undone_on_five_whoever_leads(backend: Backend) {
    let story = Story::with(backend, &["--replicas", "5"]).unwrap();
    let before = story.until_all_hold_one_state().unwrap();
    // While the bad one is tried on the stable version, and once it is rejected and others return.
    for (round, kind) in ["trial", "rollback"].into_iter().enumerate() {
        let (leader, epoch) = story.leader().unwrap();
        let pid = story.pid(&leader).unwrap();
        let since = story.now().unwrap();
        let mut bad = goal(&incident("crash", &["demo-d"]));
        bad["set"]["model/fraud"]["bias"] = json!(round);
        bad["rollout"]["probation_ms"] = json!(600);
        let id = story.declare(&bad).unwrap();
        if kind == "trial" {
            story.until_goal(&id, "trial", |view| view["stage"] == "trial").unwrap();
        } else {
            story.until_event("the rejection", since, |event| event["kind"] == "goal_ended").unwrap();
        }
        story.dev.kill9(pid).unwrap();
        let over = story.until_over(&id).unwrap();
        assert_eq!(over["status"], "rejected", "{kind}: {over:#}");
        assert_eq!(story.until_all_hold_one_state().unwrap(), before, "{kind}");
        story
            .until("another leader", |status| (status["leader"]["epoch"].as_u64()? > epoch).then_some(()))
            .unwrap();
        assert_eq!(
            story.steps_for("demo-e", since).unwrap(),
            Vec::<String>::new(),
            "{kind}: it was never its turn"
        );
        story.pid(&leader).unwrap();
    }
}

fn every_way_to_fail_is_blamed_on_the_version(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let mut policy = admin::value(&story.dev, "policy/healing").unwrap();
    policy["tries"] = json!({ "load": 1, "restart": 1 });
    policy["timeouts"]["load_ms"] = json!(1_000);
    policy["timeouts"]["probe_ms"] = json!(1_500);
    policy["quiet_ms"] = json!(100);
    admin::append(&story.dev, &[("policy/healing", Some(policy))]).unwrap();
    let before = story.until_all_hold_one_state().unwrap();
    let others = [story.replica("demo-b").unwrap(), story.replica("demo-c").unwrap()];
    let canary = story.replica("demo-a").unwrap();
    // These are noticed while the old state still serves, so that nobody need be started anew.
    for what in ["fail_load", "fail_commit"] {
        let over = fail(&story, &goal(&incident(what, &["demo-a"])));
        assert!(over["why"].as_str().unwrap().contains("demo-a failed"), "{what}: {over:#}");
        assert_eq!(story.until_all_hold_one_state().unwrap(), before, "{what}");
        assert_eq!(story.replica("demo-a").unwrap().incarnation, canary.incarnation, "{what}");
    }
    for what in ["unhealthy", "hang", "lie", "crash_at_start"] {
        let mut bad = goal(&incident(what, &["demo-a"]));
        bad["restart"] = json!(what == "crash_at_start");
        let over = fail(&story, &bad);
        assert!(over["why"].as_str().unwrap().contains("demo-a failed"), "{what}: {over:#}");
        assert_eq!(story.until_all_hold_one_state().unwrap(), before, "{what}");
    }
    same_lives(&story, &others);
}

fn a_host_that_fails_everything_is_not_the_versions_fault(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let address = format!("127.0.0.1:{}", ports::free().unwrap());
    let mut spec = admin::value(&story.dev, "replica/demo-b").unwrap();
    let mut policy = admin::value(&story.dev, "policy/healing").unwrap();
    // There is no other host for it.
    spec["parameters"]["listen"] = json!(address);
    spec["hosts"] = json!([story.replica("demo-b").unwrap().host]);
    admin::append(&story.dev, &[("replica/demo-b", Some(spec))]).unwrap();
    story
        .until("demo-b at its place", |_| {
            story.replica("demo-b").ok().filter(|it| it.address.ends_with(&address) && it.state == "healthy")
        })
        .unwrap();
    story.until_all_healthy().unwrap();
    policy["tries"] = json!({ "restart": 1 });
    policy["quiet_ms"] = json!(100);
    admin::append(&story.dev, &[("policy/healing", Some(policy))]).unwrap();

    // As soon as it has died somebody else has its port, and it can't listen whatever it is started with.
    let thief = std::thread::spawn({
        let address = address.clone();
        move || {
            let begun = Instant::now();
            loop {
                if let Ok(listener) = TcpListener::bind(&address) {
                    return listener;
                }
                assert!(begun.elapsed() < PATIENCE, "nobody left {address}");
                // Quicker than it is started again.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let id = story.declare(&goal(&incident("crash", &["demo-b"]))).unwrap();
    let held = story.until_goal(&id, "hold", |view| view["stage"] == "held").unwrap();
    assert!(held["stage_detail"].as_str().unwrap().contains("demo-b fails"), "{held:#}");
    assert_eq!(held["status"], "rolling", "the version is not rejected");
    story.until_event("the quarantine", 0, |event| event["kind"] == "quarantined").unwrap();
    let a = story.replica("demo-a").unwrap();
    assert_eq!(Some(a.version), held["to"].as_u64(), "who is fine on it stays there");
    let refused = story.until_refused("rollout_held").unwrap();
    assert!(refused.contains("goal withdraw"), "{refused}");

    // A human decides; demo-b, which nobody can help, does not keep the others from returning.
    let said = admin::withdraw(&story.dev, &id).unwrap();
    assert!(said.contains("taken back"), "{said}");
    drop(thief.join().unwrap());
    let released = story.dev.ctl(&["release", "demo-b"]).unwrap();
    assert!(released.status.success(), "{}", String::from_utf8_lossy(&released.stderr));
    story.until_all_hold_one_state().unwrap();
    assert_eq!(admin::goal(&story.dev, &id).unwrap()["status"], "withdrawn");
}

fn a_withdrawn_goal_and_a_superseded_one_leave_nothing_behind(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let before = story.until_all_hold_one_state().unwrap();
    let lives = story.healthy().unwrap();
    let mut long = goal(&Value::Null);
    long["rollout"]["soak_ms"] = json!(600_000);
    let id = story.declare(&long).unwrap();
    story.until_goal(&id, "soak", |view| view["stage"] == "soak").unwrap();
    admin::withdraw(&story.dev, &id).unwrap();
    assert_eq!(story.until_all_hold_one_state().unwrap(), before);
    assert_eq!(admin::goal(&story.dev, &id).unwrap()["status"], "withdrawn");

    // A second goal takes over from one that soaks for ever, and fails: what is returned to is what was stable.
    let id = story.declare(&long).unwrap();
    story.until_goal(&id, "soak", |view| view["stage"] == "soak").unwrap();
    let waiting = story.declare(
        &json!({ "set": { "rule/later": { "if_above": 0.99, "then": "deny" } }, "rollout": pace() }),
    );
    let waiting = waiting.unwrap();
    let mut over = goal(&incident("crash", &["demo-b"]));
    over["set"]["setting/of-the-second"] = json!(2);
    let request = watchdog_proto::admin::GoalApplyRequest {
        goal_json: over.to_string(),
        supersede: true,
        ..Default::default()
    };
    let second = admin::declare_as(&story.dev, request).unwrap();
    let over = story.until_over(&second).unwrap();
    assert_eq!(over["status"], "rejected", "{over:#}");
    assert_eq!(admin::goal(&story.dev, &id).unwrap()["status"], "superseded");
    // The one that waited begins from there.
    let over = story.until_over(&waiting).unwrap();
    assert_eq!(over["status"], "achieved", "{over:#}");
    story.until_all_hold_one_state().unwrap();
    let state = story.dev.json(&["log", "state"]).unwrap();
    let state = state["state_json"].as_str().unwrap();
    assert!(
        state.contains("rule/later") && !state.contains("of-the-second") && !state.contains("incident"),
        "{state}"
    );
    same_lives(&story, &[lives[0].clone(), lives[2].clone()]);
}

fn a_failure_may_be_tolerated(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let before = story.until_all_hold_one_state().unwrap();
    let since = story.now().unwrap();
    let mut bad = goal(&incident("crash", &["demo-a"]));
    bad["rollout"]["max_failures"] = json!(1);
    fail(&story, &bad);
    assert_eq!(story.until_all_hold_one_state().unwrap(), before);
    let events = story.events().unwrap();
    let moves = events.iter().filter(|event| {
        let late = event["sequence"].as_u64() > Some(since);
        late && event["kind"] == "plan_recorded"
            && event["detail_json"].as_str().unwrap().contains("\"remedy\":\"roll\"")
    });
    assert!(moves.count() >= 2, "it was tried again once");
    let answer = http::json(
        &story.replica("demo-a").unwrap().address,
        "/score?amount=1",
        std::time::Duration::from_secs(5),
    );
    assert!(answer.is_some());
    achieve(&story, &goal(&Value::Null));
}
