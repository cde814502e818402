//! Failure: what a database says, sorted by what it means to us.

use watchdog_ports::BoxError;
use watchdog_ports::journal_error::JournalError;

/// Why a statement did not do what it should.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A row with such a key is there already.
    Duplicate(BoxError),
    /// There is no room.
    Full(BoxError),
    /// No answer, or none that says anything about the statement.
    Unavailable(BoxError),
    /// The tables are not ours, or the database itself is broken.
    Schema(String),
    /// What was read told us more than the database knows.
    Known(JournalError),
}

impl Failure {
    /// Sorts a driver's error.
    pub(crate) fn of(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(said) if said.is_unique_violation() => Self::Duplicate(error.into()),
            sqlx::Error::Database(said) => match said.code().as_deref().map_or(Kind::Other, kind) {
                Kind::Full => Self::Full(error.into()),
                Kind::NotOurs => Self::Schema(said.message().to_owned()),
                Kind::Other => Self::Unavailable(error.into()),
            },
            sqlx::Error::Io(io) if io.kind() == std::io::ErrorKind::StorageFull => Self::Full(error.into()),
            _ => Self::Unavailable(error.into()),
        }
    }

    /// The situation for the caller, who was trying to do `operation`.
    pub(crate) fn during(self, operation: &'static str) -> JournalError {
        match self {
            Self::Full(source) => JournalError::Full { operation, source },
            Self::Duplicate(source) | Self::Unavailable(source) => {
                JournalError::Unavailable { operation, source }
            }
            Self::Schema(what) => JournalError::Schema { what },
            Self::Known(error) => error,
        }
    }
}

enum Kind {
    Full,
    NotOurs,
    Other,
}

/// PostgreSQL's codes have five characters, SQLite's are numbers below 10,000.
fn kind(code: &str) -> Kind {
    match (code.len(), code.parse::<u32>()) {
        (5, _) => match code {
            "53100" => Kind::Full,
            // No such table or column, no right to it, another of that name, data or index corrupted.
            "42P01" | "42703" | "42501" | "42P07" | "42710" | "42723" | "XX001" | "XX002" => Kind::NotOurs,
            _ => Kind::Other,
        },
        // FULL, and no room for the shared memory of the write-ahead log.
        (_, Ok(13 | 4_874)) => Kind::Full,
        // ERROR (no such table or column), CORRUPT, NOTADB; the low byte is the kind.
        (_, Ok(number)) if matches!(number & 0xff, 1 | 11 | 26) => Kind::NotOurs,
        _ => Kind::Other,
    }
}
