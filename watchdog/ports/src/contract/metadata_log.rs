//! Metadata log: the rules of [`MetadataLog`].

use serde_json::{Value, json};
use uuid::Uuid;
use watchdog_core::change::{Change, Head, LogEntry};
use watchdog_core::ids::{ClusterId, Epoch, GoalId, Time, Version};
use watchdog_core::state::{Hash, Key, State, VALUE_BYTES_MAX};

use super::{fresh_cluster, good, lead, led_cluster, named};
use crate::healing_log::HealingLog;
use crate::journal_error::{JournalError, Remedy};
use crate::metadata_log::{Append, MetadataLog, Verification};

fn key(text: &str) -> Key {
    good(Key::new(text))
}

fn change(name: &str, before: Option<Value>, after: Option<Value>) -> Change {
    Change { key: key(name), before, after }
}

fn append(cluster: &ClusterId, expected: u64, changes: Vec<Change>) -> Append {
    Append {
        cluster: cluster.clone(),
        epoch: Epoch(1),
        request: Uuid::new_v4(),
        expected: Version(expected),
        at: Time(1_700_000_000_123),
        author: "ops@example".to_owned(),
        goal: None,
        changes,
    }
}

/// Appends changes of which each puts or removes, composed against the head.
async fn put(journal: &impl MetadataLog, cluster: &ClusterId, edits: &[(&str, Option<Value>)]) -> Head {
    let head = good(journal.head(cluster).await);
    let mut state = good(journal.state(cluster, head.version).await);
    let mut changes = Vec::new();
    for (name, after) in edits {
        changes.push(Change::of(&state, key(name), after.clone()));
        state.apply(&key(name), after.as_ref());
    }
    good(journal.append(append(cluster, head.version.0, changes)).await)
}

async fn everything(journal: &impl MetadataLog, cluster: &ClusterId) -> Vec<LogEntry> {
    page(journal, cluster, 1, 100_000).await
}

async fn page(journal: &impl MetadataLog, cluster: &ClusterId, from: u64, limit: u32) -> Vec<LogEntry> {
    good(journal.entries(cluster, Version(from), limit).await)
}

/// Nothing was appended yet.
pub async fn an_empty_log_has_the_empty_state<J: MetadataLog + HealingLog>(journal: &J) {
    for cluster in [fresh_cluster(), led_cluster(journal).await] {
        assert_eq!(good(journal.head(&cluster).await), Head::default());
        assert_eq!(good(journal.state(&cluster, Version(0)).await), State::default());
        assert_eq!(everything(journal, &cluster).await, []);
        let nothing = Verification { entries: 0, broken: None };
        assert_eq!(good(journal.verify(&cluster).await), nothing);
        let error = journal.state(&cluster, Version(1)).await.err();
        assert!(matches!(error, Some(JournalError::NoSuchVersion { .. })), "{error:?}");
    }
}

/// Each entry carries the hash of the one before it, over all that it says.
pub async fn appends_are_chained<J: MetadataLog + HealingLog>(journal: &J) {
    let cluster = led_cluster(journal).await;
    let first = append(
        &cluster,
        0,
        vec![change("model/a", None, Some(json!(1))), change("model/a", Some(json!(1)), None)],
    );
    let goal = named(GoalId::new("g-1"));
    let head = good(journal.append(Append { goal: Some(goal.clone()), ..first }).await);
    assert_eq!(head.version, Version(2));
    let head = put(journal, &cluster, &[("rule/b", Some(json!({"x": [1]})))]).await;
    assert_eq!(good(journal.head(&cluster).await), head);
    let entries = everything(journal, &cluster).await;
    assert_eq!(entries.iter().map(|entry| entry.version.0).collect::<Vec<_>>(), [1, 2, 3]);
    let mut previous = Hash::default();
    for entry in &entries {
        assert_eq!(entry.previous, previous);
        assert_eq!(entry.hash, entry.computed_hash());
        assert_eq!((entry.at, entry.epoch), (Time(1_700_000_000_123), Epoch(1)));
        assert_eq!(entry.author, "ops@example");
        previous = entry.hash;
    }
    assert_eq!(head, Head { version: Version(3), hash: previous });
    assert_eq!(entries[1].goal, Some(goal));
    assert_eq!(entries[2].goal, None);
    assert_eq!(entries[2].change, change("rule/b", None, Some(json!({"x": [1]}))));
}

