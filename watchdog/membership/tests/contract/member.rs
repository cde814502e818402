//! Member: joining, and why the dead don't.

use super::*;
use tokio::sync::watch;
use watchdog_core::ids::{Incarnation, Version};
use watchdog_membership::member::{JoinError, Joined, Member, keep_joined};
use watchdog_membership::obituary::{declare_dead, prune};
use watchdog_membership::records::MemberRecord;

fn member_path(replica: &str, life: u128) -> String {
    paths().member(&replica.parse().unwrap(), Incarnation::from_u128(life))
}

async fn version_in(tree: &dyn Tree, path: &str) -> Option<Version> {
    let node = read(tree, path).await?;
    let record: MemberRecord = watchdog_membership::records::decode(path, &node.data).unwrap();
    Some(record.version)
}

pub(crate) async fn the_dead_join_no_more(world: &World) {
    let (tree, other) = (world.open().await, world.open().await);
    // Declared dead before it ever registered: its late create is refused.
    declare_dead(other.as_ref(), &paths(), &obituary("demo-a", 1)).await.unwrap();
    let late = Member::join(Arc::clone(&tree), &paths(), member("demo-a", 1)).await;
    assert!(matches!(late, Err(JoinError::DeclaredDead)));
    assert_eq!(read(tree.as_ref(), &member_path("demo-a", 1)).await, None);
    // Its successor joins, and is gone when it is declared dead, twice.
    Member::join(Arc::clone(&tree), &paths(), member("demo-a", 2)).await.unwrap();
    let process_path = paths().process(&"demo-a".parse().unwrap(), Incarnation::from_u128(2));
    tree.commit(vec![create(&process_path, Mode::Ephemeral)]).await.unwrap();
    for _ in 0..2 {
        declare_dead(other.as_ref(), &paths(), &obituary("demo-a", 2)).await.unwrap();
        assert_eq!(read(other.as_ref(), &member_path("demo-a", 2)).await, None);
        assert_eq!(read(other.as_ref(), &process_path).await, None);
    }
    let again = Member::join(Arc::clone(&tree), &paths(), member("demo-a", 2)).await;
    assert!(matches!(again, Err(JoinError::DeclaredDead)));
    // The live one is not touched by that.
    Member::join(tree, &paths(), member("demo-a", 3)).await.unwrap();
}

pub(crate) async fn members_update_and_leave(world: &World) {
    let (tree, other) = (world.open().await, world.open().await);
    let path = member_path("demo-a", 1);
    let mut joined = Member::join(Arc::clone(&tree), &paths(), member("demo-a", 1)).await.unwrap();
    joined.update(member("demo-a", 1)).await.unwrap();
    assert_eq!(read(other.as_ref(), &path).await.unwrap().version, 0, "nothing new, nothing written");
    joined.update(MemberRecord { version: Version(4), ..member("demo-a", 1) }).await.unwrap();
    assert_eq!(version_in(other.as_ref(), &path).await, Some(Version(4)));
    // A try whose answer was lost is tried again in the same session: the node is kept, not made anew.
    let before = read(tree.as_ref(), &path).await.unwrap().created;
    let again = Member::join(Arc::clone(&tree), &paths(), member("demo-a", 1)).await.unwrap();
    let node = read(tree.as_ref(), &path).await.unwrap();
    assert_eq!((node.created, node.owner), (before, Some(tree.session_id())));
    again.leave().await.unwrap();
    other.sync().await.unwrap();
    assert_eq!(read(other.as_ref(), &path).await, None);
}

pub(crate) async fn an_earlier_session_is_replaced(world: &World) {
    let mut doomed = world.doomed().await;
    let tree = world.open().await;
    let path = member_path("demo-a", 1);
    Member::join(Arc::clone(&doomed.tree), &paths(), member("demo-a", 1)).await.unwrap();
    doomed.kill();
    Member::join(Arc::clone(&tree), &paths(), member("demo-a", 1)).await.unwrap();
    assert_eq!(read(tree.as_ref(), &path).await.unwrap().owner, Some(tree.session_id()));
    // The earlier session's end takes nothing of the later one's.
    let witness = world.open().await;
    let mut dying = world.doomed().await;
    dying.tree.commit(vec![create("/witness", Mode::Ephemeral)]).await.unwrap();
    dying.kill();
    node_becomes(witness.as_ref(), "/witness", "gone", |node| node.is_none()).await;
    assert_eq!(read(tree.as_ref(), &path).await.unwrap().owner, Some(tree.session_id()));
}

