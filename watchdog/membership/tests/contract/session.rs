//! Session: how sessions end, and how they don't.

use super::*;
use watchdog_membership::tree::TreeError;

async fn with_node(tree: &dyn Tree, path: &str) {
    tree.commit(vec![create(path, Mode::Ephemeral)]).await.unwrap();
}

pub(crate) async fn ephemeral_nodes_end_with_a_closed_session(world: &World) {
    let (tree, other) = (world.open().await, world.open().await);
    with_node(tree.as_ref(), "/s/a").await;
    let session = tree.session();
    let closed = std::time::Instant::now();
    tree.close().await;
    assert_eq!(*session.borrow(), Session::Expired);
    node_becomes(other.as_ref(), "/s/a", "gone at once", |node| node.is_none()).await;
    // Far below the time-out, if the machine gives us any time at all.
    assert!(
        closed.elapsed() < world.timeout || closed.elapsed() > 4 * world.timeout,
        "{:?}",
        closed.elapsed()
    );
    assert!(matches!(tree.commit(vec![check("/s", None)]).await, Err(TreeError::Expired)));
    assert!(matches!(tree.read(&["/s".into()]).await, Err(TreeError::Expired)));
    assert!(matches!(tree.watch("/s").await, Err(TreeError::Expired)));
}

pub(crate) async fn ephemeral_nodes_end_with_a_dropped_tree(world: &World) {
    let (tree, other) = (world.open().await, world.open().await);
    with_node(tree.as_ref(), "/s/a").await;
    let _watch = tree.watch("/s").await.unwrap();
    drop(tree);
    node_becomes(other.as_ref(), "/s/a", "gone", |node| node.is_none()).await;
}

pub(crate) async fn ephemeral_nodes_of_the_killed_end_with_their_timeout(world: &World) {
    let mut doomed = world.doomed().await;
    let other = world.open().await;
    with_node(doomed.tree.as_ref(), "/s/a").await;
    let killed = std::time::Instant::now();
    doomed.kill();
    node_becomes(other.as_ref(), "/s/a", "gone after the time-out", |node| node.is_none()).await;
    assert!(killed.elapsed() >= world.timeout / 2, "{:?}", killed.elapsed());
    assert_eq!(*other.session().borrow(), Session::Connected);
}

pub(crate) async fn a_cut_connection_resyncs_in_the_same_session(world: &World) {
    let (proxy, url) = world.proxy().await;
    let (tree, other) = (open(&url).await, world.open().await);
    with_node(tree.as_ref(), "/s/a").await;
    let mut changes = tree.watch("/s").await.unwrap();
    proxy.close();
    // It happens while nobody tells us.
    other.commit(vec![create("/s/b", Mode::Persistent)]).await.unwrap();
    proxy.open();
    told(&mut changes, &Change::Resync).await;
    assert!(read(tree.as_ref(), "/s/b").await.is_some());
    assert_eq!(read(tree.as_ref(), "/s/a").await.unwrap().owner, Some(tree.session_id()));
    other.commit(vec![create("/s/c", Mode::Persistent)]).await.unwrap();
    told(&mut changes, &Change::Path("/s/c".into())).await;
    state_becomes(tree.as_ref(), Session::Connected).await;
}

pub(crate) async fn a_silent_network_suspends_then_expires(world: &World) {
    let (proxy, url) = world.proxy().await;
    let (tree, other) = (open(&url).await, world.open().await);
    with_node(tree.as_ref(), "/s/a").await;
    let mut changes = tree.watch("/s").await.unwrap();
    proxy.silence();
    state_becomes(tree.as_ref(), Session::Suspended).await;
    // Suspended long before anybody else may think that we are gone.
    assert!(read(other.as_ref(), "/s/a").await.is_some());
    let written = tree.commit(vec![set("/s/a", None)]).await;
    assert!(written.is_err(), "{written:?}");
    state_becomes(tree.as_ref(), Session::Expired).await;
    soon("the end of the watch", async { while changes.recv().await.is_some() {} }).await;
    node_becomes(other.as_ref(), "/s/a", "gone", |node| node.is_none()).await;
    proxy.open();
    assert!(matches!(tree.commit(vec![set("/s", None)]).await, Err(TreeError::Expired)));
    let again = open(&url).await;
    assert_ne!(again.session_id(), tree.session_id());
}

pub(crate) async fn a_suspended_session_comes_back(world: &World) {
    let (proxy, url) = world.proxy().await;
    let tree = open(&url).await;
    with_node(tree.as_ref(), "/s/a").await;
    proxy.close();
    state_becomes(tree.as_ref(), Session::Suspended).await;
    proxy.open();
    state_becomes(tree.as_ref(), Session::Connected).await;
    assert_eq!(read(tree.as_ref(), "/s/a").await.unwrap().owner, Some(tree.session_id()));
    tree.commit(vec![set("/s/a", Some(0))]).await.unwrap();
}
