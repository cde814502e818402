//! Tests of the store: atomic commits, versions, sessions, and what the disk must know.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;

const ALICE: u64 = 1;
const BOB: u64 = 2;

fn store() -> Store {
    let mut store = Store::default();
    store.open(ALICE, 1000, 0);
    store.open(BOB, 1000, 0);
    store
}

fn create(path: &str, mode: Mode) -> Operation {
    Operation::Create { path: path.into(), data: b"x".to_vec(), mode }
}

fn set(path: &str, version: Option<i32>) -> Operation {
    Operation::Set { path: path.into(), data: b"y".to_vec(), version }
}

fn check(path: &str, version: Option<i32>) -> Operation {
    Operation::Check { path: path.into(), version }
}

fn delete(path: &str) -> Operation {
    Operation::Delete { path: path.into(), version: None }
}

#[test]
fn a_commit_is_all_or_nothing() {
    let missing = |index| Err(Fault::Refused { index, reason: Refused::Missing });
    let exists = |index| Err(Fault::Refused { index, reason: Refused::Exists });
    let table: Vec<(&str, Vec<Operation>, Result<(), Fault>)> = vec![
        ("a check of nothing", vec![create("/b", Mode::Persistent), check("/no", None)], missing(1)),
        ("a second create", vec![set("/a", None), create("/a", Mode::Persistent)], exists(1)),
        (
            "an old version",
            vec![create("/b/c/d", Mode::Ephemeral), set("/a", Some(7))],
            Err(Fault::Refused { index: 1, reason: Refused::BadVersion }),
        ),
        (
            "a parent in use",
            vec![create("/a/b", Mode::Ephemeral), delete("/a")],
            Err(Fault::Refused { index: 1, reason: Refused::NotEmpty }),
        ),
        ("create, then delete", vec![create("/b", Mode::Persistent), delete("/b")], Ok(())),
        ("its own effect", vec![set("/a", Some(0)), check("/a", Some(1))], Ok(())),
    ];
    for (story, operations, expected) in table {
        let mut store = store();
        store.commit(ALICE, &[create("/a", Mode::Persistent)]).unwrap();
        store.settle();
        let before = (store.list("/"), store.read(&["/a".into()]));
        let result = store.commit(ALICE, &operations).map(|_| ());
        assert_eq!(result, expected, "{story}");
        if result.is_err() {
            assert_eq!((store.list("/"), store.read(&["/a".into()])), before, "{story}");
            assert_eq!(store.settle(), Settled::default(), "{story}");
        }
    }
}

#[test]
fn ephemeral_nodes_end_with_their_session() {
    let mut store = store();
    store.commit(ALICE, &[create("/m/a", Mode::Ephemeral)]).unwrap();
    store.commit(BOB, &[create("/m/b", Mode::Ephemeral)]).unwrap();
    store.touch(BOB, 900).unwrap();
    store.settle();
    assert_eq!(store.overdue(999), Vec::<u64>::new());
    assert_eq!(store.overdue(1000), [ALICE]);
    store.close(ALICE);
    assert_eq!(store.list("/m"), ["/m/b"]);
    assert_eq!(store.settle().changed.into_iter().collect::<Vec<_>>(), ["/m/a"]);
    assert_eq!(store.touch(ALICE, 1000), Err(Fault::NoSession));
    assert_eq!(store.commit(ALICE, &[]), Err(Fault::NoSession));
    store.extend(500);
    assert_eq!(store.overdue(2399), Vec::<u64>::new());
    assert_eq!(store.overdue(2400), [BOB]);
}

