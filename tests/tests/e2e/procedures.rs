//! Procedures: what the operating guide says about the journal's backup and a new ZooKeeper, done as it says.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use watchdog_tests::dev::Setup;
use watchdog_tests::postgres::{self, Durability, Postgres};
use watchdog_tests::story::{Replica, Story, runs};
use watchdog_tests::zookeeper::{self, Ensemble};
use zookeeper_client::Client;

#[test]
fn an_empty_zookeeper_takes_the_place_of_a_lost_one() {
    let ensemble = Ensemble::start(3).unwrap();
    let setup = Setup {
        coordination: Some(format!("zookeeper://{}/watchdog", ensemble.connect_string())),
        journal: Some(postgres::shared().unwrap()),
        ..Setup::default()
    };
    let story = Story::on(&setup).unwrap();
    let before = story.healthy().unwrap();
    let (_, epoch) = story.leader().unwrap();
    let nodes = || (0..ensemble.size()).map(|index| ensemble.node(index));
    nodes().for_each(|node| node.forget().unwrap());
    nodes().for_each(|node| node.start().unwrap());
    nodes().for_each(|node| node.wait_until_serving().unwrap());

    let again = |status: &Value| status["leader"]["epoch"].as_u64().filter(|now| *now > epoch);
    story.until("a leader of a later epoch", again).unwrap();
    story.until_all_healthy().unwrap();
    same_lives(&story, &before);
    let dead = story.replica("demo-b").unwrap();
    story.kill(&dead).unwrap();
    story.until_replaced(&dead).unwrap();
}

#[test]
fn a_backup_of_the_journal_is_restored_or_accepted_although_it_lacks_something() {
    let chroot = zookeeper::shared().unwrap();
    let postgres = Postgres::start(Durability::Synced).unwrap();
    let journal = postgres.create_database().unwrap();
    let coordination = chroot.url();
    let story = Story::on(&Setup {
        coordination: Some(coordination.clone()),
        journal: Some(journal.clone()),
        ..Setup::default()
    });
    let story = story.unwrap();
    let before = story.healthy().unwrap();
    let file = story.dev.home().join("journal.dump");
    let file = file.to_str().unwrap();

    // Taken while all runs, and complete: nothing was appended since, and nobody else was elected.
    tool("pg_dump", &["--format=custom", "--file", file, &journal]);
    restore(&postgres, &journal, file);
    let dead = story.replica("demo-b").unwrap();
    story.kill(&dead).unwrap();
    story.until_replaced(&dead).unwrap();

    // The same backup when the log has gone on.
    let head = change_something(&story);
    ordered(&story, &["pause", "--reason", "restoring the journal"]);
    std::thread::sleep(Duration::from_secs(3));
    restore(&postgres, &journal, file);
    story.until_refused("journal_behind").unwrap();
    accept(&coordination, &postgres, &journal);
    let accepted = |status: &Value| {
        let led = status["leader"].is_object() && status["blind"].is_null();
        (led && status["head"].as_u64().is_some_and(|now| now < head)).then_some(())
    };
    story.until("a leader on the older journal", accepted).unwrap();
    // The pause was written to the journal that is lost, and stands: nothing is healed until it is ended.
    let paused = |status: &Value| (status["paused"]["reason"] == "restoring the journal").then_some(());
    story.until("the pause", paused).unwrap();
    let (since, dead) = (story.now().unwrap(), story.replica("demo-a").unwrap());
    story.kill(&dead).unwrap();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(story.steps_for("demo-a", since).unwrap(), Vec::<String>::new());
    ordered(&story, &["resume"]);
    story.until_replaced(&dead).unwrap();
    story.until_all_healthy().unwrap();
    let others: Vec<Replica> = before.into_iter().filter(|replica| replica.name == "demo-c").collect();
    same_lives(&story, &others);
    let dead = story.replica("demo-c").unwrap();
    story.kill(&dead).unwrap();
    story.until_replaced(&dead).unwrap();
}

fn ordered(story: &Story, arguments: &[&str]) {
    let output = story.dev.ctl(arguments).unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn same_lives(story: &Story, before: &[Replica]) {
    for replica in before {
        assert!(runs(replica.pid), "{} was killed", replica.name);
        assert_eq!(
            story.replica(&replica.name).unwrap().incarnation,
            replica.incarnation,
            "{}",
            replica.name
        );
    }
}

/// Appends something that no replica loads; answers the head.
fn change_something(story: &Story) -> u64 {
    let mut policy = watchdog_tests::admin::value(&story.dev, "policy/healing").unwrap();
    policy["flapping_deaths"] = json!(9);
    let later = [("policy/healing", Some(policy))];
    let appended = || watchdog_tests::admin::append(&story.dev, &later).ok();
    watchdog_tests::wait_for("an append", Duration::from_secs(30), appended).unwrap();
    story.dev.status().unwrap()["head"].as_u64().unwrap()
}

fn tool(name: &str, arguments: &[&str]) {
    let program = postgres::find_binaries().unwrap().join(name);
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Bars and cuts all connections, and puts what the file has in the place of what is there.
fn restore(postgres: &Postgres, journal: &str, file: &str) {
    let database = journal.rsplit('/').next().unwrap().split('?').next().unwrap();
    let done = || postgres.psql("postgres", &format!("DROP DATABASE \"{database}\" WITH (FORCE)")).ok();
    watchdog_tests::wait_for("the database's end", Duration::from_secs(20), done).unwrap();
    postgres.psql("postgres", &format!("CREATE DATABASE \"{database}\"")).unwrap();
    tool("pg_restore", &["--exit-on-error", "--single-transaction", "--dbname", journal, file]);
}

/// Tells ZooKeeper that this journal, as it is, is the one to go on with; the epoch goes on growing.
fn accept(coordination: &str, postgres: &Postgres, journal: &str) {
    let database = journal.rsplit('/').next().unwrap().split('?').next().unwrap();
    let line =
        postgres.psql(database, "SELECT epoch, head, head_hash FROM term WHERE cluster = 'demo'").unwrap();
    let [term, head, hash] = line.split('|').collect::<Vec<_>>()[..] else { panic!("{line}") };
    let (term, head): (u64, u64) = (term.parse().unwrap(), head.parse().unwrap());
    let path = format!("/{}/demo/epoch", coordination.splitn(4, '/').nth(3).unwrap());
    let servers = coordination.trim_start_matches("zookeeper://").split('/').next().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let client = Client::connect(servers).await.unwrap();
        let (bytes, _) = client.get_data(&path).await.unwrap();
        let mut record: Value = serde_json::from_slice(&bytes).unwrap();
        (record["term"], record["head"], record["hash"]) = (json!(term), json!(head), json!(hash));
        client.set_data(&path, &serde_json::to_vec(&record).unwrap(), None).await.unwrap();
    });
}