/// Under another term than the one that stands nothing is appended.
pub async fn an_older_term_appends_nothing<J: MetadataLog + HealingLog>(journal: &J) {
    let cluster = fresh_cluster();
    let good_change = || vec![change("model/a", None, Some(json!(1)))];
    let misfit = || vec![change("model/a", Some(json!(0)), Some(json!(1)))];
    for term in [0, 1, 3] {
        if term > 0 {
            lead(journal, &cluster, term).await;
        }
        for (expected, changes) in [(0, good_change()), (9, good_change()), (0, misfit())] {
            let stale = Append { epoch: Epoch(2), ..append(&cluster, expected, changes) };
            match journal.append(stale).await {
                Err(JournalError::Fenced { ours: Epoch(2), theirs }) => assert_eq!(theirs, Epoch(term)),
                other => panic!("expected to be fenced by {term}: {other:?}"),
            }
        }
    }
    assert_eq!(good(journal.head(&cluster).await), Head::default());
}

/// An append that was computed against another head is refused.
pub async fn an_append_names_its_head<J: MetadataLog + HealingLog>(journal: &J) {
    let cluster = led_cluster(journal).await;
    put(journal, &cluster, &[("model/a", Some(json!(1))), ("model/b", Some(json!(1)))]).await;
    for expected in [0, 1, 3] {
        let late = append(&cluster, expected, vec![change("model/c", None, Some(json!(1)))]);
        let error = journal.append(late).await.err();
        let Some(error @ JournalError::HeadMoved { .. }) = error else { panic!("{error:?}") };
        assert_eq!(error.remedy(), Remedy::LookAgain);
        assert!(error.to_string().ends_with("found 2"), "{error}");
    }
    assert_eq!(everything(journal, &cluster).await.len(), 2);
}

/// The value before must be the value that stands, within one append too.
pub async fn a_change_fits_what_stands<J: MetadataLog + HealingLog>(journal: &J) {
    let cluster = led_cluster(journal).await;
    put(journal, &cluster, &[("model/a", Some(json!({"x": 1.0})))]).await;
    let (one, two) = (Some(json!({"x": 1})), Some(json!(2)));
    let table = [
        ("absent", vec![change("model/b", one.clone(), two.clone())]),
        ("present", vec![change("model/a", None, two.clone())]),
        ("another value", vec![change("model/a", two.clone(), one.clone())]),
        (
            "changed by the same append",
            vec![change("model/a", one.clone(), two.clone()), change("model/a", one.clone(), None)],
        ),
    ];
    for (story, changes) in table {
        let error = journal.append(append(&cluster, 1, changes)).await.err();
        assert!(matches!(error, Some(JournalError::Misfit { .. })), "{story}: {error:?}");
    }
    let spelt_otherwise = vec![change("model/a", one, two.clone()), change("model/a", two, None)];
    assert_eq!(good(journal.append(append(&cluster, 1, spelt_otherwise)).await).version, Version(3));
    assert_eq!(good(journal.state(&cluster, Version(3)).await), State::default());
}

