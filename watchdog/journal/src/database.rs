//! Database: the pools of connections, and how each connection is set up.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, Postgres, Sqlite};
use watchdog_ports::journal_error::JournalError;

use crate::failure::Failure;
use crate::lender::{Lender, TRUSTED_IDLE};
use crate::session::{Link, Session};

/// How the journal is reached.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// How long one statement, or the wait for a connection, may take; a frozen database gives no error.
    pub query_timeout: Duration,
    /// How many connections at most; one of them writes when it is SQLite.
    pub connections: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self { query_timeout: Duration::from_secs(3), connections: 8 }
    }
}

/// Rows that SQLite's thread reads ahead; the fewer, the more often it and the reader wait for each other.
const ROWS_AHEAD: usize = 1_000;

pub(crate) enum Database {
    /// One connection writes, so that writers queue here and not for SQLite's lock.
    Sqlite {
        writer: Lender<Sqlite>,
        readers: Lender<Sqlite>,
    },
    Postgres(Lender<Postgres>),
}

impl Database {
    pub(crate) async fn connect(url: &str, options: Options) -> Result<Self, JournalError> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => sqlite(url, options).await,
            Some("postgres" | "postgresql") => postgres(url, options).await,
            _ => Err(address("expected sqlite:PATH or postgres://…")),
        }
    }

    pub(crate) async fn reader(&self, timeout: Duration) -> Result<Session, Failure> {
        let link = match self {
            Self::Sqlite { readers, .. } => Link::Sqlite(readers.lend(timeout).await?),
            Self::Postgres(lender) => Link::Postgres(lender.lend(timeout).await?),
        };
        Ok(Session::new(link, timeout))
    }

    pub(crate) async fn writer(&self, timeout: Duration) -> Result<Session, Failure> {
        match self {
            Self::Sqlite { writer, .. } => {
                Ok(Session::new(Link::Sqlite(writer.lend(timeout).await?), timeout))
            }
            Self::Postgres(_) => self.reader(timeout).await,
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(lender) => lender.close().await,
        }
    }
}

fn address(what: &(impl ToString + ?Sized)) -> JournalError {
    JournalError::Address { what: what.to_string() }
}

async fn sqlite(url: &str, options: Options) -> Result<Database, JournalError> {
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(address("a journal in memory is lost with its process; name a file"));
    }
    let connect = SqliteConnectOptions::from_str(url).map_err(|error| address(&error))?;
    let connect = connect
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(options.query_timeout)
        .row_buffer_size(ROWS_AHEAD)
        .disable_statement_logging();
    let pool = || {
        let pool = SqlitePoolOptions::new().acquire_timeout(options.query_timeout);
        pool.test_before_acquire(false).max_lifetime(None).idle_timeout(None)
    };
    let opened = async {
        let writer = pool().max_connections(1).connect_with(connect.clone()).await?;
        let readers = pool().max_connections(options.connections.saturating_sub(1).max(1));
        let connect = connect.pragma("query_only", "ON");
        let readers = readers.connect_with(connect).await?;
        Ok(Database::Sqlite { writer: Lender::of(writer), readers: Lender::of(readers) })
    };
    opened.await.map_err(|error| Failure::of(error).during("open the database"))
}

async fn postgres(url: &str, options: Options) -> Result<Database, JournalError> {
    let connect = PgConnectOptions::from_str(url).map_err(|error| address(&error))?;
    let timeout_ms = options.query_timeout.as_millis().max(1).to_string();
    let connect = connect
        .application_name("watchdog")
        .options([
            ("statement_timeout", timeout_ms.as_str()),
            // A leader that is frozen or cut off in a transaction must not keep the term row.
            ("idle_in_transaction_session_timeout", timeout_ms.as_str()),
            // A commit that is not what it seems says so in a warning only; see `notices.rs`.
            ("client_min_messages", "warning"),
        ])
        .disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(options.connections.max(1))
        .acquire_timeout(options.query_timeout)
        .test_before_acquire(false)
        .before_acquire(|connection, idle| {
            Box::pin(async move { Ok(idle.idle_for < TRUSTED_IDLE || connection.ping().await.is_ok()) })
        })
        .after_connect(|connection, _| {
            Box::pin(async move {
                // What is acknowledged must be on disk; whoever asked for more than that keeps it.
                let durable = "SELECT set_config('synchronous_commit', 'on', false)
                    WHERE current_setting('synchronous_commit') = 'off'";
                sqlx::query(durable).execute(connection).await.map(drop)
            })
        });
    let pool = pool.connect_with(connect).await;
    pool.map(|pool| Database::Postgres(Lender::of(pool)))
        .map_err(|error| Failure::of(error).during("connect"))
}
