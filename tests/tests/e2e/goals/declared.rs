//! Declared: what replicas are started with is what is declared; what can't be is refused; what goes takes all with it.

use serde_json::{Value, json};
use watchdog_tests::admin;
use watchdog_tests::ports;
use watchdog_tests::story::{Backend, Story, runs};

use super::{achieve, head, pace, same_lives};

crate::stories!(
    what_a_host_would_refuse_is_refused_where_it_is_declared,
    a_changed_parameter_reaches_the_process,
    a_replica_is_renamed_in_one_goal,
    a_quarantine_ends_with_its_declaration,
);

/// The declaration of a replica, with something changed.
fn declared(story: &Story, name: &str, change: impl FnOnce(&mut Value)) -> Value {
    let mut spec = admin::value(&story.dev, &format!("replica/{name}")).unwrap();
    change(&mut spec);
    spec
}

fn what_a_host_would_refuse_is_refused_where_it_is_declared(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let (before, record) = (head(&story), story.now().unwrap());
    // Where in the declaration, what stands there, and what must be named.
    let table = [
        ("/program", json!("no-such-program"), ["replica/demo-b: program: ", "no-such-program"]),
        ("/parameters", json!({ "listen": "nowhere" }), ["parameters.listen", "host h1"]),
        ("/parameters", json!({ "debug": "maybe" }), ["parameters.debug", "host h2"]),
        ("/hosts", json!(["h9"]), ["replica/demo-b: hosts: no host agent called h9", "h1, h2"]),
    ];
    let file = story.dev.home().join("goal.json");
    for (place, value, named) in table {
        let spec = declared(&story, "demo-b", |spec| *spec.pointer_mut(place).unwrap() = value);
        std::fs::write(&file, json!({ "set": { "replica/demo-b": spec } }).to_string()).unwrap();
        for verb in ["diff", "apply"] {
            let output = story.dev.ctl(&["goal", verb, "-f", file.to_str().unwrap()]).unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{verb}: {said}");
            assert!(named.iter().all(|word| said.contains(word)), "{verb} must name {named:?}: {said}");
        }
    }
    assert_eq!((head(&story), story.now().unwrap()), (before, record), "nothing changed");
    let maybe = declared(&story, "demo-b", |spec| spec["hosts"] = json!(["h2", "h9"]));
    std::fs::write(&file, json!({ "set": { "replica/demo-b": maybe } }).to_string()).unwrap();
    let output = story.dev.ctl(&["goal", "diff", "-f", file.to_str().unwrap()]).unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("h9, which nobody has seen yet"), "{said}");
}

fn a_changed_parameter_reaches_the_process(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let before = story.healthy().unwrap();
    let spec = declared(&story, "demo-b", |spec| spec["parameters"]["debug"] = json!("0"));
    achieve(&story, &json!({ "set": { "replica/demo-b": spec }, "rollout": pace() }));
    story.until_all_healthy().unwrap();
    let now = story.replica("demo-b").unwrap();
    let old = before.iter().find(|replica| replica.name == "demo-b").unwrap();
    assert_ne!(now.incarnation, old.incarnation, "achieved, and it runs with what it was started with");
    let others: Vec<_> = before.iter().filter(|replica| replica.name != "demo-b").cloned().collect();
    same_lives(&story, &others);
}

fn a_replica_is_renamed_in_one_goal(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let address = format!("127.0.0.1:{}", ports::free().unwrap());
    let fixed = declared(&story, "demo-c", |spec| {
        spec["parameters"]["listen"] = json!(address);
        spec["hosts"] = json!(["h1"]);
    });
    achieve(&story, &json!({ "name": "fix", "set": { "replica/demo-c": fixed.clone() }, "rollout": pace() }));
    story.until_all_healthy().unwrap();
    let old = story.replica("demo-c").unwrap();
    assert!(old.address.ends_with(&address), "{old:?}");
    let rename = json!({
        "name": "rename", "remove": ["replica/demo-c"], "set": { "replica/cache-c": fixed }, "rollout": pace(),
    });
    achieve(&story, &rename);
    let new = story.replica("cache-c").unwrap();
    assert!(new.address.ends_with(&address) && new.state == "healthy", "{new:?}");
    assert!(!runs(old.pid));
    assert_eq!(quarantined(&story), Vec::<String>::new());
}

fn a_quarantine_ends_with_its_declaration(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    // An address that no machine has (RFC 5737): it dies of it at each start.
    let hopeless = declared(&story, "demo-a", |spec| spec["parameters"]["listen"] = json!("192.0.2.1:1"));
    admin::append(&story.dev, &[("replica/demo-x", Some(hopeless))]).unwrap();
    story.until("demo-x given up", |_| (quarantined(&story) == ["demo-x"]).then_some(())).unwrap();
    let offered = story.why("demo-x").unwrap()["offers"].to_string();
    assert!(offered.contains("watchdogctl release demo-x"), "{offered}");

    achieve(&story, &json!({ "name": "away", "remove": ["replica/demo-x"], "rollout": pace() }));
    assert_eq!(quarantined(&story), Vec::<String>::new());
    let spec = declared(&story, "demo-a", |_| {});
    achieve(&story, &json!({ "name": "again", "set": { "replica/demo-x": spec }, "rollout": pace() }));
    assert_eq!(story.replica("demo-x").unwrap().state, "healthy");
}

/// Who is given up, as the status has it.
fn quarantined(story: &Story) -> Vec<String> {
    let status = story.dev.status().unwrap();
    let rows = status["replicas"].as_array().unwrap().iter();
    let given_up = rows.filter(|row| row["state"] == "quarantined");
    given_up.map(|row| row["replica"].as_str().unwrap().to_owned()).collect()
}
