//! Migrate: brings the tables to the schema that this build knows, and refuses one that it doesn't.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Connection as _, PgPool, SqlSafeStr as _};
use watchdog_ports::journal_error::JournalError;

use crate::database::Database;
use crate::failure::Failure;

/// The schema that this build writes; a database says which is the oldest that may still use it.
pub(crate) const FORMAT: i64 = 1;

const JOURNAL: &str = include_str!("../../../migrations/0001_journal.sql");
const APPEND_ONLY_SQLITE: &str = include_str!("../../../migrations/0002_append_only.sqlite.sql");
const APPEND_ONLY_POSTGRES: &str = include_str!("../../../migrations/0002_append_only.postgres.sql");
const PLAN_INPUT: &str = include_str!("../../../migrations/0003_plan_input.sql");

const MIGRATE: &str = "migrate";

/// So many times the time-out of a query a migration waits for a lock, and a server may be silent.
const LOCK_WAIT: u32 = 4;

/// Who holds what a process waits for; nothing when it does not wait.
const BLOCKERS: &str = "SELECT string_agg(format('process %s (%s, %s, since %s: %s)', pid,
        COALESCE(NULLIF(application_name, ''), 'unnamed'), COALESCE(state, 'unknown'),
        COALESCE(xact_start::text, 'unknown'), left(COALESCE(query, ''), 200)), '; ')
    FROM pg_stat_activity WHERE pid = ANY(pg_blocking_pids($1))";

fn migrator(append_only: &'static str) -> Migrator {
    let migrations =
        [(1, "journal", JOURNAL), (2, "append only", append_only), (3, "plan input", PLAN_INPUT)];
    let migrations = migrations.map(|(version, name, sql)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let mut migrator = Migrator::with_migrations(migrations.into());
    // A newer build may have gone further; the format says whether we can still read it.
    migrator.set_ignore_missing(true);
    migrator
}

/// Runs what was not yet run.
pub(crate) async fn run(database: &Database, query_timeout: Duration) -> Result<(), JournalError> {
    let done = match database {
        // Its wait for the file's lock is bounded by the connection; the work itself takes as long as it takes.
        Database::Sqlite { writer, .. } => migrator(APPEND_ONLY_SQLITE).run(writer.pool()).await,
        Database::Postgres(lender) => return migrate_postgres(lender.pool(), query_timeout).await,
    };
    done.map_err(failed)
}

/// A migration of a large table takes longer than any query may, but it waits for a lock no longer than that makes
/// sense: whoever queues for one keeps all others from the table.
async fn migrate_postgres(pool: &PgPool, query_timeout: Duration) -> Result<(), JournalError> {
    let during = |error| Failure::of(error).during(MIGRATE);
    let mut connection = pool.acquire().await.map_err(during)?.detach();
    let lock_ms = query_timeout.saturating_mul(LOCK_WAIT).as_millis().max(1);
    let unbound = format!(
        "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET lock_timeout = {lock_ms}"
    );
    sqlx::raw_sql(AssertSqlSafe(unbound)).execute(&mut connection).await.map_err(during)?;
    let pid: i32 =
        sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await.map_err(during)?;
    let migrator = migrator(APPEND_ONLY_POSTGRES);
    let mut blocked = Blocked { pid, query_timeout, by: None };
    let done = tokio::select! {
        done = migrator.run_direct(None, &mut connection, false) => done,
        silent = blocked.watch(pool) => return Err(silent),
    };
    match done {
        Ok(()) => {
            // It carries settings of its own, so the pool does not get it back; closed or not, its work is done.
            let _ = connection.close().await;
            Ok(())
        }
        Err(error) => Err(blocked.explain(failed(error))),
    }
}

/// What a migration waits for.
struct Blocked {
    /// The migration's process on the server.
    pid: i32,
    query_timeout: Duration,
    /// Who held the lock when it was last looked at.
    by: Option<String>,
}

impl Blocked {
    /// Looks again and again what blocks it; ends only when the server does not answer, because then the migration
    /// would wait for ever.
    async fn watch(&mut self, pool: &PgPool) -> JournalError {
        let mut unanswered: u32 = 0;
        loop {
            tokio::time::sleep(self.query_timeout / 4).await;
            let look = sqlx::query_scalar::<_, Option<String>>(BLOCKERS).bind(self.pid).fetch_one(pool);
            match tokio::time::timeout(self.query_timeout, look).await {
                Ok(Ok(by)) => {
                    unanswered = 0;
                    self.by = by.or_else(|| self.by.take());
                }
                Ok(Err(error)) if unanswered >= LOCK_WAIT => return Failure::of(error).during(MIGRATE),
                Err(silent) if unanswered >= LOCK_WAIT => {
                    return JournalError::Unavailable { operation: MIGRATE, source: silent.into() };
                }
                Ok(Err(_)) | Err(_) => unanswered += 1,
            }
        }
    }

    fn explain(&self, error: JournalError) -> JournalError {
        match (error, &self.by) {
            (JournalError::Unavailable { source, .. }, Some(by)) => {
                let said = format!("{source}; the lock is held by {by}");
                JournalError::Unavailable { operation: MIGRATE, source: said.into() }
            }
            (error, _) => error,
        }
    }
}

fn failed(error: MigrateError) -> JournalError {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            Failure::of(error).during(MIGRATE)
        }
        error => JournalError::Schema { what: error.to_string() },
    }
}

/// Refuses a schema that is too new for this build.
pub(crate) fn check(number: i64, oldest_reader: i64) -> Result<(), JournalError> {
    if oldest_reader > FORMAT {
        let what =
            format!("it has format {number}, for programs that know {oldest_reader}; we know {FORMAT}");
        return Err(JournalError::Schema { what });
    }
    Ok(())
}
