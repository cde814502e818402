//! Answers: what is printed and with which exit code, by the program as it is.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(
    dead_code,
    unused_imports,
    missing_docs,
    clippy::wildcard_imports,
    reason = "each test program uses its part; the services are as long as their protocol"
)]
mod fake;

use std::io::Read as _;

use fake::{Fake, complained, ctl, event, nobody, piped, run, said};
use watchdog_proto::admin::ReplicaView;

#[test]
fn wrong_usage_is_exit_2_and_teaches() {
    let (_socket, endpoint) = nobody();
    let table: [(&[&str], &str); 20] = [
        (&["goal", "apply"], "--file <FILE>"),
        (&["goal", "apply", "-f", "no-such-goal.toml"], "no-such-goal.toml: there is no such file"),
        (&["goal", "diff", "-f", "."], ".: it is a directory"),
        (&["goal", "restore", "head"], "write 12 or stable"),
        (&["goal", "restore", "stable", "--for", "1m"], "--wait"),
        (&["goal", "show", "New_Goal"], "has 'N' at position 1"),
        (&["plan", "replay", "7/3"], "has '/' at position 2"),
        (&["pause", "--reason", "x", "--for", "2 fortnights"], "write 90s, 15m or 2h"),
        (&["pause", "--reason", " "], "it must say something"),
        (&["pause"], "--reason <REASON>"),
        (&["hold", "Demo_B", "--reason", "x"], "has 'D' at position 1"),
        (&["events", "--since", "yesterday"], "a duration ago such as 10m"),
        (&["log", "show", "latest"], "write 12, head or stable"),
        (&["--cluster", "no/slash", "status"], "position 3"),
        (&["--endpoint", "https://h:1", "status"], "TLS needs a certificate authority"),
        (&["--endpoint", "h", "status"], "the port is missing"),
        (&["--timeout", "0s", "status"], "longer than nothing"),
        (&["statsu"], "similar subcommand exists: 'status'"),
        (&["plan", "list", "--limit", "0"], "not in 1.."),
        (&["-o", "yaml", "status"], "[possible values: table, json]"),
    ];
    for (arguments, lesson) in table {
        let output = run(&[&endpoint], arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(complained(&output).contains(lesson), "{arguments:?}: {}", complained(&output));
        assert_eq!(said(&output), "");
    }
    let output = run(&[" "], &["status"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(complained(&output).contains("export WATCHDOG_ENDPOINTS="), "{}", complained(&output));
    let output = ctl(&[&endpoint]).env_remove("WATCHDOG_CLUSTER").arg("status").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(complained(&output).contains("`watchdog dev` is called demo"), "{}", complained(&output));
}

#[test]
fn help_teaches_by_example() {
    for arguments in [
        &["--help"][..],
        &["status", "--help"],
        &["events", "--help"],
        &["log", "--help"],
        &["goal", "--help"],
    ] {
        let output = run(&[], arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(said(&output).contains("Examples:\n"), "{arguments:?}: {}", said(&output));
    }
}

#[test]
fn a_refusal_is_exit_1_with_its_sentence() {
    let fake = Fake::leading(7);
    fake.script().refuses = Some(tonic::Status::failed_precondition("plan 7-1 is done already"));
    for arguments in [&["plan", "cancel", "7-1"][..], &["why", "demo-b"], &["events"]] {
        let output = run(&[&fake.url], arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(complained(&output), "watchdogctl: plan 7-1 is done already\n", "{arguments:?}");
        assert_eq!(said(&output), "");
    }
}

#[test]
fn orders_carry_who_why_and_for_how_long() {
    let fake = Fake::leading(7);
    let table: [(&[&str], &str); 11] = [
        (&["plan", "approve", "7-1"], "approve al 7-1"),
        (&["plan", "reject", "7-1"], "reject al 7-1"),
        (&["goal", "withdraw", "g-1"], "withdraw al g-1"),
        (&["goal", "restore", "3", "--force", "--reason", "nobody starts"], "restore al 3 nobody starts"),
        (&["pause", "--reason", "disk swap"], "pause al 0 disk swap"),
        (&["resume"], "resume al"),
        (&["hold", "demo-b", "--reason", "memory", "--for", "1m"], "hold al demo-b 60000 memory"),
        (&["release", "demo-b"], "release al demo-b"),
        (&["storm", "release", "--reason", "rack burnt"], "storm-release al rack burnt"),
        (&["plan", "cancel", "7-1"], "cancel al 7-1"),
        (&["leader", "resign"], "resign al"),
    ];
    for (arguments, write) in table {
        let output = run(&[&fake.url], &[&["--by", "al"], arguments].concat());
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", complained(&output));
        assert_eq!(said(&output), format!("did {write}\n"));
    }
    run(&[&fake.url], &["resume"]);
    assert!(
        fake.script().writes.last().unwrap().starts_with("resume alice@"),
        "the user, when nobody is named"
    );
}

#[test]
fn json_is_the_answer_as_it_came() {
    let fake = Fake::leading(7);
    let replica = ReplicaView { replica: "demo-a".into(), state: "healthy".into(), ..ReplicaView::default() };
    fake.script().status.replicas.push(replica);
    let output = run(&[&fake.url], &["status", "-o", "json"]);
    let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys: Vec<&String> = status.as_object().unwrap().keys().collect();
    let contract =
        ["cluster", "leader", "head", "stable", "paused", "plan", "watchdogs", "hosts", "replicas"];
    assert_eq!(keys[..9], contract);
    assert!(status["stable"].is_null() && status["paused"].is_null() && status["plan"].is_null());
    let replica = status["replicas"][0].as_object().unwrap();
    let contract = [
        "replica",
        "host",
        "pid",
        "incarnation",
        "address",
        "state",
        "version",
        "expected",
        "state_hash",
        "since",
    ];
    assert_eq!(replica.keys().collect::<Vec<_>>(), contract);
    let output = run(&[&fake.url], &["-o", "json", "resume", "--by", "al"]);
    assert_eq!(said(&output), "{\n  \"message\": \"did resume al\"\n}\n");
}

#[test]
fn the_log_is_read_by_number_or_by_name() {
    let fake = Fake::leading(7);
    fake.script().head = 12;
    let list = said(&run(&[&fake.url], &["log", "list", "--limit", "2"]));
    assert!(
        list.contains("model/m11") && list.contains("model/m12") && !list.contains("model/m10"),
        "{list}"
    );
    let diff = said(&run(&[&fake.url], &["log", "diff", "stable", "head"]));
    assert_eq!(diff, "~ model/from-11-to-12\n  - 1\n  + 2\n0 added, 1 changed, 0 removed.\n");
    let state = said(&run(&[&fake.url], &["log", "state"]));
    assert_eq!(state, "Version 12, state hash ab12\nmodel/fraud = {\"uri\":\"m1\"}\n");

    let output = run(&[&fake.url], &["log", "verify"]);
    assert_eq!(
        (said(&output).as_str(), output.status.code()),
        ("The log is whole: 12 entries verified.\n", Some(0))
    );
    fake.script().broken_version = Some(5);
    let output = run(&[&fake.url], &["log", "verify"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).starts_with("The log is broken at version 5.\n"), "{}", said(&output));
    assert_eq!(complained(&output), "");
}

#[test]
fn the_record_goes_on_at_another_watchdog() {
    let mut first = Fake::leading(7);
    let second = Fake::leading(8);
    first.tell((1..=3).map(event));
    second.tell((1..=2).map(event));
    // The first alone is asked first: the second is not there yet for the survey.
    let leader = second.script().leader.take();
    let mut following = piped(&[&first.url, &second.url], &["events", "--follow"]);
    let mut lines = following.lines();
    for sequence in 1..=3 {
        assert!(lines.next().unwrap().ends_with(&format!("event {sequence} (plan 7-1)")));
    }
    first.kill();
    second.script().leader = leader;
    second.tell((3..=5).map(event));
    for sequence in 4..=5 {
        assert!(lines.next().unwrap().ends_with(&format!("event {sequence} (plan 7-1)")));
    }
    following.0.kill().unwrap();
    let mut complaint = String::new();
    following.0.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
    assert!(complaint.contains("going on elsewhere"), "{complaint}");
}

#[test]
fn events_are_lines_or_json() {
    let fake = Fake::leading(7);
    fake.tell((1..=2).map(event));
    let output = run(&[&fake.url], &["events"]);
    assert_eq!(
        said(&output),
        "2026-05-01T09:30:01.000Z  step_ended      demo-b  event 1 (plan 7-1)\n\
         2026-05-01T09:30:02.000Z  step_ended      demo-b  event 2 (plan 7-1)\n"
    );
    let output = run(&[&fake.url], &["-o", "json", "events"]);
    let events: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(events[1]["sequence"], 2);
    let mut following = piped(&[&fake.url], &["-o", "json", "events", "-f"]);
    let line: serde_json::Value = serde_json::from_str(&following.lines().next().unwrap()).unwrap();
    assert_eq!(line["message"], "event 1");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let fake = Fake::leading(7);
    fake.tell((1..=2).map(event));
    for arguments in [&["events", "--follow"][..], &["status", "--watch"]] {
        let mut child = piped(&[&fake.url], arguments);
        let first = child.lines().next();
        assert!(first.is_some(), "{arguments:?}");
        // The reader is dropped here, and nothing more happens: it must notice by itself.
        assert_eq!(child.0.wait().unwrap().code(), Some(0), "{arguments:?}");
        let mut complaint = String::new();
        child.0.stderr.take().unwrap().read_to_string(&mut complaint).unwrap();
        assert_eq!(complaint, "", "{arguments:?}");
    }
}

#[test]
fn a_watched_status_is_printed_when_it_changes() {
    let fake = Fake::leading(7);
    let mut watching = piped(&[&fake.url], &["status", "--watch"]);
    let mut lines = watching.lines();
    assert!(lines.any(|line| line.contains("head 0, nothing stable")));
    fake.script().status.head = 1;
    let next: Vec<String> = lines.by_ref().take_while(|line| !line.contains("head 1")).collect();
    assert_eq!(
        next.iter().filter(|line| line.contains("Cluster:")).count(),
        0,
        "nothing in between: {next:?}"
    );
    assert!(humantime::parse_rfc3339(next.last().unwrap()).is_ok(), "under its time: {next:?}");
}
