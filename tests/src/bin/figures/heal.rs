//! Heal: from a fault of one replica to the first answer of its replacement.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::Signal;
use serde_json::Value;
use watchdog_tests::admin;
use watchdog_tests::dev::{Dev, Setup};
use watchdog_tests::{http, ports};

use crate::samples::Row;

const REPLICA: &str = "demo-b";
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two faults; a second one at once would be a crash loop and backed off from, as it should be.
const QUIET: Duration = Duration::from_millis(2_500);

/// Heal times in milliseconds.
pub(crate) struct Heals {
    killed: Vec<f64>,
    stopped: Vec<f64>,
}

impl Heals {
    /// The lines of the table for one set-up.
    pub(crate) fn rows(self, setup: &str, kill_goal: f64, stop_goal: f64) -> [Row; 2] {
        [
            Row::new(
                format!("kill -9 to the replacement's answer, {setup}"),
                "ms",
                self.killed,
                Some(kill_goal),
            ),
            Row::new(
                format!("SIGSTOP to the replacement's answer, {setup}"),
                "ms",
                self.stopped,
                Some(stop_goal),
            ),
        ]
    }
}

/// Breaks one replica again and again.
pub(crate) fn measure(setup: &Setup, kills: usize, stops: usize) -> anyhow::Result<Heals> {
    let dev = Dev::start(setup)?;
    let port = ports::free()?;
    let address = format!("127.0.0.1:{port}");
    settle_on(&dev, &address)?;
    let mut heals = Heals { killed: Vec::new(), stopped: Vec::new() };
    for _ in 0..kills {
        heals.killed.push(heal(&dev, &address, Signal::KILL)?);
    }
    for _ in 0..stops {
        heals.stopped.push(heal(&dev, &address, Signal::STOP)?);
    }
    Ok(heals)
}

/// How many times as long a heal takes over TLS as in the open, by the medians.
pub(crate) fn encryption(kills: usize) -> anyhow::Result<Row> {
    let encrypted = Setup { more: vec!["--tls".to_owned()], ..Setup::default() };
    let (open, encrypted) = (measure(&Setup::default(), kills, 0)?, measure(&encrypted, kills, 0)?);
    let times = middle(encrypted.killed)? / middle(open.killed)?;
    Ok(Row::new("a heal over TLS, of the same in the open".to_owned(), "times", vec![times], Some(1.3)))
}

fn middle(mut samples: Vec<f64>) -> anyhow::Result<f64> {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().context("nothing was measured")
}

/// Gives the replica a fixed address, so that its replacement can be asked without asking anybody else.
fn settle_on(dev: &Dev, address: &str) -> anyhow::Result<()> {
    let key = format!("replica/{REPLICA}");
    let mut spec = admin::value(dev, &key)?;
    spec["parameters"]["listen"] = Value::String(address.to_owned());
    admin::append(dev, &[(&key, Some(spec))])?;
    let (pid, _) = running(dev)?;
    dev.kill9(pid)?;
    watchdog_tests::wait_for("the replica at its fixed address", PATIENCE, || {
        http::json(address, "/version", PATIENCE)
    })?;
    Ok(())
}

fn heal(dev: &Dev, address: &str, signal: Signal) -> anyhow::Result<f64> {
    dev.wait_for_status("everything healthy", PATIENCE, |status| {
        let replicas = status["replicas"].as_array()?;
        replicas.iter().all(|replica| replica["state"] == "healthy").then_some(())
    })?;
    std::thread::sleep(QUIET);
    let (pid, incarnation) = running(dev)?;
    let started = Instant::now();
    dev.signal(pid, signal)?;
    while started.elapsed() < PATIENCE {
        // A stopped process accepts connections and says nothing, so an attempt must end soon.
        let answer = http::json(address, "/version", Duration::from_millis(20));
        if answer.is_some_and(|answer| answer["incarnation"] != incarnation.as_str()) {
            return Ok(started.elapsed().as_secs_f64() * 1e3);
        }
        std::thread::sleep(Duration::from_micros(500));
    }
    anyhow::bail!("no replacement answered at {address} within {PATIENCE:?}\n{}", dev.log())
}

fn running(dev: &Dev) -> anyhow::Result<(u32, String)> {
    let status = dev.status()?;
    let replicas = status["replicas"].as_array().context("the status has no replicas")?;
    let replica = replicas.iter().find(|replica| replica["replica"] == REPLICA).context("no such replica")?;
    let pid = replica["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).context("it has no process")?;
    Ok((pid, replica["incarnation"].as_str().context("it has no incarnation")?.to_owned()))
}
