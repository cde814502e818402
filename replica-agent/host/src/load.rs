//! Load: brings a version to a program that does not embed the library: files, then a command or a signal.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use watchdog_core::ids::Version;
use watchdog_core::state::{Hash, Key, State};
use watchdog_membership::handover::StateFile;
use watchdog_membership::records::LoadedRecord;

use crate::config::{LoadAct, Program, ReloadSignal};
use crate::fault::{Blame, Blamed, Fault};
use crate::ledger::{Entry, Life};
use crate::refusal::Refusal;
use crate::render::{self, Written};
use crate::run_as::{self, JobError};
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
    #[error("the load command failed")]
    Command {
        /// How.
        source: JobError,
    },
    /// The thread that writes has failed.
    #[error("the thread that writes files failed")]
    Thread,
}

impl Blamed for LoadError {
    fn fault(&self) -> Fault {
        match self {
            Self::Gone => Fault::new("gone", Blame::Replica),
            Self::UnknownStart { .. } => Fault::new("unknown_start", Blame::Leader),
            Self::WrongResult { .. } => Fault::new("wrong_result", Blame::Leader),
            Self::NoKey { .. } => Fault::new("no_key", Blame::Version),
            // What lies in the way was put there by somebody who may write there.
            Self::Write { source, .. } if source.kind() == std::io::ErrorKind::Other => {
                Fault::new("not_rendered", Blame::Replica)
            }
            Self::Write { source, .. } => Fault::of_io(source, "not_rendered"),
            Self::Cache { source } => source.fault(),
            Self::Command { source: JobError::NotRun { .. } } => Fault::new("not_executable", Blame::Host),
            Self::Command { .. } => Fault::new("load_command", Blame::Version),
            Self::Thread => Fault::new("task", Blame::Agent),
        }
    }
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
    program.load.as_ref().map_or(Ok(()), |act| render(act, &state.state).map(settle))
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
    let (program, act) = (program.clone(), act.clone());
    let loading = supervisor.clone();
    let life = kept.life.clone();
    let rendered = tokio::task::spawn_blocking(move || {
        let new = new_state(&loading, &life, load)?;
        let written = render(&act, &new.state)?;
        Ok::<_, LoadError>((new, written, act))
    });
    let (new, written, act) = rendered.await.map_err(|_| LoadError::Thread)??;
    let told = tell(supervisor, (&program, &act), &kept).await;
    let (version, state_hash) = (new.version, new.state_hash);
    let caching = supervisor.clone();
    let life = kept.life.clone();
    let settled = tokio::task::spawn_blocking(move || match told {
        Ok(()) => {
            settle(written);
            caching.cache_state(&life, &new).map_err(|source| LoadError::Cache { source })
        }
        Err(error) => {
            put_back(written);
            Err(error)
        }
    });
    settled.await.map_err(|_| LoadError::Thread)??;
    Ok(note_loaded(supervisor, &kept, version, state_hash))
}

/// What the replica is to hold, and to find at its next start.
fn new_state(supervisor: &Supervisor, life: &Life, load: Load) -> Result<StateFile, LoadError> {
    let cached = supervisor.cached_state(life);
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
    if new.state_hash == load.to_hash {
        Ok(new)
    } else {
        Err(LoadError::WrongResult { found: new.state_hash, expected: load.to_hash })
    }
}

/// Writes all files or, as far as the disk lets us, none.
fn render(act: &LoadAct, state: &State) -> Result<Vec<Written>, LoadError> {
    let mut written = Vec::new();
    for (path, key) in &act.render {
        let one = content(path, key, state).and_then(|text| {
            render::write(path, &text).map_err(|source| LoadError::Write { path: path.clone(), source })
        });
        match one {
            Ok(one) => written.push(one),
            Err(error) => {
                put_back(written);
                return Err(error);
            }
        }
    }
    Ok(written)
}

fn content(path: &Path, key: &str, state: &State) -> Result<String, LoadError> {
    let value = match key {
        "*" => serde_json::to_value(state).ok(),
        key => key.parse::<Key>().ok().and_then(|key| state.get(&key).cloned()),
    };
    let value = value.ok_or_else(|| LoadError::NoKey { path: path.to_owned(), key: key.to_owned() })?;
    Ok(match value {
        // A text is the file's content; anything else is JSON.
        serde_json::Value::String(text) => text,
        other => format!("{other:#}\n"),
    })
}

fn settle(written: Vec<Written>) {
    written.into_iter().for_each(Written::settle);
}

fn put_back(written: Vec<Written>) {
    for one in written {
        if let Err(error) = one.put_back() {
            tracing::error!(%error, "a file of a load that failed can't be put back");
        }
    }
}

async fn tell(
    supervisor: &Supervisor,
    (program, act): (&Program, &LoadAct),
    kept: &Kept,
) -> Result<(), LoadError> {
    if let Some(signal) = act.signal {
        let signal = match signal {
            ReloadSignal::Hup => Signal::HUP,
            ReloadSignal::Usr1 => Signal::USR1,
            ReloadSignal::Usr2 => Signal::USR2,
        };
        return if kept.signal(signal) { Ok(()) } else { Err(LoadError::Gone) };
    }
    let Some(command) = &act.command else { return Ok(()) };
    let job = supervisor.job(&kept.life, program, Program::render(command, &kept.life.parameters));
    run_as::run(job, PATIENCE).await.map_err(|source| LoadError::Command { source })
}
