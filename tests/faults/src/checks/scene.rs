//! Scene: a history in which all is well, for tests to spoil.

use serde_json::{Value, json};

use crate::fault::Kind;
use crate::history::History;
use crate::ledger::{Begun, Ledger, epoch_of};
use crate::nemesis::Act;
use crate::site::{EXCLUSIVE, PLAIN};
use crate::witness::Life;

/// A life that is in no scene.
pub(super) const OTHER: &str = "0197c7a0-5f3e-7c2d-8000-0000000000ff";
const NOW_MS: u64 = 1_000_000;

fn life_id(number: usize) -> String {
    format!("0197c7a0-5f3e-7c2d-8000-{number:012x}")
}

/// Two terms; in the second one `demo-a` was killed and started again on h1, and everybody lives.
pub(super) fn quiet() -> History {
    let mut history = History { head: 3, ..History::default() };
    let names = || PLAIN.into_iter().chain([EXCLUSIVE]);
    push(&mut history, 1, &json!({ "kind": "term_opened", "watchdog": "w1" }));
    let starts = names()
        .enumerate()
        .map(|(index, name)| step(&format!("1-1-{}", index + 1), name, &start(&life_id(index))));
    push(
        &mut history,
        1,
        &plan(("1-1", names().next().unwrap_or_default(), false), &starts.collect::<Vec<_>>()),
    );
    push(&mut history, 2, &json!({ "kind": "term_opened", "watchdog": "w2" }));
    let kill = json!({ "kind": "kill", "host": "h1", "incarnation": life_id(0), "grace_ms": 0 });
    let steps = vec![step("2-1-1", "demo-a", &kill), step("2-1-2", "demo-a", &start(&life_id(9)))];
    push(&mut history, 2, &plan(("2-1", "demo-a", false), &steps));
    for id in ["2-1-1", "2-1-2"] {
        intend(&mut history, (id, "demo-a"));
        push(
            &mut history,
            2,
            &json!({ "kind": "closed", "plan": "2-1", "step": id, "outcome": "done", "error": null }),
        );
    }
    close(&mut history, "1-1");
    close(&mut history, "2-1");
    let stable = json!({ "kind": "marked", "version": 3, "mark": "stable", "state_hash": null, "why": "" });
    push(&mut history, 2, &stable);
    let first = Begun { incarnation: life_id(0), ..begun("kill", "2-1-1") };
    let second = Begun { incarnation: life_id(9), ..begun("start", "2-1-2") };
    history.ledgers.insert("h1".into(), Ledger { begun: vec![first, second], dead: Vec::new() });
    history.lives = names().enumerate().map(|(index, name)| life(name, index)).collect();
    history.lives[0].died_ms = Some(NOW_MS);
    history.lives.push(Life { born_ms: NOW_MS, ..life("demo-a", 9) });
    history
}

fn life(name: &str, number: usize) -> Life {
    Life {
        replica: name.to_owned(),
        incarnation: life_id(number),
        host: "h1".to_owned(),
        pid: 1,
        born_ms: 1_000,
        died_ms: None,
    }
}

fn start(incarnation: &str) -> Value {
    json!({ "kind": "start", "host": "h1", "incarnation": incarnation, "version": 1 })
}

fn step(id: &str, replica: &str, act: &Value) -> Value {
    json!({ "id": id, "replica": replica, "act": act, "why": "", "timeout_ms": 1, "optional": false })
}

fn plan((id, replica, disturbs): (&str, &str, bool), steps: &[Value]) -> Value {
    let heals = json!([{ "replica": replica, "remedy": "restart", "since": 0, "disturbs": disturbs }]);
    let plan = json!({
        "id": id, "epoch": epoch_of(id), "created_at": NOW_MS, "reason": "", "convictions": [],
        "heals": heals, "steps": steps,
    });
    json!({ "kind": "plan_recorded", "plan": plan, "status": "running" })
}

fn push(history: &mut History, epoch: u64, body: &Value) {
    let sequence = history.entries.len() + 1;
    let entry = json!({ "sequence": sequence, "at": NOW_MS, "epoch": epoch, "by": "w1", "body": body });
    let entry = serde_json::from_value(entry);
    history.entries.extend(entry.inspect_err(|error| eprintln!("a scene is wrong: {error}")));
    assert_eq!(history.entries.len(), sequence, "the scene speaks the record's language");
}

/// A step that an agent has begun.
pub(super) fn begun(act: &str, step: &str) -> Begun {
    Begun {
        step: step.to_owned(),
        epoch: epoch_of(step),
        act: act.to_owned(),
        replica: "demo-a".to_owned(),
        incarnation: life_id(0),
    }
}

/// One more step is begun at a host agent.
pub(super) fn begin(history: &mut History, host: &str, (act, step): (&str, &str)) {
    history.ledgers.entry(host.to_owned()).or_default().begun.push(begun(act, step));
}

/// A plan begins that disturbs a serving replica.
pub(super) fn disturb(history: &mut History, (id, replica): (&str, &str)) {
    push(history, 2, &plan((id, replica, true), &[]));
}

/// A plan has ended.
pub(super) fn close(history: &mut History, plan: &str) {
    push(history, 2, &json!({ "kind": "plan_status", "plan": plan, "status": "done", "why": "" }));
}

/// A step is about to be sent to the agent of h1.
pub(super) fn intend(history: &mut History, (step, replica): (&str, &str)) {
    let plan = step.rsplit_once('-').map_or("", |(plan, _)| plan);
    let body = json!({
        "kind": "intended", "plan": plan, "step": step, "replica": replica, "agent": { "host": "h1" },
        "instance": null,
    });
    push(history, 2, &body);
}

/// A fault.
pub(super) fn act(kind: Kind, target: &str, incarnation: Option<String>) -> Act {
    Act { kind, target: target.to_owned(), incarnation, from_ms: 0, to_ms: None, reply: None }
}