/// A lost answer is asked for again, also after more was appended.
pub async fn an_append_asked_twice_is_done_once<J: MetadataLog + HealingLog>(journal: &J) {
    let cluster = led_cluster(journal).await;
    let request = append(
        &cluster,
        0,
        vec![change("model/a", None, Some(json!(1))), change("model/b", None, Some(json!(1)))],
    );
    let first = good(journal.append(request.clone()).await);
    assert_eq!(good(journal.append(request.clone()).await), first);
    put(journal, &cluster, &[("model/a", Some(json!(2)))]).await;
    assert_eq!(good(journal.append(request.clone()).await), first);
    lead(journal, &cluster, 2).await;
    let by_the_next = Append { epoch: Epoch(2), ..request.clone() };
    assert_eq!(good(journal.append(by_the_next).await), first);
    let error = journal.append(request).await.err();
    assert!(matches!(error, Some(JournalError::Fenced { .. })), "{error:?}");
    assert_eq!(everything(journal, &cluster).await.len(), 3);
}

/// Each version's state is the fold of the changes up to it; undoing gives the state before.
pub async fn every_version_has_its_state<J: MetadataLog + HealingLog>(journal: &J) {
    let cluster = led_cluster(journal).await;
    put(journal, &cluster, &[("model/a", Some(json!(1))), ("rule/b", Some(json!("x")))]).await;
    put(journal, &cluster, &[("model/a", Some(json!(2)))]).await;
    put(journal, &cluster, &[("rule/b", None)]).await;
    let undo: Vec<Change> =
        everything(journal, &cluster).await[2..].iter().rev().map(|entry| entry.change.undo()).collect();
    good(journal.append(append(&cluster, 4, undo)).await);
    let mut state = State::default();
    for entry in everything(journal, &cluster).await {
        state.apply(&entry.change.key, entry.change.after.as_ref());
        assert_eq!(good(journal.state(&cluster, entry.version).await), state, "{}", entry.version);
    }
    assert_eq!(state, good(journal.state(&cluster, Version(2)).await));
    let error = journal.state(&cluster, Version(7)).await.err();
    assert!(
        matches!(error, Some(JournalError::NoSuchVersion { version: Version(7), head: Version(6) })),
        "{error:?}"
    );
}

/// Numbers to the last bit, texts to the last byte, members in their order.
pub async fn values_come_back_as_they_were<J: MetadataLog + HealingLog>(journal: &J) {
    let cluster = led_cluster(journal).await;
    let values = [
        json!(null),
        json!(1.0),
        json!(-0.0),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(0.1 + 0.2),
        json!(122_416_294_033_786_585.0_f64),
        json!(5e-324),
        json!("\0\u{7f}\u{2028}雪🦀'\"\\"),
        json!({"z": {"b": [], "a": {}}, "y": [[[]]], "": ""}),
    ];
    for value in &values {
        put(journal, &cluster, &[("setting/odd", Some(value.clone()))]).await;
    }
    for (entry, value) in everything(journal, &cluster).await.iter().zip(&values) {
        let read = entry.change.after.as_ref().map(Value::to_string);
        assert_eq!(read, Some(value.to_string()));
    }
    let verified = Verification { entries: values.len() as u64, broken: None };
    assert_eq!(good(journal.verify(&cluster).await), verified);
}

/// Larger things are put elsewhere and referred to.
pub async fn a_value_has_a_largest_size<J: MetadataLog + HealingLog>(journal: &J) {
    let cluster = led_cluster(journal).await;
    let largest = json!("x".repeat(VALUE_BYTES_MAX - 2));
    let too_large = json!("x".repeat(VALUE_BYTES_MAX - 1));
    let refused = append(&cluster, 0, vec![change("model/a", None, Some(too_large))]);
    let error = journal.append(refused).await.err();
    assert!(matches!(error, Some(JournalError::Unstorable { .. })), "{error:?}");
    let author = Append {
        author: "a\0b".to_owned(),
        ..append(&cluster, 0, vec![change("model/a", None, Some(json!(1)))])
    };
    let error = journal.append(author).await.err();
    assert!(matches!(error, Some(JournalError::Unstorable { .. })), "{error:?}");
    put(journal, &cluster, &[("model/a", Some(largest.clone()))]).await;
    assert_eq!(good(journal.state(&cluster, Version(1)).await).get(&key("model/a")), Some(&largest));
}

