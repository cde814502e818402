//! ZooKeeper: a real ensemble of three keeps the contract, also when its nodes fail.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

#[macro_use]
mod contract;

use std::sync::Arc;
use std::time::Duration;

use contract::*;
use watchdog_membership::member::Member;
use watchdog_membership::tree::{Mode, Session, Tree, TreeError};
use watchdog_membership::view::View;
use watchdog_membership::wire::{Options, connector};
use watchdog_tests::zookeeper::{Ensemble, shared};

async fn world() -> World {
    let chroot = tokio::task::spawn_blocking(|| shared().unwrap()).await.unwrap();
    let server = chroot.ensemble.node(0).address();
    let path = format!("{}/fresh", chroot.path());
    let timeout = options("zookeeper").session_timeout;
    World { server, scheme: "zookeeper", chroot: path, timeout, _guard: Box::new(chroot) }
}

whole_contract!(super::world);

async fn ensemble() -> Arc<Ensemble> {
    tokio::task::spawn_blocking(|| Arc::new(Ensemble::start(3).unwrap())).await.unwrap()
}

/// Does something to the ensemble that blocks.
async fn with<T: Send + 'static>(
    ensemble: &Arc<Ensemble>,
    act: impl FnOnce(&Ensemble) -> T + Send + 'static,
) -> T {
    let ensemble = Arc::clone(ensemble);
    tokio::task::spawn_blocking(move || act(&ensemble)).await.unwrap()
}

async fn open_with(url: &str, session_timeout: Duration) -> Arc<dyn Tree> {
    let connect = connector(url, Options { session_timeout, ..Options::default() }).unwrap();
    soon("a session", async {
        loop {
            if let Ok(tree) = connect.open().await {
                return tree;
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_survive_the_loss_of_the_leading_node() {
    let ensemble = ensemble().await;
    let url = format!("zookeeper://{}", ensemble.connect_string());
    // Long enough for a new leader also where the machine is busy with everything else.
    let trees =
        [open_with(&url, Duration::from_secs(15)).await, open_with(&url, Duration::from_secs(15)).await];
    for (n, tree) in trees.iter().enumerate() {
        let life = u128::try_from(n).unwrap();
        Member::join(Arc::clone(tree), &paths(), member(&format!("demo-{n}"), life)).await.unwrap();
    }
    let mut view = View::open(Arc::clone(&trees[0]), paths()).await.unwrap();
    with(&ensemble, |ensemble| {
        let leader = ensemble.leader_index().unwrap();
        ensemble.node(leader).kill();
    })
    .await;
    for tree in &trees {
        soon("a write", async {
            while tree.commit(vec![create("/demo/after/n-", Mode::EphemeralSequential)]).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
        assert_eq!(*tree.session().borrow(), Session::Connected);
    }
    soon("the view", async {
        while view.refresh().await.is_err() {
            view.changed().await;
        }
    })
    .await;
    assert_eq!(view.picture().members.len(), 2, "nobody was lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_comes_back_after_the_loss_of_all_nodes() {
    let ensemble = ensemble().await;
    let url = format!("zookeeper://{}/prod", ensemble.connect_string());
    let tree = open(&url).await;
    Member::join(Arc::clone(&tree), &paths(), member("demo-a", 1)).await.unwrap();
    let leader = contract::election::lead(&tree, "w1").await;
    with(&ensemble, |ensemble| (0..3).for_each(|n| ensemble.node(n).stop())).await;
    state_becomes(tree.as_ref(), Session::Suspended).await;
    assert!(!leader.surely_alive());
    state_becomes(tree.as_ref(), Session::Expired).await;
    with(&ensemble, |ensemble| (0..3).for_each(|n| ensemble.node(n).cont())).await;
    let again = open_with(&url, Duration::from_secs(4)).await;
    let second = contract::election::lead(&again, "w1").await;
    assert!(second.epoch() > leader.epoch());
    let view = View::open(again, paths()).await.unwrap();
    assert_eq!(view.picture().epoch.as_ref().unwrap().record.epoch, second.epoch());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_an_owner_is_denied_to_others() {
    let world = world().await;
    let with_digest = |digest: Option<&str>| {
        let digest = digest.map(|digest| digest.parse().unwrap());
        connector(&world.url(), Options { session_timeout: world.timeout, digest, tls: None }).unwrap()
    };
    let ours = with_digest(Some("watchdog:right")).open().await.unwrap();
    ours.commit(vec![create("/demo/secret", Mode::Persistent)]).await.unwrap();
    assert!(read(ours.as_ref(), "/demo/secret").await.is_some());
    ours.commit(vec![check("/demo/secret", Some(0)), set("/demo/secret", None)]).await.unwrap();
    for other in [Some("watchdog:wrong"), None] {
        let other = with_digest(other).open().await.unwrap();
        let path = || "/demo/secret".to_owned();
        let read = other.read(&[path()]).await;
        assert!(matches!(read, Err(TreeError::Denied { .. })), "{read:?}");
        for operation in
            [set("/demo/secret", None), check("/demo/secret", None), create("/demo/x", Mode::Ephemeral)]
        {
            let written = other.commit(vec![operation]).await;
            assert!(matches!(written, Err(TreeError::Denied { .. })), "{written:?}");
        }
        let list = other.list("/demo").await;
        assert!(matches!(list, Err(TreeError::Denied { .. })), "{list:?}");
    }
    assert_eq!(read(ours.as_ref(), "/demo/secret").await.unwrap().version, 1);
}
