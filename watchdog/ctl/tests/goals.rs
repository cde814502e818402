//! Goals: compared, declared, seen through and refused, by the program as it is.
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
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fake::{Fake, complained, ctl, fed, goal, nobody, on_a_terminal, piped, run, said};
use serde_json::Value;
use tempfile::TempDir;
use tonic::Status;

const GOAL: &str = "name = 'g-1'\n\n[set.\"model/fraud\"]\nuri = 's3://m9'\n[rollout]\nsoak = '10s'\n";

/// A goal file that goes with its directory.
fn file(name: &str, text: &str) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path: PathBuf = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    (directory, path.to_str().unwrap().to_owned())
}

#[test]
fn a_difference_is_exit_0_or_with_exit_code_4() {
    let fake = Fake::leading(7);
    let (_directory, path) = file("goal.toml", GOAL);
    let diff = |arguments: &[&str]| run(&[&fake.url], &[&["goal", "diff", "-f", &path], arguments].concat());
    let output = diff(&["--exit-code"]);
    assert_eq!(said(&output), "No changes: the state is as the goal wants it.\n");
    assert_eq!((output.status.code(), complained(&output).as_str()), (Some(0), ""));

    fake.script().goals.changes_one(12);
    let output = diff(&["--exit-code"]);
    assert_eq!(said(&output), "~ model/fraud\n  - 1\n  + 2\n0 to add, 1 to change, 0 to remove.\n");
    assert_eq!((output.status.code(), complained(&output).as_str()), (Some(4), ""));
    assert_eq!(diff(&[]).status.code(), Some(0));
    let json: Value = serde_json::from_slice(&diff(&["-o", "json"]).stdout).unwrap();
    assert_eq!((&json["head"], &json["changed"]), (&12.into(), &1.into()));

    let sent: Value = serde_json::from_str(fake.script().goals.compared.last().unwrap()).unwrap();
    assert_eq!(sent["set"]["model/fraud"]["uri"], "s3://m9");
    assert_eq!(sent["rollout"]["soak_ms"], 10_000);
    assert!(fake.script().writes.is_empty());
}

#[test]
fn a_bad_file_is_exit_2_and_nobody_is_asked() {
    let (_socket, endpoint) = nobody();
    let (_directory, path) = file("goal.toml", "restart = true\n\nmodle = 3\nreason = 4\n");
    for command in ["diff", "apply"] {
        let output = run(&[&endpoint], &["goal", command, "-f", &path]);
        assert_eq!((output.status.code(), said(&output).as_str()), (Some(2), ""));
        let complaint = complained(&output);
        assert!(
            complaint.starts_with(&format!("watchdogctl: {path}:3:1: modle: unknown field")),
            "{complaint}"
        );
        assert!(complaint.contains(&format!("\n{path}:4:10: reason: expected a text")), "{complaint}");
    }
    let output = fed(&[&endpoint], &["goal", "apply", "-f", "-"], "{\"restart\": true,\n \"restart\": true}");
    assert_eq!(output.status.code(), Some(2));
    assert!(complained(&output).starts_with("watchdogctl: stdin:2:2: restart: it is given twice"));
    let (_directory, path) = file("binary.toml", "");
    std::fs::write(&path, b"\xff\xfe").unwrap();
    let output = run(&[&endpoint], &["goal", "apply", "-f", &path]);
    assert_eq!(output.status.code(), Some(2));
    assert!(complained(&output).contains("it is not UTF-8 text"), "{}", complained(&output));
}

