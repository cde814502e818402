//! Election: who leads, under which epoch, and what the others can no longer write.

use super::*;
use watchdog_core::ids::{Epoch, Version};
use watchdog_core::state::Hash;
use watchdog_membership::election::{Contender, ElectionError, contenders};
use watchdog_membership::records::{EpochRecord, decode};
use watchdog_membership::term::{Lost, Term, TermError};
use watchdog_membership::tree::{Refused, TreeError};

async fn enter(tree: &Arc<dyn Tree>, name: &str) -> Contender {
    Contender::enter(Arc::clone(tree), paths(), contender(name)).await.unwrap()
}

pub(crate) async fn lead(tree: &Arc<dyn Tree>, name: &str) -> Term {
    let contender = enter(tree, name).await;
    soon("the election", contender.won()).await.unwrap();
    Term::mint(contender, Epoch(0)).await.unwrap()
}

async fn epoch_record(tree: &dyn Tree) -> (EpochRecord, i32) {
    let node = read(tree, &paths().epoch()).await.unwrap();
    (decode("/demo/epoch", &node.data).unwrap(), node.version)
}

pub(crate) async fn the_next_in_the_row_leads(world: &World) {
    let trees = [world.open().await, world.open().await, world.open().await];
    let (first, second, third) =
        (enter(&trees[0], "w1").await, enter(&trees[1], "w2").await, enter(&trees[2], "w3").await);
    let row = contenders(trees[2].as_ref(), &paths()).await.unwrap();
    let names: Vec<&str> = row.iter().map(|(_, record)| record.watchdog.as_str()).collect();
    assert_eq!(names, ["w1", "w2", "w3"]);
    soon("the first wins", first.won()).await.unwrap();
    let mut waits = std::pin::pin!(second.won());
    assert!(futures_util::poll!(waits.as_mut()).is_pending());
    // One in the middle of the row that leaves wakes nobody wrongly, and everybody moves up.
    drop(first.withdraw().await);
    soon("the second wins", waits).await.unwrap();
    let mut waits = std::pin::pin!(third.won());
    let early = tokio::time::timeout(Duration::from_millis(300), waits.as_mut()).await;
    assert!(early.is_err(), "{early:?}");
    trees[1].close().await;
    soon("the third wins", waits).await.unwrap();
}

pub(crate) async fn the_killed_are_succeeded(world: &World) {
    let mut doomed = world.doomed().await;
    let first = lead(&doomed.tree, "w1").await;
    let tree = world.open().await;
    let second = enter(&tree, "w2").await;
    doomed.kill();
    soon("the second wins", second.won()).await.unwrap();
    let second = Term::mint(second, Epoch(0)).await.unwrap();
    assert!(second.epoch() > first.epoch());
    assert_eq!(second.previous().unwrap().epoch, first.epoch());
}

pub(crate) async fn the_deposed_write_nothing(world: &World) {
    let (one, two) = (world.open().await, world.open().await);
    let first = lead(&one, "w1").await;
    first.commit(vec![create("/demo/x", Mode::Persistent)]).await.unwrap();
    // A refusal behind the fence is no deposition, and is told under the caller's index.
    let refused = first.commit(vec![check("/demo/x", None), create("/demo/x", Mode::Persistent)]).await;
    match refused {
        Err(TermError::Tree { source, .. }) => assert_eq!(source.refused(), Some((1, Refused::Exists))),
        other => panic!("{other:?}"),
    }
    assert!(first.surely_alive());
    let fence = first.fence();
    // The row forgets the first, as it would when its session ends, but the first does not know it yet.
    two.commit(vec![delete(contenders_path(two.as_ref()).await.as_str())]).await.unwrap();
    let second = lead(&two, "w2").await;
    assert_eq!(second.epoch(), first.epoch().next());
    let mut late = fence;
    late.push(set("/demo/x", None));
    let error = one.commit(late).await.unwrap_err();
    assert!(matches!(error, TreeError::Refused { index: 0 | 1, .. }), "{error:?}");
    let error = first.commit(vec![set("/demo/x", None)]).await.unwrap_err();
    assert!(matches!(error, TermError::Deposed { epoch } if epoch == first.epoch()), "{error:?}");
    let error = first.confirm(Epoch(9), Version(9), Hash::default()).await.unwrap_err();
    assert!(matches!(error, TermError::Deposed { .. }), "{error:?}");
    assert_eq!(soon("lost", first.lost()).await, Lost::Deposed);
    assert!(!first.surely_alive());
    assert_eq!(read(two.as_ref(), "/demo/x").await.unwrap().version, 0);
    second.commit(vec![set("/demo/x", Some(0))]).await.unwrap();
    let (record, _) = epoch_record(two.as_ref()).await;
    assert_eq!((record.leader.as_str(), record.epoch), ("w2", second.epoch()));
}

async fn contenders_path(tree: &dyn Tree) -> String {
    tree.list(&paths().contenders()).await.unwrap().remove(0)
}

