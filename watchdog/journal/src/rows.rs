//! Rows: from what stands in the tables to entries, with every doubt named.

use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use watchdog_core::change::{Change, Head, LogEntry};
use watchdog_core::ids::{Epoch, GoalId, Sequence, Time, Version};
use watchdog_core::record::Entry;
use watchdog_core::state::{Hash, Key};
use watchdog_ports::journal_error::JournalError;

/// A row of either database.
pub(crate) trait Cells {
    /// The number in a column.
    fn int(&self, column: usize) -> Result<i64, String>;
    /// The text in a column, `None` for NULL.
    fn maybe_text(&self, column: usize) -> Result<Option<&str>, String>;

    /// The bytes in a column.
    fn bytes(&self, column: usize) -> Result<&[u8], String>;

    /// The number in a column, as it was bound.
    fn number(&self, column: usize) -> Result<u64, String> {
        self.int(column).map(i64::cast_unsigned)
    }

    /// The text in a column.
    fn text(&self, column: usize) -> Result<&str, String> {
        self.maybe_text(column)?.ok_or_else(|| format!("column {column} is empty"))
    }
}

macro_rules! cells {
    ($row:ty) => {
        impl Cells for $row {
            fn int(&self, column: usize) -> Result<i64, String> {
                self.try_get(column).map_err(|error| error.to_string())
            }

            fn maybe_text(&self, column: usize) -> Result<Option<&str>, String> {
                self.try_get(column).map_err(|error| error.to_string())
            }

            fn bytes(&self, column: usize) -> Result<&[u8], String> {
                self.try_get(column).map_err(|error| error.to_string())
            }
        }
    };
}

cells!(SqliteRow);
cells!(PgRow);

/// The term that stands, and where the metadata log ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) epoch: Epoch,
    pub(crate) watchdog: String,
    pub(crate) head: Head,
}

impl Term {
    pub(crate) fn read(row: &dyn Cells) -> Result<Self, JournalError> {
        let read = || {
            Ok(Self {
                epoch: Epoch(row.number(0)?),
                watchdog: row.text(1)?.to_owned(),
                head: Head { version: Version(row.number(2)?), hash: parsed(row.text(3)?)? },
            })
        };
        read()
            .map_err(|what: String| JournalError::Schema { what: format!("the term can't be read: {what}") })
    }
}

/// A row of the metadata log, not yet looked at: parsing and hashing are left to a thread that may take its time.
pub(crate) struct RawChange {
    version: Version,
    at: Time,
    epoch: Epoch,
    author: String,
    goal: Option<String>,
    key: String,
    before: Option<String>,
    after: Option<String>,
    previous: String,
    hash: String,
}

impl RawChange {
    pub(crate) fn read(row: &dyn Cells) -> Result<Self, JournalError> {
        let version = Version(row.number(0).unwrap_or_default());
        let read = || {
            let owned = |column| Ok::<_, String>(row.maybe_text(column)?.map(str::to_owned));
            Ok(Self {
                version,
                at: Time(row.number(1)?),
                epoch: Epoch(row.number(2)?),
                author: row.text(3)?.to_owned(),
                goal: owned(4)?,
                key: row.text(5)?.to_owned(),
                before: owned(6)?,
                after: owned(7)?,
                previous: row.text(8)?.to_owned(),
                hash: row.text(9)?.to_owned(),
            })
        };
        read().map_err(|what: String| JournalError::CorruptLog { version, what })
    }

    /// The entry, if it carries the hash that it must.
    pub(crate) fn entry(self) -> Result<LogEntry, JournalError> {
        let version = self.version;
        let entry = self.parsed().map_err(|what| JournalError::CorruptLog { version, what })?;
        if entry.hash != entry.computed_hash() {
            let what = "its content does not carry its hash".to_owned();
            return Err(JournalError::CorruptLog { version, what });
        }
        Ok(entry)
    }

    fn parsed(self) -> Result<LogEntry, String> {
        let json = |text: Option<String>| text.map(|text| serde_json::from_str(&text)).transpose();
        Ok(LogEntry {
            version: self.version,
            at: self.at,
            epoch: self.epoch,
            author: self.author,
            goal: self.goal.map(GoalId::new).transpose().map_err(|error| error.to_string())?,
            change: Change {
                key: Key::new(self.key).map_err(|error| error.to_string())?,
                before: json(self.before).map_err(|error| format!("its value before: {error}"))?,
                after: json(self.after).map_err(|error| format!("its value after: {error}"))?,
            },
            previous: parsed(&self.previous)?,
            hash: parsed(&self.hash)?,
        })
    }
}

/// Where a walk along the chain stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain {
    next: Version,
    /// Unknown when the walk began in the middle.
    previous: Option<Hash>,
}

impl Chain {
    /// A walk that goes on after `head`.
    pub(crate) fn after(head: Head) -> Self {
        Self { next: head.version.next(), previous: Some(head.hash) }
    }

    /// A walk that begins at `version`.
    pub(crate) fn from(version: Version) -> Self {
        let start = (version <= Version(1)).then(Hash::default);
        Self { next: version.max(Version(1)), previous: start }
    }

    pub(crate) fn next(&self) -> Version {
        self.next
    }

    /// Goes on to `entry`, which must be the next one and name the one before it.
    pub(crate) fn link(&mut self, entry: &LogEntry) -> Result<(), JournalError> {
        if entry.version != self.next {
            return Err(self.missing());
        }
        if self.previous.is_some_and(|previous| previous != entry.previous) {
            let what = "it does not follow from the entry before it".to_owned();
            return Err(JournalError::CorruptLog { version: entry.version, what });
        }
        *self = Self { next: entry.version.next(), previous: Some(entry.hash) };
        Ok(())
    }

    /// The next entry is not there.
    pub(crate) fn missing(&self) -> JournalError {
        JournalError::CorruptLog { version: self.next, what: "it is missing".to_owned() }
    }
}

/// Reads an entry of the record.
pub(crate) fn entry(row: &dyn Cells) -> Result<Entry, JournalError> {
    let sequence = Sequence(row.number(0).unwrap_or_default());
    let read = || {
        let (at, epoch, by, body) = (Time(row.number(1)?), Epoch(row.number(2)?), row.text(3)?, row.text(4)?);
        if row.text(5)? != digest(sequence, &[&at.0, &epoch, &by, &body]) {
            return Err("its content does not carry its digest".to_owned());
        }
        let body = serde_json::from_str(body).map_err(|error| error.to_string())?;
        Ok(Entry { sequence, at, epoch, by: by.to_owned(), body })
    };
    read().map_err(|what: String| JournalError::CorruptRecord { sequence, what })
}

/// What the row of a record entry carries, so that edited bytes are noticed.
pub(crate) fn digest(sequence: Sequence, fields: &[&dyn std::fmt::Display]) -> String {
    let text = fields.iter().fold(sequence.to_string(), |text, field| format!("{text}\n{field}"));
    Hash::of(text.as_bytes()).to_string()
}

pub(crate) fn parsed(hash: &str) -> Result<Hash, String> {
    hash.parse().map_err(|error: watchdog_core::state::HashError| error.to_string())
}
