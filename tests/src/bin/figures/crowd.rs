//! Crowd: a hundred replicas on one host: killed at once, and idle.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::Signal;
use serde_json::{Value, json};
use watchdog_tests::admin;
use watchdog_tests::dev::{Dev, Setup};
use watchdog_tests::http;

use crate::samples::Row;

const REPLICAS: usize = 100;
const ROUNDS: usize = 5;
const IDLE: Duration = Duration::from_secs(20);
const PATIENCE: Duration = Duration::from_mins(2);

/// Measures both.
pub(crate) fn measure() -> anyhow::Result<Vec<Row>> {
    let setup = Setup {
        watchdogs: Some(1),
        replicas: Some(REPLICAS),
        more: vec!["--hosts".into(), "1".into()],
        ..Setup::default()
    };
    let dev = Dev::start(&setup)?;
    allow_all(&dev)?;
    let mut rows = idle(&dev)?;
    let mut samples = Vec::new();
    for _ in 0..ROUNDS {
        samples.push(kill_all(&dev)?);
    }
    rows.push(Row::new("100 replicas killed at once, until all answer", "ms", samples, Some(1_000.0)));
    Ok(rows)
}

/// The policy lets all be healed at once, and probes come once a second, as the figure says.
fn allow_all(dev: &Dev) -> anyhow::Result<()> {
    let mut policy = admin::value(dev, "policy/healing")?;
    policy["heals_parallel"] = json!(REPLICAS);
    admin::append(dev, &[("policy/healing", Some(policy))])?;
    let mut changes: Vec<(String, Value)> = Vec::new();
    for replica in replicas(dev)?.keys() {
        let key = format!("replica/{replica}");
        let mut spec = admin::value(dev, &key)?;
        spec["probes"][0]["timing"] = json!({ "interval_ms": 1000, "timeout_ms": 500, "failures": 3 });
        changes.push((key, spec));
    }
    let borrowed: Vec<(&str, Option<Value>)> =
        changes.iter().map(|(key, spec)| (key.as_str(), Some(spec.clone()))).collect();
    admin::append(dev, &borrowed)?;
    // Declarations act on the next start.
    kill_all(dev).map(drop)
}

/// Name → pid, address of every replica.
fn replicas(dev: &Dev) -> anyhow::Result<BTreeMap<String, (u32, String)>> {
    let healthy = |status: &Value| {
        let rows = status["replicas"].as_array()?;
        let row = |row: &Value| {
            let pid = u32::try_from(row["pid"].as_u64()?).ok()?;
            let healthy = row["state"] == "healthy";
            healthy.then(|| {
                Some((row["replica"].as_str()?.to_owned(), (pid, row["address"].as_str()?.to_owned())))
            })?
        };
        let all: Option<BTreeMap<_, _>> = rows.iter().map(row).collect();
        all.filter(|all| all.len() == REPLICAS)
    };
    dev.wait_for_status("a hundred healthy replicas", PATIENCE, healthy)
}

fn kill_all(dev: &Dev) -> anyhow::Result<f64> {
    let before = replicas(dev)?;
    // Longer than the policy's quiet, so that no round is the back-off of the one before.
    std::thread::sleep(Duration::from_millis(2_500));
    let started = Instant::now();
    for (pid, _) in before.values() {
        dev.signal(*pid, Signal::KILL)?;
    }
    let old: BTreeMap<&String, u32> = before.iter().map(|(name, (pid, _))| (name, *pid)).collect();
    let answering = |(name, (pid, address)): (&String, &(u32, String))| {
        old.get(name) != Some(pid) && http::json(address, "/version", Duration::from_millis(200)).is_some()
    };
    dev.wait_for_status("a hundred replacements", PATIENCE, |status| {
        let rows = status["replicas"].as_array()?;
        let mut now: BTreeMap<String, (u32, String)> = BTreeMap::new();
        for row in rows {
            let pid = u32::try_from(row["pid"].as_u64()?).ok()?;
            now.insert(row["replica"].as_str()?.to_owned(), (pid, row["address"].as_str()?.to_owned()));
        }
        (now.len() == REPLICAS && now.iter().all(answering)).then_some(())
    })?;
    Ok(started.elapsed().as_secs_f64() * 1e3)
}

/// What the host agent costs while nothing happens.
fn idle(dev: &Dev) -> anyhow::Result<Vec<Row>> {
    let status = dev.status()?;
    let pid = status["hosts"][0]["pid"].as_u64().context("the host has no process")?;
    let before = cpu_seconds(pid)?;
    std::thread::sleep(IDLE);
    let share = (cpu_seconds(pid)? - before) / IDLE.as_secs_f64() * 100.0;
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).context("read its memory")?;
    let rss = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("it has no memory")?;
    let kib: f64 = rss.trim().trim_end_matches(" kB").trim().parse().context("read its memory")?;
    Ok(vec![
        Row::new("host agent, 100 replicas probed every second, CPU", "% of a core", vec![share], Some(2.0)),
        Row::new("host agent, 100 replicas probed every second, RSS", "MB", vec![kib / 1024.0], Some(40.0)),
    ])
}

/// What a process has spent so far.
pub(crate) fn cpu_seconds(pid: u64) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("read its times")?;
    let fields: Vec<&str> = stat.rsplit_once(')').context("read its times")?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    let (user, system) = ticks(11).zip(ticks(12)).context("read its times")?;
    // Linux counts these in hundredths of a second on every machine that we know.
    Ok((user + system) / 100.0)
}