/// Of appends that name the same head one is done and the others look again.
pub async fn of_two_appends_at_once_one_wins<J: MetadataLog + HealingLog>(journal: &J) {
    let cluster = led_cluster(journal).await;
    for round in 0..10 {
        let name = format!("model/m-{round}");
        let attempt = async |value| {
            journal.append(append(&cluster, round, vec![change(&name, None, Some(json!(value)))])).await
        };
        let results = tokio::join!(attempt(1), attempt(2), attempt(3));
        let mut won = 0;
        for result in [results.0, results.1, results.2] {
            match result {
                Ok(_) => won += 1,
                Err(JournalError::HeadMoved { .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
        assert_eq!(won, 1, "round {round}");
    }
    assert_eq!(good(journal.verify(&cluster).await), Verification { entries: 10, broken: None });
}

/// Old states stay readable however long the log grows.
pub async fn a_long_log_keeps_all_its_states<J: MetadataLog + HealingLog>(journal: &J) {
    let cluster = led_cluster(journal).await;
    let mut states = vec![State::default()];
    for batch in 0..5_u64 {
        let mut state = states.last().cloned().unwrap_or_default();
        let mut changes = Vec::new();
        for index in batch * 700..(batch + 1) * 700 {
            let after = (index % 7 != 3).then(|| json!({"index": index}));
            changes.push(Change::of(&state, key(&format!("model/m-{}", index % 40)), after.clone()));
            state.apply(&key(&format!("model/m-{}", index % 40)), after.as_ref());
            states.push(state.clone());
        }
        good(journal.append(append(&cluster, batch * 700, changes)).await);
    }
    for version in [0, 1, 699, 700, 701, 999, 1_000, 1_001, 1_399, 2_000, 2_101, 3_499, 3_500] {
        let state = good(journal.state(&cluster, Version(version as u64)).await);
        assert_eq!(state, states[version], "{version}");
    }
    assert_eq!(good(journal.verify(&cluster).await), Verification { entries: 3_500, broken: None });
}

/// Entries are read in order, from anywhere, in pieces; all of them are verified.
pub async fn a_log_is_paged_and_verified<J: MetadataLog + HealingLog>(journal: &J) {
    let cluster = led_cluster(journal).await;
    let names: Vec<String> = (0..130).map(|index| format!("model/m-{index}")).collect();
    let edits: Vec<_> = names.iter().map(|name| (name.as_str(), Some(json!(1)))).collect();
    put(journal, &cluster, &edits).await;
    let all = everything(journal, &cluster).await;
    assert_eq!(all.len(), 130);
    assert_eq!(page(journal, &cluster, 0, 2).await, all[..2]);
    assert_eq!(page(journal, &cluster, 65, 10).await, all[64..74]);
    assert_eq!(page(journal, &cluster, 125, 100).await, all[124..]);
    assert_eq!(page(journal, &cluster, 131, 10).await, []);
    assert_eq!(good(journal.verify(&cluster).await), Verification { entries: 130, broken: None });
}

/// A version that no database can count to is one that is not there, and nothing worse.
pub async fn beyond_what_can_be_counted_there_is_nothing<J: MetadataLog + HealingLog>(journal: &J) {
    let cluster = led_cluster(journal).await;
    put(journal, &cluster, &[("model/a", Some(json!(1))), ("model/b", Some(json!(1)))]).await;
    for from in [u64::MAX, 1 << 63, i64::MAX.cast_unsigned(), 3] {
        assert_eq!(page(journal, &cluster, from, 10).await, [], "{from}");
        let error = journal.state(&cluster, Version(from)).await.err();
        assert!(matches!(error, Some(JournalError::NoSuchVersion { .. })), "{from}: {error:?}");
        let late = append(&cluster, from, vec![change("model/c", None, Some(json!(1)))]);
        let error = journal.append(late).await.err();
        assert!(matches!(error, Some(JournalError::HeadMoved { .. })), "{from}: {error:?}");
    }
}
