//! Brake: makes the journal slow for whoever writes, as a full disk queue or somebody's long transaction does.
//!
//! ```text
//! hold (a transaction that keeps writers out) ─► 1.3 s ─► let go ─► 0.1 s ─► hold …
//! ```
//!
//! Readers are not kept waiting, on either database.

use std::str::FromStr as _;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

/// How long each hold lasts.
const HELD: Duration = Duration::from_millis(1_300);
/// How long writers have between two holds; a commit of a few milliseconds gets through.
const LET_GO: Duration = Duration::from_millis(100);
const LETTING_GO: &str = "ROLLBACK";

/// Holds the journal again and again until it is released or dropped.
#[derive(Debug)]
pub struct Brake {
    stop: oneshot::Sender<()>,
    task: JoinHandle<sqlx::Result<u32>>,
}

/// A connection of our own to the journal.
enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Brake {
    /// Begins to hold it.
    ///
    /// # Errors
    ///
    /// If the journal can't be reached.
    pub async fn apply(journal: &str) -> sqlx::Result<Self> {
        let connection = Connection::open(journal).await?;
        let (stop, stopped) = oneshot::channel();
        Ok(Self { stop, task: tokio::spawn(hold(connection, stopped)) })
    }

    /// Lets it go for good; answers how often it was held.
    ///
    /// # Errors
    ///
    /// If it could not be held.
    pub async fn release(self) -> sqlx::Result<u32> {
        // It ends by itself only when it failed.
        let _ = self.stop.send(());
        self.task.await.unwrap_or_else(|panic| Err(sqlx::Error::Protocol(panic.to_string())))
    }
}

impl Connection {
    async fn open(journal: &str) -> sqlx::Result<Self> {
        if journal.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(journal)?.busy_timeout(HELD * 4);
            return Ok(Self::Sqlite(SqliteConnection::connect_with(&options).await?));
        }
        Ok(Self::Postgres(PgConnection::connect(journal).await?))
    }

    /// What keeps other writers out.
    fn holding(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "BEGIN IMMEDIATE",
            Self::Postgres(_) => "BEGIN; LOCK TABLE record, change IN EXCLUSIVE MODE",
        }
    }

    async fn run(&mut self, statement: &'static str) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(connection) => sqlx::raw_sql(statement).execute(connection).await.map(drop),
            Self::Postgres(connection) => sqlx::raw_sql(statement).execute(connection).await.map(drop),
        }
    }
}

async fn hold(mut connection: Connection, mut stopped: oneshot::Receiver<()>) -> sqlx::Result<u32> {
    let mut times = 0;
    loop {
        connection.run(connection.holding()).await?;
        times += 1;
        let is_over = tokio::select! {
            () = sleep(HELD) => false,
            _ = &mut stopped => true,
        };
        connection.run(LETTING_GO).await?;
        if is_over {
            return Ok(times);
        }
        sleep(LET_GO).await;
    }
}
