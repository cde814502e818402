//! Leader: whoever is down, hung, deposed or not yet elected, a question finds its answer and an order its leader.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(
    dead_code,
    unused_imports,
    missing_docs,
    clippy::wildcard_imports,
    reason = "each test program uses its part; the services are as long as their protocol"
)]
mod fake;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use fake::{Fake, complained, ctl, hung, nobody, run, said};
use watchdog_proto::admin::LeaderView;

#[test]
fn an_order_goes_to_the_leader_that_followers_name() {
    let leader = Fake::leading(7);
    let follower = Fake::following(&leader);
    // The leader itself is not among the endpoints.
    let output =
        run(&[&follower.url], &["--by", "alice@desk", "pause", "--reason", "disk swap", "--for", "2h"]);
    assert_eq!(said(&output), "did pause alice@desk 7200000 disk swap\n", "{}", complained(&output));
    assert_eq!(output.status.code(), Some(0));
    assert!(follower.script().writes.is_empty(), "the follower is asked who leads, and nothing else");
}

#[test]
fn a_deposed_leader_sends_an_order_on() {
    let leader = Fake::leading(7);
    let deposed = Fake::leading(6);
    deposed.script().redirect = Some(leader.url.clone());
    let output = run(&[&deposed.url], &["resume"]);
    assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
    assert_eq!(deposed.script().writes.len(), 1);
    assert_eq!(leader.script().writes.len(), 1);
}

#[test]
fn two_that_send_each_other_an_order_do_not_keep_it_going_for_ever() {
    let (one, two) = (Fake::leading(7), Fake::leading(6));
    one.script().redirect = Some(two.url.clone());
    two.script().redirect = Some(one.url.clone());
    let output = run(&[&one.url, &two.url], &["--timeout", "500ms", "resume"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(one.script().writes.len() < 10);
}

#[test]
fn the_newest_epoch_is_believed() {
    let (old, new) = (Fake::leading(6), Fake::leading(7));
    let output = run(&[&old.url, &new.url], &["resume"]);
    assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
    assert_eq!((old.script().writes.len(), new.script().writes.len()), (0, 1));
    let output = run(&[&old.url, &new.url], &["leader"]);
    assert_eq!(said(&output), format!("watchdog-1 leads demo at {} in epoch 7\n", new.url));
}

#[test]
fn those_that_are_down_or_hung_are_passed_over() {
    let leader = Fake::leading(7);
    let ((_socket, down), (_listener, hung)) = (nobody(), hung());
    let started = Instant::now();
    for command in ["status", "resume", "events"] {
        let output = run(&[&down, &hung, &leader.url], &[command]);
        assert_eq!(output.status.code(), Some(0), "{command}: {}", complained(&output));
    }
    assert!(started.elapsed() < Duration::from_secs(6), "{:?}", started.elapsed());
}

#[test]
fn a_hung_leader_does_not_stop_a_read() {
    let (_listener, hung) = hung();
    let follower = Fake::start();
    follower.script().leader = Some(LeaderView { id: "watchdog-2".into(), address: hung.clone(), epoch: 7 });
    let output = run(&[&hung, &follower.url], &["status"]);
    assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
}

#[test]
fn nobody_answering_is_exit_3_and_says_what_became_of_each() {
    let ((_socket, down), (_listener, hung)) = (nobody(), hung());
    let output = run(&[&down, &hung], &["--timeout", "500ms", "status"]);
    assert_eq!(output.status.code(), Some(3));
    let complaint = complained(&output);
    assert!(complaint.contains("no watchdog answered for cluster demo"), "{complaint}");
    assert!(complaint.contains(&format!("{down}: cannot connect: Connection refused")), "{complaint}");
    assert!(complaint.contains(&format!("{hung}: no answer within 500ms")), "{complaint}");
    assert_eq!(said(&output), "");
}

#[test]
fn no_leader_is_exit_3_and_reads_are_shown_all_the_same() {
    let lonely = Fake::start();
    let output = run(&[&lonely.url], &["--timeout", "500ms", "pause", "--reason", "x"]);
    assert_eq!(output.status.code(), Some(3));
    let complaint = complained(&output);
    assert!(complaint.contains("cluster demo has no leader"), "{complaint}");
    assert!(complaint.contains(&format!("{}: knows of no leader", lonely.url)), "{complaint}");
    assert!(lonely.script().writes.is_empty());

    for command in ["status", "leader"] {
        let output = run(&[&lonely.url], &["-o", "json", command]);
        assert_eq!(output.status.code(), Some(3), "{command}");
        let shown: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&shown["cluster"], &shown["leader"]), (&"demo".into(), &serde_json::Value::Null));
    }
}

#[test]
fn an_order_waits_for_an_election() {
    let fake = Fake::start();
    let mut command = ctl(&[&fake.url]);
    let mut child = command.arg("resume").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut complaint = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut complaint).unwrap();
    assert!(complaint.contains("nobody leads demo now; waiting up to 10s"), "{complaint}");
    fake.script().leader = Some(LeaderView { id: "watchdog-1".into(), address: fake.url.clone(), epoch: 8 });
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).starts_with("did resume alice@"), "{}", said(&output));
}

#[test]
fn an_order_to_a_stopped_leader_finds_its_successor() {
    let (_listener, hung) = hung();
    let successor = Fake::start();
    successor.script().leader = Some(LeaderView { id: "watchdog-1".into(), address: hung.clone(), epoch: 7 });
    successor.script().redirect = Some(hung.clone());
    let mut command = ctl(&[&hung, &successor.url]);
    let child = command.arg("resume").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It is sent on from here to the stopped one, and so has noticed it.
    let patience = Instant::now() + Duration::from_secs(20);
    while successor.script().writes.is_empty() && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(10));
    }
    let elected = LeaderView { id: "watchdog-2".into(), address: successor.url.clone(), epoch: 8 };
    successor.script().leader = Some(elected);
    successor.script().redirect = None;
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", complained(&output));
}

#[test]
fn a_resignation_of_unknown_fate_is_not_sent_again() {
    let leader = Fake::leading(7);
    let other = Fake::following(&leader);
    leader.script().mute = true;
    let output = run(&[&leader.url, &other.url], &["--timeout", "500ms", "leader", "resign"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(complained(&output).contains("may or may not have been done"), "{}", complained(&output));
    assert_eq!((leader.script().writes.len(), other.script().writes.len()), (1, 0));
}

#[test]
fn a_cluster_that_one_watchdog_does_not_know_may_be_known_to_another() {
    let stranger = Fake::start();
    stranger.script().refuses = Some(tonic::Status::not_found("cluster demo is not guarded here"));
    stranger.script().refuses_survey = Some(tonic::Status::not_found("cluster demo is not guarded here"));
    let output = run(&[&stranger.url], &["status"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(complained(&output).contains("cluster demo is not guarded here"), "{}", complained(&output));

    let leader = Fake::leading(7);
    for command in ["status", "resume", "leader", "events"] {
        let output = run(&[&stranger.url, &leader.url], &[command]);
        assert_eq!(output.status.code(), Some(0), "{command}: {}", complained(&output));
    }
}
