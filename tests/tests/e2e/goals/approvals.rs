//! Approvals: what policy says must be asked is asked, once, and what a human says is done.

use serde_json::{Value, json};
use watchdog_tests::admin;
use watchdog_tests::story::{Backend, PATIENCE, Story};

use super::{achieve, goal, head, incident, pace};

crate::stories!(
    a_move_awaits_approval_and_a_no_is_final,
    a_stable_version_that_proves_bad_gives_way_with_a_humans_consent,
    every_plan_can_be_computed_again,
);

fn set_policy(story: &Story, more: &[(&str, Value)]) {
    let mut policy = admin::value(&story.dev, "policy/healing").unwrap();
    for (key, value) in more {
        policy[*key] = value.clone();
    }
    admin::append(&story.dev, &[("policy/healing", Some(policy))]).unwrap();
}

/// The newest plan that awaits approval.
fn awaiting(story: &Story) -> String {
    watchdog_tests::wait_for("a plan that awaits approval", PATIENCE, || {
        let plans = story.dev.json(&["plan", "list"]).ok()?;
        let waiting = plans["plans"].as_array()?.iter().find(|plan| plan["status"] == "awaiting_approval")?;
        waiting["id"].as_str().map(ToOwned::to_owned)
    })
    .unwrap()
}

fn a_move_awaits_approval_and_a_no_is_final(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    set_policy(&story, &[("autonomy", json!({ "roll": "approve" }))]);
    let id = story.declare(&goal(&Value::Null)).unwrap();
    let view = story.until_goal(&id, "question", |view| view["stage"] == "approval").unwrap();
    let plan = awaiting(&story);
    assert!(view["stage_detail"].as_str().unwrap().contains(&plan), "{view:#}");
    // A heal is not held up by what waits for a human.
    let dead = story.replica("demo-c").unwrap();
    story.kill(&dead).unwrap();
    story.until_replaced(&dead).unwrap();

    let said = admin::decide(&story.dev, &plan, true).unwrap();
    assert!(said.contains("begins"), "{said}");
    let next = watchdog_tests::wait_for("the question about the next", PATIENCE, || {
        let next = awaiting(&story);
        (next != plan).then_some(next)
    });
    admin::decide(&story.dev, &next.unwrap(), false).unwrap();
    let refused = story.until_refused("rollout_waits").unwrap();
    assert!(refused.contains("declined"), "{refused}");
    let since = story.now().unwrap();
    admin::withdraw(&story.dev, &id).unwrap();
    story.until_all_hold_one_state().unwrap();
    let asked = story.events().unwrap().into_iter().filter(|event| {
        event["sequence"].as_u64() > Some(since)
            && event["detail_json"].as_str().unwrap().contains("awaiting_approval")
    });
    assert_eq!(asked.count(), 0, "a no is not asked again");
    let again = admin::decide(&story.dev, &plan, true).unwrap_err().to_string();
    assert!(again.contains("only one that awaits approval"), "{again}");
}

fn a_stable_version_that_proves_bad_gives_way_with_a_humans_consent(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let first = story.until_all_hold_one_state().unwrap();
    let founded = head(&story);
    set_policy(&story, &[("tries", json!({ "restart": 1 })), ("quiet_ms", json!(100))]);
    // It serves well until it is started with it: then two of three can't.
    achieve(&story, &goal(&incident("crash_at_start", &["demo-a", "demo-b"])));
    let bad = story.until_all_hold_one_state().unwrap();
    assert_ne!(bad, first);
    for name in ["demo-a", "demo-b"] {
        story.kill(&story.replica(name).unwrap()).unwrap();
    }
    let plan = awaiting(&story);
    let shown = story.dev.json(&["plan", "show", &plan]).unwrap();
    let reason = shown["reason"].as_str().unwrap();
    assert!(
        reason.contains("demo-a, demo-b had to be given up") && shown["steps"][0]["kind"] == "reject",
        "{shown:#}"
    );
    assert_eq!(story.replica("demo-c").unwrap().state_hash, bad, "nothing happens before somebody says so");

    admin::decide(&story.dev, &plan, true).unwrap();
    assert_eq!(story.until_all_hold_one_state().unwrap(), first);
    let status = story.dev.status().unwrap();
    assert_eq!(status["stable"], status["head"]);
    let verified = story.dev.json(&["log", "diff", &founded.to_string(), "head"]).unwrap();
    let moved =
        verified["lines"].as_array().unwrap().iter().filter(|line| line["key"] != "policy/healing").count();
    assert_eq!(moved, 0, "{verified:#}");
}

fn every_plan_can_be_computed_again(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    super::fail(&story, &goal(&incident("crash", &["demo-b"])));
    story.until_all_hold_one_state().unwrap();
    achieve(&story, &json!({ "restart": true, "rollout": pace() }));
    let plans = story.dev.json(&["plan", "list", "--limit", "100"]).unwrap();
    let plans = plans["plans"].as_array().unwrap();
    assert!(plans.len() > 8, "{plans:#?}");
    for plan in plans {
        let id = plan["id"].as_str().unwrap();
        let replayed = story.dev.json(&["plan", "replay", id]).unwrap();
        assert_eq!(replayed["same"], true, "{id}: {replayed:#}");
    }
}
