//! Floor: what this machine can do at best, with nobody watching.

use std::fs::File;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use watchdog_tests::{dev, http, ports};

use crate::samples::Row;

const ROUNDS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(5);

/// From fork and exec of a replica to its first answer.
pub(crate) fn first_answer() -> anyhow::Result<Row> {
    let program = dev::program("scoring-server")?;
    let directory = tempfile::tempdir().context("make a directory")?;
    let state = directory.path().join("state.json");
    std::fs::write(&state, include_str!("state.json")).context("write the state")?;
    let mut samples = Vec::new();
    for round in 0..ROUNDS {
        let port = ports::free()?;
        let address = format!("127.0.0.1:{port}");
        let started = Instant::now();
        let mut child = Command::new(&program)
            .env("WATCHDOG_CLUSTER", "floor")
            .env("WATCHDOG_REPLICA", "floor")
            .env("WATCHDOG_HOST", "floor")
            .env("WATCHDOG_INCARNATION", format!("0197c7a0-5f3e-7c2d-8000-{round:012x}"))
            // Nobody is there: a replica must serve without.
            .env("WATCHDOG_COORDINATION", "embedded://127.0.0.1:9")
            .env("WATCHDOG_SESSION_TIMEOUT_MS", "4000")
            .env("WATCHDOG_EPOCH", "1")
            .env("WATCHDOG_STATE_FILE", &state)
            .env("WATCHDOG_ADDRESS_FILE", directory.path().join("address"))
            .env("WATCHDOG_PARAM_LISTEN", &address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start a scoring server")?;
        let answered = until_answer(&address);
        let took = started.elapsed();
        // It is ours and dies at once; there is nothing to learn from how.
        let _ = child.kill();
        let _ = child.wait();
        answered?;
        samples.push(took.as_secs_f64() * 1e3);
    }
    Ok(Row::new("floor: exec of a replica to its first answer", "ms", samples, None))
}

fn until_answer(address: &str) -> anyhow::Result<()> {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        if http::json(address, "/version", PATIENCE).is_some() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_micros(100));
    }
    anyhow::bail!("the scoring server at {address} did not answer within {PATIENCE:?}")
}

/// One durable write of 4 KiB, appended.
pub(crate) fn fsync() -> anyhow::Result<Row> {
    let directory = tempfile::tempdir().context("make a directory")?;
    let mut file = File::create(directory.path().join("file")).context("make a file")?;
    let mut samples = Vec::new();
    for _ in 0..100 {
        let started = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        samples.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(Row::new("floor: durable write of 4 KiB (fdatasync)", "ms", samples, None))
}