#[test]
fn a_goal_that_nobody_takes_is_exit_3() {
    let (_socket, endpoint) = nobody();
    let (_directory, path) = file("goal.toml", GOAL);
    let output = run(&[&endpoint], &["goal", "apply", "-f", &path]);
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn what_the_leader_refuses_is_exit_1_with_its_line() {
    let fake = Fake::leading(7);
    let (_directory, path) = file("goal.toml", GOAL);
    let no = Status::invalid_argument("model/fraud: the value is 70000 bytes; at most 65536 are allowed");
    fake.script().goals.refuses_diff = Some(no.clone());
    for command in ["diff", "apply"] {
        let output = run(&[&fake.url], &["goal", command, "-f", &path]);
        assert_eq!(output.status.code(), Some(1));
        let expected = format!("watchdogctl: {path}:3:6: {}\n", no.message());
        assert_eq!(complained(&output), expected);
    }
    fake.script().goals.refuses_diff = None;
    fake.script().goals.refuses_apply = Some(Status::failed_precondition("the cluster is on fire"));
    let output = run(&[&fake.url], &["goal", "apply", "-f", &path]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(complained(&output), "watchdogctl: the cluster is on fire\n");
}

#[test]
fn a_goal_is_shown_and_declared_once() {
    let fake = Fake::leading(7);
    fake.script().goals.changes_one(12);
    let output = fed(&[&fake.url], &["--by", "al", "goal", "apply", "-f", "-", "--supersede"], GOAL);
    assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
    assert!(said(&output).ends_with("0 to add, 1 to change, 0 to remove.\ngoal g-1 is declared.\n"));
    let sent = fake.script().goals.applied.pop().unwrap();
    assert_eq!((sent.by.as_str(), sent.at, sent.supersede), ("al", None, true));
    assert!(uuid::Uuid::parse_str(&sent.request).is_ok(), "{}", sent.request);

    let output = fed(&[&fake.url], &["-o", "json", "goal", "apply", "-f", "-"], GOAL);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&json["id"], &json["status"], &json["diff"]["head"]),
        (&"g-1".into(), &"pending".into(), &12.into())
    );
    let second = fake.script().goals.applied.pop().unwrap();
    assert!(!second.supersede && second.request != sent.request);

    let output = run(&[&fake.url], &["goal", "restore", "41", "--reason", "it was better", "--at", "12"]);
    assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
    let sent = fake.script().goals.applied.pop().unwrap();
    assert_eq!(sent.at, Some(12));
    let sent: Value = serde_json::from_str(&sent.goal_json).unwrap();
    assert_eq!((&sent["restore"], &sent["reason"]), (&41.into(), &"it was better".into()));
}

#[test]
fn a_head_that_moved_is_exit_1_with_the_new_difference() {
    let fake = Fake::leading(7);
    fake.script().goals.changes_one(12);
    fake.script().goals.moves_to = Some(14);
    let (_directory, path) = file("goal.toml", GOAL);
    let output = run(&[&fake.url], &["goal", "apply", "-f", &path, "--at", "12"]);
    assert_eq!(output.status.code(), Some(1));
    let told = said(&output);
    assert!(told.contains("The head is 14 now; on top of it the goal comes to:\n~ model/fraud\n"), "{told}");
    let complaint = complained(&output);
    assert!(
        complaint.contains("nothing was declared: the log has moved on: its head is 14, not 12"),
        "{complaint}"
    );
    assert!(complaint.contains("apply it again with --at 14"), "{complaint}");

    let output = run(&[&fake.url], &["-o", "json", "goal", "apply", "-f", &path, "--at", "12"]);
    assert_eq!(output.status.code(), Some(1));
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["head"], 14, "the difference is all that there is: one document");
}

#[test]
fn waiting_tells_each_stage_and_ends_well_when_achieved() {
    let fake = Fake::leading(7);
    fake.go_on([goal("pending", "", "")]);
    let (_directory, path) = file("goal.toml", GOAL);
    let mut waiting = piped(&[&fake.url], &["goal", "apply", "-f", &path, "--wait"]);
    let mut lines = waiting.lines();
    assert_eq!(lines.next().unwrap(), "No changes: the state is as the goal wants it.");
    assert_eq!(lines.next().unwrap(), "goal g-1 is declared.");
    assert!(lines.next().unwrap().contains("  pending               it waits for its turn"));
    let table = [
        (
            "canary",
            "demo-a=moving demo-b=left",
            "rolling, canary       it is at canary; moving demo-a; left demo-b",
        ),
        (
            "final_soak",
            "demo-a=arrived demo-b=arrived",
            "rolling, final soak   it is at final_soak; arrived demo-a, demo-b",
        ),
    ];
    for (stage, replicas, line) in table {
        fake.go_on([goal("rolling", stage, replicas), goal("rolling", stage, replicas)]);
        let told = lines.next().unwrap();
        assert!(told.ends_with(line), "{told}");
    }
    fake.go_on([goal("achieved", "", "")]);
    assert!(lines.next().unwrap().ends_with("achieved              so it was achieved"));
    assert_eq!(lines.next().unwrap(), "Goal g-1 is achieved: so it was achieved.");
    assert_eq!(waiting.ended(), (Some(0), String::new()));
}

#[test]
fn waiting_ends_badly_with_the_reason() {
    for status in ["rejected", "superseded", "withdrawn"] {
        let fake = Fake::leading(7);
        fake.go_on([goal("rolling", "batch", "demo-a=arrived demo-b=failed"), goal(status, "", "")]);
        let output = run(&[&fake.url], &["goal", "restore", "stable", "--wait"]);
        assert_eq!(output.status.code(), Some(1), "{status}");
        let complaint = complained(&output);
        let expected = format!("watchdogctl: goal g-1 was {status}: so it was {status}\n");
        assert!(complaint.starts_with(&expected), "{complaint}");
        assert!(!said(&output).contains("achieved"), "{}", said(&output));
    }
}

