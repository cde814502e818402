//! Altered: the databases refuse edits, and edits made all the same are named.

use watchdog_core::ids::{Epoch, PlanId, Sequence, Version};
use watchdog_journal::Journal;
use watchdog_ports::contract::led_cluster;
use watchdog_ports::healing_log::{HealingLog, Write};
use watchdog_ports::journal_error::JournalError;
use watchdog_ports::metadata_log::MetadataLog as _;

use crate::support::{PATIENT, assert_broken, fresh_urls, grow, planned, raw, raw_count, write};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_can_not_be_altered() {
    let (urls, _directory) = fresh_urls().await;
    for url in &urls {
        let journal = Journal::open(url, PATIENT).await.unwrap();
        let cluster = led_cluster(&journal).await;
        grow(&journal, &cluster, 3).await;
        let statements = [
            "UPDATE change SET author = 'me' WHERE version = 2",
            "DELETE FROM change WHERE version = 3",
            "UPDATE record SET body = '{}'",
            "DELETE FROM record",
            "UPDATE terms SET watchdog = 'me'",
            "DELETE FROM terms",
            "DELETE FROM term",
            "UPDATE term SET epoch = epoch - 1",
            "UPDATE term SET head = head - 1",
            "UPDATE term SET record_head = record_head - 1",
        ];
        let truncates = ["TRUNCATE change", "TRUNCATE record", "TRUNCATE terms", "TRUNCATE term"];
        let on_postgres = if url.starts_with("sqlite:") { &[][..] } else { &truncates[..] };
        for statement in statements.iter().chain(on_postgres) {
            let error = raw(url, statement).await.unwrap_err().to_string();
            assert!(error.contains("is append-only") || error.contains("only grows"), "{statement}: {error}");
        }
        assert_eq!(journal.verify(&cluster).await.unwrap().broken, None);
        assert_eq!(HealingLog::entries(&journal, &cluster, Sequence(0), 9).await.unwrap().len(), 1);
    }
}

