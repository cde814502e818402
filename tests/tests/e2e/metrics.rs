//! Metrics: what watchdogs and host agents tell Prometheus, and what its rules and the dashboard make of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use watchdog_tests::prometheus::{Prometheus, example, promtool};
use watchdog_tests::scrape::Scrape;
use watchdog_tests::story::{Backend, PATIENCE, Story};
use watchdog_tests::{admin, wait_for};

crate::stories!(a_heal_is_counted_once_whoever_leads);

/// Labels of metrics and of Prometheus itself; a replica, a process or a plan must never be one.
const LABELS: [&str; 19] = [
    "act",
    "came",
    "cause",
    "cluster",
    "error",
    "fault",
    "kind",
    "le",
    "operation",
    "outcome",
    "reason",
    "stage",
    "state",
    "status",
    "version",
    "instance",
    "job",
    "alertname",
    "severity",
];

fn watchdogs(story: &Story) -> Vec<String> {
    story.dev.endpoints().split(',').map(ToOwned::to_owned).collect()
}

fn agents(story: &Story) -> Vec<String> {
    let addresses = |status: &Value| {
        let hosts = status["hosts"].as_array()?.iter();
        hosts.map(|host| Some(host["address"].as_str()?.to_owned())).collect::<Option<Vec<_>>>()
    };
    story.until("the hosts' addresses", addresses).unwrap()
}

/// What all of them say, of which each may be asked.
fn sum(addresses: &[String], name: &str, labels: &[(&str, &str)]) -> f64 {
    addresses.iter().filter_map(|address| Scrape::of(address).unwrap().sum(name, labels)).sum()
}

/// Quarantines demo-b: from its next death on it can't start any more.
fn quarantine(story: &Story) {
    let other = story.replica("demo-a").unwrap();
    let mut broken = admin::value(&story.dev, "replica/demo-b").unwrap();
    // The address of another process: it can't listen there, and ends.
    broken["parameters"]["listen"] = json!(other.address.trim_start_matches("http://"));
    admin::append(&story.dev, &[("replica/demo-b", Some(broken))]).unwrap();
    story.kill(&story.replica("demo-b").unwrap()).unwrap();
}

#[test]
fn a_quarantined_replica_fires_an_alert_of_a_real_prometheus() {
    let story = Story::begin(Backend::Embedded).unwrap();
    let (watchdogs, agents) = (watchdogs(&story), agents(&story));
    let prometheus = Prometheus::start(&watchdogs, &agents).unwrap();
    let all = (watchdogs.len() + agents.len()).to_string();
    wait_for("every target to be scraped", PATIENCE, || {
        let up = prometheus.query("count(up == 1)").ok()?;
        (up.first()?["value"][1] == all.as_str()).then_some(())
    })
    .unwrap();
    assert_eq!(prometheus.query("sum(watchdog_is_leader)").unwrap()[0]["value"][1], "1");

    quarantine(&story);
    let alert = wait_for("the alert", PATIENCE, || {
        let alerts = prometheus.alerts().ok()?;
        alerts.into_iter().find(|alert| {
            alert["labels"]["alertname"] == "WatchdogReplicaQuarantined" && alert["state"] == "firing"
        })
    })
    .unwrap();
    assert_eq!(alert["labels"]["cluster"], "demo");
    assert!(alert["annotations"]["runbook"].as_str().unwrap().contains("watchdogctl release"), "{alert}");
    // Nobody is named who was not asked for, whatever happened meanwhile.
    for address in watchdogs.iter().chain(&agents) {
        for sample in Scrape::of(address).unwrap().samples {
            let labels: Vec<&String> = sample.labels.keys().collect();
            assert!(labels.iter().all(|label| LABELS.contains(&label.as_str())), "{sample:?}");
        }
    }
}

