//! Embedded: the service keeps the contract, and what outlives it.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[macro_use]
mod contract;

use std::sync::Arc;

use contract::*;
use tempfile::TempDir;
use tokio::net::TcpListener;
use watchdog_core::ids::{Epoch, Version};
use watchdog_core::state::Hash;
use watchdog_membership::election::Contender;
use watchdog_membership::embedded::{Serving, serve};
use watchdog_membership::term::{Lost, Term};
use watchdog_membership::tree::{Mode, Session, TreeError};

async fn start(dir: &TempDir, address: &str) -> Serving {
    let listener = soon("the port", async {
        loop {
            match TcpListener::bind(address).await {
                Ok(listener) => return listener,
                // The last connections of the service before are still being taken down.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    })
    .await;
    serve(listener, dir.path()).unwrap()
}

fn world_of(serving: Serving, dir: TempDir) -> World {
    let server = serving.url().trim_start_matches("embedded://").parse().unwrap();
    let timeout = options("embedded").session_timeout;
    World { server, scheme: "embedded", chroot: String::new(), timeout, _guard: Box::new((serving, dir)) }
}

async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    world_of(start(&dir, "127.0.0.1:0").await, dir)
}

whole_contract!(super::world);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn epochs_outlive_the_service_and_sessions_do_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut serving = start(&dir, "127.0.0.1:0").await;
    let url = serving.url();
    let address = url.trim_start_matches("embedded://").to_owned();
    let mut epoch = Epoch(0);
    let mut transaction = 0;
    for round in 0..5 {
        let tree = open(&url).await;
        let contender = Contender::enter(Arc::clone(&tree), paths(), contender("w1")).await.unwrap();
        soon("the election", contender.won()).await.unwrap();
        let term = Term::mint(contender, Epoch(0)).await.unwrap();
        assert_eq!(term.epoch(), epoch.next(), "round {round}");
        epoch = term.epoch();
        assert_eq!(term.previous().map_or(Version(0), |previous| previous.head), Version(round));
        term.confirm(epoch, Version(round + 1), Hash::default()).await.unwrap();
        let node = read(tree.as_ref(), &paths().epoch()).await.unwrap();
        assert!(node.modified > transaction, "transactions go on growing");
        transaction = node.modified;
        serving.stop().await;
        let lost = soon("lost", term.lost()).await;
        assert!(matches!(lost, Lost::Suspended | Lost::Stale), "{lost:?}");
        serving = start(&dir, &address).await;
        state_becomes(tree.as_ref(), Session::Expired).await;
        assert!(matches!(tree.commit(vec![check("/demo", None)]).await, Err(TreeError::Expired)));
    }
    let tree = open(&url).await;
    assert_eq!(tree.list(&paths().contenders()).await.unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_disk_does_not_take_did_not_happen() {
    let dir = tempfile::tempdir().unwrap();
    let world = world_of(start(&dir, "127.0.0.1:0").await, tempfile::tempdir().unwrap());
    let tree = world.open().await;
    tree.commit(vec![create("/d/a", Mode::Persistent)]).await.unwrap();
    let place = dir.path().join("tree");
    std::fs::remove_file(&place).unwrap();
    // A directory in the way of the rename.
    std::fs::create_dir_all(place.join("in-the-way")).unwrap();
    for operations in [vec![create("/d/b", Mode::Persistent)], vec![set("/d/a", None)], vec![delete("/d/a")]]
    {
        let error = tree.commit(operations).await.unwrap_err();
        let TreeError::Unavailable { source, .. } = &error else { panic!("{error:?}") };
        assert!(source.to_string().contains("changed nothing"), "{source}");
    }
    assert_eq!(tree.list("/d").await.unwrap(), ["/d/a"]);
    assert_eq!(read(tree.as_ref(), "/d/a").await.unwrap().version, 0);
    // What needs no disk goes on.
    tree.commit(vec![create("/d/e", Mode::Ephemeral)]).await.unwrap();
    std::fs::remove_dir_all(&place).unwrap();
    tree.commit(vec![set("/d/a", Some(0))]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_refuses_what_it_cannot_keep_safe() {
    let dir = tempfile::tempdir().unwrap();
    let far = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let error = serve(far, dir.path()).unwrap_err();
    assert!(error.to_string().contains("loopback"), "{error}");
    let serving = start(&dir, "127.0.0.1:0").await;
    let second = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = serve(second, dir.path()).unwrap_err();
    assert!(error.to_string().contains("another process"), "{error}");
    serving.stop().await;
    std::fs::write(dir.path().join("tree"), "garbage\n{}").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let error = serve(listener, dir.path()).unwrap_err();
    assert!(error.to_string().contains("hash"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nonsense_is_answered_with_its_reason() {
    let world = world().await;
    let tree = world.open().await;
    for path in ["", "x", "/a//b", "/a b", "/../x"] {
        let error = tree.commit(vec![create(path, Mode::Persistent)]).await.unwrap_err();
        assert!(matches!(error, TreeError::Unavailable { .. }), "{path:?}: {error:?}");
    }
    assert_eq!(*tree.session().borrow(), Session::Connected);
}
