//! Declarations: the values of `replica/…` and `policy/…`, which the watchdog acts on as soon as they are appended.
//!
//! *Holds*: what an edit may put is understood as what it says, and no bound that follows from it is out of its range.

use serde_json::{Value, json};
use watchdog_core::delays::delays_ms;
use watchdog_core::goal::{Pace, PaceWish, fault};
use watchdog_core::policy::{Limit, Policy};
use watchdog_core::replica::{Probe, ReplicaSpec};
use watchdog_core::state::{Key, State};

use super::{target, texts};
use crate::target::{Flavour, Target, Verdict};
use crate::told;

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("declarations", Flavour::Json) };

fn fuzz(bytes: &[u8]) -> Verdict {
    let value: Value = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => return Verdict::Refused(error.to_string()),
    };
    let mut told = Vec::new();
    let mut taken = false;
    for key in ["replica/demo-a", "policy/healing", "policy/application"] {
        let key: Key = key.parse().expect("a key");
        match fault::of_edit(&key, Some(&value), &State::default()) {
            Ok(()) => {
                taken = true;
                means(&key, &value);
            }
            Err(fault) => {
                told::check_fault(&fault.to_string(), key.as_str());
                told.push(fault.what);
            }
        }
    }
    if let Ok(wish) = serde_json::from_value::<PaceWish>(value) {
        let _ = Pace::resolve(&wish, &Policy::default());
    }
    let words = told.join("; ");
    if taken { Verdict::Taken(words) } else { Verdict::Refused(words) }
}

fn means(key: &Key, value: &Value) {
    assert!(value.is_object(), "declaration: a list is taken for a table");
    match key.as_str() {
        "replica/demo-a" => {
            let spec: ReplicaSpec = again(value);
            assert!(!spec.hosts.is_empty(), "replica: it may live nowhere");
            let _: Vec<Probe> = again(&serde_json::to_value(&spec.probes).expect("probes are JSON"));
        }
        "policy/healing" => policy(&again(value)),
        _ => {}
    }
}

fn again<T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug>(
    value: &Value,
) -> T {
    let read: T =
        serde_json::from_value(value.clone()).expect("declaration: it is understood when it is used");
    let written = serde_json::to_value(&read).expect("it is JSON");
    let twice: T =
        serde_json::from_value(written).expect("declaration: it is understood when it is read again");
    assert_eq!(read, twice, "declaration: it is read again as another");
    read
}

fn policy(policy: &Policy) {
    let delays = delays_ms(policy.backoff);
    assert!(!delays.is_empty() && delays.len() <= 64, "policy: {} delays", delays.len());
    let loose = Policy { max_disturbed: Limit::Share(1.0), max_failures: u32::MAX, ..Policy::default() };
    for replicas in [0, 1, 3, 10_000] {
        let most = policy.max_disturbed.of(replicas);
        if let Limit::Share(_) = policy.max_disturbed {
            assert!(most <= replicas.max(1), "policy: a share is more than all");
        }
        let guarded = loose.guarded_by(policy, replicas);
        assert!(guarded.max_disturbed.of(replicas) <= most, "policy: the guard does not hold");
        assert_eq!(guarded, guarded.guarded_by(policy, replicas), "policy: guarding twice is another thing");
    }
    let wish = PaceWish::default();
    let _ = Pace::resolve(&wish, policy);
}

fn samples() -> Vec<Vec<u8>> {
    let spec = json!({
        "hosts": ["h1", "h2"], "program": "p", "parameters": {"listen": "127.0.0.1:0"}, "exclusive": true, "lease_ms": 5000,
        "grace_ms": 100, "live_load": true, "tags": {"a": "b"},
        "probes": [
            {"kind": "http", "path": "/healthz", "address": "127.0.0.1:1", "timing": {"interval_ms": 10}},
            {"kind": "tcp", "timing": {"timeout_ms": 1, "failures": 2}}, {"kind": "command", "program": "c"}, {"kind": "grpc"},
        ],
    });
    let values = [
        spec,
        json!({"hosts": ["h1"], "program": "p"}),
        json!({"hosts": [], "program": "p"}),
        json!({"hosts": ["h1", "h1"], "program": "p"}),
        json!({"hosts": ["h1"], "program": "p", "probes": [{"kind": "http"}]}),
        serde_json::to_value(Policy::default()).expect("a policy is JSON"),
        json!({"max_disturbed": 0.5, "backoff": {"factor": 1e308, "initial_ms": 1}, "strikes_by_fault": {"exited": 1}}),
        json!({"max_disturbed": 2, "autonomy": {"restart": "observe", "reject": "approve"}, "canary": ["a"]}),
        json!({"backoff": {"initial_ms": 0, "factor": 0.0, "max_ms": 0}}),
        json!({"strike": 3}),
        json!({"kinds": ["model", "rule"]}),
        json!({"canary": 1, "batch": 2, "soak_ms": 1, "probation_ms": 1, "max_failures": 1}),
        json!({}),
    ];
    texts(&values.map(|value| value.to_string()))
}
