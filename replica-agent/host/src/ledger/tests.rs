//! Tests: a ledger survives restarts and torn appends, and admits corruption.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::Write as _;
use std::path::Path;

use watchdog_core::desk::Kind;
use watchdog_core::ids::{ClusterId, Epoch, HostId, Incarnation};
use watchdog_membership::records::{FORMAT, ObituaryRecord};

use super::*;

fn host() -> HostId {
    HostId::new("host-a").unwrap()
}

fn demo() -> ClusterId {
    ClusterId::new("demo").unwrap()
}

fn life(number: u128) -> Life {
    Life {
        cluster: demo(),
        replica: "demo-a".parse().unwrap(),
        incarnation: Incarnation::from_u128(number),
        program: "web".into(),
        parameters: [].into(),
        epoch: Epoch(1),
        version: watchdog_core::ids::Version(1),
        state_hash: watchdog_core::state::Hash::of(b"x"),
        lease_ms: None,
        probes: Vec::new(),
        started_with: None,
    }
}

fn story() -> Vec<Entry> {
    let obituary = ObituaryRecord {
        format: FORMAT,
        replica: "demo-a".parse().unwrap(),
        incarnation: Incarnation::from_u128(1),
        host: host(),
        status: "exit 1".into(),
        tree_gone: true,
        at_ms: 5,
    };
    let process = ProcessKey { pid: 7, start_ticks: 8, boot_id: "b".into() };
    let step = || "1-1-1".parse().unwrap();
    vec![
        Entry::Epoch { cluster: demo(), epoch: Epoch(3) },
        Entry::Begun {
            cluster: demo(),
            step: step(),
            replica: "demo-a".parse().unwrap(),
            incarnation: Incarnation::from_u128(1),
            act: Kind::Start,
        },
        Entry::Intended { life: life(1) },
        Entry::Spawned(Body { incarnation: Incarnation::from_u128(1), process, group: None }),
        Entry::Done { cluster: demo(), step: step(), outcome: Outcome::default() },
        Entry::Dead { cluster: demo(), obituary },
        Entry::Published { incarnation: Incarnation::from_u128(1) },
        Entry::Intended { life: life(2) },
    ]
}

fn open(directory: &Path) -> Opened {
    Ledger::open(directory, &host()).unwrap()
}

#[tokio::test]
async fn what_was_recorded_is_there_after_a_restart_and_after_compaction() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path());
    assert!(opened.fresh);
    opened.ledger.record_order(story()).await.unwrap();
    let book = opened.ledger.read(Book::clone);
    assert_eq!(book.epoch(&demo()), Epoch(3));
    assert_eq!(book.living.len(), 1);
    for _ in 0..2 {
        drop(open(directory.path()));
        let again = open(directory.path());
        assert!(!again.fresh && again.replaced.is_none());
        assert_eq!(again.ledger.read(Book::entries), book.entries());
    }
}

#[tokio::test]
async fn a_torn_append_is_cut_off_and_a_flipped_bit_is_a_new_instance() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ledger");
    let opened = open(directory.path());
    opened.ledger.record_fact(story()).await.unwrap();
    let instance = opened.ledger.read(|book| book.instance.clone());
    drop(opened);
    std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap()
        .write_all(b"0123456789abcdef {\"en")
        .unwrap();
    let opened = open(directory.path());
    assert_eq!(opened.ledger.read(|book| book.instance.clone()), instance);
    drop(opened);

    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let opened = open(directory.path());
    let (aside, reason) = opened.replaced.unwrap();
    assert!(aside.exists() && reason.contains("checksum"), "{reason}");
    assert_ne!(opened.ledger.read(|book| book.instance.clone()), instance);
    assert_eq!(opened.ledger.read(|book| book.epoch(&demo())), Epoch(0));
}

#[tokio::test]
async fn a_ledger_of_another_host_is_not_continued() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let opened = Ledger::open(directory.path(), &HostId::new("host-b").unwrap()).unwrap();
    assert!(opened.replaced.unwrap().1.contains("host-a"));
}

#[tokio::test]
async fn a_deleted_ledger_is_noticed_at_the_next_write() {
    let directory = tempfile::tempdir().unwrap();
    let opened = open(directory.path());
    std::fs::remove_file(directory.path().join("ledger")).unwrap();
    assert!(matches!(opened.ledger.record_order(story()).await, Err(LedgerError::Gone { .. })));
    assert!(matches!(opened.ledger.ruined().await, LedgerError::Gone { .. }));
}