fn keep(url: &str, life: u128) -> (watch::Sender<MemberRecord>, Joined, watch::Receiver<bool>) {
    let (records, receiver) = watch::channel(member("demo-a", life));
    let (dead, told) = watch::channel(false);
    let connect = connector(url, options(url)).unwrap();
    let joined = keep_joined(connect, paths(), receiver, move || {
        dead.send_replace(true);
    });
    (records, joined, told)
}

pub(crate) async fn the_kept_join_again_after_expiry(world: &World) {
    let (proxy, url) = world.proxy().await;
    let other = world.open().await;
    let path = member_path("demo-a", 1);
    let (records, joined, told) = keep(&url, 1);
    let first = node_becomes(other.as_ref(), &path, "joined", |node| node.is_some()).await.unwrap();
    proxy.silence();
    node_becomes(other.as_ref(), &path, "expired", |node| node.is_none()).await;
    records.send_modify(|record| record.version = Version(9));
    proxy.close();
    proxy.open();
    let second = node_becomes(other.as_ref(), &path, "joined again", |node| node.is_some()).await.unwrap();
    assert_ne!(first.owner, second.owner);
    assert_eq!(version_in(other.as_ref(), &path).await, Some(Version(9)));
    records.send_modify(|record| record.version = Version(10));
    node_becomes(other.as_ref(), &path, "updated", |node| node.is_some_and(|node| node.version > 0)).await;
    assert_eq!(version_in(other.as_ref(), &path).await, Some(Version(10)));
    joined.leave().await;
    other.sync().await.unwrap();
    assert_eq!(read(other.as_ref(), &path).await, None);
    assert!(!*told.borrow());
}

pub(crate) async fn the_declared_dead_are_told(world: &World) {
    let other = world.open().await;
    let path = member_path("demo-a", 1);
    let (_records, _joined, mut told) = keep(&world.url(), 1);
    node_becomes(other.as_ref(), &path, "joined", |node| node.is_some()).await;
    // Deleted by mistake, without an obituary: it joins again.
    other.commit(vec![delete(&path)]).await.unwrap();
    node_becomes(other.as_ref(), &path, "joined again", |node| node.is_some()).await;
    declare_dead(other.as_ref(), &paths(), &obituary("demo-a", 1)).await.unwrap();
    soon("the news", told.wait_for(|dead| *dead)).await.unwrap();
    assert_eq!(read(other.as_ref(), &path).await, None);
}

pub(crate) async fn a_dropped_membership_ends(world: &World) {
    let other = world.open().await;
    let path = member_path("demo-a", 1);
    let (_records, joined, _) = keep(&world.url(), 1);
    node_becomes(other.as_ref(), &path, "joined", |node| node.is_some()).await;
    let link = joined.link().clone();
    assert!(link.tree().is_some());
    drop(joined);
    node_becomes(other.as_ref(), &path, "gone", |node| node.is_none()).await;
    soon("no session", async {
        while link.tree().is_some() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

pub(crate) async fn obituaries_are_pruned_under_the_fence(world: &World) {
    let tree = world.open().await;
    let lives: Vec<Incarnation> = (1..=5).map(Incarnation::from_u128).collect();
    for life in 1..=4 {
        declare_dead(tree.as_ref(), &paths(), &obituary("demo-a", life)).await.unwrap();
    }
    let term = super::election::lead(&tree, "w1").await;
    prune(&term, &paths(), &lives[1..]).await.unwrap();
    assert_eq!(tree.list(&paths().obituaries()).await.unwrap(), [paths().obituary(lives[0])]);
    let contender = tree.list(&paths().contenders()).await.unwrap().remove(0);
    tree.commit(vec![delete(&contender)]).await.unwrap();
    prune(&term, &paths(), &lives).await.unwrap_err();
    assert_eq!(tree.list(&paths().obituaries()).await.unwrap(), [paths().obituary(lives[0])]);
}
