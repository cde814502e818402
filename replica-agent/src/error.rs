//! Error: why an agent could not begin, and how causes are told to people.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

use watchdog_core::ids::Version;
use watchdog_core::state::Hash;
use watchdog_membership::environment::EnvironmentError;
use watchdog_membership::tree::BoxError;
use watchdog_trust::TlsError;

use crate::application::LoadError;

/// Why an agent could not begin, or had to end.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The process was not told who it is.
    #[error("the environment does not say which replica this is")]
    Environment(#[source] EnvironmentError),
    /// The state to start from is not what its own hash says.
    #[error("{} says state hash {said} and holds a state that hashes to {found}", path.display())]
    CorruptState {
        /// The state file.
        path: PathBuf,
        /// What it says.
        said: Hash,
        /// What it holds.
        found: Hash,
    },
    /// The application did not load the state that it was started with.
    #[error("version {version} was not loaded at the start: {reason}")]
    InitialLoad {
        /// Which version.
        version: Version,
        /// What it said.
        reason: LoadError,
    },
    /// Without TLS nothing listens where others could reach it.
    #[error(
        "{address} is not a loopback address; without TLS (WATCHDOG_TLS_CA, _CERT and _KEY) an agent listens on 127.0.0.0/8 or ::1 only"
    )]
    NotLoopback {
        /// Where it was told to listen.
        address: SocketAddr,
    },
    /// The certificates that the environment names can't be used.
    #[error("the certificates of the embedded agent cannot be used")]
    Tls(#[source] TlsError),
    /// The url of the coordination service can't be used.
    #[error("the coordination service {url:?} cannot be used")]
    Coordination {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        source: BoxError,
    },
    /// The operating system did not do what every agent needs.
    #[error("cannot {operation}")]
    System {
        /// What was tried.
        operation: &'static str,
        /// What it said.
        source: BoxError,
    },
}

impl AgentError {
    pub(crate) fn system<E: Into<BoxError>>(operation: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::System { operation, source: source.into() }
    }
}

/// An error and its causes as one line.
pub(crate) fn sentence(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
