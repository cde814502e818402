//! Records: the entries of the record, a line each, folded into history in whatever order they come.
//!
//! *Holds*: folding never panics; bit by bit and by way of JSON it comes to the same; what is open can be asked what is next.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use watchdog_core::goal::errand::errand;
use watchdog_core::history::History;
use watchdog_core::ids::{Epoch, ReplicaId, Sequence, Time};
use watchdog_core::next::next;
use watchdog_core::observation::{Observation, Sight};
use watchdog_core::record::{Body, Entry};
use watchdog_core::state::Hash;
use watchdog_core::tell::tell;

use super::{target, texts};
use crate::target::{Flavour, Target, Verdict};

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("records", Flavour::Json) };

/// Entries lie deeper within what is made of them; whoever accepts a goal has to see that there is room.
const DEPTH_MAX: usize = 100;

/// A line `E T BODY` sets epoch and time; both go on from there.
fn entries(text: &str) -> (Vec<Entry>, Option<String>) {
    let (mut epoch, mut at, mut refused) = (Epoch(1), Time(1_000), None);
    let mut entries = Vec::new();
    for line in text.lines() {
        let start = line.find('{').unwrap_or(line.len());
        let mut numbers = line[..start].split_whitespace().filter_map(|word| word.parse().ok());
        epoch = numbers.next().map_or(epoch, Epoch);
        at = numbers.next().map_or(at.plus_ms(10), Time);
        if depth(&line[start..]) > DEPTH_MAX {
            refused = Some("too deep".to_owned());
            continue;
        }
        match serde_json::from_str::<Body>(&line[start..]) {
            Ok(body) => {
                let sequence = Sequence(entries.len() as u64 + 1);
                entries.push(Entry { sequence, at, epoch, by: "w1".to_owned(), body });
            }
            Err(error) => refused = Some(error.to_string()),
        }
    }
    (entries, refused)
}

/// How deeply a JSON text is nested at most; brackets in texts count too.
fn depth(json: &str) -> usize {
    let steps = json.bytes().scan(0_usize, |depth, byte| {
        match byte {
            b'{' | b'[' => *depth += 1,
            b'}' | b']' => *depth = depth.saturating_sub(1),
            _ => {}
        }
        Some(*depth)
    });
    steps.max().unwrap_or(0)
}

fn fuzz(bytes: &[u8]) -> Verdict {
    let Ok(text) = std::str::from_utf8(bytes) else { return Verdict::no_text() };
    let (entries, refused) = entries(text);
    let history = History::replay(&entries);
    let half = entries.len() / 2;
    let first = History::replay(&entries[..half]);
    let stored = serde_json::to_string(&first).expect("a history is JSON");
    let mut resumed: History =
        serde_json::from_str(&stored).expect("record: a history can't be read as it is written");
    for entry in &entries {
        resumed.apply(entry);
    }
    assert!(resumed == history, "record: folded by way of JSON it is another");
    let mut words = Vec::new();
    for entry in &entries {
        let stored = serde_json::to_string(entry).expect("an entry is JSON");
        let again: Entry =
            serde_json::from_str(&stored).expect("record: an entry can't be read as it is written");
        assert_eq!(&again, entry, "record: an entry is read as another");
        words.push(tell(&entry.body).kind);
    }
    let replica: ReplicaId = "demo-a".parse().expect("a name");
    let _ = (errand(&history), history.stable_before(), history.counts(&replica, Time(1)));
    let sight = Observation {
        at: history.last_at,
        watched_since: history.last_at,
        sight: Sight::Clear,
        fenced_write_at: None,
        hosts: BTreeMap::default(),
        replicas: BTreeMap::default(),
    };
    for open in history.open_plans.values() {
        let commands = next(open, &sight, history.last_at);
        words.push(if commands.is_empty() { "rest" } else { "go" });
    }
    match refused {
        Some(said) if entries.is_empty() => Verdict::Refused(said),
        said => Verdict::Taken(format!("{words:?} {} {said:?}", shape(&history)).replace('"', "")),
    }
}

/// Which parts of a history hold something.
fn shape(history: &History) -> String {
    let parts = [
        history.pause.is_some(),
        !history.holds.is_empty(),
        !history.quarantined.is_empty(),
        history.stable.is_some(),
        history.rollout.is_some(),
        history.undoing.is_some(),
        !history.abandoned.is_empty(),
        !history.open_intents.is_empty(),
        !history.open_starts.is_empty(),
        !history.unsettled.is_empty(),
        !history.declined.is_empty(),
        !history.sealed.is_empty(),
        !history.forgiven.is_empty(),
        !history.lives.is_empty(),
        !history.convictions.is_empty(),
    ];
    parts.map(|part| if part { 'x' } else { '-' }).iter().collect()
}

const ONE: &str = "0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4e";

fn conviction(kind: &str) -> Value {
    json!({
        "finding": {
            "kind": kind, "subject": {"replica": "demo-a"}, "incarnation": ONE, "detail": "it is dead",
            "evidence": {"source": "host_agent", "proof": "proven", "at": 900, "look": 3},
        },
        "strikes": 3, "since": 800,
    })
}

fn plan(id: &str, remedy: &str, acts: &[Value]) -> Value {
    let steps: Vec<Value> = acts.iter().enumerate().map(|(index, act)| json!({
        "id": format!("{id}-{}", index + 1), "replica": "demo-a", "act": act, "why": "because", "timeout_ms": 1000,
        "optional": index == 0,
    })).collect();
    json!({
        "id": id, "epoch": 1, "created_at": 1000, "reason": "r", "convictions": [conviction("exited")],
        "heals": [{"replica": "demo-a", "remedy": remedy, "since": 800, "disturbs": false}], "steps": steps,
    })
}

