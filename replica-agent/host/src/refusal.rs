//! Refusal: why an order is not carried out: a word that programs match on, and a sentence for people.

use std::fmt;

use tonic::{Code, Status};
use watchdog_core::blame;
use watchdog_core::desk::Refused;
use watchdog_core::ids::{Incarnation, ReplicaId};

use crate::fault::{self, Blame, Fault};
use crate::ledger::LedgerError;

/// Why not.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// A field of the request can't be used.
    #[error("{field}: {reason}")]
    Field {
        /// Its path in the request.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The order is for a state directory that is no more.
    #[error("wrong_instance: the order is for instance {theirs}; this is {ours}, whose memory begins later")]
    WrongInstance {
        /// The order's.
        theirs: String,
        /// Ours.
        ours: String,
    },
    /// A live process of the replica is here.
    #[error("alive: {replica} runs here as incarnation {incarnation}, pid {pid}; kill that first")]
    Alive {
        /// Which replica.
        replica: ReplicaId,
        /// Which life of it.
        incarnation: Incarnation,
        /// Its process.
        pid: u32,
    },
    /// The incarnation was declared dead, and never lives again.
    #[error("dead: incarnation {incarnation} was declared dead ({status}); mint a new one")]
    Dead {
        /// Which.
        incarnation: Incarnation,
        /// How it ended.
        status: String,
    },
    /// The desk does not take it.
    #[error("{}: {}", .0.word(), .0)]
    AtDesk(#[from] Refused),
    /// There is no such thing here.
    #[error("{field}: {reason}")]
    NotFound {
        /// What was named, by its path in the request.
        field: &'static str,
        /// What there is instead.
        reason: String,
    },
    /// This host agent does not do that.
    #[error("{reason}")]
    NotOurs {
        /// Who does.
        reason: String,
    },
    /// Two of it may never run, and nothing here could prove that one is gone.
    #[error(
        "no_cgroup: {replica} is exclusive, and without a control group nothing proves that all of one life is gone before the next is started; give the host agent cgroups = true and a cgroup v2 hierarchy that it may write to (systemd: Delegate=yes), or write exclusive_without_cgroups = true in its configuration, and a human must see to each death"
    )]
    NoCgroup {
        /// Which replica.
        replica: ReplicaId,
    },
    /// What must be remembered can't be.
    #[error("{}", unrecorded(.0))]
    Ledger(#[from] LedgerError),
}

/// What is wrong with a field: a sentence, or the error of whoever read it.
pub(crate) struct Reason(String);

impl<T: fmt::Display> From<T> for Reason {
    fn from(reason: T) -> Self {
        Self(reason.to_string())
    }
}

impl Refusal {
    /// A field that can't be used.
    pub(crate) fn field(field: impl Into<String>, reason: impl Into<Reason>) -> Self {
        Self::Field { field: field.into(), reason: reason.into().0 }
    }

    /// The words for all of them.
    pub(crate) const WORDS: [&'static str; 15] = [
        "field",
        "older_epoch",
        "wrong_instance",
        "unconfirmed",
        "earlier_session",
        "alive",
        "dead",
        "busy",
        "lost",
        "given_up",
        "not_found",
        "not_ours",
        "no_cgroup",
        "no_space",
        "ledger",
    ];

    /// The word for it.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Field { .. } => "field",
            Self::AtDesk(refused) => refused.word(),
            Self::WrongInstance { .. } => "wrong_instance",
            Self::Alive { .. } => "alive",
            Self::Dead { .. } => "dead",
            Self::NotFound { .. } => "not_found",
            Self::NotOurs { .. } => "not_ours",
            Self::NoCgroup { .. } => "no_cgroup",
            Self::Ledger(error) if error.is_full() => fault::NO_SPACE,
            Self::Ledger(_) => "ledger",
        }
    }

    /// What it is and whose, for the leader.
    pub(crate) fn fault(&self) -> Fault {
        let blame = match self {
            Self::Field { field, .. } if field.starts_with("start.parameters") => Blame::Declaration,
            Self::NotFound { field: "start.program", .. } | Self::NoCgroup { .. } => Blame::Declaration,
            Self::Field { .. }
            | Self::NotOurs { .. }
            | Self::Alive { .. }
            | Self::Dead { .. }
            | Self::NotFound { .. } => Blame::Leader,
            // The order was right when it was given, or will be soon; nothing was begun.
            Self::AtDesk(refused) if refused.blame() == blame::Blame::Agent => Blame::Agent,
            Self::WrongInstance { .. } | Self::AtDesk(_) => Blame::Channel,
            Self::Ledger(_) => Blame::Host,
        };
        Fault::new(self.word(), blame)
    }

    fn code(&self) -> Code {
        match self {
            Self::Field { .. } => Code::InvalidArgument,
            // It passes as soon as the session is confirmed, so the leader asks again.
            Self::AtDesk(refused) if refused.passes() => Code::Unavailable,
            Self::AtDesk(_)
            | Self::WrongInstance { .. }
            | Self::Alive { .. }
            | Self::Dead { .. }
            | Self::NoCgroup { .. } => Code::FailedPrecondition,
            Self::NotFound { .. } => Code::NotFound,
            Self::NotOurs { .. } => Code::Unimplemented,
            Self::Ledger(error) if error.is_full() => Code::ResourceExhausted,
            Self::Ledger(_) => Code::Internal,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Status {
        let Fault { code, blame } = refusal.fault();
        let mut status = Status::new(refusal.code(), brief(refusal.to_string()));
        for (name, word) in [(CODE, code), (BLAME, blame.to_string())] {
            // Our words are plain letters, which a header always takes.
            if let Ok(word) = word.parse() {
                status.metadata_mut().insert(name, word);
            }
        }
        status
    }
}

/// The metadata that carries the word for a refusal.
const CODE: &str = "watchdog-code";
/// The metadata that carries whose it is.
const BLAME: &str = "watchdog-blame";

fn unrecorded(error: &LedgerError) -> String {
    if error.is_full() { error.to_string() } else { format!("cannot record the order: {error}") }
}

/// A longer message does not fit into the header that carries it, and then the asker learns nothing at all.
const MESSAGE_CHARACTERS_MAX: usize = 1_000;

/// The sentence, without the rest of a very long one: it may repeat what was ordered.
fn brief(sentence: String) -> String {
    match sentence.char_indices().nth(MESSAGE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &sentence[..end]),
        None => sentence,
    }
}
