//! Stream: whoever comes again gets what was missed, and a change of leader is seen by who stays.

use std::time::Duration;

use serde_json::{Value, json};
use watchdog_tests::http::Stream;
use watchdog_tests::story::{Backend, Story};

use super::{Desk, follower, leader};

const PATIENCE: Duration = Duration::from_secs(20);

/// The next event of that kind: its id and what it says.
fn next(stream: &mut Stream, kind: &str) -> (String, Value) {
    loop {
        let event = stream.event().unwrap();
        if event.kind == kind {
            return (event.id, serde_json::from_str(&event.data).unwrap());
        }
    }
}

fn sequences(events: &Value) -> Vec<u64> {
    events.as_array().into_iter().flatten().filter_map(|event| event["sequence"].as_u64()).collect()
}

#[test]
fn who_comes_again_is_told_what_was_missed_and_nothing_twice() {
    let story = Story::begin(Backend::Embedded).unwrap();
    let address = leader(&story);
    let mut first = Stream::open(&address, "/api/v1/demo/live", &[], PATIENCE).unwrap();
    let (_, picture) = next(&mut first, "picture");
    assert_eq!(picture["leads"], true);
    assert_eq!(picture["replicas"].as_array().unwrap().len(), 3);
    assert_eq!(picture["status"]["replicas"], json!([]), "replicas are told once");
    let (seen, told) = next(&mut first, "story");
    assert_eq!((&told["missed"], sequences(&told["events"]).first()), (&json!(false), Some(&1)));
    drop(first);

    let dead = story.replica("demo-b").unwrap();
    story.kill(&dead).unwrap();
    story.until_replaced(&dead).unwrap();
    let header = [("Last-Event-ID", seen.as_str())];
    let mut again = Stream::open(&address, "/api/v1/demo/live", &header, PATIENCE).unwrap();
    let (_, told) = next(&mut again, "story");
    let last: u64 = seen.parse().unwrap();
    let missed = sequences(&told["events"]);
    assert_eq!((&told["missed"], missed.first()), (&json!(false), Some(&(last + 1))));
    let died = told["events"].as_array().unwrap().iter().any(|event| event["kind"] == "died");
    assert!(died, "{told:#}");

    // Only what is other is told: one row, of three.
    let dead = story.replica("demo-c").unwrap();
    story.kill(&dead).unwrap();
    let mut rows = Vec::new();
    while !rows
        .iter()
        .any(|row: &Value| row["incarnation"] != json!(dead.incarnation) && row["state"] == "healthy")
    {
        let (_, change) = next(&mut again, "change");
        rows.extend(change["replicas"].as_array().cloned().unwrap_or_default());
    }
    assert!(rows.iter().all(|row| row["replica"] == "demo-c"), "{rows:#?}");
    // Somebody from a journal that has more is told that things were missed.
    let mut strange = Stream::open(&address, "/api/v1/demo/live?after=999999", &[], PATIENCE).unwrap();
    assert_eq!(next(&mut strange, "story").1["missed"], true);
}

#[test]
fn reads_beside_the_stream_have_the_shapes_of_the_command_line() {
    let story = Story::begin(Backend::Embedded).unwrap();
    story.until_all_hold_one_state().unwrap();
    let address = leader(&story);
    let ask = |path: &str| watchdog_tests::http::json(&address, path, PATIENCE).unwrap();
    let events = story.dev.json(&["events"]).unwrap();
    let page = ask("/api/v1/demo/events?limit=1000");
    assert_eq!(page, events);
    let last = *sequences(&page).last().unwrap();
    assert_eq!(sequences(&ask("/api/v1/demo/events?limit=2")), [last - 1, last]);
    assert_eq!(sequences(&ask(&format!("/api/v1/demo/events?before={last}&limit=2"))), [last - 2, last - 1]);
    assert_eq!(sequences(&ask("/api/v1/demo/events?after=3&limit=2")), [4, 5]);
    assert_eq!(ask("/api/v1/demo/log/diff?a=1&b=7"), story.dev.json(&["log", "diff", "1", "7"]).unwrap());
    assert_eq!(ask("/api/v1/demo/goals"), story.dev.json(&["goal", "list"]).unwrap());
    assert_eq!(
        ask("/api/v1/demo/plans/1-1/snapshots"),
        story.dev.json(&["plan", "snapshot", "1-1"]).unwrap()
    );
    assert_eq!(ask("/api/v1/demo/hosts"), story.dev.status().unwrap()["hosts"]);
    let line = &ask("/api/v1/overview")[0];
    assert_eq!(
        (&line["cluster"], &line["replicas"], &line["unwell"]),
        (&json!("demo"), &json!(3), &json!(0))
    );
}

#[test]
fn a_change_of_leader_is_seen_by_who_stays() {
    let desk = Desk::open();
    let before = desk.story.leader().unwrap();
    desk.page.go(&format!("{}/", follower(&desk.story))).unwrap();
    let leads = |epoch: u64| {
        format!("return document.querySelector('#fact-leader dd')?.textContent.endsWith('epoch {epoch}')")
    };
    desk.page.until("the leader", &leads(before.1)).unwrap();
    desk.story.dev.kill9(desk.story.pid(&before.0).unwrap()).unwrap();
    desk.page.until("another leader", &leads(before.1 + 1)).unwrap();
    let note = "return [...document.querySelectorAll('.note-row[data-kind=term_opened]')].length >= 2";
    desk.page.until("the election in the timeline", note).unwrap();
    desk.is_quiet();
}
