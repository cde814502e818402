//! Group: how an embedded agent joins, tells, hears and leaves, with the embedded coordination service.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use support::{DEADLINE, Mood, Rig, drain, eventually, first, load, second};
use tempfile::TempDir;
use tokio::net::TcpListener;
use watchdog_core::ids::{Epoch, Version};
use watchdog_membership::embedded::{Serving, serve};
use watchdog_membership::records::{EpochRecord, FORMAT, Health, MemberRecord, Paths, decode, encode};
use watchdog_membership::tree::{Mode, Node, Operation, Tree};
use watchdog_membership::wire::{Options, connector};
use watchdog_proto::agent::act_request::Act;

/// The coordination service, and a session that looks.
struct Coordination {
    directory: TempDir,
    serving: Serving,
    tree: Arc<dyn Tree>,
}

async fn listen(port: u16) -> TcpListener {
    eventually(async || TcpListener::bind(("127.0.0.1", port)).await.ok()).await
}

impl Coordination {
    async fn start() -> Self {
        let directory = TempDir::new().unwrap();
        let serving = serve(listen(0).await, directory.path()).unwrap();
        let tree = open(&serving.url()).await;
        Self { directory, serving, tree }
    }

    /// Stops it, and starts it again at the same place: all sessions are lost.
    async fn restart(self) -> Self {
        let url = self.serving.url();
        let port = url.rsplit(':').next().unwrap().parse().unwrap();
        self.serving.stop().await;
        let serving = serve(listen(port).await, self.directory.path()).unwrap();
        Self { directory: self.directory, serving, tree: open(&url).await }
    }

    async fn node(&self) -> Option<Node> {
        let path = paths().member(&"demo-a".parse().unwrap(), support::INCARNATION.parse().unwrap());
        self.tree.read(&[path]).await.unwrap().remove(0)
    }

    async fn member(&self) -> Option<MemberRecord> {
        self.node().await.map(|node| decode("member", &node.data).unwrap())
    }

    async fn member_such_that(&self, wanted: impl Fn(&MemberRecord) -> bool) -> MemberRecord {
        eventually(async || self.member().await.filter(|record| wanted(record))).await
    }
}

async fn open(url: &str) -> Arc<dyn Tree> {
    let connect = connector(url, Options::default()).unwrap();
    eventually(async || connect.open().await.ok()).await
}

fn paths() -> Paths {
    Paths::new(&"demo".parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_tells_what_is_in_memory_and_only_when_it_changes() {
    let group = Coordination::start().await;
    let mut rig = Rig::start(Some(group.serving.url())).await;
    let record = group.member_such_that(|_| true).await;
    assert_eq!(
        (record.version, record.state_hash),
        (Version(1), first().hash()),
        "never seen before it is loaded"
    );
    assert_eq!((record.health, record.epoch), (Health::Ready, Epoch(3)));
    assert_eq!(record.address, rig.address);
    assert_eq!(record.service.as_deref(), Some("http://127.0.0.1:9"));
    assert_eq!(record.pid, std::process::id());

    let mut changes = group.tree.watch(&paths().members()).await.unwrap();
    let quiet = tokio::time::timeout(Duration::from_millis(400), changes.recv()).await;
    assert!(quiet.is_err(), "nothing changed, and still {quiet:?}");

    rig.act("3-1-1", Act::Load(load())).await.unwrap();
    let record = group.member_such_that(|record| record.version == Version(2)).await;
    assert_eq!(record.state_hash, second().hash());
    rig.act("3-1-2", drain()).await.unwrap();
    group.member_such_that(|record| record.health == Health::Draining).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drift_and_hanging_are_told_without_anybody_asking() {
    let group = Coordination::start().await;
    let rig = Rig::start(Some(group.serving.url())).await;
    *rig.toy.state.write().unwrap() = second();
    let record = group.member_such_that(|record| record.state_hash == second().hash()).await;
    assert_eq!(record.version, Version(1), "nobody ordered anything");
    rig.toy.mood.send_replace(Mood::HangWhenChecked);
    let record = group.member_such_that(|record| record.health == Health::Unhealthy).await;
    assert_eq!(record.detail, "the application has not answered its own checks for 1000 ms");
    rig.toy.mood.send_replace(Mood::Good);
    group.member_such_that(|record| record.health == Health::Ready).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_epoch_minted_in_the_group_fences_older_orders() {
    let group = Coordination::start().await;
    let mut rig = Rig::start(Some(group.serving.url())).await;
    group.member_such_that(|_| true).await;
    let record = EpochRecord {
        format: FORMAT,
        epoch: Epoch(9),
        leader: "w1".parse().unwrap(),
        term: Epoch(3),
        head: Version(2),
        hash: second().hash(),
    };
    let create = Operation::Create { path: paths().epoch(), data: encode(&record), mode: Mode::Persistent };
    group.tree.commit(vec![create]).await.unwrap();
    group.member_such_that(|record| record.epoch == Epoch(9)).await;
    let refused = rig.act("3-1-1", drain()).await.unwrap_err();
    assert_eq!(refused.message(), "order.epoch: epoch 3 is over; this agent has seen epoch 9");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaving_is_seen_at_once() {
    let group = Coordination::start().await;
    let rig = Rig::start(Some(group.serving.url())).await;
    group.member_such_that(|_| true).await;
    rig.stop().await.unwrap();
    assert_eq!(group.node().await, None, "gone before the agent returns");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_group_stops_nothing_and_is_joined_again() {
    let group = Coordination::start().await;
    let mut rig = Rig::start(Some(group.serving.url())).await;
    group.member_such_that(|_| true).await;
    let group = group.restart().await;
    let (_, result) = rig.act("3-1-1", Act::Load(load())).await.unwrap();
    assert_eq!(result.error, "");
    group.member_such_that(|record| record.version == Version(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_that_nobody_serves_yet_is_joined_once_it_is_there() {
    let listener = listen(0).await;
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = format!("embedded://127.0.0.1:{port}");
    let mut rig = Rig::start(Some(url.clone())).await;
    assert_eq!(rig.act("3-1-1", Act::Load(load())).await.unwrap().1.error, "");
    let directory = TempDir::new().unwrap();
    let serving = serve(listen(port).await, directory.path()).unwrap();
    let group = Coordination { directory, serving, tree: open(&url).await };
    group.member_such_that(|record| record.version == Version(2)).await;
    tokio::time::timeout(DEADLINE, rig.stop()).await.unwrap().unwrap();
}
