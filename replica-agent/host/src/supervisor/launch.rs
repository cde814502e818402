//! Launch: the process between fork and the program: a session and a control group of its own, then exec.
//!
//! ```text
//! host agent ─spawn─► replica-agent --launch GROUP ─setsid, join the group─► waits
//!            ─order─► (standard input)             ─open logs─exec─► program
//!            ◄──── end of file: it runs ──── or a sentence: why it does not ─────┘
//! ```
//!
//! A program of our own does this because code between fork and exec would have
//! to be `unsafe`. It can wait for its order, so that joining the group, which
//! takes the kernel seven milliseconds, is over before anybody is in a hurry.
//! Without an order, when the host agent dies, it ends.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use rustix::process::{Pid, getppid, setsid};
use serde::{Deserialize, Serialize};

/// The hidden first argument.
pub(crate) const WORD: &str = "--launch";

/// What the launcher is told on its standard input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Launch {
    /// Who tells it.
    pub(crate) parent: u32,
    /// Where standard output and standard error go.
    pub(crate) logs: [PathBuf; 2],
    /// Whom to run as.
    pub(crate) owner: Option<(u32, u32)>,
    /// Where to run.
    pub(crate) directory: Option<PathBuf>,
    /// All of its environment.
    pub(crate) variables: BTreeMap<String, String>,
    /// What to run.
    pub(crate) argv: Vec<String>,
}

/// Becomes the program that it is told; returns only when that fails. `entrance` is the file to join the group by.
pub(crate) fn launch(entrance: Option<PathBuf>) -> ExitCode {
    // The copy is closed by exec, which is how the host agent learns that the program runs.
    let Ok(pipe) = rustix::io::fcntl_dupfd_cloexec(std::io::stdout(), 3) else { return ExitCode::from(127) };
    let mut pipe = File::from(pipe);
    let reason = match prepare(entrance) {
        Ok(()) => match pipe.write_all(b"+").map(|()| become_program()) {
            Ok(Some(reason)) => reason,
            // Nobody is there to give an order, or to hear why not.
            Ok(None) | Err(_) => return ExitCode::SUCCESS,
        },
        Err(reason) => format!("-{reason}"),
    };
    // Nobody listens when the host agent is gone, and then nobody needs to know.
    let _ = pipe.write_all(reason.as_bytes());
    ExitCode::from(127)
}

fn prepare(entrance: Option<PathBuf>) -> Result<(), String> {
    setsid().map_err(|error| format!("no session of its own: {error}"))?;
    entrance.map_or(Ok(()), |entrance| {
        std::fs::write(&entrance, "0").map_err(|error| format!("cannot join {}: {error}", entrance.display()))
    })
}

/// Why it did not become the program; `None` when there was no order.
fn become_program() -> Option<String> {
    let mut order = Vec::new();
    let read = std::io::stdin().read_to_end(&mut order);
    if read.is_err() || order.is_empty() {
        return None;
    }
    let launch: Launch = match serde_json::from_slice(&order) {
        Ok(launch) => launch,
        Err(error) => return Some(format!("the launcher was told nonsense: {error}")),
    };
    // A host agent that has died can't keep this process; it must not start behind its back.
    if getppid().map(Pid::as_raw_nonzero).map(|pid| pid.get().unsigned_abs()) != Some(launch.parent) {
        return Some("the host agent is gone".into());
    }
    Some(exec(&launch))
}

fn exec(launch: &Launch) -> String {
    let mut files = Vec::new();
    for log in &launch.logs {
        match OpenOptions::new().create(true).append(true).open(log) {
            Ok(file) => files.push(file),
            Err(error) => return format!("cannot open {}: {error}", log.display()),
        }
    }
    let Some((program, arguments)) = launch.argv.split_first() else { return "no program".into() };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&launch.variables).stdin(Stdio::null());
    if let (Some(errors), Some(output)) = (files.pop(), files.pop()) {
        command.stdout(output).stderr(errors);
    }
    if let Some((user, group)) = launch.owner {
        command.uid(user).gid(group);
    }
    if let Some(directory) = &launch.directory {
        command.current_dir(directory);
    }
    format!("cannot run {program}: {}", command.exec())
}
