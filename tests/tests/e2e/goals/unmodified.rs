//! Unmodified: programs that know nothing of us, rendered and told by a signal; they believe only what they are started
//! with.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use watchdog_tests::agent::HostAgent;
use watchdog_tests::story::{Backend, PATIENCE, Story};
use watchdog_tests::{Directory, admin, wait_for};

use super::{achieve, fail, same_lives};

crate::stories!(
    a_version_that_nobody_can_be_started_on_is_left_again,
    a_new_replica_that_dies_after_each_start_rejects_its_goal,
);

/// Ignores the signal that it is told by, and dies at its start when its file says bad.
const SCRIPT: &str = "trap '' HUP; grep -q bad \"$1\" && exit 3; exec sleep 1000000";
/// Nobody here is to be healed for being slow.
const PATIENT: [&str; 2] = ["--probe-timeout-ms", "1000"];
const REPLICAS: [&str; 2] = ["sig-1", "sig-2"];

/// A host of such programs beside the demo cluster.
fn host<'a>(story: &Story, home: &'a Path) -> HostAgent<'a> {
    let log = story.dev.log();
    let coordination = log.lines().find_map(|line| line.strip_prefix("coordination ")).unwrap();
    let mut programs = "[programs.alive]\nargv = [\"/bin/true\"]\n\
         [programs.brief]\nargv = [\"/bin/sh\", \"-c\", \"sleep 0.2; exit 3\"]\n\
         load = { render = {}, signal = \"HUP\" }\n"
        .to_owned();
    for name in REPLICAS {
        let file = home.join(format!("{name}.conf")).display().to_string();
        let argv = json!(["/bin/sh", "-c", SCRIPT, name, file]);
        let _ = write!(
            programs,
            "[programs.{name}]\nargv = {argv}\n[programs.{name}.load]\nsignal = \"HUP\"\n\
             render = {{ {file:?} = \"setting/word\" }}\n"
        );
    }
    HostAgent::start(home, "h9", coordination, &programs).unwrap()
}

fn declared(program: &str) -> Value {
    // A busy machine takes its time to start even `true`.
    let timing = json!({ "interval_ms": 500, "timeout_ms": 5_000, "failures": 3 });
    let probe = json!({ "kind": "command", "program": "alive", "timing": timing });
    json!({ "hosts": ["h9"], "program": program, "probes": [probe] })
}

/// Ends the life that is there; answers its name.
fn ended(story: &Story, replica: &str) -> String {
    let (pid, incarnation) = story
        .until(&format!("{replica} lives"), |status| {
            let row = status["replicas"].as_array()?.iter().find(|row| row["replica"] == replica)?;
            let well = row["state"] == "healthy";
            well.then(|| Some((row["pid"].as_u64()?, row["incarnation"].as_str()?.to_owned())))?
        })
        .unwrap();
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
    incarnation
}

/// Waits for another life of it that is well.
fn replaced(story: &Story, replica: &str, old: &str) {
    story
        .until(&format!("another life of {replica}"), |status| {
            let row = status["replicas"].as_array()?.iter().find(|row| row["replica"] == replica)?;
            (row["state"] == "healthy" && row["incarnation"] != old).then_some(())
        })
        .unwrap();
}

/// The two of them on a good version, known to work; answers it.
fn founded(story: &Story) -> u64 {
    story
        .until("the host", |status| {
            status["hosts"].as_array()?.iter().any(|host| host["host"] == "h9").then_some(())
        })
        .unwrap();
    let mut set = json!({ "setting/word": { "say": "good" } });
    for name in REPLICAS {
        set[format!("replica/{name}")] = declared(name);
    }
    let goal = json!({ "name": "found", "set": set, "rollout": { "soak_ms": 100 } });
    let over = achieve(story, &goal);
    over["to"].as_u64().unwrap()
}

fn bad(name: &str, prove_start: bool) -> Value {
    let rollout = json!({
        "canary": ["sig-1"], "soak_ms": 100, "probation_ms": 200, "prove_start": prove_start,
    });
    json!({ "name": name, "set": { "setting/word": { "say": "bad" } }, "rollout": rollout })
}

fn a_version_that_nobody_can_be_started_on_is_left_again(backend: Backend) {
    let story = Story::with(backend, &PATIENT).unwrap();
    let home = Directory::fresh("unmodified-").unwrap();
    let _host = host(&story, home.path());
    let good = founded(&story);
    let others = story.healthy().unwrap();
    let others: Vec<_> = others.into_iter().filter(|it| it.name.starts_with("demo-")).collect();

    let over = fail(&story, &bad("bad", true));
    assert!(over["why"].as_str().unwrap().contains("sig-1"), "{over:#}");
    story.until_all_hold_one_state().unwrap();

    // Told to believe it, everybody "loads" it, and it is stable; whoever dies then does not come back by himself.
    achieve(&story, &bad("believed", false));
    let dead = ended(&story, "sig-1");
    let offered = || {
        let status = story.dev.status().ok()?;
        let offers = status["offers"].as_array()?.iter();
        let mut commands = offers.filter_map(|offer| offer["command"].as_str().map(ToOwned::to_owned));
        commands.find(|command| command.starts_with("watchdogctl goal restore"))
    };
    let first = wait_for("the way out", PATIENCE, offered).unwrap();
    assert!(first.ends_with("--force"), "{first}");

    // The goal that would mend it brings up whoever is down; taken back it has proven nothing bad.
    let mend = json!({ "name": "mend", "restore": good, "rollout": { "soak_ms": 600_000 } });
    story.declare(&mend).unwrap();
    replaced(&story, "sig-1", &dead);
    let second = ended(&story, "sig-2");
    replaced(&story, "sig-2", &second);
    admin::withdraw(&story.dev, "mend").unwrap();
    ended(&story, "sig-1");
    let again = wait_for("the way out", PATIENCE, offered).unwrap();
    let words: Vec<&str> = again.split(' ').skip(1).chain(["--reason", "nobody starts on it"]).collect();
    let output = story.dev.ctl(&words).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    story.until_all_hold_one_state().unwrap();
    let file = std::fs::read_to_string(home.path().join("sig-1.conf")).unwrap();
    assert!(file.contains("good"), "{file}");
    same_lives(&story, &others);
}

fn a_new_replica_that_dies_after_each_start_rejects_its_goal(backend: Backend) {
    let story = Story::with(backend, &PATIENT).unwrap();
    let home = Directory::fresh("unmodified-").unwrap();
    let _host = host(&story, home.path());
    founded(&story);
    let before = story.healthy().unwrap();
    let set = json!({ "replica/brief": declared("brief") });
    let goal = json!({ "name": "brief", "set": set, "rollout": { "soak_ms": 2_000 } });
    let over = fail(&story, &goal);
    assert!(over["why"].as_str().unwrap().contains("brief can't be run"), "{over:#}");
    story.until_all_hold_one_state().unwrap();
    assert_eq!(story.healthy().unwrap().len(), before.len());
    same_lives(&story, &before);
}
