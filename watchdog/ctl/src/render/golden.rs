//! Golden: what people see, compared with `tests/golden/*.txt`; `UPDATE_EXPECT=1` rewrites them, and the diff is read.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

pub(crate) mod goal;

use std::path::Path;

use watchdog_proto::admin::*;

use super::{Paper, log_diff, log_entry, log_list, plan, plan_list, snapshots, status, why};

pub(crate) const NOW: &str = "2026-05-01T12:00:00Z";

pub(crate) fn paper(width: Option<usize>) -> Paper {
    Paper { width, colour: false, now: humantime::parse_rfc3339(NOW).unwrap() }
}

#[track_caller]
pub(crate) fn compare(name: &str, drawn: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"));
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, drawn).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(drawn, golden, "{name}:\n{drawn}");
}

pub(crate) fn replica(letter: char, state: &str) -> ReplicaView {
    ReplicaView {
        replica: format!("demo-{letter}"),
        host: Some(format!("host-{letter}")),
        pid: Some(4700 + u32::from(letter)),
        incarnation: Some("0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4e".into()),
        address: Some(format!("http://127.0.0.1:{}", 9000 + u32::from(letter))),
        state: state.into(),
        version: Some(12),
        expected: Some(12),
        state_hash: Some("a".repeat(64)),
        since: Some("2026-05-01T11:55:00Z".into()),
    }
}

pub(crate) fn healthy() -> ClusterStatus {
    let watchdog = |number: u32, role: &str| WatchdogView {
        id: format!("watchdog-{number}"),
        address: format!("http://127.0.0.1:740{number}"),
        pid: 4000 + number,
        role: role.into(),
    };
    ClusterStatus {
        cluster: "demo".into(),
        leader: Some(LeaderView {
            id: "watchdog-1".into(),
            address: "http://127.0.0.1:7401".into(),
            epoch: 7,
        }),
        head: 12,
        stable: Some(12),
        watchdogs: vec![watchdog(1, "leader"), watchdog(2, "follower"), watchdog(3, "follower")],
        replicas: vec![replica('a', "healthy"), replica('b', "healthy"), replica('c', "healthy")],
        ..ClusterStatus::default()
    }
}

fn refusal(replica: Option<&str>, sentence: &str) -> RefusalView {
    let replica = replica.map(str::to_owned);
    RefusalView { kind: "held".into(), replica, culprit: None, sentence: sentence.into() }
}

fn offer(what: &str, command: &str) -> AwaitedView {
    AwaitedView { what: what.into(), command: command.into() }
}

pub(crate) fn troubled() -> ClusterStatus {
    let mut status = healthy();
    status.head = 14;
    status.plan = Some("7-3".into());
    status.replicas[0].state_hash = Some("b".repeat(64));
    status.replicas[1] = ReplicaView {
        replica: "demo-b".into(),
        host: Some("host-b".into()),
        state: "exited".into(),
        expected: Some(12),
        since: Some("2026-05-01T11:59:57Z".into()),
        ..ReplicaView::default()
    };
    status.replicas.push(ReplicaView { version: Some(11), ..replica('d', "loading") });
    let until = Some("2026-05-01T13:30:00Z".to_owned());
    status.paused = Some(PauseView { reason: "switch replacement".into(), by: "alice@desk".into(), until });
    let hold = |target: &str| HoldView {
        target: target.into(),
        reason: "new memory".into(),
        by: "bob@desk".into(),
        until: None,
    };
    status.holds = vec![hold("host-c"), hold("demo-d")];
    status.hosts = vec![HostView { host: "host-b".into(), state: "gone".into(), ..HostView::default() }];
    status.refusals = vec![
        refusal(Some("demo-b"), "paused by alice@desk for a time: switch replacement"),
        refusal(Some("demo-d"), "demo-d: demo-d is held by bob@desk: new memory"),
        refusal(None, "2 of 4 vanished together without proof of death"),
    ];
    status.offers = vec![
        offer("paused by alice@desk: switch replacement", "watchdogctl resume"),
        offer("2 of 4 vanished together without proof of death", "watchdogctl storm release --reason REASON"),
    ];
    status
}

#[test]
fn a_healthy_cluster_is_one_table() {
    compare("status-healthy", &status(&healthy(), &paper(None)));
}

#[test]
fn what_is_wrong_has_columns_and_sentences() {
    compare("status-troubled", &status(&troubled(), &paper(None)));
}

#[test]
fn a_narrow_screen_loses_the_columns_that_matter_least() {
    let drawn = status(&troubled(), &paper(Some(64)));
    assert!(drawn.lines().all(|line| line.chars().count() <= 64), "{drawn}");
    compare("status-narrow", &drawn);
}

#[test]
fn a_cluster_without_anything_says_so() {
    let blind = "ZooKeeper has not answered since 2026-05-01T11:59:00Z".to_owned();
    let nothing = ClusterStatus { cluster: "demo".into(), blind: Some(blind), ..ClusterStatus::default() };
    compare("status-nothing", &status(&nothing, &paper(Some(80))));
}

#[test]
fn colours_surround_words_and_move_nothing() {
    let coloured = Paper { colour: true, ..paper(None) };
    let drawn = status(&troubled(), &coloured);
    assert!(drawn.contains("\x1b[31mexited\x1b[0m"), "{drawn:?}");
    let mut plain = String::new();
    let mut parts = drawn.split('\x1b');
    plain.push_str(parts.next().unwrap());
    parts.for_each(|part| plain.push_str(part.split_once('m').unwrap().1));
    assert_eq!(plain, status(&troubled(), &paper(None)));
}

