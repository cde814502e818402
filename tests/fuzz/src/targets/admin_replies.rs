//! Admin replies: what a watchdog answers, drawn by `watchdogctl`. The first byte chooses the message.
//!
//! *Holds*: whatever it is, nothing of it moves the cursor of a terminal, and it is JSON that is read as the same.

use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use watchdog_proto::admin as wire;
use watchdogctl::outside::{Answer, draw};

use super::{message, target};
use crate::target::{Flavour, Target, Verdict};

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("admin_replies", Flavour::Proto) };

/// Screens, from none to a wide one.
const WIDTHS: [Option<usize>; 4] = [None, Some(1), Some(40), Some(120)];

/// Reads one kind of answer.
type Reader = fn(&[u8]) -> Result<Answer, String>;

const READERS: &[Reader] = &[
    |bytes| read(bytes, Answer::Status),
    |bytes| read(bytes, Answer::Why),
    |bytes| read(bytes, Answer::Plan),
    |bytes| read(bytes, Answer::Plans),
    |bytes| read(bytes, Answer::Snapshots),
    |bytes| read(bytes, Answer::GoalDiff),
    |bytes| read(bytes, Answer::Goal),
    |bytes| read(bytes, Answer::Goals),
    |bytes| read(bytes, Answer::Log),
    |bytes| read(bytes, Answer::LogEntry),
    |bytes| read(bytes, Answer::LogDiff),
    |bytes| read(bytes, Answer::LogState),
    |bytes| read(bytes, Answer::LogVerify),
    |bytes| read(bytes, Answer::Event),
    |bytes| read(bytes, Answer::Leader),
    |bytes| read(bytes, Answer::Done),
];

fn fuzz(bytes: &[u8]) -> Verdict {
    let Some((choice, bytes)) = bytes.split_first() else { return Verdict::no_text() };
    match READERS[usize::from(*choice) % READERS.len()](bytes) {
        Ok(answer) => {
            let mut words = String::new();
            for width in WIDTHS {
                words = draw(&answer, width);
                let stray = words.chars().find(|c| c.is_control() && *c != '\n');
                assert!(stray.is_none(), "reply: the control character {stray:?} reaches the terminal");
            }
            Verdict::Taken(words)
        }
        Err(said) => Verdict::Refused(said),
    }
}

fn read<T>(bytes: &[u8], answer: impl FnOnce(T) -> Answer) -> Result<Answer, String>
where
    T: Message + Default + PartialEq + Serialize + DeserializeOwned,
{
    let reply = T::decode(bytes).map_err(|error| error.to_string())?;
    let json = serde_json::to_string(&reply).expect("reply: it is JSON");
    let again: T = serde_json::from_str(&json).expect("reply: its JSON can't be read");
    assert!(again == reply, "reply: its JSON is read as another");
    Ok(answer(reply))
}

fn text(text: &str) -> String {
    text.to_owned()
}

/// Why nothing is done.
fn refusal() -> wire::RefusalView {
    wire::RefusalView {
        kind: text("busy"),
        replica: Some(text("demo-a")),
        culprit: None,
        sentence: text("enough heals are under way"),
    }
}

/// A cluster in trouble.
fn status() -> wire::ClusterStatus {
    let replica = wire::ReplicaView {
        replica: text("demo-a"),
        host: Some(text("h1")),
        pid: Some(7),
        incarnation: Some(text("i")),
        address: Some(text("http://127.0.0.1:1")),
        state: text("healthy"),
        version: Some(3),
        expected: Some(4),
        state_hash: Some(text("ab")),
        since: Some(text("1970-01-01T00:00:00Z")),
    };
    wire::ClusterStatus {
        cluster: text("demo"),
        leader: Some(wire::LeaderView { id: text("w1"), address: text("http://127.0.0.1:2"), epoch: 3 }),
        head: 4,
        stable: Some(3),
        paused: Some(wire::PauseView {
            reason: text("r"),
            by: text("me"),
            until: Some(text("2026-01-01T00:00:00Z")),
        }),
        plan: Some(text("3-1")),
        watchdogs: vec![wire::WatchdogView { id: text("w1"), role: text("leader"), ..Default::default() }],
        hosts: vec![wire::HostView { host: text("h1"), state: text("up"), ..Default::default() }],
        replicas: vec![replica.clone(), replica],
        holds: vec![wire::HoldView { target: text("demo-a"), ..Default::default() }],
        refusals: vec![refusal()],
        blind: Some(text("since then")),
        goal: Some(text("g")),
        goal_stage: Some(text("canary")),
        offers: vec![wire::AwaitedView { what: text("w"), command: text("c") }],
    }
}

