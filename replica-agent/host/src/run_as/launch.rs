//! Launch: the process between fork and the program: a session and a control group of its own, then exec.
//!
//! ```text
//! host agent ─spawn─► replica-agent --launch GROUP ─clean, setsid, join the group─► waits
//!            ─order─► (standard input)             ─open logs─become the user─exec─► program
//!            ◄──── end of file: it runs ──── or a sentence: why it does not ─────────┘
//! ```
//!
//! A program of our own does this because code between fork and exec would have
//! to be `unsafe`. It can wait for its order, so that joining the group, which
//! takes the kernel seven milliseconds, is over before anybody is in a hurry.
//! Without an order, when the host agent dies, it ends.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use rustix::process::{Pid, getppid, setsid};
use serde::{Deserialize, Serialize};

use super::clean;
use super::identity::User;
use crate::fault;

/// The hidden first argument.
pub(crate) const WORD: &str = "--launch";

/// What the launcher is told on its standard input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Launch {
    /// Who tells it.
    pub(crate) parent: u32,
    /// Where standard output and standard error are appended; without it both go to the launcher's standard error.
    pub(crate) logs: Option<[PathBuf; 2]>,
    /// Whom to run as; as the host agent itself without it.
    pub(crate) user: Option<String>,
    /// What is given to that user before.
    pub(crate) owned: Vec<PathBuf>,
    /// Files that only this user and ours may read.
    pub(crate) readable: Vec<PathBuf>,
    /// Where to run.
    pub(crate) directory: Option<PathBuf>,
    /// All of its environment, but what names the user.
    pub(crate) variables: BTreeMap<String, String>,
    /// What to run.
    pub(crate) argv: Vec<String>,
}

/// The word and the sentence of a launcher that did not become its program.
pub(crate) fn reason(said: &str) -> (&str, &str) {
    said.split_once('|').unwrap_or(("not_launched", said))
}

/// Becomes the program that it is told; returns only when that fails. `entrance` is the file to join the group by.
pub(crate) fn launch(entrance: Option<PathBuf>) -> ExitCode {
    let cleaned = clean::begin();
    // The copy is closed by exec, which is how the host agent learns that the program runs.
    let Ok(pipe) = rustix::io::fcntl_dupfd_cloexec(std::io::stdout(), 3) else { return ExitCode::from(127) };
    let mut pipe = File::from(pipe);
    let reason = match cleaned.and_then(|()| prepare(entrance)) {
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
    Some(exec(launch).unwrap_or_else(|reason| reason))
}

/// Why it is not the program, also when all went well until exec.
fn exec(mut launch: Launch) -> Result<String, String> {
    let [output, errors] = outputs(launch.logs.as_ref())?;
    if let Some(name) = &launch.user {
        let user = User::find(name).map_err(|reason| format!("no_user|{reason}"))?;
        let shown = |path: &PathBuf| path.display().to_string();
        for path in &launch.owned {
            user.own(path)
                .map_err(|error| format!("not_prepared|cannot give {} to {name}: {error}", shown(path)))?;
        }
        for path in &launch.readable {
            user.may_read(path)
                .map_err(|error| format!("not_prepared|cannot let {name} read {}: {error}", shown(path)))?;
        }
        user.assume().map_err(|reason| format!("no_user|{reason}"))?;
        for variable in ["USER", "LOGNAME"] {
            launch.variables.entry(variable.to_owned()).or_insert_with(|| name.clone());
        }
        let home = || user.home().to_string_lossy().into_owned();
        launch.variables.entry("HOME".to_owned()).or_insert_with(home);
    }
    let Some((program, arguments)) = launch.argv.split_first() else { return Err("no program".into()) };
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(&launch.variables).stdin(Stdio::null());
    command.stdout(output).stderr(errors);
    if let Some(directory) = &launch.directory {
        command.current_dir(directory);
    }
    Ok(format!("not_executable|cannot run {program}: {}", command.exec()))
}

fn outputs(logs: Option<&[PathBuf; 2]>) -> Result<[Stdio; 2], String> {
    let Some([output, errors]) = logs else {
        let copy = std::io::stderr().as_fd().try_clone_to_owned();
        return Ok([copy.map_err(|error| format!("no output: {error}"))?.into(), Stdio::inherit()]);
    };
    let open = |log: &PathBuf| {
        let opened = OpenOptions::new().create(true).append(true).open(log);
        opened.map(Stdio::from).map_err(|error| {
            let code = if fault::is_full(&error) { fault::NO_SPACE } else { "not_prepared" };
            format!("{code}|cannot open {}: {error}", log.display())
        })
    };
    Ok([open(output)?, open(errors)?])
}
