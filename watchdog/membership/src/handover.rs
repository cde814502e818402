//! Handover: the two files by which a host agent and a replica tell each other what does not fit into variables.
//!
//! ```text
//! host agent ── state file (JSON, synced) ──► replica
//! host agent ◄── address file (JSON, written once it listens) ── replica
//! ```
//!
//! Both are written whole or not at all, because the other side may read at any time.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use watchdog_core::ids::Version;
use watchdog_core::state::{Hash, State};

use crate::environment::EnvironmentError;

/// The state that a replica starts from, cached by its host agent so that it can start without any watchdog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateFile {
    /// Which version of the metadata log this is.
    pub version: Version,
    /// What the replica must be able to prove once it has loaded it.
    pub state_hash: Hash,
    /// The application's part of the state.
    pub state: State,
}

impl StateFile {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// [`EnvironmentError::File`]
    pub fn read(path: &Path) -> Result<Self, EnvironmentError> {
        read_json(path)
    }

    /// Writes it, whole or not at all; synced, as a replica may need it after a crash of the host.
    ///
    /// # Errors
    ///
    /// [`EnvironmentError::File`]
    pub fn write(&self, path: &Path) -> Result<(), EnvironmentError> {
        write_json(path, self, Durability::Synced)
    }
}

/// Where a replica listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// Its embedded agent, `http://host:port`.
    pub agent: String,
    /// The application itself, when it said so.
    pub service: Option<String>,
}

impl Addresses {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// [`EnvironmentError::File`], also while the replica has not written it yet.
    pub fn read(path: &Path) -> Result<Self, EnvironmentError> {
        read_json(path)
    }

    /// Writes them, whole or not at all. Not synced: the process that listens there doesn't survive the host either.
    ///
    /// # Errors
    ///
    /// [`EnvironmentError::File`]
    pub fn write(&self, path: &Path) -> Result<(), EnvironmentError> {
        write_json(path, self, Durability::Unsynced)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Durability {
    Synced,
    Unsynced,
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, EnvironmentError> {
    let error = |source| EnvironmentError::File { operation: "read", path: path.to_owned(), source };
    let bytes = std::fs::read(path).map_err(|source| error(source.into()))?;
    serde_json::from_slice(&bytes).map_err(|source| error(source.into()))
}

fn write_json<T: Serialize>(path: &Path, value: &T, durability: Durability) -> Result<(), EnvironmentError> {
    // The process id keeps two writers from sharing one temporary file.
    let mut temporary = path.to_owned().into_os_string();
    temporary.push(format!(".{}.new", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        if durability == Durability::Synced {
            file.sync_data()?;
            watchdog_crash_points::crash_point!("host.state.written");
        }
        std::fs::rename(&temporary, path)
    };
    write().map_err(|source| {
        // Best effort: the error that matters is the one being reported.
        let _ = std::fs::remove_file(&temporary);
        EnvironmentError::File { operation: "write", path: path.to_owned(), source: source.into() }
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_whole_and_errors_name_them() {
        let directory = std::env::temp_dir().join(format!("watchdog-handover-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("address.json");
        let addresses = Addresses { agent: "http://127.0.0.1:1".into(), service: None };
        addresses.write(&path).unwrap();
        assert_eq!(Addresses::read(&path).unwrap(), addresses);
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1);
        let state =
            StateFile { version: Version(4), state_hash: State::default().hash(), state: State::default() };
        state.write(&path).unwrap();
        assert_eq!(StateFile::read(&path).unwrap(), state);
        std::fs::remove_dir_all(&directory).unwrap();
        let error = Addresses::read(&path).unwrap_err().to_string();
        assert_eq!(error, format!("cannot read {}", path.display()));
    }
}