/// A plan that runs.
fn plan() -> wire::PlanView {
    let step = wire::StepView {
        id: text("3-1-1"),
        kind: text("load"),
        replica: Some(text("demo-a")),
        status: text("running"),
        why: text("because"),
        started_at: Some(text("1970-01-01T00:00:00Z")),
        error: Some(text("no")),
        percent: Some(50),
        progress: Some(text("half")),
        ..Default::default()
    };
    wire::PlanView {
        id: text("3-1"),
        epoch: 3,
        status: text("running"),
        reason: text("r"),
        created_at: text("1970-01-01T00:00:00Z"),
        steps: vec![step],
        refusals: vec![refusal()],
    }
}

/// A goal that rolls.
fn goal() -> wire::GoalView {
    wire::GoalView {
        id: text("g"),
        status: text("rolling"),
        gist: text("set model/m"),
        reason: text("r"),
        by: text("me"),
        declared_at: text("1970-01-01T00:00:00Z"),
        stage: Some(text("soak")),
        stage_detail: Some(text("two of three")),
        soak_until: Some(text("1970-01-01T00:01:00Z")),
        base: Some(3),
        to: Some(4),
        replicas: vec![wire::GoalReplicaView {
            replica: text("demo-a"),
            stage: text("moving"),
            percent: Some(200),
            progress: Some(text("p")),
            failure: Some(text("f")),
        }],
        last_failure: Some(text("f")),
        awaited: vec![wire::AwaitedView { what: text("w"), command: text("c") }],
        refusals: vec![refusal()],
        ..Default::default()
    }
}

/// A difference.
fn line() -> wire::DiffLine {
    wire::DiffLine {
        operation: text("change"),
        key: text("model/m"),
        before_json: Some(text("{\"a\":1}")),
        after_json: Some(text("{\"a\":2}")),
    }
}

/// A change.
fn entry() -> wire::LogEntry {
    wire::LogEntry {
        version: 3,
        at: text("1970-01-01T00:00:00Z"),
        key: text("model/m"),
        operation: text("put"),
        after_json: Some(text("{}")),
        mark: Some(text("stable")),
        ..Default::default()
    }
}

/// Why a replica is treated as it is.
fn verdict() -> wire::Verdict {
    let finding = wire::FindingView {
        fault: text("exited"),
        detail: text("d"),
        source: text("group"),
        at: text("1970-01-01T00:00:00Z"),
        strikes: 2,
        needed: 3,
        convicted: false,
    };
    wire::Verdict {
        replica: text("demo-a"),
        state: text("exited"),
        verdict: text("it is dead"),
        findings: vec![finding],
        doing: vec![text("x")],
        history: vec![text("y")],
        ..Default::default()
    }
}

/// A picture with something in it that clears screens.
fn snapshot() -> wire::SnapshotView {
    wire::SnapshotView {
        step: text("3-1-1"),
        replica: text("demo-a"),
        snapshot_json: text("{\"stack\":\"\\u001b[2J\"}"),
        ..Default::default()
    }
}

/// Something that happened.
fn event() -> wire::Event {
    wire::Event {
        sequence: 9,
        at: text("1970-01-01T00:00:00Z"),
        kind: text("convicted"),
        replica: Some(text("demo-a")),
        plan: Some(text("3-1")),
        message: text("m"),
        ..Default::default()
    }
}

fn samples() -> Vec<Vec<u8>> {
    vec![
        message(0, &status()),
        message(0, &wire::ClusterStatus::default()),
        message(1, &verdict()),
        message(2, &plan()),
        message(3, &wire::PlanListReply { plans: vec![plan()] }),
        message(4, &wire::SnapshotsReply { snapshots: vec![snapshot()] }),
        message(
            5,
            &wire::GoalDiffReply {
                head: 3,
                lines: vec![line()],
                added: 1,
                changed: 2,
                removed: 3,
                notes: vec![text("note")],
            },
        ),
        message(6, &goal()),
        message(7, &wire::GoalListReply { goals: vec![goal()] }),
        message(8, &wire::LogListReply { entries: vec![entry()], head: 3, stable: Some(3) }),
        message(9, &entry()),
        message(10, &wire::LogDiffReply { lines: vec![line()], added: 0, changed: 1, removed: 0 }),
        message(
            11,
            &wire::LogStateReply {
                version: 3,
                state_hash: text("ab"),
                state_json: text("{\"model/m\":{\"a\":1}}"),
            },
        ),
        message(
            12,
            &wire::LogVerifyReply { ok: false, entries: 3, broken_version: Some(2), message: text("broken") },
        ),
        message(13, &event()),
        message(14, &wire::LeaderReply { cluster: text("demo"), leader: None }),
        message(15, &wire::Done { message: text("\u{1b}[31mdone\r\n") }),
    ]
}
