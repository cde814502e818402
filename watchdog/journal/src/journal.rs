//! Journal: the adapter itself, and what its two halves share.

use std::fmt;
use std::time::Duration;

use watchdog_core::ids::{ClusterId, Epoch};
use watchdog_ports::journal_error::{JournalError, Remedy};

use crate::database::{Database, Options};
use crate::failure::Failure;
use crate::migrate;
use crate::rows::Term;
use crate::session::{Bind, Session};
use crate::sql::{self, Dialect, ROWS_MAX, Table};
use crate::states::States;

/// Both logs in one database; see the crate.
pub struct Journal {
    pub(crate) database: Database,
    pub(crate) options: Options,
    pub(crate) states: States,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("options", &self.options).finish_non_exhaustive()
    }
}

/// Several watchdogs of one machine may create the same SQLite file at once; all but one find it busy or half made.
const OPEN_TRIES: u32 = 5;
const OPEN_DELAY: Duration = Duration::from_millis(50);

impl Journal {
    /// Connects to `sqlite:PATH` or `postgres://…` and brings the schema up to date.
    ///
    /// # Errors
    ///
    /// `Address`, `Schema`, `Unavailable` or `Full`.
    pub async fn open(url: &str, options: Options) -> Result<Self, JournalError> {
        let mut tries = 1;
        loop {
            match Self::try_open(url, options).await {
                Err(error) if tries < OPEN_TRIES && url.starts_with("sqlite:") && may_pass(&error) => {
                    tracing::debug!(%error, tries, "journal is being made by another");
                    tokio::time::sleep(OPEN_DELAY).await;
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    async fn try_open(url: &str, options: Options) -> Result<Self, JournalError> {
        let database = Database::connect(url, options).await?;
        let journal = Self { database, options, states: States::default() };
        migrate::run(&journal.database, options.query_timeout).await?;
        let mut session = journal.reader("read the format").await?;
        let format = session.fetch(sql::FORMAT, Vec::new(), |row| {
            let both = || Ok((row.int(0)?, row.int(1)?));
            both().map_err(|what| JournalError::Schema { what })
        });
        match format.await.map_err(|failure| failure.during("read the format"))?.first() {
            Some((number, oldest_reader)) => migrate::check(*number, *oldest_reader)?,
            None => return Err(JournalError::Schema { what: "it has no format number".to_owned() }),
        }
        drop(session);
        Ok(journal)
    }

    /// Waits for lent connections and closes all; a journal that is merely dropped closes them in the background.
    pub async fn close(&self) {
        self.database.close().await;
    }

    pub(crate) async fn reader(&self, operation: &'static str) -> Result<Session, JournalError> {
        let session = self.database.reader(self.options.query_timeout).await;
        session.map_err(|failure| failure.during(operation))
    }

    pub(crate) async fn writer(&self, operation: &'static str) -> Result<Session, JournalError> {
        let session = self.database.writer(self.options.query_timeout).await;
        session.map_err(|failure| failure.during(operation))
    }

    /// The term that stands, if one was ever opened.
    pub(crate) async fn term(&self, cluster: &ClusterId) -> Result<Option<Term>, JournalError> {
        let operation = "read the term";
        let mut session = self.reader(operation).await?;
        let rows = session.fetch(sql::TERM, vec![Bind::text(cluster)], Term::read).await;
        Ok(rows.map_err(|failure| failure.during(operation))?.into_iter().next())
    }

    /// Makes sure that what was found committed is as durable as what is acknowledged.
    ///
    /// PostgreSQL shows a commit whose wait for a standby was cancelled, and the standby may not have it. A commit of
    /// our own that waited covers all that came before it.
    pub(crate) async fn vouch(
        &self,
        cluster: &ClusterId,
        ours: Epoch,
        operation: &'static str,
    ) -> Result<(), JournalError> {
        let during = |failure: Failure| failure.during(operation);
        let mut session = self.writer(operation).await?;
        if session.dialect() == Dialect::Sqlite {
            return Ok(());
        }
        session.begin().await.map_err(during)?;
        let claim = vec![Bind::text(cluster), Bind::number(ours.0), Bind::number(0)];
        if session.execute(sql::CLAIM, claim).await.map_err(during)? == 0 {
            session.rollback().await;
            drop(session);
            return Err(self.fenced(cluster, ours).await);
        }
        session.commit().await.map_err(during)
    }

    /// The refusal of a write under `ours`, which does not stand.
    pub(crate) async fn fenced(&self, cluster: &ClusterId, ours: Epoch) -> JournalError {
        match self.term(cluster).await {
            Ok(term) => JournalError::Fenced { ours, theirs: term.map_or(Epoch(0), |term| term.epoch) },
            Err(error) => error,
        }
    }
}

/// Inserts rows, each as wide as the table, in as few statements as are sensible.
pub(crate) async fn insert(
    session: &mut Session,
    table: &Table,
    rows: Vec<Vec<Bind>>,
) -> Result<(), Failure> {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let chunk: Vec<Vec<Bind>> = rows.by_ref().take(ROWS_MAX).collect();
        let sql = table.insert(chunk.len());
        session.execute(sql, chunk.into_iter().flatten().collect()).await?;
    }
    Ok(())
}

fn may_pass(error: &JournalError) -> bool {
    error.remedy() == Remedy::Retry || matches!(error, JournalError::Schema { .. })
}
