//! Tests: what a scenario reads out of the record, what it is called, and that it does not wait for ever.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use clap::ValueEnum as _;
use serde_json::{Value, json};
use watchdog_proto::admin::Event;
use watchdog_trust::{Dialer, Servers};

use tokio::time::Instant;

use super::record::{Peak, Record};
use super::scene::Scene;
use super::{Client, Scenario, Timeline};
use crate::dev::founding::Shape;

const LIFE: &str = "01a20e99-3bdc-73e9-bd1a-9f8cbf10b538";

/// A record of these entries.
fn record(entries: &[Value]) -> Record {
    let event = |body: &Value| Event { detail_json: body.to_string(), ..Event::default() };
    Record::read(&entries.iter().map(event).collect::<Vec<_>>()).unwrap()
}

/// A plan for one replica, with these acts as its steps.
fn plan(id: &str, replica: &str, acts: &[Value]) -> Value {
    let step = |(index, act): (usize, &Value)| {
        json!({
            "id": format!("{id}-{}", index + 1), "replica": replica, "act": act,
            "why": "", "timeout_ms": 1, "optional": false,
        })
    };
    json!({
        "kind": "plan_recorded",
        "status": "running",
        "plan": {
            "id": id, "epoch": 1, "created_at": 0, "reason": "", "convictions": [], "heals": [],
            "steps": acts.iter().enumerate().map(step).collect::<Vec<_>>(),
        },
    })
}

fn order(plan: &str, index: u32, replica: &str) -> Value {
    json!({
        "kind": "intended", "plan": plan, "step": format!("{plan}-{index}"), "replica": replica,
        "agent": { "host": "h1" }, "instance": null,
    })
}

fn ended(plan: &str, status: &str) -> Value {
    json!({ "kind": "plan_status", "plan": plan, "status": status, "why": "" })
}

fn died(replica: &str) -> Value {
    json!({ "kind": "died", "obituary": {
        "replica": replica, "incarnation": LIFE, "host": "h1", "status": "exit 1", "tree_gone": true, "at": 0,
    }})
}

fn load() -> Value {
    json!({ "kind": "load", "incarnation": LIFE, "from": 1, "to": 2 })
}

fn start() -> Value {
    json!({ "kind": "start", "host": "h1", "incarnation": LIFE, "version": 2 })
}

#[test]
fn what_was_ordered_is_told_and_what_was_only_planned_is_not() {
    let record = record(&[plan("1-1", "a", &[load(), start()]), order("1-1", 1, "a"), died("b")]);
    assert_eq!((record.words("a"), record.words("b")), ("load".to_owned(), "nothing".to_owned()));
    assert_eq!(record.touched().into_iter().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn who_serves_is_touched_and_who_is_dead_is_only_disturbed() {
    let (a, b) = (plan("1-1", "a", &[load()]), plan("1-2", "b", &[load()]));
    let born = plan("1-3", "c", &[start()]);
    let peak = |touched, disturbed| Peak { touched, disturbed };
    let table = [
        ("nothing", vec![], peak(0, 0)),
        ("planned only", vec![a.clone(), b.clone()], peak(0, 0)),
        (
            "one after the other",
            vec![a.clone(), order("1-1", 1, "a"), ended("1-1", "done"), b.clone(), order("1-2", 1, "b")],
            peak(1, 1),
        ),
        ("two at once", vec![a.clone(), b.clone(), order("1-1", 1, "a"), order("1-2", 1, "b")], peak(2, 2)),
        ("one beside a dead one", vec![died("b"), a.clone(), order("1-1", 1, "a")], peak(1, 2)),
        ("a dead one", vec![died("a"), a.clone(), order("1-1", 1, "a")], peak(0, 1)),
        (
            "a dead one that was not helped",
            vec![died("a"), a.clone(), order("1-1", 1, "a"), ended("1-1", "failed"), b, order("1-2", 1, "b")],
            peak(1, 2),
        ),
        (
            "a new one beside one that serves",
            vec![a, born, order("1-1", 1, "a"), order("1-3", 1, "c")],
            peak(1, 2),
        ),
    ];
    for (story, entries, expected) in table {
        assert_eq!(record(&entries).peak(), expected, "{story}");
    }
}

#[test]
fn scenarios_are_called_as_the_design_says() {
    let names: Vec<String> = Scenario::value_variants().iter().map(|scenario| scenario.name()).collect();
    let expected = [
        "crash",
        "hang",
        "drift",
        "bad-model-on-b",
        "bad-model-everywhere",
        "leader-dies-mid-rollout",
        "bad-stable",
        "slow-journal",
        "scale-out",
        "rolling-restart",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn at_the_deadline_it_is_said_what_was_waited_for() {
    // A port of an address that nobody was ever given.
    let client =
        Client::new(&["http://127.77.0.1:1".to_owned()], &Dialer::new(None, Servers::Watchdogs)).unwrap();
    let timeline = Timeline::begin(&client, std::time::SystemTime::UNIX_EPOCH);
    let home = std::path::Path::new("/nowhere");
    let shape = Shape { hosts: 1, probe_timeout_ms: 80 };
    let journal = &"sqlite:/nowhere/journal.db".parse().unwrap();
    let scene =
        Scene { client: &client, timeline: &timeline, home, journal, shape, deadline: Instant::now() };
    let error = scene.leader().await.unwrap_err().to_string();
    assert_eq!(error, "waited in vain for a leader; found: http://127.77.0.1:1 does not answer");
    let error = scene.declare(&json!({})).await.unwrap_err().to_string();
    assert_eq!(error, "waited in vain for a leader that takes the goal; found: nobody leads");
    assert!(scene.record().await.unwrap_err().to_string().contains("no watchdog tells the record"));
}
