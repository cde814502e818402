//! Work: the changes, entries and inputs that are written.

use std::ops::Range;
use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;
use watchdog_core::change::Change;
use watchdog_core::ids::{ClusterId, Epoch, PlanId, Time, Version};
use watchdog_core::record::Body;
use watchdog_core::state::{Hash, Key, State};
use watchdog_journal::Journal;
use watchdog_ports::healing_log::{PlanInputRecord, Write};
use watchdog_ports::metadata_log::{Append, MetadataLog as _};

pub(crate) const KEYS: u64 = 10_000;
const BATCH: u64 = 1_000;

/// Appends `changes` changes of all keys in turn, and says how long each thousand took.
pub(crate) async fn fill(journal: &Journal, cluster: &ClusterId, changes: u64) -> Vec<Duration> {
    let mut state = State::default();
    let mut took = Vec::new();
    for start in (0..changes).step_by(usize::try_from(BATCH).unwrap()) {
        let end = changes.min(start + BATCH);
        let append = append(cluster, &mut state, Version(start)..Version(end));
        let started = Instant::now();
        journal.append(append).await.unwrap();
        took.push(started.elapsed());
    }
    took
}

/// The append that leads from one version to another, done to `state` too.
pub(crate) fn append(cluster: &ClusterId, state: &mut State, versions: Range<Version>) -> Append {
    let mut change = |index: u64| {
        let key = Key::new(format!("model/m-{}", index * 7_919 % KEYS)).unwrap();
        let after = json!({"revision": index, "uri": "s3://models/fraud", "threshold": 0.75});
        let change = Change::of(state, key, Some(after));
        state.apply(&change.key, change.after.as_ref());
        change
    };
    Append {
        cluster: cluster.clone(),
        epoch: Epoch(1),
        request: Uuid::new_v4(),
        expected: versions.start,
        at: Time(versions.start.0),
        author: "bench".to_owned(),
        goal: None,
        changes: (versions.start.0..versions.end.0).map(&mut change).collect(),
    }
}

/// A write of two entries.
pub(crate) fn write(cluster: &ClusterId, inputs: Vec<PlanInputRecord>) -> Write {
    let body = Body::Escalated { subject: None, message: "x".repeat(300) };
    Write {
        cluster: cluster.clone(),
        epoch: Epoch(1),
        request: Uuid::new_v4(),
        at: Time(1),
        by: "bench".to_owned(),
        bodies: vec![body.clone(), body],
        inputs,
    }
}

pub(crate) fn planned(count: u64, input: &str) -> PlanInputRecord {
    let plan = PlanId::numbered(Epoch(1), count);
    PlanInputRecord { plan, core_version: "0.1.0".to_owned(), input: input.to_owned() }
}

/// Something like what was seen of many replicas, `bytes` long at least: names, numbers and hashes.
pub(crate) fn input(bytes: usize) -> String {
    let mut replicas = Vec::new();
    let mut length = 0;
    while length < bytes {
        let index = replicas.len();
        let replica = json!({
            "replica": format!("scoring-{index}"), "incarnation": Uuid::new_v4(), "pid": 4_000 + index * 7,
            "loaded": {"version": 41, "state_hash": Hash::of(b"state")}, "since": 1_700_000_000_123_u64 + index as u64,
            "health": "ready", "probe": {"passing": {"round": 512}}, "detail": "", "epoch": 3, "address": "10.0.0.7:9000",
        });
        length += replica.to_string().len() + 1;
        replicas.push(replica);
    }
    json!({ "observation": replicas }).to_string()
}
