//! Goal: how long a good version takes to be proven everywhere, and a bad one to be undone.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Value, json};
use watchdog_tests::admin;
use watchdog_tests::dev::{Dev, Setup};

use crate::samples::Row;

const PATIENCE: Duration = Duration::from_secs(30);
/// Between two goals; what one left behind must not weigh on the next.
const QUIET: Duration = Duration::from_millis(2_500);

/// Deploys good and bad models again and again.
pub(crate) fn measure(
    setup: &Setup,
    (good, bad): (usize, usize),
    name: &str,
    goals: (f64, Option<f64>),
) -> anyhow::Result<Vec<Row>> {
    let dev = Dev::start(setup)?;
    let (mut loaded, mut started) = (Vec::new(), Vec::new());
    for round in 0..good {
        // In turns, so that both meet the same machine.
        loaded.push(deploy(&dev, (round * 2, false))?);
        started.push(deploy(&dev, (round * 2 + 1, true))?);
    }
    let what = format!("goal apply --wait, one key, 3 replicas, no soak, {name}");
    let without = format!("{what}, prove_start = false");
    let with = format!("{what}, the canary started once (the default)");
    let mut rows = vec![Row::new(without, "ms", loaded, Some(goals.0)), Row::new(with, "ms", started, None)];
    if bad > 0 {
        without_backoff(&dev)?;
        let samples: Result<Vec<f64>, _> = (0..bad).map(|round| undo(&dev, round)).collect();
        let what = format!("bad model on B: its first crash until all are back on stable, {name}");
        rows.push(Row::new(what, "ms", samples?, goals.1));
    }
    Ok(rows)
}

/// The whole command, as an operator types it.
fn deploy(dev: &Dev, (round, prove_start): (usize, bool)) -> anyhow::Result<f64> {
    let file = dev.home().join("goal.json");
    let goal = json!({
        "set": { "setting/limit": round },
        "rollout": { "soak_ms": 0, "prove_start": prove_start },
    });
    std::fs::write(&file, goal.to_string())?;
    let file = file.to_str().context("the path is no text")?;
    settled(dev)?;
    let started = Instant::now();
    let output = dev.ctl(&["goal", "apply", "-f", file, "--wait"])?;
    let took = started.elapsed();
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(took.as_secs_f64() * 1e3)
}

fn without_backoff(dev: &Dev) -> anyhow::Result<()> {
    let mut policy = admin::value(dev, "policy/healing")?;
    policy["backoff"] = json!({ "initial_ms": 0, "factor": 1.0, "max_ms": 0 });
    policy["tries"] = json!({ "restart": 3 });
    admin::append(dev, &[("policy/healing", Some(policy))]).map(drop)
}

/// By the times of the record: from the first death to the end of the last plan.
fn undo(dev: &Dev, round: usize) -> anyhow::Result<f64> {
    settled(dev)?;
    std::thread::sleep(QUIET);
    let since = events(dev)?.last().and_then(|event| event["sequence"].as_u64()).unwrap_or(0);
    let model = json!({ "weights": {}, "bias": round, "incident": { "what": "crash", "on": ["demo-b"] } });
    let goal = json!({ "set": { "model/fraud": model }, "rollout": { "soak_ms": 0, "probation_ms": 0 } });
    let id = admin::declare(dev, &goal)?;
    let over = watchdog_tests::wait_for("the end of a bad goal", PATIENCE, || {
        admin::goal(dev, &id).ok().filter(|view| view["ended_at"].is_string())
    })?;
    anyhow::ensure!(over["status"] == "rejected", "{over:#}");
    settled(dev)?;
    let events = events(dev)?;
    let newer = || events.iter().filter(|event| event["sequence"].as_u64() > Some(since));
    let died = newer().find(|event| event["kind"] == "died").context("nobody died")?;
    let done = newer().rfind(|event| event["kind"] == "plan_status").context("no plan ended")?;
    let at = |event: &Value| humantime::parse_rfc3339(event["at"].as_str().unwrap_or_default());
    let took = at(done)?.duration_since(at(died)?).context("time runs backwards")?;
    Ok(took.as_secs_f64() * 1e3)
}

fn events(dev: &Dev) -> anyhow::Result<Vec<Value>> {
    dev.json(&["events"])?.as_array().cloned().context("the events are no list")
}

/// Nothing rolls, nobody is healed, and all hold one state.
fn settled(dev: &Dev) -> anyhow::Result<()> {
    dev.wait_for_status("a settled cluster", PATIENCE, |status| {
        let rows = status["replicas"].as_array()?;
        let hash = &rows.first()?["state_hash"];
        let same = rows.iter().all(|row| row["state"] == "healthy" && row["state_hash"] == *hash);
        (same && status["goal"].is_null() && status["plan"].is_null()).then_some(())
    })
}
