//! Journal error: the situations in which the journal did not do what it was asked.
//!
//! The metadata log and the healing log stand in one database and fail alike.

use watchdog_core::ids::{Epoch, PlanId, Sequence, Version};

use crate::BoxError;

/// Why the journal did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A newer leader has opened its term; ours is over.
    #[error("write fenced: we lead epoch {ours}, the journal has seen {theirs}")]
    Fenced {
        /// Our term.
        ours: Epoch,
        /// The term that stands.
        theirs: Epoch,
    },
    /// Someone appended between our read and our write.
    #[error("append raced: expected head {expected}, found {found}")]
    HeadMoved {
        /// The head that the append named.
        expected: Version,
        /// The head that stands.
        found: Version,
    },
    /// A change does not fit the state that it would change.
    #[error("change of {key} does not fit version {head}: its value before is not what stands there")]
    Misfit {
        /// The key.
        key: String,
        /// The head.
        head: Version,
    },
    /// The database did not answer, or not in time. What was sent may have been committed: ask again with the same request id.
    #[error("journal unavailable while trying to {operation}")]
    Unavailable {
        /// What was tried.
        operation: &'static str,
        /// What the driver said.
        source: BoxError,
    },
    /// There is no room; nothing was written.
    #[error("journal has no room left while trying to {operation}; free space where the database stands")]
    Full {
        /// What was tried.
        operation: &'static str,
        /// What the driver said.
        source: BoxError,
    },
    /// An entry of the metadata log can't be read, or does not carry the hash that it must.
    #[error("metadata log entry {version} is corrupt: {what}")]
    CorruptLog {
        /// Which entry.
        version: Version,
        /// What is wrong with it.
        what: String,
    },
    /// An entry of the healing log can't be read.
    #[error("healing log entry {sequence} is corrupt: {what}")]
    CorruptRecord {
        /// Which entry.
        sequence: Sequence,
        /// What is wrong with it.
        what: String,
    },
    /// What a plan was computed from can't be read, or does not carry its digest; nothing else depends on it.
    #[error("input of plan {plan} is corrupt: {what}")]
    CorruptInput {
        /// Of which plan.
        plan: PlanId,
        /// What is wrong with it.
        what: String,
    },
    /// There is no such version.
    #[error("version {version} does not exist; the log ends at {head}")]
    NoSuchVersion {
        /// What was asked for.
        version: Version,
        /// Where the log ends.
        head: Version,
    },
    /// The journal can't hold this; asking again will not help.
    #[error("the journal can't hold {what}")]
    Unstorable {
        /// What, and why not.
        what: String,
    },
    /// What was given does not say where a journal is.
    #[error("not a journal's address: {what}")]
    Address {
        /// What is wrong with it; never the address itself, which may hold a password.
        what: String,
    },
    /// The database holds a schema that this build does not know.
    #[error("the journal's schema is not ours: {what}")]
    Schema {
        /// What is wrong with it.
        what: String,
    },
}

/// Refuses a text that not every database can hold: PostgreSQL has no NUL.
///
/// # Errors
///
/// [`JournalError::Unstorable`], which names the field.
pub fn storable(field: &'static str, text: &str) -> Result<(), JournalError> {
    if text.contains('\0') {
        return Err(JournalError::Unstorable { what: format!("a NUL character in {field}") });
    }
    Ok(())
}

/// What a caller does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Ask again, with the same request id.
    Retry,
    /// Read again and decide anew.
    LookAgain,
    /// Stop leading.
    StepDown,
    /// Hold and wake a human.
    Page,
}

impl JournalError {
    /// The one place that says what a caller does next.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::Fenced { .. } => Remedy::StepDown,
            Self::HeadMoved { .. }
            | Self::Misfit { .. }
            | Self::NoSuchVersion { .. }
            | Self::Unstorable { .. } => Remedy::LookAgain,
            Self::Unavailable { .. } | Self::Full { .. } => Remedy::Retry,
            Self::CorruptLog { .. }
            | Self::CorruptRecord { .. }
            | Self::CorruptInput { .. }
            | Self::Address { .. }
            | Self::Schema { .. } => Remedy::Page,
        }
    }
}
