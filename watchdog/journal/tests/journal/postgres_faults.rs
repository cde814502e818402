//! PostgreSQL's faults: killed, restarted, frozen; the same request then does its work once.

use std::time::{Duration, Instant};

use watchdog_core::ids::{ClusterId, Sequence};
use watchdog_core::record::Entry;
use watchdog_journal::Journal;
use watchdog_ports::contract::led_cluster;
use watchdog_ports::healing_log::{HealingLog, Write};
use watchdog_ports::journal_error::{JournalError, Remedy};
use watchdog_ports::metadata_log::{Append, MetadataLog as _};
use watchdog_tests::postgres::{Durability, Postgres};

use crate::support::{HASTY, append, write};

async fn server() -> Postgres {
    tokio::task::spawn_blocking(|| Postgres::start(Durability::Synced)).await.unwrap().unwrap()
}

#[track_caller]
fn assert_unavailable<T>(result: Result<T, JournalError>) {
    match result {
        Err(error @ JournalError::Unavailable { .. }) => assert_eq!(error.remedy(), Remedy::Retry),
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it should be away"),
    }
}

/// Asks again as a caller does: with the same request, for as long as that is the remedy.
async fn insist(journal: &Journal, write: &Write) -> Vec<Entry> {
    let started = Instant::now();
    loop {
        match journal.write(write.clone()).await {
            Ok(entries) => return entries,
            Err(error) if error.remedy() == Remedy::Retry && started.elapsed().as_secs() < 20 => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

async fn count(journal: &Journal, cluster: &ClusterId) -> usize {
    HealingLog::entries(journal, cluster, Sequence(0), 99).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_is_away_until_it_is_back() {
    let server = server().await;
    let journal = Journal::open(&server.url(), HASTY).await.unwrap();
    let cluster = led_cluster(&journal).await;
    let head = journal.head(&cluster).await.unwrap();
    // Several connections, so that several are stale afterwards.
    let writes = [1, 2, 3].map(|_| write(&cluster, 1, &["before"]));
    let done = tokio::join!(
        journal.write(writes[0].clone()),
        journal.write(writes[1].clone()),
        journal.write(writes[2].clone()),
    );
    assert!(done.0.is_ok() && done.1.is_ok() && done.2.is_ok(), "{done:?}");
    tokio::task::block_in_place(|| server.kill());
    let (request, change) = (write(&cluster, 1, &["during"]), append(&cluster, head, 2));
    assert_unavailable(journal.write(request.clone()).await);
    assert_unavailable(journal.append(change.clone()).await);
    assert_unavailable(journal.head(&cluster).await);
    tokio::task::block_in_place(|| server.restart()).unwrap();
    let written = insist(&journal, &request).await;
    assert_eq!(insist(&journal, &request).await, written);
    let head = journal.append(change.clone()).await.unwrap();
    assert_eq!(journal.append(change).await.unwrap(), head);
    assert_eq!(count(&journal, &cluster).await, 5);
    assert_eq!(journal.verify(&cluster).await.unwrap().entries, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_restart_costs_at_most_a_retry() {
    let server = server().await;
    let journal = Journal::open(&server.url(), HASTY).await.unwrap();
    let cluster = led_cluster(&journal).await;
    tokio::task::block_in_place(|| server.restart()).unwrap();
    let request = write(&cluster, 1, &["after"]);
    let mut tries = 1;
    while let Err(error) = journal.write(request.clone()).await {
        assert_eq!(error.remedy(), Remedy::Retry, "{error:?}");
        tries += 1;
        assert!(tries <= 9, "more tries than connections");
    }
    assert_eq!(count(&journal, &cluster).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_server_is_away_in_time() {
    let server = server().await;
    let journal = Journal::open(&server.url(), HASTY).await.unwrap();
    let cluster = led_cluster(&journal).await;
    let head = journal.head(&cluster).await.unwrap();
    server.freeze();
    let (request, change) = (write(&cluster, 1, &["during"]), append(&cluster, head, 1));
    for _ in 0..6 {
        let started = Instant::now();
        assert_unavailable(journal.write(request.clone()).await);
        assert_unavailable(journal.append(Append { ..change.clone() }).await);
        assert_unavailable(HealingLog::entries(&journal, &cluster, Sequence(0), 9).await);
        assert!(started.elapsed() < 4 * Duration::from_secs(1), "{:?}", started.elapsed());
    }
    server.thaw();
    insist(&journal, &request).await;
    let head = loop {
        match journal.append(change.clone()).await {
            Ok(head) => break head,
            Err(error) => assert_eq!(error.remedy(), Remedy::Retry, "{error:?}"),
        }
    };
    assert_eq!(journal.head(&cluster).await.unwrap(), head);
    assert_eq!(count(&journal, &cluster).await, 2);
}
