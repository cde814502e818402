//! Load: brings a version to a program that does not embed the library: files, then a command or a signal.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use watchdog_core::ids::Version;
use watchdog_core::state::{Hash, Key, State};
use watchdog_membership::environment::StateFile;
use watchdog_membership::records::LoadedRecord;

use crate::config::{LoadAct, Program, ReloadSignal};
use crate::ledger::{Entry, Life};
use crate::refusal::Refusal;
use crate::server::order::Load;
use crate::supervisor::{Kept, Supervisor};

/// How long a program's command may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Why a version was not loaded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// The process ended meanwhile.
    #[error("the process is gone")]
    Gone,
    /// The order's difference does not fit what is here, and it brings no full state.
    #[error("the cached state hashes to {found:?}, not to from_hash, and the order brings no full state")]
    UnknownStart {
        /// What is here.
        found: Option<Hash>,
    },
    /// The result is not what was ordered.
    #[error("the new state hashes to {found}, not to to_hash {expected}")]
    WrongResult {
        /// What it hashes to.
        found: Hash,
        /// What was ordered.
        expected: Hash,
    },
    /// A file needs a key that the state does not have.
    #[error("{} is rendered from {key}, which the state does not have", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// The key.
        key: String,
    },
    /// A file can't be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The state can't be cached for the next start.
    #[error("cannot cache the state")]
    Cache {
        /// What went wrong.
        source: crate::supervisor::SpawnError,
    },
    /// The command could not be run, or did not exit 0.
    #[error("the load command failed: {how}")]
    Command {
        /// How.
        how: String,
    },
}

fn act_of<'a>(supervisor: &'a Supervisor, life: &Life) -> Option<(&'a Program, &'a LoadAct)> {
    let program = supervisor.config.programs.get(&life.program)?;
    Some((program, program.load.as_ref()?))
}

/// Whether we load versions for this replica at all.
///
/// # Errors
///
/// [`Refusal::NotOurs`]
pub(crate) fn check(supervisor: &Supervisor, kept: Option<&Kept>) -> Result<(), Refusal> {
    match kept.map(|kept| (&kept.life, act_of(supervisor, &kept.life))) {
        Some((life, None)) => {
            let reason =
                format!("program {} has no [load] here; its embedded agent loads versions", life.program);
            Err(Refusal::NotOurs { reason })
        }
        _ => Ok(()),
    }
}

/// Writes the files of a program that is about to start.
///
/// # Errors
///
/// A [`LoadError`] about a file.
pub(crate) fn render_first(program: &Program, state: &StateFile) -> Result<(), LoadError> {
    program.load.as_ref().map_or(Ok(()), |act| render(act, &state.state))
}

/// Remembers and shows what a replica has loaded.
pub(crate) fn note_loaded(
    supervisor: &Supervisor,
    kept: &Kept,
    version: Version,
    state_hash: Hash,
) -> LoadedRecord {
    let loaded = LoadedRecord { version, state_hash };
    supervisor.ledger.note(Entry::Loaded { incarnation: kept.life.incarnation, loaded: loaded.clone() });
    if kept.revise(|standing| standing.loaded = Some(loaded.clone())) {
        supervisor.publish(kept);
    }
    loaded
}

/// Loads a version on behalf of a replica.
///
/// # Errors
///
/// A [`LoadError`]; the record of what is loaded stays what it was.
pub(crate) async fn run(supervisor: &Arc<Supervisor>, load: Load) -> Result<LoadedRecord, LoadError> {
    let kept = supervisor.find(load.incarnation).ok_or(LoadError::Gone)?;
    let (program, act) = act_of(supervisor, &kept.life).ok_or(LoadError::Gone)?;
    let cached = StateFile::read(&supervisor.dirs.state(&kept.life.cluster, &kept.life.replica)).ok();
    let found = cached.as_ref().map(|cached| cached.state.hash());
    let state = match (cached, load.state) {
        (Some(cached), _) if found == load.from_hash => {
            let mut state = cached.state;
            load.difference.0.iter().for_each(|(key, after)| state.apply(key, after.as_ref()));
            state
        }
        (_, Some(state)) => state,
        _ => return Err(LoadError::UnknownStart { found }),
    };
    let new = StateFile { version: load.to_version, state_hash: state.hash(), state };
    if new.state_hash != load.to_hash {
        return Err(LoadError::WrongResult { found: new.state_hash, expected: load.to_hash });
    }
    render(act, &new.state)?;
    tell(program, act, &kept).await?;
    let (version, state_hash) = (new.version, new.state_hash);
    supervisor.cache_state(&kept.life, &new).map_err(|source| LoadError::Cache { source })?;
    Ok(note_loaded(supervisor, &kept, version, state_hash))
}

fn render(act: &LoadAct, state: &State) -> Result<(), LoadError> {
    for (path, key) in &act.render {
        let value = match key.as_str() {
            "*" => serde_json::to_value(state).ok(),
            key => key.parse::<Key>().ok().and_then(|key| state.get(&key).cloned()),
        };
        let value = value.ok_or_else(|| LoadError::NoKey { path: path.clone(), key: key.clone() })?;
        let text = match value {
            // A text is the file's content; anything else is JSON.
            serde_json::Value::String(text) => text,
            other => format!("{other:#}\n"),
        };
        write_whole(path, &text).map_err(|source| LoadError::Write { path: path.clone(), source })?;
    }
    Ok(())
}

fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    std::fs::write(&temporary, text)?;
    std::fs::rename(&temporary, path)
}

async fn tell(program: &Program, act: &LoadAct, kept: &Kept) -> Result<(), LoadError> {
    if let Some(signal) = act.signal {
        let signal = match signal {
            ReloadSignal::Hup => Signal::HUP,
            ReloadSignal::Usr1 => Signal::USR1,
            ReloadSignal::Usr2 => Signal::USR2,
        };
        return if kept.signal(signal) { Ok(()) } else { Err(LoadError::Gone) };
    }
    let argv = Program::render(act.command.as_deref().unwrap_or_default(), &kept.life.parameters);
    let Some((path, arguments)) = argv.split_first() else { return Ok(()) };
    let mut command = tokio::process::Command::new(path);
    command.args(arguments).envs(&program.environment).stdin(Stdio::null()).stdout(Stdio::null());
    let running = command.stderr(Stdio::piped()).kill_on_drop(true).output();
    let failed = |how: String| LoadError::Command { how };
    match tokio::time::timeout(PATIENCE, running).await {
        Err(_) => Err(failed(format!("no end within {PATIENCE:?}"))),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(failed(format!("{}: {}", output.status, said.lines().last().unwrap_or_default())))
        }
    }
}
