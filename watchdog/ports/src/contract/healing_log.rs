//! Healing log: the rules of [`HealingLog`].

use serde_json::json;
use uuid::Uuid;
use watchdog_core::ids::{
    ClusterId, Epoch, Incarnation, PlanId, ReplicaId, Sequence, Time, Version, WatchdogId,
};
use watchdog_core::record::{Body, Entry, Mark};

use super::{fresh_cluster, good, lead, led_cluster, named, watchdog};
use crate::healing_log::{HealingLog, PAGE_BYTES_MAX, Write};
use crate::journal_error::{JournalError, Remedy};

pub(super) fn write(cluster: &ClusterId, epoch: u64, bodies: Vec<Body>) -> Write {
    Write {
        cluster: cluster.clone(),
        epoch: Epoch(epoch),
        request: Uuid::new_v4(),
        at: Time(1_700_000_000_123),
        by: "ops@example".to_owned(),
        bodies,
        inputs: Vec::new(),
    }
}

pub(super) fn escalated(message: &str) -> Body {
    Body::Escalated { subject: None, message: message.to_owned() }
}

async fn everything(journal: &impl HealingLog, cluster: &ClusterId) -> Vec<Entry> {
    good(journal.entries(cluster, Sequence(0), 100_000).await)
}

#[track_caller]
pub(super) fn fenced<T>(result: Result<T, JournalError>, ours: u64, theirs: u64) {
    match result {
        Err(error @ JournalError::Fenced { ours: o, theirs: t })
            if (o, t) == (Epoch(ours), Epoch(theirs)) =>
        {
            assert_eq!(error.remedy(), Remedy::StepDown);
        }
        Err(error) => panic!("expected epoch {ours} to be fenced by {theirs}: {error:?}"),
        Ok(_) => panic!("epoch {ours} should be fenced by {theirs}"),
    }
}

/// A term opens only above the highest one.
pub async fn terms_only_grow(journal: &impl HealingLog) {
    let cluster = fresh_cluster();
    let open = async |epoch, who: WatchdogId| journal.open_term(&cluster, Epoch(epoch), &who, Time(1)).await;
    assert_eq!(good(journal.highest_term(&cluster).await), Epoch(0));
    fenced(open(0, watchdog("one")).await, 0, 0);
    good(open(3, watchdog("one")).await);
    assert_eq!(good(journal.highest_term(&cluster).await), Epoch(3));
    fenced(open(3, watchdog("two")).await, 3, 3);
    fenced(open(2, watchdog("two")).await, 2, 3);
    good(open(7, watchdog("two")).await);
    fenced(open(3, watchdog("one")).await, 3, 7);
    assert_eq!(good(journal.highest_term(&cluster).await), Epoch(7));
    let opened: Vec<_> =
        everything(journal, &cluster).await.into_iter().map(|entry| (entry.epoch, entry.body)).collect();
    let expected = [(3, "one"), (7, "two")]
        .map(|(epoch, who)| (Epoch(epoch), Body::TermOpened { watchdog: watchdog(who) }));
    assert_eq!(opened, expected);
}

/// The answer to the opening of a term may be lost.
pub async fn a_term_opened_again_by_the_same_watchdog_is_opened_once(journal: &impl HealingLog) {
    let cluster = fresh_cluster();
    lead(journal, &cluster, 4).await;
    lead(journal, &cluster, 4).await;
    assert_eq!(everything(journal, &cluster).await.len(), 1);
}

/// Bodies, times, authors and places come back as they were written.
pub async fn what_is_written_is_read_back(journal: &impl HealingLog) {
    let cluster = led_cluster(journal).await;
    let plan = PlanId::numbered(Epoch(1), 1);
    let bodies = vec![
        Body::Resumed,
        Body::Marked { version: Version(9), mark: Mark::Stable, state_hash: None, why: "soaked".to_owned() },
        escalated("quotes ' \" \\ and \0 and 雪 and\nlines"),
        Body::SnapshotFiled {
            step: plan.step(0),
            plan,
            replica: named(ReplicaId::new("scoring-b")),
            incarnation: Incarnation::from_u128(u128::MAX),
            snapshot: json!({"z": 1.0, "a": [null, true, -3, u64::MAX, 0.1, 1e300], "": {}}),
        },
    ];
    let written = good(journal.write(write(&cluster, 1, bodies.clone())).await);
    let expected = (2..).zip(bodies).map(|(sequence, body)| Entry {
        sequence: Sequence(sequence),
        at: Time(1_700_000_000_123),
        epoch: Epoch(1),
        by: "ops@example".to_owned(),
        body,
    });
    assert_eq!(written, expected.collect::<Vec<_>>());
    assert_eq!(everything(journal, &cluster).await[1..], written[..]);
}

/// Under another term than the one that stands nothing is written.
pub async fn an_older_term_writes_nothing(journal: &impl HealingLog) {
    let unled = fresh_cluster();
    fenced(journal.write(write(&unled, 1, vec![Body::Resumed])).await, 1, 0);
    assert_eq!(everything(journal, &unled).await, []);

    let cluster = led_cluster(journal).await;
    lead(journal, &cluster, 5).await;
    fenced(journal.write(write(&cluster, 1, vec![Body::Resumed])).await, 1, 5);
    fenced(journal.write(write(&cluster, 6, vec![Body::Resumed])).await, 6, 5);
    assert_eq!(everything(journal, &cluster).await.len(), 2);
    let written = good(journal.write(write(&cluster, 5, vec![Body::Resumed])).await);
    assert_eq!(written[0].sequence, Sequence(3), "a refused write leaves no gap");
}

