//! Plan inputs: the input of a plan as a watchdog recorded it, computed again by `watchdogctl plan replay`.
//!
//! *Holds*: whatever stands in it, planning never panics, comes to the same twice, and its linter can be asked.

use serde_json::{Value, json};
use watchdog_core::ids::Epoch;
use watchdog_core::input::PlanInput;
use watchdog_core::planner::plan;
use watchdog_core::render;
use watchdog_core::state::{Hash, State};
use watchdog_core::vet::vet;

use super::{target, texts};
use crate::target::{Flavour, Target, Verdict};

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("plan_inputs", Flavour::Json) };

fn fuzz(bytes: &[u8]) -> Verdict {
    let input: PlanInput = match serde_json::from_slice(bytes) {
        Ok(input) => input,
        Err(error) => return Verdict::Refused(error.to_string()),
    };
    let decision = plan(&input);
    assert!(plan(&input) == decision, "plan: computed twice it is another");
    let stored = serde_json::to_string(&input).expect("an input is JSON");
    let again: PlanInput =
        serde_json::from_str(&stored).expect("plan: its input can't be read as it is written");
    assert!(plan(&again) == decision, "plan: computed from its recorded input it is another");
    let mut words = render::decision(&decision);
    if let Some(plan) = &decision.plan {
        let stored = serde_json::to_string(plan).expect("a plan is JSON");
        assert_eq!(serde_json::from_str(&stored).ok().as_ref(), Some(plan), "plan: it is read as another");
        for objection in vet(plan, &input) {
            words += &objection.to_string();
        }
    }
    Verdict::Taken(words)
}

/// A cluster of two on two hosts, of which `a` is as told.
fn input(life: &Value, convictions: &Value, history: Value) -> Value {
    let hash = Hash::of(b"right");
    let spec = json!({"hosts": ["h1", "h2"], "program": "p"});
    let host = json!({"presence": "present", "instance": "i", "address": "a", "pid": 1, "boot_id": "b", "inventory_complete": true});
    let target = json!({"head": 7, "stable": 7, "version": 7, "state_hash": hash, "empty_hash": State::default().hash()});
    let mut all = json!({
        "cluster": "demo", "epoch": Epoch(2), "now": 10_000_000, "policy": {}, "delays_ms": [1000, 2000], "target": target,
        "replicas": {"a": {"Ok": spec}, "b": {"Ok": spec}, "c": {"Err": "no spec"}},
        "observation": {
            "at": 10_000_000, "sight": "clear", "fenced_write_at": 9_999_999, "hosts": {"h1": host, "h2": host},
            "replicas": {
                "a": {"look": 9, "absent_since": null, "embeds": true, "memberless_since": null, "lives": {(one(1)): life}},
                "b": {"look": 9, "absent_since": null, "embeds": true, "memberless_since": null, "lives": {(one(2)): well("h2")}},
            },
        },
        "convictions": convictions, "fresh": [one(8), one(9)], "obstacles": [],
    });
    let past = json!({"instance": "i", "boot_id": "b", "address": "a"});
    let mut told =
        serde_json::to_value(watchdog_core::history::History::default()).expect("a history is JSON");
    told["epoch"] = json!(2);
    told["hosts"] = json!({"h1": past, "h2": past});
    told["lives"] = json!({"a": [{"incarnation": one(1), "host": "h1", "at": 9_000_000, "obituary": null}]});
    if let (Value::Object(told), Value::Object(history)) = (&mut told, history) {
        told.extend(history);
    }
    all["history"] = told;
    all
}

fn one(number: u8) -> String {
    format!("00000000-0000-0000-0000-00000000000{number}")
}

fn well(host: &str) -> Value {
    let loaded = json!({"version": 7, "state_hash": Hash::of(b"right")});
    json!({
        "host": host, "obituary": null,
        "process": {"pid": 7, "stopping": false, "probe": "passing", "detail": "", "round": 3, "since": 9_000_000, "loaded": null},
        "member": {"pid": 7, "address": "x", "service": null, "loaded": loaded, "health": "ready", "detail": "", "epoch": 2, "since": 9_000_000},
    })
}

fn convicted(kind: &str) -> Value {
    json!([{
        "finding": {
            "kind": kind, "subject": {"replica": "a"}, "incarnation": one(1), "detail": "d",
            "evidence": {"source": "group", "proof": "proven", "at": 9_999_999, "look": 9},
        },
        "strikes": 3, "since": 9_999_000,
    }])
}

fn samples() -> Vec<Vec<u8>> {
    let hash = Hash::of(b"new");
    let mut dead = well("h1");
    dead["obituary"] = json!({"replica": "a", "incarnation": one(1), "host": "h1", "status": "exit 1", "tree_gone": true, "at": 9_999_999});
    let mut failing = well("h1");
    failing["process"]["probe"] = json!("failing");
    let mut drifted = well("h1");
    drifted["member"]["loaded"]["version"] = json!(6);
    let rollout = json!({"stable": 7, "rollout": {
        "goal": "g", "base": 7, "to": 8, "state_hash": hash, "pace": {"canary": 1, "batch": 1, "soak_ms": 10, "probation_ms": 10, "max_failures": 0},
        "restart": false, "started_at": 9_000_000, "guard": null, "earlier": [], "moved": {"a": {"plan": "2-1", "at": 9_100_000}},
        "trials": {"a": {"plan": "2-2", "host": "h1", "at": 9_200_000, "well_at": 9_300_000, "failed": null}}, "failures": [],
    }, "marks": {"7": "stable", "8": "candidate"}, "marked_hashes": {"7": Hash::of(b"right"), "8": hash}});
    let heals = json!({"heals": {"a": [{"plan": "2-1", "remedy": "restart", "since": 9_999_000, "host": "h1", "at": 9_999_100, "ended_at": 9_999_200, "status": "failed"}]}});
    let none = json!({});
    texts(&[
        input(&well("h1"), &json!([]), none.clone()).to_string(),
        input(&dead, &convicted("exited"), none.clone()).to_string(),
        input(&dead, &convicted("exited"), heals).to_string(),
        input(&failing, &convicted("unresponsive"), none.clone()).to_string(),
        input(&drifted, &convicted("wrong_version"), none.clone()).to_string(),
        input(&well("h1"), &convicted("undeclared"), none.clone()).to_string(),
        input(&well("h1"), &convicted("misplaced"), none.clone()).to_string(),
        input(&well("h1"), &convicted("duplicate"), none.clone()).to_string(),
        input(&well("h1"), &convicted("host_gone"), none).to_string(),
        input(&well("h1"), &json!([]), rollout.clone()).to_string(),
        input(&dead, &convicted("flapping"), rollout).to_string(),
        "{}".to_owned(),
    ])
}
