//! Scenario: `watchdog dev --scenario NAME`, run to its end, and what it said.

use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::Context as _;

use crate::dev::{Setup, program};
use crate::process::{Guarded, told_of};
use crate::reaper::Directory;

/// A start, a scenario with its own deadline of a minute, and an end; a loaded machine is slow.
const PATIENCE: Duration = Duration::from_mins(3);

/// How it ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code.
    pub status: ExitStatus,
    /// The lines that it wrote, in order, both streams.
    pub lines: Vec<String>,
    /// Processes of the cluster that outlived it.
    pub survivors: Vec<u32>,
}

/// Runs `watchdog dev --scenario name` in a fresh directory until it ends by itself.
///
/// # Errors
///
/// If the programs have not been built, or it takes too long.
pub fn play(setup: &Setup, name: &str) -> anyhow::Result<Ended> {
    let directory = Directory::fresh("scenario-")?;
    let home = directory.path().join("dev");
    let mut command = Command::new(program("watchdog")?);
    command.args(["dev", "--scenario", name, "--listen", "127.0.0.1:0", "--dir"]).arg(&home);
    command.args(setup.arguments());
    let log = directory.path().join("log");
    let mut process = Guarded::spawn("watchdog dev --scenario", &mut command, &log)?;
    let status = process.wait(PATIENCE);
    let said = process.log();
    let status = status.with_context(|| format!("it did not end within {PATIENCE:?}:\n{said}"))?;
    let survivors = told_of(directory.path()).into_iter().map(|(pid, _)| pid).collect();
    Ok(Ended { status, lines: said.lines().map(ToOwned::to_owned).collect(), survivors })
}
