//! Migrating: longer than any query may take, and behind a lock that somebody else holds.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};
use watchdog_journal::Journal;
use watchdog_ports::journal_error::{JournalError, Remedy};
use watchdog_tests::postgres::{Durability, Postgres};

use crate::support::{HASTY, PATIENT, fresh_postgres, raw, raw_count};

/// As the first build left it, so that there is something to migrate.
const OLDER: &str = "DROP TABLE plan_input; DELETE FROM _sqlx_migrations WHERE version > 2";

async fn locked(url: &str) -> PgConnection {
    let mut other = PgConnection::connect(&format!("{url}&application_name=backup")).await.unwrap();
    let lock = "BEGIN; LOCK TABLE _sqlx_migrations IN ACCESS EXCLUSIVE MODE";
    sqlx::raw_sql(lock).execute(&mut other).await.unwrap();
    other
}

async fn older_postgres() -> String {
    let url = fresh_postgres().await;
    Journal::open(&url, PATIENT).await.unwrap().close().await;
    raw(&url, OLDER).await.unwrap();
    if url.contains('?') { url } else { format!("{url}?") }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_may_take_longer_than_a_query() {
    // Event triggers are the server's, so it is one of our own.
    let server =
        tokio::task::spawn_blocking(|| Postgres::start(Durability::Unsynced)).await.unwrap().unwrap();
    let slow = "CREATE FUNCTION dawdle() RETURNS event_trigger LANGUAGE plpgsql AS
            $$ BEGIN IF tg_tag = 'CREATE TABLE' THEN PERFORM pg_sleep(0.6); END IF; END $$;
        CREATE EVENT TRIGGER slow ON ddl_command_start EXECUTE FUNCTION dawdle()";
    raw(&server.url(), slow).await.unwrap();
    let started = Instant::now();
    let journal = Journal::open(&server.url(), HASTY).await.unwrap();
    assert!(started.elapsed() > HASTY.query_timeout, "it was not slow at all");
    // Queries are bound as ever.
    let bound = "SELECT count(*) FROM pg_stat_activity
        WHERE application_name = 'watchdog' AND query LIKE '%statement_timeout = 0%'";
    assert_eq!(raw_count(&server.url(), bound).await, 0);
    journal.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_waits_for_a_lock_and_no_longer_than_makes_sense() {
    let url = older_postgres().await;
    let other = locked(&url).await;
    let started = Instant::now();
    let error = Journal::open(&url, HASTY).await.unwrap_err();
    assert!(started.elapsed() > 2 * HASTY.query_timeout, "{:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert_eq!(error.remedy(), Remedy::Retry, "{error:?}");
    let JournalError::Unavailable { operation: "migrate", source } = error else { panic!("{error:?}") };
    let said = source.to_string();
    assert!(said.contains("the lock is held by process"), "{said}");
    assert!(said.contains("backup, idle in transaction"), "{said}");
    assert!(said.contains("LOCK TABLE _sqlx_migrations"), "{said}");
    let opening = tokio::spawn({
        let url = url.clone();
        async move { Journal::open(&url, HASTY).await }
    });
    tokio::time::sleep(2 * HASTY.query_timeout).await;
    other.close().await.unwrap();
    opening.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_freezes_while_it_migrates_is_away_in_time() {
    let server =
        tokio::task::spawn_blocking(|| Postgres::start(Durability::Unsynced)).await.unwrap().unwrap();
    Journal::open(&server.url(), PATIENT).await.unwrap().close().await;
    raw(&server.url(), OLDER).await.unwrap();
    let _other = locked(&format!("{}?", server.url())).await;
    let opening = tokio::spawn({
        let url = server.url();
        async move { Journal::open(&url, HASTY).await }
    });
    tokio::time::sleep(HASTY.query_timeout).await;
    server.freeze();
    let started = Instant::now();
    let error = opening.await.unwrap().unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    assert_eq!(error.remedy(), Remedy::Retry, "{error:?}");
    server.thaw();
}
