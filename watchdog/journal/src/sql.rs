//! SQL: the statements, which both databases understand.

use std::fmt::Write as _;

use sqlx::{AssertSqlSafe, SqlSafeStr as _, SqlStr};

/// Locks the term row for the rest of the transaction, and makes room in the record; no row means fenced.
pub(crate) const CLAIM: &str = "UPDATE term SET record_head = record_head + $3
    WHERE cluster = $1 AND epoch = $2 RETURNING record_head";

/// Moves the head, under the term and from the head that are named; no row means fenced or raced.
pub(crate) const MOVE_HEAD: &str = "UPDATE term SET head = $5, head_hash = $6
    WHERE cluster = $1 AND epoch = $2 AND head = $3 AND head_hash = $4";

/// Opens a term above the highest; no row means that there is one as high.
pub(crate) const OPEN_TERM: &str = "INSERT INTO term
        (cluster, epoch, watchdog, opened_at_ms, head, head_hash, record_head)
    VALUES ($1, $2, $3, $4, 0, $5, 1)
    ON CONFLICT (cluster) DO UPDATE SET epoch = excluded.epoch, watchdog = excluded.watchdog,
        opened_at_ms = excluded.opened_at_ms, record_head = term.record_head + 1
    WHERE term.epoch < excluded.epoch
    RETURNING record_head";

pub(crate) const ADD_TERM: &str =
    "INSERT INTO terms (cluster, epoch, watchdog, opened_at_ms) VALUES ($1, $2, $3, $4)";

pub(crate) const TERM: &str = "SELECT epoch, watchdog, head, head_hash FROM term WHERE cluster = $1";

/// Head, its hash, and the hash of one entry.
pub(crate) const HASH_AT: &str = "SELECT t.head, c.hash FROM term t
    LEFT JOIN change c ON c.cluster = t.cluster AND c.version = $2
    WHERE t.cluster = $1";

/// A page, up to the entry before which it holds fewer bytes than `$4`.
pub(crate) const RECORDS: &str = "SELECT sequence, at_ms, epoch, written_by, body, digest FROM record
    WHERE cluster = $1 AND sequence > $2 AND sequence <= (
        SELECT MAX(sequence) FROM (
            SELECT sequence, SUM(size) OVER (ORDER BY sequence) - size AS ahead FROM (
                SELECT sequence, LENGTH(body) AS size FROM record
                WHERE cluster = $1 AND sequence > $2 ORDER BY sequence LIMIT $3
            ) AS page
        ) AS sized WHERE ahead < $4
    ) ORDER BY sequence";

pub(crate) const RECORDS_OF_REQUEST: &str =
    "SELECT sequence, at_ms, epoch, written_by, body, digest FROM record
    WHERE cluster = $1 AND request = $2 ORDER BY part";

pub(crate) const CHANGES: &str = "SELECT version, at_ms, epoch, author, goal, key,
        value_before, value_after, previous, hash FROM change
    WHERE cluster = $1 AND version >= $2 AND version <= $3 ORDER BY version LIMIT $4";

pub(crate) const HEAD_OF_REQUEST: &str = "SELECT version, hash FROM change
    WHERE cluster = $1 AND request = $2 ORDER BY part DESC LIMIT 1";

/// An entry that stands where none can.
pub(crate) const BEYOND_HEAD: &str = "SELECT c.version FROM change c
    LEFT JOIN term t ON t.cluster = c.cluster
    WHERE c.cluster = $1 AND c.version > COALESCE(t.head, 0) ORDER BY c.version LIMIT 1";

pub(crate) const SNAPSHOT_AT_MOST: &str = "SELECT version, hash, digest, state FROM snapshot
    WHERE cluster = $1 AND version <= $2 ORDER BY version DESC LIMIT 1";

pub(crate) const NEWEST_SNAPSHOT: &str =
    "SELECT version FROM snapshot WHERE cluster = $1 ORDER BY version DESC LIMIT 1";

