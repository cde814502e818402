//! Tests: what can be told of `watchdog dev` without starting processes.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::net::TcpListener;
use std::path::Path;

use clap::Parser;
use watchdog_core::ids::ReplicaId;
use watchdog_core::policy::Policy;
use watchdog_core::replica::{Probe, ReplicaSpec};
use watchdog_proto::admin::{ClusterStatus, Event, LeaderView, ReplicaView};

use super::client::Answers;
use super::home::Home;
use super::*;
use crate::config::Config;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn parse(arguments: &str) -> Result<Options, String> {
    let words = std::iter::once("dev").chain(arguments.split_whitespace());
    Arguments::try_parse_from(words).map(|arguments| arguments.options).map_err(|error| error.to_string())
}

#[test]
fn wrong_arguments_are_refused_with_the_reason() {
    let table = [
        ("--watchdogs 0", "0 is not in 1..=9"),
        ("--watchdogs 10", "10 is not in 1..=9"),
        ("--watchdogs three", "invalid value 'three' for '--watchdogs <N>'"),
        ("--replicas 0", "0 is not in 1..=500"),
        ("--hosts 100", "100 is not in 1..=99"),
        ("--listen 7400", "expected an address such as 127.0.0.1:7400"),
        ("--listen 0.0.0.0:7400", "0.0.0.0:7400 is reachable from other machines, and this is for one"),
        ("--coordination etcd://h", "expected embedded or zookeeper://host:port,…/path"),
        ("--coordination embedded://127.0.0.1:1", "say just `embedded`"),
        ("--coordination zookeeper://h1,,h2", "names no host"),
        ("--journal /tmp/j.db", "did you mean \"sqlite:/tmp/j.db\"?"),
        ("--journal mysql://h/d", "unknown kind of journal `mysql`"),
        ("--replica 3", "--replicas"),
        (
            "--scenario earthquake",
            "possible values: crash, hang, drift, bad-model-on-b, bad-model-everywhere",
        ),
        ("extra", "unexpected argument 'extra'"),
    ];
    for (arguments, expected) in table {
        let said = parse(arguments).unwrap_err();
        assert!(said.contains(expected), "{arguments}\n said: {said}\n not:  {expected}");
    }
    let options = parse("--coordination zookeeper://h1,h2:7/x --watchdogs 5").unwrap();
    let hosts = vec!["h1:2181".to_owned(), "h2:7".to_owned()];
    assert_eq!(
        options.coordination,
        reach::Coordination::ZooKeeper { url: "zookeeper://h1,h2:7/x".into(), hosts }
    );
    assert_eq!((options.watchdogs, options.replicas, options.hosts), (5, None, 2));
}

#[test]
fn the_log_begins_with_what_the_core_understands() {
    let changes = founding::changes(4, founding::Shape { hosts: 3, probe_timeout_ms: 500 }).unwrap();
    let value = |key: &str| {
        changes.iter().find(|change| change.key == key).and_then(|change| change.value_json.clone())
    };
    let policy: Policy = serde_json::from_str(&value("policy/healing").unwrap()).unwrap();
    assert_eq!((policy.soak_ms, policy.strikes), (200, 3));
    assert!(!value("policy/healing").unwrap().contains("strikes"), "only what differs from the defaults");
    let hosts = |name: &str| {
        let spec: ReplicaSpec = serde_json::from_str(&value(&format!("replica/{name}")).unwrap()).unwrap();
        assert!(
            spec.probes
                .iter()
                .all(|probe| matches!(probe, Probe::Http { timing, .. } if timing.timeout_ms == 500))
        );
        spec.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    assert_eq!([hosts("demo-a"), hosts("demo-b"), hosts("demo-d")], ["h1 h2 h3", "h2 h3 h1", "h1 h2 h3"]);
    assert!(value("model/fraud").is_some() && value("rule/block").is_some());
}

#[test]
fn replicas_are_named_by_letters() {
    let table = [(0, "demo-a"), (25, "demo-z"), (26, "demo-aa"), (499, "demo-sf")];
    for (index, expected) in table {
        assert_eq!(founding::replica_name(index), expected);
        assert!(ReplicaId::new(founding::replica_name(index)).is_ok());
    }
}

#[test]
fn written_configurations_are_right_and_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("with \"quotes\"");
    let home = Home::open(Some(&path)).unwrap();
    let watchdogs = vec!["127.0.0.1:7400".parse().unwrap(), "127.0.0.1:7401".parse().unwrap()];
    let layout = Layout {
        watchdogs: watchdogs.clone(),
        hosts: 2,
        coordination: "embedded://127.0.0.1:7399".to_owned(),
        journal: home.default_journal().unwrap(),
        certificates: None,
    };
    layout.write(&home, &Programs::named("/bin")).unwrap();
    let second = Config::read(&path.join("watchdogs/w2.toml")).unwrap();
    assert_eq!((second.id.as_str(), second.listen), ("w2", watchdogs[1]));
    let host: toml::Table =
        toml::from_str(&std::fs::read_to_string(path.join("hosts/h2/agent.toml")).unwrap()).unwrap();
    assert_eq!(host["programs"]["scoring-server"]["argv"][0].as_str(), Some("/bin/scoring-server"));
    let earlier = files::Earlier::read(&home);
    assert_eq!((earlier.watchdogs, earlier.coordination), (watchdogs, "127.0.0.1:7399".parse().ok()));
}

