//! Failure: the ways in which a command ends badly, and the exit code of each.

use std::fmt::Write as _;
use std::io;

use crate::fleet::Testimony;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The command line is fine for clap, but not for us.
    #[error("{0}")]
    Usage(String),
    /// A watchdog said no, in this sentence.
    #[error("{0}")]
    Refused(String),
    /// The log has moved on since the asker looked, in the leader's words.
    #[error("{0}")]
    HeadMoved(String),
    /// Nobody answered.
    #[error("no watchdog answered for cluster {cluster}{}", told(.said))]
    Unanswered {
        /// Which cluster we asked for.
        cluster: String,
        /// What became of each question.
        said: Vec<Testimony>,
    },
    /// Some answered, but none that leads.
    #[error("cluster {cluster} has no leader that answers{}", told(.said))]
    NoLeader {
        /// Which cluster.
        cluster: String,
        /// What each said.
        said: Vec<Testimony>,
    },
    /// The order was sent and the answer was not seen, so that it may have been carried out.
    #[error("sent, but not answered; it may or may not have been done{}", told(.said))]
    FateUnknown {
        /// What was seen instead.
        said: Vec<Testimony>,
    },
    /// What was asked for has been printed; the exit code tells the rest.
    #[error("the answer was printed")]
    Told {
        /// With which exit code to end.
        exit_code: u8,
    },
    /// Whoever read our output has left.
    #[error("the reader has left")]
    Closed,
    /// The output could not be written, or the runtime not started.
    #[error("{0}")]
    Io(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Io(error) }
    }
}

impl Failure {
    /// The contract of exit codes: 1 refused or failed, 2 wrong usage, 3 nobody answered or no leader.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            // `watchdogctl events | head` has done all that was wanted of it.
            Self::Closed => 0,
            Self::Refused(_) | Self::HeadMoved(_) | Self::Io(_) => 1,
            Self::Usage(_) => 2,
            Self::Unanswered { .. } | Self::NoLeader { .. } | Self::FateUnknown { .. } => 3,
            Self::Told { exit_code } => *exit_code,
        }
    }

    /// What to say on standard error, if anything.
    pub(crate) fn message(&self) -> Option<String> {
        match self {
            Self::Closed | Self::Told { .. } => None,
            _ => Some(self.to_string()),
        }
    }

    /// Whether asking again later may help: all that is wrong is that nobody could answer now.
    pub(crate) fn may_pass(&self) -> bool {
        self.exit_code() == 3
    }
}

/// One indented line for each endpoint, behind a colon.
fn told(said: &[Testimony]) -> String {
    let mut text = String::new();
    for (index, testimony) in said.iter().enumerate() {
        text.push_str(if index == 0 { ":\n" } else { "\n" });
        let _ = write!(text, "  {}: {}", testimony.endpoint, testimony.said);
    }
    text
}