/// An act on the one life that there is.
fn act(kind: &str) -> Value {
    let mut act = json!({"kind": kind, "incarnation": ONE});
    let more = match kind {
        "kill" => json!({"host": "h1", "grace_ms": 0}),
        "start" => json!({"host": "h1", "version": 3}),
        "load" => json!({"from": 3, "to": 4}),
        "probe" => json!({"version": 3, "state_hash": Hash::of(b"x")}),
        _ => json!({}),
    };
    if let (Value::Object(act), Value::Object(more)) = (&mut act, more) {
        act.extend(more);
    }
    act
}

/// A replica dies and is started again; nobody knows whether it was.
fn healing() -> Vec<Value> {
    let obituary = json!({"kind": "died", "obituary": {"replica": "demo-a", "incarnation": ONE, "host": "h1", "status": "exit 1", "tree_gone": true, "at": 900}});
    vec![
        json!({"kind": "term_opened", "watchdog": "w1"}),
        json!({"kind": "host_seen", "host": "h1", "instance": "i", "boot_id": "b", "address": "http://127.0.0.1:1"}),
        obituary,
        json!({"kind": "convicted", "conviction": conviction("exited")}),
        json!({"kind": "plan_recorded", "plan": plan("1-1", "start", &["kill", "start", "probe"].map(act)), "status": "running"}),
        json!({"kind": "sealed", "agent": {"host": "h1"}}),
        json!({"kind": "intended", "plan": "1-1", "step": "1-1-1", "replica": "demo-a", "agent": {"host": "h1"}, "instance": "i"}),
        json!({"kind": "closed", "plan": "1-1", "step": "1-1-1", "outcome": "done", "error": null}),
        json!({"kind": "intended", "plan": "1-1", "step": "1-1-2", "replica": "demo-a", "agent": {"host": "h1"}, "instance": "i"}),
        json!({"kind": "closed", "plan": "1-1", "step": "1-1-2", "outcome": "unknown", "error": "gone"}),
        json!({"kind": "plan_status", "plan": "1-1", "status": "failed", "why": "w"}),
        json!({"kind": "cleared", "subject": {"replica": "demo-a"}, "fault": "exited"}),
    ]
}

/// A goal is rejected, and another achieved.
fn goals() -> Vec<Value> {
    let hash = Hash::of(b"x").to_string();
    let pace = json!({"canary": 1, "batch": 1, "soak_ms": 10, "probation_ms": 10, "max_failures": 0});
    let begun = |goal: &str, to: u64| json!({"kind": "goal_begun", "goal": goal, "base": 3, "to": to, "state_hash": hash, "pace": pace, "restart": false, "guard": null});
    vec![
        json!({"kind": "marked", "version": 3, "mark": "stable", "state_hash": hash, "why": "w"}),
        json!({"kind": "goal_declared", "goal": "g", "request": "r", "spec": {"set": {"model/m": {"a": 1}}}, "supersede": false}),
        begun("g", 4),
        json!({"kind": "plan_recorded", "plan": plan("1-2", "roll", &["drain", "load", "probe"].map(act)), "status": "awaiting_approval"}),
        json!({"kind": "plan_status", "plan": "1-2", "status": "running", "why": "approved"}),
        json!({"kind": "plan_recorded", "plan": plan("1-3", "trial", &["kill", "start", "probe"].map(act)), "status": "running"}),
        json!({"kind": "plan_status", "plan": "1-3", "status": "done", "why": "w"}),
        json!({"kind": "marked", "version": 4, "mark": "rejected", "state_hash": Hash::of(b"y"), "why": "w"}),
        json!({"kind": "goal_ended", "goal": "g", "status": "rejected", "why": "w"}),
        json!({"kind": "undone", "goal": "g", "to": 5, "changes": 1}),
        json!({"kind": "goal_declared", "goal": "h", "request": "s", "spec": {"restart": true}, "supersede": true}),
        begun("h", 5),
        json!({"kind": "goal_ended", "goal": "h", "status": "achieved", "why": "w"}),
        json!({"kind": "marked", "version": 3, "mark": "rejected", "why": "doubted"}),
    ]
}

/// What operators do.
fn operators() -> Vec<Value> {
    vec![
        json!({"kind": "paused", "reason": "r", "until": 18_446_744_073_709_551_615_u64}),
        json!({"kind": "resumed"}),
        json!({"kind": "held", "target": "demo-a", "reason": "r", "until": null}),
        json!({"kind": "quarantined", "replica": "demo-a", "why": "w"}),
        json!({"kind": "escalated", "subject": {"host": "h1"}, "message": "m"}),
        json!({"kind": "released", "target": "demo-a"}),
        json!({"kind": "storm_released", "reason": "r"}),
        json!({"kind": "refused", "refusals": [{"subject": {"replica": "demo-a"}, "reason": {"kind": "busy", "healing": 1, "max": 1}}]}),
        json!({"kind": "snapshot_filed", "plan": "1-1", "step": "1-1-1", "replica": "demo-a", "incarnation": ONE, "snapshot": {"stack": []}}),
        json!({"kind": "appended", "from": 3, "to": 4, "why": "w"}),
        json!({"kind": "resigned", "why": "w"}),
    ]
}

fn samples() -> Vec<Vec<u8>> {
    let lines = |bodies: &[Value]| bodies.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    let (heal, goal, operator) = (lines(&healing()), lines(&goals()), lines(&operators()));
    texts(&[
        heal.clone(),
        goal.clone(),
        operator.clone(),
        format!("{heal}\n{goal}\n{operator}\n2 5000 {heal}"),
        goal.lines().rev().collect::<Vec<_>>().join("\n"),
        "{\"kind\":\"later\"}\n{}".to_owned(),
    ])
}