fn a_heal_is_counted_once_whoever_leads(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let (watchdogs, agents) = (watchdogs(&story), agents(&story));
    let exited = [("cluster", "demo"), ("fault", "exited")];
    let healed = |expected: f64| {
        wait_for("the heal to be counted", PATIENCE, || {
            (sum(&watchdogs, "watchdog_heal_seconds_count", &exited) >= expected).then_some(())
        })
    };
    let dead = story.replica("demo-b").unwrap();
    story.kill(&dead).unwrap();
    story.until_replaced(&dead).unwrap();
    healed(1.0).unwrap();
    let took = sum(&watchdogs, "watchdog_heal_seconds_sum", &exited);
    assert!((0.001..60.0).contains(&took), "{took}");
    assert!(sum(&watchdogs, "watchdog_strikes_total", &exited) >= 3.0);
    assert!(sum(&watchdogs, "watchdog_convictions_total", &exited) >= 1.0);
    let started = [("kind", "start"), ("outcome", "done")];
    let starts = sum(&watchdogs, "watchdog_steps_total", &started);
    assert!(starts >= 1.0, "{starts}");
    assert!((sum(&agents, "watchdog_agent_deaths_total", &[("cause", "signal")]) - 1.0).abs() < 0.1);
    assert!((sum(&agents, "watchdog_agent_starts_total", &[("came", "again")]) - 1.0).abs() < 0.1);

    // Another leads, and counts nothing of it again: this one goes with its own counts.
    let (_, epoch) = story.leader().unwrap();
    assert!(story.dev.ctl(&["leader", "resign"]).unwrap().status.success());
    story
        .until("another epoch", |status| (status["leader"]["epoch"].as_u64()? > epoch).then_some(()))
        .unwrap();
    let next = story.replica("demo-c").unwrap();
    story.kill(&next).unwrap();
    story.until_replaced(&next).unwrap();
    healed(2.0).unwrap();
    assert!((sum(&watchdogs, "watchdog_heal_seconds_count", &exited) - 2.0).abs() < 0.1);
    assert!(sum(&watchdogs, "watchdog_elections_total", &[]) >= 2.0);
    assert!((sum(&watchdogs, "watchdog_is_leader", &[]) - 1.0).abs() < 0.1);
    let latest =
        watchdogs.iter().filter_map(|address| Scrape::of(address).unwrap().sum("watchdog_epoch", &[]));
    assert!(latest.fold(0.0, f64::max) > 1.0);
    let others = wait_for("the seconds without a leader", PATIENCE, || {
        let seconds = sum(&watchdogs, "watchdog_leaderless_seconds_total", &[]);
        (seconds > 0.0).then_some(seconds)
    });
    assert!(others.unwrap() < 60.0);
}

/// The metrics that a text names, whatever else it holds.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("watchdog_")).map(ToOwned::to_owned).collect()
}

/// Every query of the dashboard.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match (name.as_str(), field.as_str()) {
                    ("expr" | "query", Some(query)) => found.push(query.to_owned()),
                    _ => queries(field, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

#[test]
fn rules_and_dashboard_name_only_what_a_running_cluster_says() {
    assert_eq!(
        named("max(watchdog_a_total{x=\"y\"}) > on() b"),
        BTreeSet::from(["watchdog_a_total".to_owned()])
    );
    let story = Story::begin(Backend::Embedded).unwrap();
    let (mut said, mut series) = (BTreeSet::new(), 0);
    for address in watchdogs(&story).iter().chain(&agents(&story)) {
        let scrape = Scrape::of(address).unwrap();
        let verdict = promtool(&["check", "metrics"], &scrape.text).unwrap();
        assert_eq!(verdict.trim(), "", "{address}");
        series = series.max(scrape.samples.len());
        said.extend(scrape.names());
    }
    assert!(series < 1_000, "{series} series of one process");
    let rules = std::fs::read_to_string(example("alerts.yml")).unwrap();
    let dashboard: Value =
        serde_json::from_str(&std::fs::read_to_string(example("grafana.json")).unwrap()).unwrap();
    let mut asked = Vec::new();
    queries(&dashboard, &mut asked);
    assert!(asked.len() > 30, "the dashboard's queries are found");
    let wanted: BTreeSet<String> =
        asked.iter().map(String::as_str).chain([rules.as_str()]).flat_map(named).collect();
    assert!(wanted.len() > 30, "{wanted:?}");
    // A runbook may speak of a histogram as a whole.
    let is_said = |name: &&String| said.contains(*name) || said.contains(&format!("{name}_bucket"));
    let unheard: Vec<&String> = wanted.iter().filter(|name| !is_said(name)).collect();
    assert!(unheard.is_empty(), "nobody says {unheard:?}");
}

#[test]
fn the_shipped_rules_are_right_and_each_is_tested_and_says_what_to_do() {
    let path = |file: &str| example(file).to_string_lossy().into_owned();
    promtool(&["check", "rules", &path("alerts.yml")], "").unwrap();
    promtool(&["check", "config", &path("prometheus.yml")], "").unwrap();
    promtool(&["test", "rules", &path("alerts.test.yml")], "").unwrap();
    assert!(promtool(&["check", "rules", &path("grafana.json")], "").is_err(), "promtool can say no");
    let rules = std::fs::read_to_string(example("alerts.yml")).unwrap();
    let tests = std::fs::read_to_string(example("alerts.test.yml")).unwrap();
    let alerts: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    assert!(alerts.len() >= 20);
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        assert!(tests.contains(&format!("- name: {name}\n")), "{name} is not tested");
        assert!(alert.contains("summary: ") && alert.contains("runbook: "), "{name} does not say what to do");
    }
}