pub(crate) const ADD_SNAPSHOT: &str = "INSERT INTO snapshot (cluster, version, hash, digest, state)
    VALUES ($1, $2, $3, $4, $5) ON CONFLICT (cluster, version) DO NOTHING";

/// The transaction holds the term row, so that no other takes the same ordinal.
pub(crate) const ADD_INPUT: &str =
    "INSERT INTO plan_input (cluster, ordinal, plan, core_version, digest, input)
    VALUES ($1, (SELECT COALESCE(MAX(ordinal), 0) + 1 FROM plan_input WHERE cluster = $1), $2, $3, $4, $5)
    ON CONFLICT (cluster, plan) DO UPDATE SET ordinal = excluded.ordinal,
        core_version = excluded.core_version, digest = excluded.digest, input = excluded.input
    RETURNING ordinal";

pub(crate) const DROP_INPUTS: &str = "DELETE FROM plan_input WHERE cluster = $1 AND ordinal <= $2";

pub(crate) const INPUT: &str =
    "SELECT core_version, digest, input FROM plan_input WHERE cluster = $1 AND plan = $2";

pub(crate) const FORMAT: &str = "SELECT number, oldest_reader FROM format";

/// Which database is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// A table into which rows are inserted many at a time.
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [&'static str],
}

pub(crate) const RECORD: Table = Table {
    name: "record",
    columns: &[
        "cluster",
        "sequence",
        "at_ms",
        "epoch",
        "written_by",
        "kind",
        "body",
        "digest",
        "request",
        "part",
    ],
};

pub(crate) const CHANGE: Table = Table {
    name: "change",
    columns: &[
        "cluster",
        "version",
        "at_ms",
        "epoch",
        "author",
        "goal",
        "key",
        "value_before",
        "value_after",
        "previous",
        "hash",
        "request",
        "part",
    ],
};

/// Rows in one INSERT; each number of rows is a statement that the database prepares once.
pub(crate) const ROWS_MAX: usize = 32;

impl Table {
    /// The INSERT of `rows` rows.
    pub(crate) fn insert(&self, rows: usize) -> SqlStr {
        let sql = format!("INSERT INTO {} ({}) {}", self.name, self.columns.join(", "), self.values(rows, 0));
        AssertSqlSafe(sql).into_sql_str()
    }

    /// `rows` rows of placeholders, after the first `taken`.
    fn values(&self, rows: usize, taken: usize) -> String {
        let width = self.columns.len();
        let mut sql = String::from("VALUES ");
        for row in 0..rows {
            let places: Vec<String> =
                (1..=width).map(|column| format!("${}", taken + row * width + column)).collect();
            // Writing to a String can't fail.
            let _ = write!(sql, "{}({})", if row == 0 { "" } else { ", " }, places.join(", "));
        }
        sql
    }
}

/// How many values [`MOVE_HEAD`] takes.
const MOVE_HEAD_VALUES: usize = 6;

/// [`MOVE_HEAD`] and the INSERT of `rows` changes as one transaction in one trip; no row means fenced or raced.
///
/// The values are those of the one, then those of the other. PostgreSQL runs one statement, in which the
/// UPDATE comes first because the INSERT reads from it; SQLite runs several, of which the INSERT asks what
/// the UPDATE did.
pub(crate) fn append(dialect: Dialect, rows: usize) -> SqlStr {
    let (columns, values) = (CHANGE.columns.join(", "), CHANGE.values(rows, MOVE_HEAD_VALUES));
    let sql = match dialect {
        Dialect::Sqlite => format!(
            "BEGIN IMMEDIATE; {MOVE_HEAD};
            INSERT INTO change ({columns}) SELECT * FROM ({values}) WHERE changes() = 1 RETURNING version;
            COMMIT"
        ),
        Dialect::Postgres => format!(
            "WITH moved AS ({MOVE_HEAD} RETURNING head)
            INSERT INTO change ({columns}) SELECT added.* FROM moved, ({values}) AS added RETURNING version"
        ),
    };
    AssertSqlSafe(sql).into_sql_str()
}