#[test]
fn an_owner_that_deletes_and_recreates_still_owns() {
    let mut store = store();
    store.commit(ALICE, &[create("/a", Mode::Ephemeral)]).unwrap();
    store.commit(BOB, &[delete("/a"), create("/a", Mode::Ephemeral)]).unwrap();
    store.close(ALICE);
    assert_eq!(store.read(&["/a".into()])[0].as_ref().unwrap().owner, Some(BOB));
    // A refused commit of somebody else changes no owner either.
    store.open(ALICE, 1000, 0);
    store.commit(ALICE, &[delete("/a"), create("/a", Mode::Ephemeral), check("/no", None)]).unwrap_err();
    store.close(BOB);
    assert_eq!(store.read(&["/a".into()]), [None]);
}

#[test]
fn sequential_numbers_only_grow() {
    let mut store = store();
    let next =
        |store: &mut Store| store.commit(ALICE, &[create("/c/x-", Mode::EphemeralSequential)]).unwrap();
    assert_eq!(next(&mut store), ["/c/x-0000000000"]);
    store.commit(ALICE, &[delete("/c/x-0000000000")]).unwrap();
    let refused = [create("/c/x-", Mode::EphemeralSequential), check("/no", None)];
    store.commit(ALICE, &refused).unwrap_err();
    assert_eq!(next(&mut store), ["/c/x-0000000002"]);
}

#[test]
fn the_disk_is_told_of_what_lasts_and_of_nothing_else() {
    let table: Vec<(&str, Vec<Operation>, bool)> = vec![
        ("an ephemeral node", vec![create("/dir/a", Mode::Ephemeral)], false),
        ("a persistent one", vec![create("/dir/b", Mode::Persistent)], true),
        ("a parent", vec![create("/new/a", Mode::Ephemeral)], true),
        ("a set", vec![set("/dir", None)], true),
        ("a set of an ephemeral one", vec![set("/dir/e", None)], false),
        ("came and went", vec![create("/dir/o", Mode::Persistent), delete("/dir/o")], false),
        ("a check", vec![check("/dir", None)], false),
    ];
    for (story, operations, expected) in table {
        let mut store = store();
        store.commit(ALICE, &[create("/dir", Mode::Persistent), create("/dir/e", Mode::Ephemeral)]).unwrap();
        store.settle();
        store.commit(ALICE, &operations).unwrap();
        assert_eq!(store.must_save(), expected, "{story}");
        let after: Vec<String> = store.list("/");
        store.revert_all();
        assert!(!store.must_save(), "{story}");
        assert!(store.list("/").len() <= after.len(), "{story}");
    }
}

#[test]
fn nonsense_is_refused_with_the_reason() {
    let mut store = store();
    let long = format!("/{}", "a".repeat(2000));
    for path in ["", "a", "/a//b", "/a/", "/a/../b", "/a b", "/ä", &long] {
        let result = store.commit(ALICE, &[create(path, Mode::Persistent)]);
        assert!(matches!(result, Err(Fault::Invalid { index: 0, .. })), "{path:?}: {result:?}");
    }
    let data = vec![0; DATA_BYTES_MAX + 1];
    let large = Operation::Create { path: "/a".into(), data, mode: Mode::Persistent };
    assert!(matches!(store.commit(ALICE, &[large]), Err(Fault::Invalid { .. })));
    store.commit(ALICE, &[create("/e", Mode::Ephemeral)]).unwrap();
    let below = store.commit(ALICE, &[create("/e/f", Mode::Ephemeral)]);
    assert!(matches!(below, Err(Fault::Invalid { .. })), "{below:?}");
}

#[test]
fn a_restored_tree_goes_on_counting() {
    let node = Node { data: b"5".to_vec(), created: 3, modified: 9, version: 4, owner: None };
    let mut store = Store::restore(1000, BTreeMap::from([("/epoch".to_owned(), node)]));
    store.open(ALICE, 1000, 0);
    store.commit(ALICE, &[set("/epoch", Some(4))]).unwrap();
    let node = store.read(&["/epoch".into()])[0].clone().unwrap();
    assert_eq!((node.version, node.created, node.modified), (5, 3, 1001));
    assert_eq!(store.persistent().count(), 1);
}
