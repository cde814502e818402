//! Pauses: what is to be left alone stays so when the journal comes back from an old backup.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use watchdog_tests::dev::Setup;
use watchdog_tests::story::{Story, runs};

fn ordered(story: &Story, arguments: &[&str]) {
    let output = story.dev.ctl(arguments).unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn watchdogs(story: &Story) -> Vec<u32> {
    let status = story.dev.status().unwrap();
    let all = status["watchdogs"].as_array().unwrap().iter();
    all.map(|watchdog| u32::try_from(watchdog["pid"].as_u64().unwrap()).unwrap()).collect()
}

/// The journal's files, copied while none of its writers runs.
fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in ["journal.db", "journal.db-wal"] {
        if from.join(name).exists() {
            std::fs::copy(from.join(name), to.join(name)).unwrap();
        }
    }
}

#[test]
fn a_pause_outlives_the_journal_that_it_was_written_to() {
    let directory = tempfile::tempdir().unwrap();
    let journal = format!("sqlite:{}", directory.path().join("journal.db").display());
    let story = Story::on(&Setup { journal: Some(journal), ..Setup::default() }).unwrap();
    let before = story.healthy().unwrap();
    let backup = directory.path().join("backup");
    let pids = watchdogs(&story);
    story.freeze(&pids).unwrap();
    copied(directory.path(), &backup);
    story.thaw(&pids).unwrap();

    ordered(&story, &["pause", "--reason", "restoring the journal"]);
    ordered(&story, &["hold", "demo-c", "--reason", "its disk is changed"]);
    // As the guide says: all watchdogs stopped, the backup in the place of the journal. `dev` would start them again.
    let (dev, pids) = (story.dev.pid(), watchdogs(&story));
    story.freeze(&[dev]).unwrap();
    for pid in &pids {
        story.dev.kill9(*pid).unwrap();
    }
    for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let _ = std::fs::remove_file(directory.path().join(name));
    }
    copied(&backup, directory.path());
    story.thaw(&[dev]).unwrap();

    let paused = |status: &Value| {
        let stands = status["paused"]["reason"] == "restoring the journal";
        (status["leader"].is_object() && stands && status["holds"][0]["target"] == "demo-c").then_some(())
    };
    story.until("a leader that is paused still", paused).unwrap();
    let told = |event: &Value| {
        let message = event["message"].as_str().unwrap_or_default();
        message.contains("was not in the journal, and the coordination service kept it")
    };
    story.until_event("it is told", 0, told).unwrap();
    let (since, dead) = (story.now().unwrap(), story.replica("demo-b").unwrap());
    story.kill(&dead).unwrap();
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(story.steps_for("demo-b", since).unwrap(), Vec::<String>::new());
    let status = story.dev.status().unwrap();
    let row = status["replicas"].as_array().unwrap().iter().find(|row| row["replica"] == "demo-b").unwrap();
    assert_ne!(row["state"], "healthy", "{row}");
    ordered(&story, &["release", "demo-c"]);
    ordered(&story, &["resume"]);
    story.until_replaced(&dead).unwrap();
    assert!(story.dev.status().unwrap()["paused"].is_null());
    for replica in before.iter().filter(|replica| replica.name != "demo-b") {
        assert!(runs(replica.pid), "{} was killed", replica.name);
    }
}
