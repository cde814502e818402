//! Stores: ZooKeeper and PostgreSQL are lost, in part and as a whole, and come back; also from an old backup.

use std::time::Duration;

use watchdog_tests::dev::Setup;
use watchdog_tests::postgres::{self, Durability, Postgres};
use watchdog_tests::story::{PATIENCE, Story, runs};
use watchdog_tests::zookeeper::{self, Ensemble};

#[test]
fn a_lost_zookeeper_node_stops_nothing() {
    let ensemble = Ensemble::start(3).unwrap();
    let story = Story::on(&on(&ensemble, postgres::shared().unwrap())).unwrap();
    let leading = ensemble.leader_index().unwrap();
    ensemble.node(leading).kill();
    let dead = story.replica("demo-b").unwrap();
    story.kill(&dead).unwrap();
    story.until_replaced(&dead).unwrap();
    story.until_all_healthy().unwrap();
}

#[test]
fn without_zookeeper_nothing_is_killed_and_work_goes_on_when_it_is_back() {
    let ensemble = Ensemble::start(3).unwrap();
    let story = Story::on(&on(&ensemble, postgres::shared().unwrap())).unwrap();
    let before = story.healthy().unwrap();
    for index in 0..3 {
        ensemble.node(index).stop();
    }
    story
        .until("every watchdog says that it is blind", |status| status["blind"].as_str().map(|_| ()))
        .unwrap();
    // Longer than every session: that time must pass is what is tested.
    std::thread::sleep(Duration::from_secs(12));
    for replica in &before {
        assert!(runs(replica.pid), "{} was killed although nobody could see", replica.name);
    }
    for index in 0..3 {
        ensemble.node(index).cont();
    }
    story
        .until("sight", |status| (status["blind"].is_null() && status["leader"].is_object()).then_some(()))
        .unwrap();
    story.until_all_healthy().unwrap();
    for replica in &before {
        assert_eq!(
            story.replica(&replica.name).unwrap().incarnation,
            replica.incarnation,
            "{}",
            replica.name
        );
    }
    let dead = story.replica("demo-b").unwrap();
    story.kill(&dead).unwrap();
    story.until_replaced(&dead).unwrap();
}

#[test]
fn a_heal_waits_for_a_database_that_restarts() {
    let chroot = zookeeper::shared().unwrap();
    let postgres = Postgres::start(Durability::Synced).unwrap();
    let journal = postgres.create_database().unwrap();
    let story =
        Story::on(&Setup { coordination: Some(chroot.url()), journal: Some(journal), ..Setup::default() });
    let story = story.unwrap();
    let dead = story.replica("demo-b").unwrap();
    postgres.stop_fast().unwrap();
    story.kill(&dead).unwrap();
    story
        .until("the journal's absence is told", |status| {
            status["blind"].as_str().filter(|why| why.contains("journal")).map(|_| ())
        })
        .unwrap();
    assert!(!runs(dead.pid));
    postgres.restart().unwrap();
    story.until_replaced(&dead).unwrap();
    story.until_all_healthy().unwrap();
}

#[test]
fn a_frozen_database_is_noticed_and_survived() {
    let chroot = zookeeper::shared().unwrap();
    let postgres = Postgres::start(Durability::Synced).unwrap();
    let journal = postgres.create_database().unwrap();
    let story =
        Story::on(&Setup { coordination: Some(chroot.url()), journal: Some(journal), ..Setup::default() });
    let story = story.unwrap();
    postgres.freeze();
    let dead = story.replica("demo-b").unwrap();
    story.kill(&dead).unwrap();
    story
        .until("the journal's silence is told", |status| {
            status["blind"].as_str().filter(|why| why.contains("journal")).map(|_| ())
        })
        .unwrap();
    postgres.thaw();
    story.until_replaced(&dead).unwrap();
}

#[test]
fn a_journal_from_an_old_backup_makes_everyone_hold() {
    let chroot = zookeeper::shared().unwrap();
    let postgres = Postgres::start(Durability::Synced).unwrap();
    let journal = postgres.create_database().unwrap();
    let database = journal.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    let story =
        Story::on(&Setup { coordination: Some(chroot.url()), journal: Some(journal), ..Setup::default() });
    let story = story.unwrap();
    let before = story.healthy().unwrap();
    let mut policy = watchdog_tests::admin::value(&story.dev, "policy/healing").unwrap();
    policy["flapping_deaths"] = serde_json::json!(9);
    backup(&postgres, &database, "backup");
    // The backup has cut every connection, so the leader confirms nothing until it has found the database again.
    let later = [("policy/healing", Some(policy))];
    let appended = || watchdog_tests::admin::append(&story.dev, &later).ok();
    watchdog_tests::wait_for("an append after the backup", PATIENCE, appended).unwrap();
    // The leader has told ZooKeeper how far the journal goes, at the latest when it confirms its term.
    std::thread::sleep(Duration::from_secs(3));
    restore(&postgres, &database, "backup");

    let sentence = story.until_refused("journal_behind").unwrap();
    assert!(sentence.contains("older backup"), "{sentence}");
    let dead = story.replica("demo-b").unwrap();
    story.kill(&dead).unwrap();
    // Nothing may happen now; that time passes without it is what is tested.
    std::thread::sleep(Duration::from_secs(4));
    assert!(before.iter().filter(|replica| replica.name != "demo-b").all(|replica| runs(replica.pid)));
    let status = story.dev.status().unwrap();
    let row = status["replicas"].as_array().unwrap().iter().find(|row| row["replica"] == "demo-b").unwrap();
    assert_ne!(row["state"], "healthy", "nobody may heal from a journal that lacks what was decided");
}

fn on(ensemble: &Ensemble, journal: String) -> Setup {
    Setup {
        coordination: Some(format!("zookeeper://{}", ensemble.connect_string())),
        journal: Some(journal),
        ..Setup::default()
    }
}

const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ";

fn backup(postgres: &Postgres, database: &str, name: &str) {
    alone(postgres, database, &format!("CREATE DATABASE {name} TEMPLATE \"{database}\""));
}

fn restore(postgres: &Postgres, database: &str, name: &str) {
    alone(postgres, database, &format!("ALTER DATABASE \"{database}\" RENAME TO lost"));
    postgres.psql("postgres", &format!("ALTER DATABASE {name} RENAME TO \"{database}\"")).unwrap();
    postgres.psql("postgres", &format!("ALTER DATABASE \"{database}\" ALLOW_CONNECTIONS true")).unwrap();
}

/// Runs a statement that needs the database for itself: new connections are barred, those that stand are cut.
fn alone(postgres: &Postgres, database: &str, statement: &str) {
    let bar = |allowed: bool| format!("ALTER DATABASE \"{database}\" ALLOW_CONNECTIONS {allowed}");
    postgres.psql("postgres", &bar(false)).unwrap();
    let done = watchdog_tests::wait_for(statement, Duration::from_secs(20), || {
        postgres.psql("postgres", &format!("{CUT}'{database}'")).ok()?;
        postgres.psql("postgres", statement).ok()
    });
    done.unwrap();
    // Gone by that name after a rename; then there is nothing to open again.
    let _ = postgres.psql("postgres", &bar(true));
}
