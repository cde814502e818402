//! Opening: fresh databases, several at once, and databases that are not ours.

use watchdog_core::ids::Sequence;
use watchdog_journal::Journal;
use watchdog_ports::contract::led_cluster;
use watchdog_ports::healing_log::{HealingLog as _, Write};
use watchdog_ports::journal_error::JournalError;
use watchdog_ports::metadata_log::MetadataLog as _;

use crate::support::{PATIENT, fresh_urls, grow, planned, raw, sqlite_url, write};

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_checked() {
    for url in
        ["", "journal.db", "mysql://x", "sqlite::memory:", "sqlite:x?mode=memory", "postgres://host:port/x"]
    {
        let error = Journal::open(url, PATIENT).await.unwrap_err();
        assert!(matches!(error, JournalError::Address { .. }), "{url}: {error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_may_open_a_fresh_database_at_once() {
    let (urls, _directory) = fresh_urls().await;
    for url in urls {
        let opening: Vec<_> = (0..4)
            .map(|_| {
                let url = url.clone();
                tokio::spawn(async move { Journal::open(&url, PATIENT).await })
            })
            .collect();
        let mut journals = Vec::new();
        for journal in opening {
            journals.push(journal.await.unwrap().unwrap());
        }
        let cluster = led_cluster(&journals[0]).await;
        for journal in &journals {
            grow(journal, &cluster, 2).await;
        }
        assert_eq!(journals[0].verify(&cluster).await.unwrap().entries, 8);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_outlives_the_journal() {
    let (urls, _directory) = fresh_urls().await;
    for url in urls {
        let journal = Journal::open(&url, PATIENT).await.unwrap();
        let cluster = led_cluster(&journal).await;
        let head = grow(&journal, &cluster, 3).await;
        journal.close().await;
        let error = journal.head(&cluster).await.unwrap_err();
        assert!(matches!(error, JournalError::Unavailable { .. }), "{error:?}");
        let journal = Journal::open(&url, PATIENT).await.unwrap();
        assert_eq!(journal.head(&cluster).await.unwrap(), head);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_database_goes_on_and_learns_what_is_new() {
    let (urls, _directory) = fresh_urls().await;
    for url in urls {
        let journal = Journal::open(&url, PATIENT).await.unwrap();
        let cluster = led_cluster(&journal).await;
        let head = grow(&journal, &cluster, 3).await;
        journal.close().await;
        // As the first build left it.
        raw(&url, "DROP TABLE plan_input; DELETE FROM _sqlx_migrations WHERE version > 2").await.unwrap();
        let journal = Journal::open(&url, PATIENT).await.unwrap();
        assert_eq!(journal.head(&cluster).await.unwrap(), head);
        let input = planned("{}");
        let planned = Write { inputs: vec![input.clone()], ..write(&cluster, 1, &["a"]) };
        assert_eq!(journal.write(planned).await.unwrap()[0].sequence, Sequence(2));
        assert_eq!(journal.plan_input(&cluster, &input.plan).await.unwrap(), Some(input));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_format_is_used_if_it_allows_us() {
    let (urls, _directory) = fresh_urls().await;
    for url in urls {
        drop(Journal::open(&url, PATIENT).await.unwrap());
        raw(&url, "UPDATE format SET number = 2").await.unwrap();
        drop(Journal::open(&url, PATIENT).await.unwrap());
        raw(&url, "UPDATE format SET oldest_reader = 2").await.unwrap();
        let error = Journal::open(&url, PATIENT).await.unwrap_err();
        assert!(matches!(error, JournalError::Schema { .. }), "{error:?}");
        assert!(error.to_string().contains("format 2"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_not_ours_is_refused() {
    let (urls, _directory) = fresh_urls().await;
    for url in urls {
        raw(&url, "CREATE TABLE term (x BIGINT)").await.unwrap();
        let error = Journal::open(&url, PATIENT).await.unwrap_err();
        assert!(matches!(error, JournalError::Schema { .. }), "{error:?}");
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("journal.db"), "not a database, ".repeat(1_000)).unwrap();
    let error = Journal::open(&sqlite_url(&directory), PATIENT).await.unwrap_err();
    assert!(matches!(error, JournalError::Schema { .. }), "{error:?}");
}
