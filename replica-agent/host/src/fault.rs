//! Fault: what did not work and whose it is, in words that the leader matches on.
//!
//! | blame | what the leader can make of it |
//! | --- | --- |
//! | `replica` | the process itself: it is gone, or its files are in the way |
//! | `version` | what the state holds: the load's command says no, or a key is not there |
//! | `declaration` | what the log declares of the replica can't be done on this host |
//! | `host` | the machine: its disk, its users, its programs, its kernel |
//! | `agent` | this host agent, its ledger or its tasks |
//! | `channel` | nothing was begun: out of touch, busy, another instance; the same may work in a moment |
//! | `leader` | the order does not fit what is here; plan anew |

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;

/// Whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Blame {
    /// The process.
    Replica,
    /// The content of a version.
    Version,
    /// The declaration of the replica.
    Declaration,
    /// The machine.
    Host,
    /// This host agent.
    Agent,
    /// The way here; nothing was begun.
    Channel,
    /// Whoever ordered it.
    Leader,
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Replica => "replica",
            Self::Version => "version",
            Self::Declaration => "declaration",
            Self::Host => "host",
            Self::Agent => "agent",
            Self::Channel => "channel",
            Self::Leader => "leader",
        })
    }
}

/// What did not work, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fault {
    /// A word for the situation; it never changes its meaning.
    pub(crate) code: String,
    /// Whose it is.
    pub(crate) blame: Blame,
}

/// The code of a full disk.
pub(crate) const NO_SPACE: &str = "no_space";

impl Fault {
    /// A situation, and whose it is.
    pub(crate) fn new(code: &str, blame: Blame) -> Self {
        Self { code: code.to_owned(), blame }
    }

    /// Of a file that the kernel does not let us write: a full disk is that, wherever it shows.
    pub(crate) fn of_io(error: &io::Error, code: &str) -> Self {
        if is_full(error) { Self::new(NO_SPACE, Blame::Host) } else { Self::new(code, Blame::Host) }
    }
}

/// Whether the disk, or what one may take of it, is used up.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// An error that knows whose it is.
pub(crate) trait Blamed: std::error::Error {
    /// What it is, in words for programs.
    fn fault(&self) -> Fault;
}