pub(crate) async fn a_removed_contender_cannot_mint(world: &World) {
    let (one, two) = (world.open().await, world.open().await);
    let first = enter(&one, "w1").await;
    soon("the first wins", first.won()).await.unwrap();
    two.commit(vec![delete(first.path())]).await.unwrap();
    let error = soon("an end", first.won()).await.unwrap_err();
    assert!(matches!(error, ElectionError::Removed { .. }), "{error:?}");
    let Err(TermError::Deposed { epoch }) = Term::mint(first, Epoch(0)).await else { panic!("minted") };
    assert_eq!(epoch, Epoch(1));
    assert_eq!(read(one.as_ref(), &paths().epoch()).await, None);
    assert_eq!(lead(&two, "w2").await.epoch(), Epoch(1));
    two.close().await;
    let third = enter(&one, "w3").await;
    one.close().await;
    let error = soon("an end", third.won()).await.unwrap_err();
    assert!(matches!(error, ElectionError::Tree { source: TreeError::Expired }), "{error:?}");
}

pub(crate) async fn confirms_cost_little(world: &World) {
    let tree = world.open().await;
    let term = lead(&tree, "w1").await;
    let (_, minted) = epoch_record(tree.as_ref()).await;
    let head = |n: u64| (Epoch(1), Version(n), Hash::of(&n.to_be_bytes()));
    let confirm = async |n: u64| {
        let (epoch, version, hash) = head(n);
        term.confirm(epoch, version, hash).await.unwrap();
    };
    confirm(1).await;
    let (record, version) = epoch_record(tree.as_ref()).await;
    assert_eq!((record.term, record.head, record.hash), head(1));
    assert_eq!(version, minted + 1, "a new head is told at once");
    let begun = std::time::Instant::now();
    for _ in 0..100 {
        confirm(1).await;
    }
    let (_, version) = epoch_record(tree.as_ref()).await;
    let quarters = i32::try_from(begun.elapsed().as_millis() / (world.timeout / 4).as_millis()).unwrap();
    assert!(version <= minted + 2 + quarters, "{version} after {quarters} quarters");
    // Fenced writes go on in step with confirms.
    for n in 2..5 {
        confirm(n).await;
        term.commit(vec![create(&format!("/demo/n{n}"), Mode::Persistent)]).await.unwrap();
    }
    assert!(term.surely_alive());
    // Without confirms a term goes stale while its session lives.
    assert_eq!(soon("stale", term.lost()).await, Lost::Stale);
    assert!(!Lost::Stale.is_final());
    confirm(5).await;
    assert!(term.surely_alive());
}

pub(crate) async fn a_term_is_confirmed_beside_what_takes_long(world: &World) {
    let tree = world.open().await;
    let term = lead(&tree, "w1").await;
    let head = (Version(7), Hash::of(b"7"));
    let takes_long = tokio::time::sleep(world.timeout);
    tokio::select! {
        lost = term.lost() => panic!("{lost}"),
        never = term.keep_confirmed(|| head) => match never {},
        () = takes_long => {}
    }
    let (record, _) = epoch_record(tree.as_ref()).await;
    assert_eq!((record.term, record.head, record.hash), (Epoch(1), head.0, head.1));
    // Whoever lost the right to act, as when the machine slept, does not get it back by this.
    assert_eq!(soon("stale", term.lost()).await, Lost::Stale);
    tokio::select! {
        never = term.keep_confirmed(|| head) => match never {},
        () = tokio::time::sleep(world.timeout / 2) => {}
    }
    assert_eq!(term.reason_to_stop(), Some(Lost::Stale));
    term.confirm(Epoch(1), head.0, head.1).await.unwrap();
    tokio::select! {
        lost = term.lost() => panic!("{lost}"),
        never = term.keep_confirmed(|| head) => match never {},
        () = tokio::time::sleep(world.timeout) => {}
    }
}

pub(crate) async fn epochs_pass_those_of_the_journal(world: &World) {
    let tree = world.open().await;
    let contender = enter(&tree, "w1").await;
    let term = Term::mint(contender, Epoch(41)).await.unwrap();
    assert_eq!((term.epoch(), term.previous().is_none()), (Epoch(42), true));
    term.confirm(Epoch(42), Version(7), Hash::of(b"7")).await.unwrap();
    term.into_contender().withdraw().await.unwrap();
    let term = lead(&tree, "w1").await;
    let previous = term.previous().unwrap();
    assert_eq!((previous.epoch, previous.term, previous.head), (Epoch(42), Epoch(42), Version(7)));
    assert_eq!(term.epoch(), Epoch(43));
    // What the journal must hold is handed on until the new term says something newer.
    let (record, _) = epoch_record(tree.as_ref()).await;
    assert_eq!((record.epoch, record.term, record.head), (Epoch(43), Epoch(42), Version(7)));
}

pub(crate) async fn a_suspended_leader_stops_and_may_go_on(world: &World) {
    let (proxy, url) = world.proxy().await;
    let tree = open(&url).await;
    let term = lead(&tree, "w1").await;
    proxy.close();
    let lost = soon("lost", term.lost()).await;
    assert!(matches!(lost, Lost::Suspended | Lost::Stale), "{lost:?}");
    assert!(!term.surely_alive());
    let error = term.confirm(Epoch(1), Version(1), Hash::default()).await.unwrap_err();
    assert!(matches!(error, TermError::Tree { .. }), "{error:?}");
    proxy.open();
    state_becomes(tree.as_ref(), Session::Connected).await;
    soon("a confirmation", async {
        while let Err(error) = term.confirm(Epoch(1), Version(1), Hash::default()).await {
            assert!(matches!(&error, TermError::Tree { source, .. } if source.is_passing()), "{error:?}");
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(term.surely_alive());
    term.commit(vec![create("/demo/y", Mode::Persistent)]).await.unwrap();
    tree.close().await;
    assert_eq!(soon("lost", term.lost()).await, Lost::Expired);
}
