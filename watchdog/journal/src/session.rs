//! Session: one lent connection, with a time-out around every statement.
//!
//! A connection is kept only after a statement and a transaction that ended. Otherwise it
//! is closed: whoever took it back would wait for an answer that may never come.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use sqlx::{Postgres, SqlSafeStr, Sqlite};
use tokio::time::timeout;
use watchdog_ports::journal_error::JournalError;

use crate::failure::Failure;
use crate::lender::Lent;
use crate::notices;
use crate::rows::Cells;
use crate::sql::Dialect;

/// A value in a statement.
#[derive(Debug)]
pub(crate) enum Bind {
    Int(i64),
    Text(String),
    Bytes(Vec<u8>),
    Null,
}

impl Bind {
    pub(crate) fn text(text: &(impl ToString + ?Sized)) -> Self {
        Self::Text(text.to_string())
    }

    /// Numbers above 2^63 wrap, and come back as they were; nothing compares them but epochs, which then fail closed.
    pub(crate) fn number(number: u64) -> Self {
        Self::Int(number.cast_signed())
    }

    pub(crate) fn maybe(text: Option<String>) -> Self {
        text.map_or(Self::Null, Self::Text)
    }
}

pub(crate) enum Link {
    Sqlite(Lent<Sqlite>),
    Postgres(Lent<Postgres>),
}

/// See the module.
pub(crate) struct Session {
    /// Always there until the drop.
    link: Option<Link>,
    timeout: Duration,
    /// Nothing sent is without its answer.
    settled: bool,
    in_transaction: bool,
}

/// Runs the same code on the connection of either database.
macro_rules! on_link {
    ($session:ident, $connection:ident => $work:expr) => {
        match $session.link.as_mut() {
            Some(Link::Sqlite($connection)) => $work,
            Some(Link::Postgres($connection)) => $work,
            None => Err(Failure::Unavailable("the connection is gone".into())),
        }
    };
}

/// A query of either database with its values.
macro_rules! bound {
    ($sql:expr, $binds:expr) => {{
        let mut query = sqlx::query($sql);
        for bind in $binds {
            query = match bind {
                Bind::Int(number) => query.bind(number),
                Bind::Text(text) => query.bind(text),
                Bind::Bytes(bytes) => query.bind(bytes),
                Bind::Null => query.bind(None::<String>),
            };
        }
        query
    }};
}

impl Session {
    pub(crate) fn new(link: Link, timeout: Duration) -> Self {
        Self { link: Some(link), timeout, settled: true, in_transaction: false }
    }

    pub(crate) fn dialect(&self) -> Dialect {
        match self.link {
            Some(Link::Sqlite(_)) => Dialect::Sqlite,
            _ => Dialect::Postgres,
        }
    }

    /// Begins a transaction; on SQLite as its only writer.
    pub(crate) async fn begin(&mut self) -> Result<(), Failure> {
        let sql = match self.dialect() {
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            Dialect::Postgres => "BEGIN",
        };
        self.in_transaction = true;
        self.control(sql).await
    }

    /// Commits; after an error nobody knows whether it did, or whether a standby has it.
    pub(crate) async fn commit(&mut self) -> Result<(), Failure> {
        let (done, warning) = notices::listening(self.control("COMMIT")).await;
        done?;
        self.in_transaction = false;
        self.unwarned(warning)
    }

    /// A commit during which the server warned is not what was asked for.
    fn unwarned(&mut self, warning: Option<String>) -> Result<(), Failure> {
        let Some(warning) = warning else { return Ok(()) };
        // Nothing is wrong with the connection, but what else it may have to say is not worth the doubt.
        self.settled = false;
        let what =
            format!("the database warned while it committed, so it may be lost with this server: {warning}");
        Err(Failure::Unavailable(what.into()))
    }

    /// Gives an open transaction up; if that fails, the connection goes with it.
    pub(crate) async fn rollback(&mut self) {
        if self.in_transaction {
            self.in_transaction = self.control("ROLLBACK").await.is_err();
        }
    }

    async fn control(&mut self, sql: &'static str) -> Result<(), Failure> {
        self.settled = false;
        let work = async {
            on_link!(self, connection => {
                sqlx::raw_sql(sql).execute(&mut **connection).await.map(drop).map_err(Failure::of)
            })
        };
        let done = timeout(self.timeout, work).await;
        self.settle(done)
    }

