//! Garbage: what operators and strangers send must be refused with the field's name, and change nothing.

use std::io::Write as _;
use std::net::TcpStream;

use serde_json::json;
use watchdog_tests::admin;
use watchdog_tests::story::{Backend, Story};

crate::stories!(bad_input_is_refused_by_name_and_changes_nothing);

fn bad_input_is_refused_by_name_and_changes_nothing(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let before = story.healthy().unwrap();
    let head = story.dev.status().unwrap()["head"].clone();
    let record = story.now().unwrap();

    let long = "x".repeat(64);
    let table: [(&[&str], i32, &str); 9] = [
        (&["why", "demo-z"], 1, "demo-z"),
        (&["why", "Demo_Z"], 2, "'D' at position 1"),
        (&["why", &long], 2, "64 bytes"),
        (&["--cluster", "other", "status"], 1, "other"),
        (&["hold", "nobody", "--reason", "x"], 1, "nobody"),
        (&["pause", "--reason", " "], 2, "reason"),
        (&["pause", "--reason", "x", "--for", "soon"], 2, "soon"),
        (&["plan", "show", "9-9"], 1, "9-9"),
        (&["log", "show", "999"], 1, "999"),
    ];
    for (arguments, code, names) in table {
        let output = story.dev.ctl(arguments).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(names), "{arguments:?} must name {names:?}: {said}");
    }

    let host = before[0].host.clone();
    let big = json!("x".repeat(70_000));
    let changes = [
        ("model", json!(1), "model"),
        ("Model/x", json!(1), "Model/x"),
        ("model/big", big, "model/big"),
        ("replica/demo-d", json!({ "hosts": [host] }), "program"),
        ("replica/demo-d", json!({ "hosts": [], "program": "p" }), "hosts"),
        ("replica/demo-d", json!({ "hosts": ["h1"], "program": "p", "hots": 1 }), "hots"),
        ("policy/healing", json!({ "strikes": "three" }), "policy/healing"),
        ("policy/other", json!({}), "policy/other"),
    ];
    for (key, value, names) in changes {
        let error = admin::append(&story.dev, &[(key, Some(value))]).unwrap_err().to_string();
        assert!(error.contains(names), "{key} must name {names:?}: {error}");
    }

    // Bytes that are no HTTP at all, at the watchdog and at a replica's agent.
    let endpoint = story.dev.endpoints().split(',').next().unwrap().trim_start_matches("http://").to_owned();
    for address in [endpoint, before[0].address.trim_start_matches("http://").to_owned()] {
        let mut stream = TcpStream::connect(&address).unwrap();
        // It may hang up before it has heard all of it.
        let _ = stream.write_all(&vec![0xff; 100_000]);
    }

    let status = story.dev.status().unwrap();
    assert_eq!(status["head"], head);
    assert_eq!(story.now().unwrap(), record, "nothing was recorded");
    assert_eq!(story.healthy().unwrap(), before);
}