/// What somebody with all rights can do.
async fn drop_triggers(url: &str) {
    for (table, sqlite) in [("change", "_refuses_"), ("record", "_refuses_")] {
        let sql = if url.starts_with("sqlite:") {
            format!("DROP TRIGGER {table}{sqlite}update; DROP TRIGGER {table}{sqlite}delete")
        } else {
            format!("DROP TRIGGER {table}_is_append_only ON {table}")
        };
        raw(url, &sql).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_log_entry_is_named() {
    let copy =
        "INSERT INTO change SELECT cluster, 6, at_ms, epoch, author, goal, key, value_before, value_after,
        previous, hash, 'r', part FROM change";
    // What was done to a log of five entries | good entries before | the one to name.
    let table = [
        ("UPDATE change SET value_after = '7' WHERE version = 3 AND", 2, 3),
        ("UPDATE change SET value_after = '{\"x' WHERE version = 3 AND", 2, 3),
        ("UPDATE change SET value_after = NULL WHERE version = 5 AND", 4, 5),
        ("UPDATE change SET author = 'me' WHERE version = 1 AND", 0, 1),
        ("UPDATE change SET goal = 'Not a name' WHERE version = 1 AND", 0, 1),
        ("UPDATE change SET hash = previous WHERE version = 2 AND", 1, 2),
        ("UPDATE change SET previous = hash WHERE version = 2 AND", 1, 2),
        ("DELETE FROM change WHERE version = 1 AND", 0, 1),
        ("DELETE FROM change WHERE version = 4 AND", 3, 4),
        ("DELETE FROM change WHERE version = 5 AND", 4, 5),
        (&format!("{copy} WHERE version = 5 AND"), 5, 6),
    ];
    let (urls, _directory) = fresh_urls().await;
    for url in &urls {
        let writer = Journal::open(url, PATIENT).await.unwrap();
        drop_triggers(url).await;
        for (statement, good, bad) in &table {
            let cluster = led_cluster(&writer).await;
            let head = grow(&writer, &cluster, 5).await;
            raw(url, &format!("{statement} cluster = '{cluster}'")).await.unwrap();
            // Another one, which remembers nothing.
            let journal = Journal::open(url, PATIENT).await.unwrap();
            let verification = journal.verify(&cluster).await.unwrap();
            assert_eq!(verification.entries, *good, "{statement}");
            assert_eq!(verification.broken.map(|(version, _)| version), Some(Version(*bad)), "{statement}");
            let next = crate::support::append(&cluster, head, 1);
            assert_broken(journal.append(next).await.err(), *bad, statement);
            if *bad <= 5 {
                assert_broken(journal.state(&cluster, Version(5)).await.err(), *bad, statement);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_record_entry_is_named() {
    let table = [
        ("UPDATE record SET body = '{\"kind\":\"resumed\"}' WHERE sequence = 2 AND", 2),
        ("UPDATE record SET body = '{' WHERE sequence = 3 AND", 3),
        ("UPDATE record SET at_ms = 9 WHERE sequence = 3 AND", 3),
        ("DELETE FROM record WHERE sequence = 2 AND", 2),
    ];
    let (urls, _directory) = fresh_urls().await;
    for url in &urls {
        let journal = Journal::open(url, PATIENT).await.unwrap();
        drop_triggers(url).await;
        for (statement, bad) in table {
            let cluster = led_cluster(&journal).await;
            journal.write(write(&cluster, 1, &["a", "b"])).await.unwrap();
            raw(url, &format!("{statement} cluster = '{cluster}'")).await.unwrap();
            let error = HealingLog::entries(&journal, &cluster, Sequence(0), 9).await.unwrap_err();
            match error {
                JournalError::CorruptRecord { sequence, .. } => {
                    assert_eq!(sequence, Sequence(bad), "{statement}");
                }
                other => panic!("{statement}: {other:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_snapshot_is_not_used() {
    let (urls, _directory) = fresh_urls().await;
    for url in &urls {
        let journal = Journal::open(url, PATIENT).await.unwrap();
        let cluster = led_cluster(&journal).await;
        for _ in 0..3 {
            grow(&journal, &cluster, 1_000).await;
        }
        let state = journal.state(&cluster, Version(3_000)).await.unwrap();
        assert_eq!(raw_count(url, "SELECT count(*) FROM snapshot").await, 3);
        raw(url, "UPDATE snapshot SET state = '{}' WHERE version = 3000").await.unwrap();
        raw(url, "UPDATE snapshot SET hash = 'x' WHERE version = 2000").await.unwrap();
        let other = Journal::open(url, PATIENT).await.unwrap();
        assert_eq!(other.state(&cluster, Version(3_000)).await.unwrap(), state);
        raw(url, "DELETE FROM snapshot").await.unwrap();
        let other = Journal::open(url, PATIENT).await.unwrap();
        assert_eq!(other.state(&cluster, Version(3_000)).await.unwrap(), state);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_altered_plan_input_is_named() {
    let shorter = |url: &str| {
        let piece = if url.starts_with("sqlite:") { "substr" } else { "substring" };
        format!("UPDATE plan_input SET input = {piece}(input, 1, length(input) - 1) WHERE")
    };
    let statements = [
        "UPDATE plan_input SET core_version = '0.2.0' WHERE",
        "UPDATE plan_input SET digest = replace(digest, substr(digest, 1, 1), '_') WHERE",
        "UPDATE plan_input SET plan = '1-2' WHERE",
    ];
    let (urls, _directory) = fresh_urls().await;
    for url in &urls {
        let journal = Journal::open(url, PATIENT).await.unwrap();
        for statement in statements.map(str::to_owned).into_iter().chain([shorter(url)]) {
            let cluster = led_cluster(&journal).await;
            let input = planned("{\"observation\":{}}");
            journal.write(Write { inputs: vec![input], ..write(&cluster, 1, &["a"]) }).await.unwrap();
            raw(url, &format!("{statement} cluster = '{cluster}'")).await.unwrap();
            let plan = PlanId::numbered(Epoch(1), if statement.contains("plan =") { 2 } else { 1 });
            match journal.plan_input(&cluster, &plan).await {
                Err(JournalError::CorruptInput { plan: named, .. }) => assert_eq!(named, plan, "{statement}"),
                other => panic!("{statement}: {other:?}"),
            }
            assert_eq!(HealingLog::entries(&journal, &cluster, Sequence(0), 9).await.unwrap().len(), 2);
        }
    }
}
