//! Fencing: the race that a SELECT of the term would lose on PostgreSQL, and that ours does not.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use watchdog_core::ids::{ClusterId, Epoch, Sequence, Time, WatchdogId};
use watchdog_core::record::Body;
use watchdog_journal::Journal;
use watchdog_ports::contract::led_cluster;
use watchdog_ports::healing_log::HealingLog;
use watchdog_ports::journal_error::JournalError;
use watchdog_ports::metadata_log::{MetadataLog as _, Verification};
use watchdog_tests::wait_for;

use crate::support::{PATIENT, append, fresh_postgres, grow, raw_count, write};

/// An intent written by hand, as the adapter would.
const INTENT: &str = "INSERT INTO record
    (cluster, sequence, at_ms, epoch, written_by, kind, body, digest, request, part)
    SELECT cluster, record_head, 1, 1, 'one', 'resumed', '{\"kind\":\"resumed\"}',
        encode(sha256(convert_to(record_head || E'\\n1\\n1\\none\\n{\"kind\":\"resumed\"}', 'UTF8')), 'hex'),
        'late', 0 FROM term WHERE cluster = $1";

async fn other(journal: &Journal, cluster: &ClusterId) -> Result<(), JournalError> {
    journal.open_term(cluster, Epoch(2), &WatchdogId::new("two").unwrap(), Time(2)).await
}

async fn bodies(journal: &Journal, cluster: &ClusterId) -> Vec<Body> {
    let entries = HealingLog::entries(journal, cluster, Sequence(0), 9).await.unwrap();
    entries.into_iter().map(|entry| entry.body).collect()
}

/// Waits until somebody waits for a lock in the database.
async fn blocked(url: &str) {
    let (url, runtime) = (url.to_owned(), tokio::runtime::Handle::current());
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND datname = current_database()";
    let look = move || {
        wait_for("a session that waits for a lock", Duration::from_secs(20), || {
            (runtime.block_on(raw_count(&url, waiting)) > 0).then_some(())
        })
    };
    tokio::task::spawn_blocking(look).await.unwrap().unwrap();
}

/// The positive control: without the row lock, a late intent lands in the next term, where its leader does not know it.
#[tokio::test(flavor = "multi_thread")]
async fn checking_the_term_by_select_is_a_race() {
    let url = fresh_postgres().await;
    let journal = Journal::open(&url, PATIENT).await.unwrap();
    let cluster = led_cluster(&journal).await;
    let mut old = PgConnection::connect(&url).await.unwrap();
    let mut old = old.begin().await.unwrap();
    let check = "SELECT epoch FROM term WHERE cluster = $1";
    let epoch: i64 = sqlx::query_scalar(check).bind(cluster.as_str()).fetch_one(&mut *old).await.unwrap();
    assert_eq!(epoch, 1, "the old leader's check passes");
    other(&journal, &cluster).await.unwrap();
    assert_eq!(bodies(&journal, &cluster).await.len(), 2, "the new leader sees no intent");
    let intent = INTENT.replace("record_head", "record_head + 1");
    sqlx::query(sqlx::AssertSqlSafe(intent)).bind(cluster.as_str()).execute(&mut *old).await.unwrap();
    old.commit().await.unwrap();
    assert_eq!(bodies(&journal, &cluster).await.len(), 3, "the stale act is there");
}

/// Ours, when the old leader's transaction began first: the new term waits for it, and so sees its intent.
#[tokio::test(flavor = "multi_thread")]
async fn a_term_opens_after_what_was_begun_under_the_older() {
    let url = fresh_postgres().await;
    let journal = Arc::new(Journal::open(&url, PATIENT).await.unwrap());
    let cluster = led_cluster(&*journal).await;
    let mut old = PgConnection::connect(&url).await.unwrap();
    let mut old = old.begin().await.unwrap();
    let claim = "UPDATE term SET record_head = record_head + 1 WHERE cluster = $1 AND epoch = 1";
    let claimed = sqlx::query(claim).bind(cluster.as_str()).execute(&mut *old).await.unwrap();
    assert_eq!(claimed.rows_affected(), 1);
    let opening = tokio::spawn({
        let (journal, cluster) = (journal.clone(), cluster.clone());
        async move { other(&journal, &cluster).await }
    });
    blocked(&url).await;
    sqlx::query(INTENT).bind(cluster.as_str()).execute(&mut *old).await.unwrap();
    old.commit().await.unwrap();
    opening.await.unwrap().unwrap();
    let bodies = bodies(&journal, &cluster).await;
    assert!(matches!(bodies[..], [Body::TermOpened { .. }, Body::Resumed, Body::TermOpened { .. }]));
}

/// Ours, when the new term began first: the old leader's write waits for it, and is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_meets_the_opening_of_a_term_is_refused() {
    let url = fresh_postgres().await;
    let journal = Arc::new(Journal::open(&url, PATIENT).await.unwrap());
    let cluster = led_cluster(&*journal).await;
    let mut new = PgConnection::connect(&url).await.unwrap();
    let mut new = new.begin().await.unwrap();
    let open = "UPDATE term SET epoch = 2 WHERE cluster = $1 AND epoch < 2";
    sqlx::query(open).bind(cluster.as_str()).execute(&mut *new).await.unwrap();
    let writing = tokio::spawn({
        let (journal, write) = (journal.clone(), write(&cluster, 1, &["late"]));
        async move { journal.write(write).await }
    });
    blocked(&url).await;
    new.commit().await.unwrap();
    let error = writing.await.unwrap().unwrap_err();
    assert!(matches!(error, JournalError::Fenced { ours: Epoch(1), theirs: Epoch(2) }), "{error:?}");
    assert_eq!(bodies(&journal, &cluster).await.len(), 1);
}

/// The same for an append, whose claim and rows are one statement.
#[tokio::test(flavor = "multi_thread")]
async fn an_append_that_meets_the_opening_of_a_term_is_refused() {
    let url = fresh_postgres().await;
    let journal = Arc::new(Journal::open(&url, PATIENT).await.unwrap());
    let cluster = led_cluster(&*journal).await;
    let head = grow(&journal, &cluster, 2).await;
    let mut new = PgConnection::connect(&url).await.unwrap();
    let mut new = new.begin().await.unwrap();
    let open = "UPDATE term SET epoch = 2 WHERE cluster = $1 AND epoch < 2";
    sqlx::query(open).bind(cluster.as_str()).execute(&mut *new).await.unwrap();
    let appending = tokio::spawn({
        let (journal, append) = (journal.clone(), append(&cluster, head, 2));
        async move { journal.append(append).await }
    });
    blocked(&url).await;
    new.commit().await.unwrap();
    let error = appending.await.unwrap().unwrap_err();
    assert!(matches!(error, JournalError::Fenced { ours: Epoch(1), theirs: Epoch(2) }), "{error:?}");
    assert_eq!(journal.head(&cluster).await.unwrap(), head);
    assert_eq!(journal.verify(&cluster).await.unwrap(), Verification { entries: 2, broken: None });
}
