//! Standby: a commit that PostgreSQL answers although no standby has it is of unknown fate.

use std::time::{Duration, Instant};

use watchdog_core::ids::{ClusterId, Epoch, Sequence, Time, WatchdogId};
use watchdog_journal::Journal;
use watchdog_ports::contract::led_cluster;
use watchdog_ports::healing_log::HealingLog;
use watchdog_ports::journal_error::{JournalError, Remedy};
use watchdog_ports::metadata_log::{Append, MetadataLog as _};
use watchdog_tests::postgres::{Durability, Postgres};

use crate::support::{PATIENT, append, raw, raw_count, write};

/// Sets which standbys a commit waits for, and waits until a fresh connection is told so.
async fn wait_for_standbys(url: &str, names: &str) {
    raw(url, &format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'")).await.unwrap();
    raw(url, "SELECT pg_reload_conf()").await.unwrap();
    let told = format!(
        "SELECT count(*) FROM pg_settings WHERE name = 'synchronous_standby_names' AND setting = '{names}'"
    );
    while raw_count(url, &told).await != 1 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // The process that lets commits wait or go on is told last.
    tokio::time::sleep(Duration::from_millis(300)).await;
}

/// Cancels whatever waits for a standby, as an impatient administrator does, until `work` is over.
async fn cancelled<T>(url: &str, work: impl Future<Output = T>) -> (T, i64) {
    let cancel = "SELECT count(*) FILTER (WHERE pg_cancel_backend(pid)) FROM pg_stat_activity
        WHERE wait_event = 'SyncRep'";
    tokio::pin!(work);
    let (mut waited, begun) = (0, Instant::now());
    loop {
        tokio::select! {
            done = &mut work => return (done, waited),
            () = tokio::time::sleep(Duration::from_millis(50)) => waited += raw_count(url, cancel).await,
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it waits for ever");
    }
}

#[track_caller]
fn assert_unknown<T: std::fmt::Debug>((result, waited): (Result<T, JournalError>, i64), story: &str) {
    assert!(waited > 0, "{story}: it did not wait for the standby at all: {result:?}");
    let error = result.expect_err(story);
    assert!(matches!(error, JournalError::Unavailable { .. }), "{story}: {error:?}");
    assert_eq!(error.remedy(), Remedy::Retry, "{story}");
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(source.contains("canceling wait for synchronous replication"), "{story}: {source}");
}

struct Rig {
    journal: Journal,
    cluster: ClusterId,
    url: String,
    _server: Postgres,
}

async fn rig() -> Rig {
    let server = tokio::task::spawn_blocking(|| Postgres::start(Durability::Synced)).await.unwrap().unwrap();
    let url = server.url();
    let journal = Journal::open(&url, PATIENT).await.unwrap();
    let cluster = led_cluster(&journal).await;
    Rig { journal, cluster, url, _server: server }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_wait_was_cancelled_is_not_durable() {
    let Rig { journal, cluster, url, _server } = rig().await;
    let head = journal.head(&cluster).await.unwrap();
    let (record, small) = (write(&cluster, 1, &["a"]), append(&cluster, head, 2));
    wait_for_standbys(&url, "nowhere").await;
    // Each is there after the first asking, and no more durable for that.
    for asked in ["asked", "asked again"] {
        assert_unknown(cancelled(&url, journal.write(record.clone())).await, &format!("record, {asked}"));
        assert_unknown(cancelled(&url, journal.append(small.clone())).await, &format!("append, {asked}"));
    }
    let seen = HealingLog::entries(&journal, &cluster, Sequence(1), 9).await.unwrap();
    assert_eq!(seen.len(), 1, "what was cancelled is seen: {seen:?}");
    wait_for_standbys(&url, "").await;
    assert_eq!(journal.write(record).await.unwrap(), seen);
    let head = journal.append(small).await.unwrap();
    assert_eq!((head.version.0, journal.head(&cluster).await.unwrap()), (2, head));
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_is_a_long_append_or_a_term() {
    let Rig { journal, cluster, url, _server } = rig().await;
    let head = journal.head(&cluster).await.unwrap();
    let long: Append = append(&cluster, head, 70);
    wait_for_standbys(&url, "nowhere").await;
    assert_unknown(cancelled(&url, journal.append(long.clone())).await, "a long append");
    let two = WatchdogId::new("two").unwrap();
    for asked in ["asked", "asked again"] {
        let opened = journal.open_term(&cluster, Epoch(2), &two, Time(2));
        assert_unknown(cancelled(&url, opened).await, &format!("a term, {asked}"));
    }
    wait_for_standbys(&url, "").await;
    journal.open_term(&cluster, Epoch(2), &two, Time(2)).await.unwrap();
    assert_eq!(journal.head(&cluster).await.unwrap().version.0, 70);
    assert!(matches!(journal.append(long).await, Err(JournalError::Fenced { .. })));
}
