//! Lender: lends a pool's connections, and keeps those that come back clean at hand.
//!
//! The pool would ask each connection that comes back whether it lives: a trip that the
//! next asker waits for. We know better: a session comes back clean or not at all.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Database, Pool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::failure::Failure;

/// A connection that was idle for longer is asked whether it lives before it is lent.
pub(crate) const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// How long a connection may take to say that it lives.
const PING: Duration = Duration::from_millis(500);
/// An older connection goes back to the pool, which closes it when its own limit says so.
const LIFETIME: Duration = Duration::from_mins(30);

/// See the module.
pub(crate) struct Lender<DB: Database> {
    pool: Pool<DB>,
    /// One for each connection, so that nobody waits for the pool while one is at hand.
    turns: Arc<Semaphore>,
    connections: u32,
    hand: Arc<Hand<DB>>,
}

/// Connections at hand; the one that was used last lies on top.
struct Hand<DB: Database>(Mutex<Vec<Kept<DB>>>);

struct Kept<DB: Database> {
    connection: PoolConnection<DB>,
    since: Instant,
    idle_since: Instant,
}

/// A lent connection; goes back to the pool unless it is kept or thrown away.
pub(crate) struct Lent<DB: Database> {
    connection: PoolConnection<DB>,
    /// Since when we know it.
    since: Instant,
    hand: Arc<Hand<DB>>,
    /// Given back last.
    _turn: OwnedSemaphorePermit,
}

impl<DB: Database> Lender<DB> {
    /// Lends the connections of `pool`, which nobody else takes.
    pub(crate) fn of(pool: Pool<DB>) -> Self {
        let connections = pool.options().get_max_connections();
        let turns = Arc::new(Semaphore::new(connections as usize));
        Self { pool, turns, connections, hand: Arc::new(Hand(Mutex::default())) }
    }

    pub(crate) fn pool(&self) -> &Pool<DB> {
        &self.pool
    }

    /// Lends a connection, if one is free within `patience`.
    pub(crate) async fn lend(&self, patience: Duration) -> Result<Lent<DB>, Failure> {
        let work = async {
            let turn = self.turns.clone().acquire_owned().await;
            let turn = turn.map_err(|closed| Failure::Unavailable(closed.into()))?;
            let (connection, since) = match self.at_hand().await {
                Some(kept) => (kept.connection, kept.since),
                None => (self.pool.acquire().await.map_err(Failure::of)?, Instant::now()),
            };
            Ok(Lent { connection, since, hand: self.hand.clone(), _turn: turn })
        };
        timeout(patience, work).await.unwrap_or_else(|elapsed| Err(Failure::Unavailable(elapsed.into())))
    }

    /// The connection on top, if it lives.
    async fn at_hand(&self) -> Option<Kept<DB>> {
        loop {
            let mut kept = self.hand.kept().pop()?;
            if kept.idle_since.elapsed() < TRUSTED_IDLE {
                return Some(kept);
            }
            // Its database may be there and its connection gone without a word; the time that costs is the caller's.
            if let Ok(Ok(())) = timeout(PING, kept.connection.ping()).await {
                return Some(kept);
            }
            drop(kept.connection.detach());
            // What has been idle for longer is no better off.
            for older in self.hand.kept().drain(..) {
                drop(older.connection.detach());
            }
        }
    }

    /// Waits for lent connections, closes all, and lends none any more.
    pub(crate) async fn close(&self) {
        // Only a closed semaphore gives nothing, and then somebody else closes.
        let all = self.turns.acquire_many(self.connections).await;
        self.turns.close();
        let kept = std::mem::take(&mut *self.hand.kept());
        for kept in kept {
            // It is closed either way.
            let _ = kept.connection.close().await;
        }
        self.pool.close().await;
        drop(all);
    }
}

impl<DB: Database> Hand<DB> {
    fn kept(&self) -> MutexGuard<'_, Vec<Kept<DB>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<DB: Database> Drop for Hand<DB> {
    /// A connection can't go back to its pool where no runtime is; detached, it can be dropped anywhere.
    fn drop(&mut self) {
        for kept in self.kept().drain(..) {
            drop(kept.connection.detach());
        }
    }
}

impl<DB: Database> Lent<DB> {
    /// Takes back a connection on which nothing is without its answer.
    pub(crate) fn keep(self) {
        let Self { connection, since, hand, _turn: turn } = self;
        if since.elapsed() < LIFETIME {
            hand.kept().push(Kept { connection, since, idle_since: Instant::now() });
        }
        drop(turn);
    }

    /// Closes a connection that may still have something to say.
    pub(crate) fn throw_away(self) {
        drop(self.connection.detach());
    }
}

impl<DB: Database> Deref for Lent<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &Self::Target {
        &self.connection
    }
}

impl<DB: Database> DerefMut for Lent<DB> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.connection
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use sqlx::Sqlite;
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    async fn lender(connections: u32) -> Lender<Sqlite> {
        let pool = SqlitePoolOptions::new().max_connections(connections);
        Lender::of(pool.connect_with(SqliteConnectOptions::new().in_memory(true)).await.unwrap())
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn many_take_turns_and_none_is_forgotten() {
        let lender = Arc::new(lender(2).await);
        let borrow = async |lender: Arc<Lender<Sqlite>>, index: u32| {
            for round in 0..50 {
                let lent = lender.lend(PATIENCE).await.unwrap();
                tokio::task::yield_now().await;
                match (index + round) % 5 {
                    0 => lent.throw_away(),
                    1 => drop(lent),
                    _ => lent.keep(),
                }
            }
        };
        let all: Vec<_> = (0..8).map(|index| tokio::spawn(borrow(lender.clone(), index))).collect();
        for one in all {
            one.await.unwrap();
        }
        assert!(lender.hand.kept().len() <= 2);
        assert_eq!(lender.turns.available_permits(), 2);
    }

    #[tokio::test]
    async fn who_comes_too_late_is_told_so() {
        let lender = lender(1).await;
        let lent = lender.lend(PATIENCE).await.unwrap();
        assert!(matches!(lender.lend(Duration::from_millis(20)).await, Err(Failure::Unavailable(_))));
        lent.keep();
        lender.lend(PATIENCE).await.unwrap().throw_away();
        lender.lend(PATIENCE).await.unwrap().keep();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn closing_waits_for_what_is_lent() {
        let lender = Arc::new(lender(2).await);
        lender.lend(PATIENCE).await.unwrap().keep();
        let lent = lender.lend(PATIENCE).await.unwrap();
        let closing = tokio::spawn({
            let lender = lender.clone();
            async move { lender.close().await }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!closing.is_finished());
        lent.keep();
        closing.await.unwrap();
        assert!(matches!(lender.lend(PATIENCE).await, Err(Failure::Unavailable(_))));
        lender.close().await;
    }

    #[test]
    fn it_may_be_dropped_where_no_runtime_is() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let lender = runtime.block_on(async {
            let lender = lender(2).await;
            lender.lend(PATIENCE).await.unwrap().keep();
            lender
        });
        drop(runtime);
        drop(lender);
    }
}
