//! Rigs: the real ZooKeeper and PostgreSQL do what the tests that use them rely on.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Read as _;
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use watchdog_tests::postgres::{self, Durability, Postgres};
use watchdog_tests::zookeeper::{self, Ensemble};
use watchdog_tests::{Guarded, wait_for};

#[test]
fn an_ensemble_elects_again_when_its_leader_is_killed() {
    let ensemble = Ensemble::start(3).unwrap();
    let first = ensemble.leader_index().unwrap();
    ensemble.node(first).kill();
    assert_eq!(ensemble.node(first).mode(), None);
    let second = ensemble.leader_index().unwrap();
    assert_ne!(first, second);
    assert_eq!(ensemble.node(second).ask("ruok").unwrap(), "imok");

    ensemble.node(first).restart().unwrap();
    let modes: Vec<String> = (0..3).filter_map(|index| ensemble.node(index).mode()).collect();
    assert_eq!(modes.iter().filter(|mode| *mode == "follower").count(), 2, "{modes:?}");
}

#[test]
fn a_stopped_node_says_nothing_until_it_goes_on() {
    let ensemble = Ensemble::start(1).unwrap();
    let node = ensemble.node(0);
    node.stop();
    // The signal reaches its many threads one by one, so that an answer may still slip out.
    let silent = || node.mode().is_none().then_some(());
    watchdog_tests::wait_for("silence", std::time::Duration::from_secs(10), silent).unwrap();
    node.cont();
    node.wait_until_serving().unwrap();
}

#[test]
fn each_shared_chroot_is_another_one() {
    let (first, second) = (zookeeper::shared().unwrap(), zookeeper::shared().unwrap());
    assert_eq!(first.ensemble.connect_string(), second.ensemble.connect_string());
    assert_ne!(first.path(), second.path());
    assert!(first.url().starts_with("zookeeper://127.0.0.1:"), "{}", first.url());
}

#[test]
fn postgres_answers_and_keeps_what_was_committed() {
    let server = Postgres::start(Durability::Synced).unwrap();
    assert_eq!(server.psql("postgres", "SELECT 1").unwrap(), "1");
    assert_eq!(server.psql("postgres", "SHOW fsync").unwrap(), "on");
    server.psql("postgres", "CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)").unwrap();
    server.kill();
    assert!(server.psql("postgres", "SELECT 1").is_err());
    server.restart().unwrap();
    server.restart().unwrap();
    assert_eq!(server.psql("postgres", "SELECT n FROM kept").unwrap(), "7");
}

#[test]
fn a_frozen_postgres_gives_no_error_only_silence() {
    let server = Postgres::start(Durability::Unsynced).unwrap();
    server.freeze();
    // The kernel still accepts; an SSL request, which a live server answers with one byte, is left unanswered.
    let mut connection = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    connection.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    std::io::Write::write_all(&mut connection, &[0, 0, 0, 8, 4, 210, 22, 47]).unwrap();
    assert!(connection.read(&mut [0]).is_err());
    server.thaw();
    assert_eq!(server.psql("postgres", "SELECT 1").unwrap(), "1");
}

#[test]
fn each_shared_database_is_empty_and_its_own() {
    let (first, second) = (postgres::shared().unwrap(), postgres::shared().unwrap());
    assert_ne!(first, second);
    let server = postgres::shared_server().unwrap();
    let name = first.rsplit('/').next().unwrap();
    assert_eq!(server.psql(name, "SHOW fsync").unwrap(), "off");
    assert_eq!(server.psql(name, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").unwrap(), "0");
}

/// Not a test of its own: the victim of the next one, which runs it in a process that it then kills.
#[test]
fn victim() {
    let Ok(report) = std::env::var("RIGS_VICTIM_REPORT") else { return };
    let server = Postgres::start(Durability::Unsynced).unwrap();
    std::fs::write(format!("{report}.part"), server.socket_directory().display().to_string()).unwrap();
    std::fs::rename(format!("{report}.part"), &report).unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn nothing_survives_a_test_process_that_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().join("report");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "victim", "--nocapture"]).env("RIGS_VICTIM_REPORT", &report);
    let mut victim = Guarded::spawn("the victim", &mut command, &directory.path().join("log")).unwrap();
    let look = || std::fs::read_to_string(&report).ok();
    let home = wait_for("the victim's server", Duration::from_mins(1), look).unwrap();
    victim.kill();
    let gone = || (!Path::new(&home).exists()).then_some(());
    wait_for("the reaper to remove the server's directory", Duration::from_secs(30), gone).unwrap();
}