#[test]
fn waiting_as_json_is_a_line_for_each_change() {
    let fake = Fake::leading(7);
    let rolling = goal("rolling", "batch", "demo-a=arrived");
    fake.go_on([rolling.clone(), rolling, goal("achieved", "", "")]);
    let output = run(&[&fake.url], &["-o", "json", "goal", "show", "g-1", "--wait"]);
    assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
    let stages: Vec<Value> = said(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<&Value> = stages.iter().map(|view| &view["status"]).collect();
    assert_eq!(told, ["rolling", "achieved"]);
    assert_eq!(stages[0]["replicas"][0]["stage"], "arrived");
}

#[test]
fn waiting_goes_on_at_another_watchdog() {
    let mut first = Fake::leading(7);
    let second = Fake::leading(8);
    let leader = second.script().leader.take();
    let canary = goal("rolling", "canary", "demo-a=moving");
    first.go_on([canary.clone()]);
    let mut waiting = piped(&[&first.url, &second.url], &["goal", "restore", "stable", "--wait"]);
    let mut lines = waiting.lines();
    assert!(lines.by_ref().any(|line| line.contains("it is at canary")));
    first.kill();
    // The new leader has not read of the goal yet.
    second.script().leader = leader;
    std::thread::sleep(Duration::from_millis(200));
    second.go_on([canary, goal("rolling", "batch", "demo-a=arrived"), goal("achieved", "", "")]);
    assert!(lines.next().unwrap().contains("it is at batch"), "the canary is not told twice");
    assert!(lines.any(|line| line.starts_with("Goal g-1 is achieved")));
    let (code, complaint) = waiting.ended();
    assert_eq!(code, Some(0), "{complaint}");
    assert!(complaint.contains("going on elsewhere"), "{complaint}");
}

#[test]
fn waiting_has_an_end_when_told_so_or_when_nobody_is_left() {
    let mut fake = Fake::leading(7);
    fake.go_on([goal("rolling", "soak", "demo-a=arrived")]);
    let started = Instant::now();
    let output = run(&[&fake.url], &["goal", "restore", "stable", "--wait", "--for", "300ms"]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = complained(&output);
    let expected =
        "goal g-1 is still rolling after 300ms; it goes on in the background: watchdogctl goal show g-1";
    assert!(complaint.contains(expected), "{complaint}");
    assert!(started.elapsed() < Duration::from_secs(5));

    let mut waiting = piped(&[&fake.url], &["--timeout", "200ms", "goal", "show", "g-1", "--wait"]);
    let mut lines = waiting.lines();
    assert!(lines.next().unwrap().contains("it is at soak"));
    fake.kill();
    let (code, complaint) = waiting.ended();
    assert_eq!(code, Some(3), "{complaint}");
}

#[test]
fn a_reader_that_leaves_does_not_make_it_achieved() {
    let fake = Fake::leading(7);
    fake.go_on([goal("rolling", "soak", "demo-a=arrived")]);
    let mut waiting = piped(&[&fake.url], &["goal", "show", "g-1", "--wait"]);
    assert!(waiting.lines().next().is_some());
    let (code, complaint) = waiting.ended();
    assert_eq!(code, Some(1));
    assert!(complaint.contains("nobody reads on; goal g-1 goes on in the background"), "{complaint}");
}

#[test]
fn on_a_terminal_a_block_is_drawn_over_itself() {
    let fake = Fake::leading(7);
    fake.go_on([
        goal("rolling", "canary", "demo-a=moving demo-b=left"),
        goal("rolling", "final_soak", "demo-a=arrived demo-b=arrived"),
        goal("achieved", "", ""),
    ]);
    let (mut child, mut screen) = on_a_terminal(&[&fake.url], &["goal", "show", "g-1", "--wait"]);
    let mut drawn = Vec::new();
    // The terminal is gone with the child, which reads as an error.
    let _ = screen.read_to_end(&mut drawn);
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
    let drawn = String::from_utf8(drawn).unwrap();
    let pictures: Vec<&str> = drawn.split("\x1b[J").collect();
    assert!(
        pictures[0].contains("Goal g-1: rolling, canary") && pictures[0].contains("moving   demo-a"),
        "{drawn:?}"
    );
    assert!(
        pictures[1].starts_with("\x1b[4A\r") && pictures[1].contains("arrived  demo-a, demo-b"),
        "{drawn:?}"
    );
    assert!(pictures[2].starts_with("\x1b[3A\r") && pictures[2].contains("Goal g-1: achieved"), "{drawn:?}");
    assert!(pictures[3].contains("Goal g-1 is achieved: so it was achieved."), "{drawn:?}");
}

#[test]
fn a_reader_that_leaves_does_not_stop_a_goal_from_being_declared() {
    let fake = Fake::leading(7);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = ctl(&[&fake.url]);
    let status = command.args(["goal", "restore", "stable"]).stdout(writer).status().unwrap();
    assert_eq!((status.code(), fake.script().goals.applied.len()), (Some(0), 1));
}

#[test]
fn goals_are_listed_and_shown() {
    let fake = Fake::leading(7);
    let output = run(&[&fake.url], &["goal", "list"]);
    assert_eq!(said(&output), "No goal has been declared yet.\n");
    let output = run(&[&fake.url], &["goal", "show", "g-1"]);
    assert_eq!(
        (output.status.code(), complained(&output).as_str()),
        (Some(1), "watchdogctl: id: there is no goal g-1\n")
    );
    fake.go_on([goal("rolling", "batch", "demo-a=arrived demo-b=moving")]);
    assert!(said(&run(&[&fake.url], &["goal", "list"])).contains("| g-1  | rolling |"));
    let shown = said(&run(&[&fake.url], &["goal", "show", "g-1"]));
    assert!(shown.contains("Goal g-1: rolling\n") && shown.contains("| demo-b  | moving  |"), "{shown}");
    let json: Value =
        serde_json::from_slice(&run(&[&fake.url], &["goal", "list", "-o", "json"]).stdout).unwrap();
    assert_eq!(json["goals"][0]["id"], "g-1");
}

#[test]
fn a_field_that_slipped_into_a_value_is_warned_of_and_sent() {
    let fake = Fake::leading(7);
    let text = "[set.\"model/fraud\"]\nuri = 'x'\nremove = ['rule/old']\n";
    let output = fed(&[&fake.url], &["goal", "diff", "-f", "-"], text);
    assert_eq!(output.status.code(), Some(0));
    assert!(complained(&output).starts_with("watchdogctl: stdin:3:1: remove: warning: it stands below"));
}

fn needy(what: &str, command: &str) -> watchdog_proto::admin::GoalView {
    let awaited = watchdog_proto::admin::AwaitedView { what: what.into(), command: command.into() };
    watchdog_proto::admin::GoalView {
        awaited: vec![awaited],
        last_failure: Some("demo-b: start: parameters.memory: is not a whole number".into()),
        ..goal("rolling", "waiting", "demo-a=arrived demo-b=failed")
    }
}

#[test]
fn waiting_ends_when_a_human_is_needed_and_says_for_what() {
    let fake = Fake::leading(7);
    let (_directory, path) = file("goal.toml", GOAL);
    // It looks like it for a moment, and goes on; then it is so.
    fake.script().goals.views = vec![
        needy("demo-c is quarantined", "watchdogctl release demo-c"),
        goal("rolling", "batch", "demo-a=arrived demo-b=moving"),
        needy("demo-b is quarantined: exited after 3 tries", "watchdogctl release demo-b"),
    ];
    let begun = Instant::now();
    let output = run(&[&fake.url], &["goal", "apply", "-f", &path, "--wait"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    let complaint = complained(&output);
    for expected in [
        "goal g-1 is rolling and needs a human",
        "demo-b is quarantined: exited after 3 tries: watchdogctl release demo-b",
        "the last failure: demo-b: start: parameters.memory: is not a whole number",
    ] {
        assert!(complaint.contains(expected), "{complaint}");
    }
    assert!(!complaint.contains("demo-c"), "{complaint}");
}

#[test]
fn a_rejected_goal_is_told_with_its_last_failure() {
    let fake = Fake::leading(7);
    let (_directory, path) = file("goal.toml", GOAL);
    let last_failure = Some("demo-b: load: exit 1: no space left on device".to_owned());
    let rejected = watchdog_proto::admin::GoalView { last_failure, ..goal("rejected", "", "") };
    fake.script().goals.views = vec![rejected];
    let output = run(&[&fake.url], &["goal", "apply", "-f", &path, "--wait"]);
    let complaint = complained(&output);
    assert!(
        complaint.contains("the last failure: demo-b: load: exit 1: no space left on device"),
        "{complaint}"
    );
    let output = run(&[&fake.url], &["goal", "show", "g-1"]);
    assert!(said(&output).contains("The last failure: demo-b: load: exit 1"), "{}", said(&output));
}

#[test]
fn waiting_is_never_silent_for_long() {
    let fake = Fake::leading(7);
    let (_directory, path) = file("goal.toml", GOAL);
    fake.script().goals.views = vec![goal("rolling", "batch", "demo-a=arrived demo-b=moving")];
    let output = run(&[&fake.url], &["goal", "apply", "-f", &path, "--wait", "--for", "12s"]);
    let told = said(&output);
    assert!(told.lines().filter(|line| line.contains("it is at batch")).count() >= 2, "{told}");
    assert!(told.contains("(still)"), "{told}");
}
