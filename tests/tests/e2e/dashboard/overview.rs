//! Overview: a watchdog of several clusters shows each in a line, the worst first, and leads on to each.

use std::process::Command;
use std::time::Duration;

use serde_json::json;
use watchdog_tests::browser::Browser;
use watchdog_tests::story::{Backend, Story};
use watchdog_tests::{Guarded, dev, http, ports, wait_for};

const PATIENCE: Duration = Duration::from_secs(30);

/// A further watchdog, of the demo cluster and of one that is still empty.
fn watchdog_of_two(story: &Story) -> (Guarded, String) {
    let home = story.dev.home();
    let text = std::fs::read_to_string(home.join("watchdogs/w1.toml")).unwrap();
    let port = ports::free().unwrap();
    let ours = |line: &str| match line.split(" = ").next() {
        Some("id") => "id = \"w9\"".to_owned(),
        Some("listen") => format!("listen = \"127.0.0.1:{port}\""),
        Some("clusters") => "clusters = [\"demo\", \"spare\"]".to_owned(),
        _ => line.to_owned(),
    };
    let config = home.join("w9.toml");
    std::fs::write(&config, text.lines().map(ours).collect::<Vec<_>>().join("\n")).unwrap();
    let mut command = Command::new(dev::program("watchdog").unwrap());
    command.arg("run").arg("--config").arg(&config);
    let process = Guarded::spawn("watchdog w9", &mut command, &home.join("w9.log")).unwrap();
    let address = format!("http://127.0.0.1:{port}");
    wait_for("both clusters", PATIENCE, || {
        let lines = http::json(&address, "/api/v1/overview", PATIENCE)?;
        (lines.as_array()?.iter().all(|line| line["leader"].is_object())).then_some(())
    })
    .unwrap();
    (process, address)
}

#[test]
fn several_clusters_stand_in_a_line_each_the_worst_first() {
    let story = Story::begin(Backend::Embedded).unwrap();
    story.until_all_hold_one_state().unwrap();
    let (_process, address) = watchdog_of_two(&story);
    let page = Browser::start(super::WINDOW).unwrap();
    page.go(&format!("{address}/")).unwrap();
    let lines = |wanted: &[&str]| {
        let body = format!(
            "return JSON.stringify([...document.querySelectorAll('main tbody tr')].map((row) => row.cells[0].textContent + ' ' + row.cells[1].textContent)) === JSON.stringify({})",
            json!(wanted)
        );
        page.until(&format!("{wanted:?}"), &body).unwrap();
    };
    lines(&["demo well", "spare well"]);
    // The one that is paused comes first, and the one that is unwell before it.
    story
        .dev
        .ctl(&["--cluster", "spare", "--endpoint", &address, "pause", "--reason", "not in use yet"])
        .unwrap();
    lines(&["spare paused", "demo well"]);
    story.dev.ctl(&["hold", "demo-b", "--reason", "looking at it"]).unwrap();
    story.kill(&story.replica("demo-b").unwrap()).unwrap();
    lines(&["demo unwell", "spare paused"]);
    page.click("main tbody tr a").unwrap();
    let there = "return document.getElementById('sentence')?.textContent === '1 of 3 replicas is not well.' && document.querySelector('#where select')?.value === 'demo'";
    page.until("the cluster's own page", there).unwrap();
    assert_eq!(page.complaints().unwrap(), Vec::<String>::new());
}