#[test]
fn a_home_is_used_by_one_and_kept_only_when_it_was_named() {
    let directory = tempfile::tempdir().unwrap();
    let named = directory.path().join("a/b");
    let home = Home::open(Some(&named)).unwrap();
    let error = Home::open(Some(&named)).err().unwrap().to_string();
    assert!(error.contains("another `watchdog dev` runs in"), "{error}");
    home.write_endpoints("http://127.0.0.1:1").unwrap();
    assert_eq!(std::fs::read_to_string(named.join("endpoints")).unwrap(), "http://127.0.0.1:1\n");
    home.close(true);
    assert!(named.join("logs").is_dir() && !named.join("endpoints").exists());

    let fresh = Home::open(None).unwrap();
    let path = fresh.path().to_owned();
    fresh.close(true);
    assert!(!path.exists());

    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let error = Home::open(Some(&file)).err().unwrap();
    assert!(format!("{error:#}").contains("cannot make the directory"), "{error:#}");
}

#[test]
fn ports_follow_one_another_or_are_free_and_a_taken_one_is_named() {
    let any = "127.0.0.1:0".parse().unwrap();
    let first = ports::watchdogs(any, 3, &[]).unwrap();
    let distinct: std::collections::BTreeSet<_> = first.iter().collect();
    assert_eq!(distinct.len(), 3);
    assert_eq!(ports::watchdogs(any, 3, &first).unwrap(), first, "those of before stay");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let held = TcpListener::bind(taken).unwrap();
    let error = ports::watchdogs(taken, 1, &[]).unwrap_err().to_string();
    assert!(error.contains(&format!("{taken} is taken")), "{error}");
    drop(held);
    let error = ports::watchdogs("127.77.1.1:65535".parse().unwrap(), 2, &[]).unwrap_err().to_string();
    assert!(error.contains("choose a lower --listen"), "{error}");
}

#[test]
fn ready_is_when_all_are_healthy_on_the_stable_version() {
    let replica = |state: &str, version| ReplicaView {
        replica: "demo-a".into(),
        state: state.into(),
        version,
        expected: Some(6),
        ..ReplicaView::default()
    };
    let leader = Some(LeaderView { id: "w1".into(), address: "http://127.0.0.1:1".into(), epoch: 1 });
    let status = |stable, replicas| ClusterStatus {
        leader: leader.clone(),
        head: 6,
        stable,
        replicas,
        ..ClusterStatus::default()
    };
    let table = [
        (status(Some(6), vec![replica("healthy", Some(6))]), ""),
        (status(Some(6), vec![]), "no replica is known"),
        (status(Some(6), vec![replica("starting", None)]), "demo-a is starting"),
        (status(None, vec![replica("healthy", Some(6))]), "no version is stable yet; demo-a holds version 6"),
        (
            status(Some(6), vec![replica("healthy", Some(5))]),
            "demo-a holds version 5 and should hold version 6",
        ),
        (
            ClusterStatus { leader: None, ..status(Some(6), vec![replica("healthy", Some(6))]) },
            "nobody leads",
        ),
    ];
    for (status, expected) in table {
        let answers = Answers { silent: Vec::new(), status: Some(status) };
        assert_eq!(progress::missing(&answers).join("; "), expected);
    }
    let answers = Answers { silent: vec!["http://127.0.0.1:1".into()], status: None };
    assert_eq!(progress::missing(&answers), ["http://127.0.0.1:1 does not answer"]);
}

#[test]
fn the_timeline_is_one_line_an_entry() {
    let event = Event {
        sequence: 7,
        at: "2026-11-21T21:40:11.123Z".into(),
        kind: "finding".into(),
        replica: Some("demo-a".into()),
        message: "exited: signal 9".into(),
        ..Event::default()
    };
    assert_eq!(timeline::line(&event), "21:40:11.123 finding       demo-a exited: signal 9");
    let named = Event { message: "demo-a died".into(), ..event.clone() };
    assert_eq!(timeline::line(&named), "21:40:11.123 finding       demo-a died");
    let bare = Event { at: "soon".into(), replica: None, ..event };
    assert_eq!(timeline::line(&bare), "soon finding       exited: signal 9");
}

#[tokio::test]
async fn who_dies_is_started_again_and_who_always_dies_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let unit = |script: &str| init::Unit {
        role: Role::Watchdog,
        title: "watchdog w1".into(),
        program: Path::new("/bin/sh").to_owned(),
        arguments: vec!["-c".into(), script.into()],
        log: directory.path().join("log"),
        home: directory.path().join("nobody-else"),
    };
    let mut init = Init::default();
    let mut hopeless = init.hopeless();
    init.keep(unit("echo cannot; exit 3"));
    let why = hopeless.wait_for(Option::is_some).await.unwrap().clone().unwrap();
    assert!(why.contains("watchdog w1 won't run: exit status: 3") && why.ends_with("cannot"), "{why}");
    init.stop(Role::Watchdog).await;

    // It ends by itself when its standard input does, and by us at once.
    let mut init = Init::default();
    init.keep(unit("cat >/dev/null"));
    init.stop(Role::Watchdog).await;
}