/// A lost answer is asked for again, also by the next leader; a fenced one learns that it is fenced.
pub async fn a_request_asked_twice_is_written_once(journal: &impl HealingLog) {
    let cluster = led_cluster(journal).await;
    let request = write(&cluster, 1, vec![escalated("a"), escalated("b")]);
    let first = good(journal.write(request.clone()).await);
    good(journal.write(write(&cluster, 1, vec![escalated("c")])).await);
    assert_eq!(good(journal.write(request.clone()).await), first);
    lead(journal, &cluster, 2).await;
    let by_the_next = Write { epoch: Epoch(2), ..request.clone() };
    assert_eq!(good(journal.write(by_the_next).await), first);
    fenced(journal.write(request).await, 1, 2);
    let next = good(journal.write(write(&cluster, 2, vec![escalated("d")])).await);
    assert_eq!(next[0].sequence, Sequence(6), "asking again leaves no gap");
    assert_eq!(everything(journal, &cluster).await.len(), 6);
}

/// Entries are read in order, from anywhere, in pieces.
pub async fn entries_are_paged(journal: &impl HealingLog) {
    let cluster = led_cluster(journal).await;
    let bodies = (0..150).map(|index| escalated(&index.to_string())).collect();
    let written = good(journal.write(write(&cluster, 1, bodies)).await);
    assert_eq!(written.len(), 150);
    let mut read = good(journal.entries(&cluster, Sequence(0), 1).await);
    while let Some(last) = read.last() {
        let page = good(journal.entries(&cluster, last.sequence, 64).await);
        if page.is_empty() {
            break;
        }
        read.extend(page);
    }
    assert_eq!(read[1..], written[..]);
    assert_eq!(good(journal.entries(&cluster, Sequence(151), 10).await), []);
    assert_eq!(good(journal.entries(&cluster, Sequence(3), 0).await), []);
}

/// A page ends with the entry that fills it, and only an empty one is the last.
pub async fn a_page_has_a_byte_budget(journal: &impl HealingLog) {
    let cluster = led_cluster(journal).await;
    let large = "x".repeat(usize::try_from(PAGE_BYTES_MAX).unwrap_or(usize::MAX) / 2 + 1);
    for _ in 0..5 {
        good(journal.write(write(&cluster, 1, vec![escalated(&large)])).await);
    }
    let (mut pages, mut after) = (Vec::new(), Sequence(1));
    loop {
        let page = good(journal.entries(&cluster, after, 100).await);
        let Some(last) = page.last() else { break };
        after = last.sequence;
        pages.push(page.len());
    }
    assert_eq!(pages, [2, 2, 1]);
}

/// Writers at once each get places of their own, and none is left out.
pub async fn writers_at_once_leave_no_gap(journal: &impl HealingLog) {
    let cluster = led_cluster(journal).await;
    let writer = async |name: &str| {
        for _ in 0..10 {
            let bodies = vec![escalated(name), escalated(name)];
            let written = good(journal.write(write(&cluster, 1, bodies)).await);
            assert_eq!(written[0].sequence.next(), written[1].sequence);
        }
    };
    tokio::join!(writer("a"), writer("b"), writer("c"), writer("d"));
    let sequences: Vec<u64> =
        everything(journal, &cluster).await.iter().map(|entry| entry.sequence.0).collect();
    assert_eq!(sequences, (1..=81).collect::<Vec<_>>());
}

/// A term of one cluster fences nobody in another.
pub async fn clusters_are_apart(journal: &impl HealingLog) {
    let (here, there) = (led_cluster(journal).await, fresh_cluster());
    lead(journal, &there, 9).await;
    let request = write(&here, 1, vec![Body::Resumed]);
    good(journal.write(request.clone()).await);
    let same_id = Write { cluster: there.clone(), epoch: Epoch(9), ..request };
    assert_eq!(good(journal.write(same_id).await)[0].sequence, Sequence(2));
    assert_eq!(good(journal.highest_term(&here).await), Epoch(1));
    assert_eq!(everything(journal, &here).await.len(), 2);
}

/// PostgreSQL has no NUL in texts, so nobody has.
pub async fn a_text_that_not_every_database_holds_is_refused(journal: &impl HealingLog) {
    let cluster = led_cluster(journal).await;
    let bad = Write { by: "a\0b".to_owned(), ..write(&cluster, 1, vec![Body::Resumed]) };
    let error = journal.write(bad).await.err();
    assert!(matches!(error, Some(JournalError::Unstorable { .. })), "{error:?}");
    assert_eq!(everything(journal, &cluster).await.len(), 1);
}

/// A place that no database can count to is the end of the record, and not its beginning.
pub async fn no_place_is_beyond_what_can_be_counted(journal: &impl HealingLog) {
    let cluster = led_cluster(journal).await;
    good(journal.write(write(&cluster, 1, vec![escalated("a")])).await);
    for after in [u64::MAX, 1 << 63, i64::MAX.cast_unsigned(), 2] {
        assert_eq!(good(journal.entries(&cluster, Sequence(after), 10).await), [], "{after}");
    }
}
