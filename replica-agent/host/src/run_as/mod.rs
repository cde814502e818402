//! Run as: the one way in which this host agent runs a program for others.
//!
//! ```text
//! replica ───────► spare launcher ─► launch: clean, user, directory, environment ─► exec
//! probe, load ───► runner ─────────► launch: the same ────────────────────────────► exec, and killed whole at its end
//! ```
//!
//! *Guarantees.* A program runs as its user with all of that user's groups, in
//! its directory, with the environment that it was given and nothing else, the
//! default umask and signals, and no descriptor of ours. One that is run to its
//! end is over when its main process is: what is left of it then, or at its
//! deadline, is killed, and its output is read up to a bound.

mod clean;
mod identity;
pub(crate) mod launch;
pub(crate) mod runner;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

pub(crate) use identity::User;
pub(crate) use launch::Launch;
use runner::{Ended, How, KILL_PATIENCE, Order};

/// What comes back is the last words and a little around them.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// How much of the last words are told.
const TOLD_CHARACTERS_MAX: usize = 500;

/// A program that is run to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Job {
    /// Whom it runs as; as the host agent itself without it.
    pub(crate) user: Option<String>,
    /// Where it runs.
    pub(crate) directory: Option<PathBuf>,
    /// All of its environment.
    pub(crate) variables: BTreeMap<String, String>,
    /// What runs.
    pub(crate) argv: Vec<String>,
}

/// Why a program did not end well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    /// It could not be run.
    #[error("{reason}")]
    NotRun {
        /// Why not.
        reason: String,
    },
    /// It ended, and not with 0.
    #[error("{how}{}", told(words))]
    Failed {
        /// With what.
        how: String,
        /// The last that it said.
        words: String,
    },
    /// It was killed, and everything that it had started.
    #[error("no end within {} ms{}", patience.as_millis(), told(words))]
    Late {
        /// How long it had.
        patience: Duration,
        /// The last that it said.
        words: String,
    },
}

/// The last line that was said, so far as people read it.
fn told(words: &str) -> String {
    let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let last: String = last.chars().filter(|c| !c.is_control()).take(TOLD_CHARACTERS_MAX).collect();
    if last.is_empty() { last } else { format!(": {last}") }
}

/// Runs a program to its end, for at most so long. Whoever stops waiting has it killed, and everything that it started.
///
/// # Errors
///
/// Why it did not exit 0.
pub(crate) async fn run(job: Job, patience: Duration) -> Result<(), JobError> {
    let not_run = |reason: String| JobError::NotRun { reason };
    let order = Order {
        launch: Launch {
            parent: 0,
            logs: None,
            user: job.user,
            owned: Vec::new(),
            readable: Vec::new(),
            directory: job.directory,
            variables: job.variables,
            argv: job.argv,
        },
        patience_ms: u64::try_from(patience.as_millis()).unwrap_or(u64::MAX),
    };
    let limit = patience + 2 * KILL_PATIENCE;
    let ended = match timeout(limit, answer(&order)).await {
        Ok(Ok(ended)) => ended,
        Ok(Err(error)) => return Err(not_run(format!("cannot run a program: {error}"))),
        Err(_) => return Err(JobError::Late { patience, words: String::new() }),
    };
    if ended.stuck > 0 {
        tracing::warn!(argv = ?order.launch.argv, stuck = ended.stuck, "processes of a program hang in the kernel");
    }
    let words = ended.words;
    match ended.how {
        How::Exited(0) => Ok(()),
        How::Exited(code) => Err(JobError::Failed { how: format!("exit {code}"), words }),
        How::Signalled(signal) => Err(JobError::Failed { how: format!("signal {signal}"), words }),
        How::NotRun(reason) => Err(not_run(reason)),
        How::Late => Err(JobError::Late { patience, words }),
    }
}

async fn answer(order: &Order) -> std::io::Result<Ended> {
    let mut command = Command::new("/proc/self/exe");
    command.arg(runner::WORD).env_clear();
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn()?;
    // Held until the end: when it closes, nobody waits, and the runner kills everything.
    let mut lifeline = child.stdin.take().ok_or_else(|| std::io::Error::other("no pipe"))?;
    let mut line = serde_json::to_vec(order)?;
    line.push(b'\n');
    lifeline.write_all(&line).await?;
    let output = child.stdout.take().ok_or_else(|| std::io::Error::other("no pipe"))?;
    let mut bytes = Vec::new();
    output.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes).await?;
    drop(lifeline);
    child.wait().await?;
    if bytes.is_empty() {
        return Err(std::io::Error::other("its runner ended without a word"));
    }
    serde_json::from_slice(&bytes).map_err(std::io::Error::from)
}