    /// Runs a whole transaction that was sent as one; answers how many rows it returned.
    ///
    /// After an error it may still be open, until it is given up.
    pub(crate) async fn transact(
        &mut self,
        sql: impl SqlSafeStr + Send,
        binds: Vec<Bind>,
    ) -> Result<usize, Failure> {
        // PostgreSQL runs a single statement, which leaves nothing open.
        self.in_transaction = self.dialect() == Dialect::Sqlite;
        let (returned, warning) = notices::listening(self.fetch(sql, binds, |_| Ok(()))).await;
        let returned = returned?.len();
        self.in_transaction = false;
        self.unwarned(warning)?;
        Ok(returned)
    }

    /// Runs a statement; answers how many rows it touched.
    pub(crate) async fn execute(
        &mut self,
        sql: impl SqlSafeStr + Send,
        binds: Vec<Bind>,
    ) -> Result<u64, Failure> {
        self.settled = false;
        let work = async {
            on_link!(self, connection => {
                let done = bound!(sql, binds).execute(&mut **connection).await;
                done.map(|done| done.rows_affected()).map_err(Failure::of)
            })
        };
        let done = timeout(self.timeout, work).await;
        self.settle(done)
    }

    /// Runs a query and makes a value of each row, as they come.
    pub(crate) async fn fetch<T: Send>(
        &mut self,
        sql: impl SqlSafeStr + Send,
        binds: Vec<Bind>,
        mut each: impl FnMut(&dyn Cells) -> Result<T, JournalError> + Send,
    ) -> Result<Vec<T>, Failure> {
        self.settled = false;
        let work = async {
            on_link!(self, connection => {
                let mut rows = bound!(sql, binds).fetch(&mut **connection);
                let mut values = Vec::new();
                while let Some(row) = rows.try_next().await.map_err(Failure::of)? {
                    values.push(each(&row).map_err(Failure::Known)?);
                }
                Ok(values)
            })
        };
        let done = timeout(self.timeout, work).await;
        self.settle(done)
    }

    /// A refusal by the database is an answer; silence and half-read rows are not.
    fn settle<T>(
        &mut self,
        done: Result<Result<T, Failure>, tokio::time::error::Elapsed>,
    ) -> Result<T, Failure> {
        let done = done.unwrap_or_else(|elapsed| Err(Failure::Unavailable(elapsed.into())));
        self.settled = matches!(done, Ok(_) | Err(Failure::Duplicate(_)));
        done
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let clean = self.settled && !self.in_transaction;
        match self.link.take() {
            Some(Link::Sqlite(lent)) if clean => lent.keep(),
            Some(Link::Sqlite(lent)) => lent.throw_away(),
            Some(Link::Postgres(lent)) if clean => lent.keep(),
            Some(Link::Postgres(lent)) => lent.throw_away(),
            None => {}
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use watchdog_core::ids::{ClusterId, Epoch, Time, WatchdogId};
    use watchdog_ports::contract::led_cluster;
    use watchdog_ports::healing_log::HealingLog as _;

    use super::*;
    use crate::{Journal, Options, sql};

    async fn two(journal: &Journal, cluster: &ClusterId) -> Result<(), JournalError> {
        journal.open_term(cluster, Epoch(2), &WatchdogId::new("two").unwrap(), Time(2)).await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_leader_that_is_silent_in_a_transaction_loses_the_term_row() {
        let url = tokio::task::spawn_blocking(watchdog_tests::postgres::shared).await.unwrap().unwrap();
        let options = Options { query_timeout: Duration::from_millis(500), ..Options::default() };
        let (old, new) =
            (Journal::open(&url, options).await.unwrap(), Journal::open(&url, options).await.unwrap());
        let cluster = led_cluster(&old).await;
        let mut session = old.writer("claim").await.unwrap();
        session.begin().await.unwrap();
        let claim = || vec![Bind::text(&cluster), Bind::Int(1), Bind::Int(1)];
        assert_eq!(session.execute(sql::CLAIM, claim()).await.unwrap(), 1);
        // The opening of the new term waits for the row, and is asked again as often as it takes.
        let mut tries = 1;
        while let Err(error) = two(&new, &cluster).await {
            assert!(matches!(error, JournalError::Unavailable { .. }) && tries < 20, "{error:?}");
            tries += 1;
        }
        assert!(session.commit().await.is_err(), "the old leader's transaction is gone");
        assert_eq!(new.highest_term(&cluster).await.unwrap(), Epoch(2));
    }
}
