//! Hosts: their agents die, lose their disk, or the whole machine goes silent.

use serde_json::json;
use watchdog_tests::admin;
use watchdog_tests::scrape::Scrape;
use watchdog_tests::story::{Backend, Story, runs};

crate::stories!(
    a_dead_host_agent_disturbs_nobody_and_misses_nothing,
    a_lost_host_is_replaced_elsewhere_and_its_stale_replica_is_killed_on_return,
    an_exclusive_replica_never_runs_twice,
    most_replicas_vanishing_in_silence_are_held,
    an_agent_without_its_state_directory_is_a_new_one_that_adopts_what_runs,
);

fn a_dead_host_agent_disturbs_nobody_and_misses_nothing(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let before = story.healthy().unwrap();
    let agent = story.pid("h1").unwrap();
    let since = story.now().unwrap();
    story.dev.kill9(agent).unwrap();
    // It dies while nobody is there to see it.
    let dead = story.replica("demo-a").unwrap();
    story.kill(&dead).unwrap();
    story.until_replaced(&dead).unwrap();
    story.until_event("its return", since, |event| event["kind"] == "host_seen").unwrap();
    for replica in before.iter().filter(|replica| replica.name != "demo-a") {
        assert_eq!(story.replica(&replica.name).unwrap().incarnation, replica.incarnation);
        assert!(runs(replica.pid));
    }
}

fn a_lost_host_is_replaced_elsewhere_and_its_stale_replica_is_killed_on_return(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let lost = story.replica("demo-b").unwrap();
    let machine = [story.pid(&lost.host).unwrap(), lost.pid];
    story.freeze(&machine).unwrap();
    let moved = story
        .until("demo-b on the other host", |status| {
            let row = status["replicas"].as_array()?.iter().find(|row| row["replica"] == "demo-b")?;
            let elsewhere = row["host"].as_str()? != lost.host && row["state"] == "healthy";
            elsewhere.then(|| row["incarnation"].as_str().unwrap().to_owned())
        })
        .unwrap();
    story.thaw(&machine).unwrap();
    story.until("the stale life is gone", |_| (!runs(lost.pid)).then_some(())).unwrap();
    story.until_all_healthy().unwrap();
    assert_eq!(story.replica("demo-b").unwrap().incarnation, moved, "the newer life serves on");
}

fn an_exclusive_replica_never_runs_twice(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let mut spec = admin::value(&story.dev, "replica/demo-b").unwrap();
    spec["exclusive"] = json!(true);
    spec["lease_ms"] = json!(2_000);
    admin::append(&story.dev, &[("replica/demo-b", Some(spec))]).unwrap();
    // The declaration acts on the next start.
    let plain = story.replica("demo-b").unwrap();
    story.kill(&plain).unwrap();
    let guarded = story.until_replaced(&plain).unwrap();

    let agent = story.pid(&guarded.host).unwrap();
    story.freeze(&[agent, guarded.pid]).unwrap();
    story.until("its guardian has killed it", |_| (!runs(guarded.pid)).then_some(())).unwrap();
    let sentence = story.until_refused("not_fenced").unwrap();
    assert!(sentence.contains("exclusive"), "{sentence}");
    assert_eq!(lives_in_proc("demo-b", &story), 0, "nobody may have started another");

    story.thaw(&[agent]).unwrap();
    story.until_all_healthy().unwrap();
    assert_eq!(lives_in_proc("demo-b", &story), 1);
}

fn most_replicas_vanishing_in_silence_are_held(backend: Backend) {
    let story = Story::with(backend, &["--hosts", "3"]).unwrap();
    let all = story.healthy().unwrap();
    let gone: Vec<_> = all.iter().filter(|replica| replica.name != "demo-a").collect();
    let mut frozen: Vec<u32> = gone.iter().map(|replica| replica.pid).collect();
    for replica in &gone {
        frozen.push(story.pid(&replica.host).unwrap());
    }
    let since = story.now().unwrap();
    story.freeze(&frozen).unwrap();
    let sentence = story.until_refused("storm").unwrap();
    assert!(sentence.contains("2 of 3 vanished"), "{sentence}");
    assert!(story.steps_for("demo-b", since).unwrap().is_empty());
    story.thaw(&frozen).unwrap();
    story.until_all_healthy().unwrap();
    for replica in &all {
        assert_eq!(
            story.replica(&replica.name).unwrap().incarnation,
            replica.incarnation,
            "nobody was killed"
        );
    }

    // With obituaries it is no storm.
    for replica in &all {
        story.kill(replica).unwrap();
    }
    for replica in &all {
        story.until_replaced(replica).unwrap();
    }
}

fn an_agent_without_its_state_directory_is_a_new_one_that_adopts_what_runs(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let before = story.healthy().unwrap();
    let instances = story.dev.home().join("hosts/h1");
    let since = story.now().unwrap();
    let agent = story.pid("h1").unwrap();
    story.freeze(&[agent]).unwrap();
    remove_state(&instances);
    story.dev.kill9(agent).unwrap();
    let seen = story.until_event("another instance", since, |event| event["kind"] == "host_seen").unwrap();
    assert!(seen["detail_json"].as_str().unwrap().contains("instance"), "{seen}");
    // It also finds out where they answer, although it was not it that they told.
    let adopted = before.iter().filter(|replica| replica.host == "h1").count();
    story
        .until("the new agent's probes to pass", |status| {
            let hosts = status["hosts"].as_array()?;
            let address = hosts.iter().find(|host| host["host"] == "h1")?["address"].as_str()?.to_owned();
            let passing =
                Scrape::of(&address).ok()?.sum("watchdog_agent_processes", &[("state", "passing")])?;
            (passing.to_string() == adopted.to_string()).then_some(())
        })
        .unwrap();
    story.until_all_healthy().unwrap();
    for replica in &before {
        let now = story.replica(&replica.name).unwrap();
        assert_eq!(
            (now.pid, now.incarnation),
            (replica.pid, replica.incarnation.clone()),
            "{}",
            replica.name
        );
    }
    // What it adopted it also buries.
    let adopted = story.replica("demo-a").unwrap();
    story.kill(&adopted).unwrap();
    story.until_replaced(&adopted).unwrap();
}

/// Removes all that the agent keeps, but not what `watchdog dev` configured.
fn remove_state(directory: &std::path::Path) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            std::fs::remove_dir_all(&path).unwrap();
        } else if path.extension().is_none_or(|extension| extension != "toml") {
            std::fs::remove_file(&path).unwrap();
        }
    }
}

/// Processes on this machine that say they are this replica of this cluster.
fn lives_in_proc(replica: &str, story: &Story) -> usize {
    let home = story.dev.home();
    let name = format!("WATCHDOG_REPLICA={replica}\0");
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let ours = processes.filter(|entry| {
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let environment = String::from_utf8_lossy(&environment).into_owned();
        let program = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        program.starts_with("scoring-server")
            && environment.contains(&name)
            && environment.contains(&*home.to_string_lossy())
    });
    ours.count()
}
