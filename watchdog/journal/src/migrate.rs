//! Migrate: brings the tables to the schema that this build knows, and refuses one that it doesn't.

use std::time::Duration;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use watchdog_ports::journal_error::JournalError;

use crate::database::Database;
use crate::failure::Failure;

/// The schema that this build writes; a database says which is the oldest that may still use it.
pub(crate) const FORMAT: i64 = 1;

const JOURNAL: &str = include_str!("../../../migrations/0001_journal.sql");
const APPEND_ONLY_SQLITE: &str = include_str!("../../../migrations/0002_append_only.sqlite.sql");
const APPEND_ONLY_POSTGRES: &str = include_str!("../../../migrations/0002_append_only.postgres.sql");
const PLAN_INPUT: &str = include_str!("../../../migrations/0003_plan_input.sql");

/// A migration may take longer than a query.
const PATIENCE: Duration = Duration::from_mins(1);

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
pub(crate) async fn run(database: &Database) -> Result<(), JournalError> {
    let work = async {
        match database {
            Database::Sqlite { writer, .. } => migrator(APPEND_ONLY_SQLITE).run(writer.pool()).await,
            Database::Postgres(lender) => migrator(APPEND_ONLY_POSTGRES).run(lender.pool()).await,
        }
    };
    let operation = "migrate";
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _))) => {
            Err(Failure::of(error).during(operation))
        }
        Ok(Err(error)) => Err(JournalError::Schema { what: error.to_string() }),
        Err(elapsed) => Err(JournalError::Unavailable { operation, source: elapsed.into() }),
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