#[test]
fn a_verdict_goes_from_the_sentence_to_its_evidence() {
    let finding = |fault: &str, strikes, convicted| FindingView {
        fault: fault.into(),
        detail: "obituary of host-b: signal 9 (SIGKILL), the whole tree is gone".into(),
        source: "host_agent".into(),
        at: "2026-05-01T11:59:57.120Z".into(),
        strikes,
        needed: 3,
        convicted,
    };
    let verdict = Verdict {
        replica: "demo-b".into(),
        state: "exited".into(),
        verdict: "demo-b was killed by signal 9 three seconds ago".into(),
        findings: vec![finding("exited", 3, true), finding("flapping", 1, false)],
        refusals: vec![refusal(Some("demo-b"), "backing off after 2 tries")],
        plan: Some("7-3".into()),
        doing: vec!["start demo-b on host-b with version 12".into()],
        history: vec!["7-2 restart: died again after 4 s".into()],
        last_failure: None,
        offers: vec![offer("demo-b is quarantined: three tries", "watchdogctl release demo-b")],
    };
    compare("why", &why(&verdict, &paper(None)));
    compare("why-narrow", &why(&verdict, &paper(Some(72))));
}

fn step(kind: &str, status: &str) -> StepView {
    StepView {
        id: format!("7-3-{kind}"),
        kind: kind.into(),
        replica: Some("demo-b".into()),
        status: status.into(),
        why: format!("{kind} because it has exited"),
        started_at: Some("2026-05-01T11:59:57.120Z".into()),
        finished_at: (status != "running").then(|| "2026-05-01T11:59:57.155Z".into()),
        ..StepView::default()
    }
}

pub(crate) fn plan_view(status: &str) -> PlanView {
    let failed = StepView { error: Some("exit 1: cannot read model m9".into()), ..step("start", "failed") };
    PlanView {
        id: "7-3".into(),
        epoch: 7,
        status: status.into(),
        reason: "demo-b has exited".into(),
        created_at: "2026-05-01T11:59:57.100Z".into(),
        steps: vec![
            step("kill", "done"),
            failed,
            StepView { started_at: None, finished_at: None, ..step("probe", "pending") },
        ],
        refusals: vec![refusal(
            Some("demo-d"),
            "touching it would disturb more than 1: already disturbed: demo-b",
        )],
    }
}

#[test]
fn a_plan_is_its_steps_and_why() {
    compare("plan-show", &plan(&plan_view("running"), &paper(None)));
    let narrow = plan(&plan_view("running"), &paper(Some(80)));
    assert!(narrow.lines().all(|line| line.chars().count() <= 80), "{narrow}");
    compare("plan-narrow", &narrow);
    let nothing = PlanView { status: "preview".into(), ..PlanView::default() };
    assert_eq!(plan(&nothing, &paper(None)), "Nothing would be done: all is well.\n");
    let refused = PlanView { refusals: vec![refusal(Some("demo-b"), "backing off")], ..nothing };
    assert_eq!(plan(&refused, &paper(None)), "Nothing would be done.\nRefused:\n  - demo-b: backing off\n");
}

#[test]
fn plans_are_listed_with_their_reasons() {
    let done = PlanView { id: "7-2".into(), steps: vec![step("load", "done")], ..plan_view("done") };
    let reply = PlanListReply { plans: vec![plan_view("running"), done] };
    compare("plan-list", &plan_list(&reply, &paper(None)));
    assert_eq!(plan_list(&PlanListReply::default(), &paper(None)), "No plan has been made yet.\n");
}

#[test]
fn a_snapshot_is_readable_json_that_cannot_move_the_cursor() {
    let snapshot = SnapshotView {
        step: "7-3-1".into(),
        replica: "demo-b".into(),
        incarnation: "0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4e".into(),
        at: NOW.into(),
        snapshot_json: r#"{"log":["a\u001b[2Jb"],"threads":3}"#.into(),
    };
    compare("snapshot", &snapshots(&SnapshotsReply { snapshots: vec![snapshot] }, &paper(None)));
}

fn entry(version: u64, mark: Option<&str>) -> LogEntry {
    LogEntry {
        version,
        at: "2026-05-01T11:00:00Z".into(),
        epoch: 7,
        author: "alice@desk".into(),
        goal: (version == 12).then(|| "new-model".into()),
        key: "model/fraud".into(),
        operation: "put".into(),
        before_json: None,
        after_json: Some(r#"{"uri":"m9","sha256":"00"}"#.into()),
        hash: "c".repeat(64),
        mark: mark.map(str::to_owned),
    }
}

#[test]
fn the_log_is_a_table_with_marks() {
    let entries = vec![entry(11, Some("stable")), entry(12, Some("candidate"))];
    let reply = LogListReply { entries, head: 12, stable: Some(11) };
    compare("log-list", &log_list(&reply, &paper(None)));
    compare("log-show", &log_entry(&entry(12, Some("rejected")), &paper(None)));
    assert!(log_list(&LogListReply::default(), &paper(None)).starts_with("The log is empty"));
}

#[test]
fn a_difference_shows_both_values() {
    let line = |key: &str, before: Option<&str>, after: Option<&str>| DiffLine {
        operation: "put".into(),
        key: key.into(),
        before_json: before.map(str::to_owned),
        after_json: after.map(str::to_owned),
    };
    let lines = vec![
        line("model/fraud", Some(r#"{"uri":"m8"}"#), Some(r#"{"uri":"m9"}"#)),
        line("rule/new", None, Some("7")),
        line("rule/old", Some("[]"), None),
    ];
    compare("log-diff", &log_diff(&LogDiffReply { lines, added: 1, changed: 1, removed: 1 }, &paper(None)));
    assert!(log_diff(&LogDiffReply::default(), &paper(None)).contains("are the same"));
}
