//! Bare: INSERTs of rows as wide as a change, into a table that checks nothing, on a connection as durable as ours.

use std::str::FromStr as _;
use std::time::{Duration, Instant};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Executor as _};
use uuid::Uuid;
use watchdog_core::change::LogEntry;

const CREATE: &str = "CREATE TABLE bare (cluster TEXT, version BIGINT, at_ms BIGINT, epoch BIGINT, author TEXT,
    goal TEXT, key TEXT, value_before TEXT, value_after TEXT, previous TEXT, hash TEXT, request TEXT, part BIGINT)";

/// Each INSERT is a transaction of its own.
const INSERT: &str =
    "INSERT INTO bare (cluster, version, at_ms, epoch, author, goal, key, value_before, value_after,
        previous, hash, request, part)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)";

/// One connection, without a pool.
pub(crate) enum Bare {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// An INSERT with the values of an entry, for either database.
macro_rules! insert {
    ($entry:expr) => {{
        let (entry, text) =
            ($entry, |value: &Option<serde_json::Value>| value.as_ref().map(ToString::to_string));
        sqlx::query(INSERT)
            .bind("c-00000000000000000000000000000000")
            .bind(entry.version.0.cast_signed())
            .bind(entry.at.0.cast_signed())
            .bind(entry.epoch.0.cast_signed())
            .bind(entry.author.as_str())
            .bind(entry.goal.as_ref().map(ToString::to_string))
            .bind(entry.change.key.to_string())
            .bind(text(&entry.change.before))
            .bind(text(&entry.change.after))
            .bind(entry.previous.to_string())
            .bind(entry.hash.to_string())
            .bind(Uuid::new_v4().to_string())
            .bind(0_i64)
    }};
}

impl Bare {
    pub(crate) async fn open(url: &str) -> Self {
        if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url).unwrap();
            let options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
            let mut connection = options.disable_statement_logging().connect().await.unwrap();
            connection.execute(CREATE).await.unwrap();
            return Self::Sqlite(connection);
        }
        let options = PgConnectOptions::from_str(url).unwrap().disable_statement_logging();
        let mut connection = options.connect().await.unwrap();
        connection.execute(CREATE).await.unwrap();
        Self::Postgres(connection)
    }

    pub(crate) async fn insert(&mut self, entry: &LogEntry) -> Duration {
        let started = Instant::now();
        match self {
            Self::Sqlite(connection) => drop(insert!(entry).execute(connection).await.unwrap()),
            Self::Postgres(connection) => drop(insert!(entry).execute(connection).await.unwrap()),
        }
        started.elapsed()
    }
}
