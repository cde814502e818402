//! Contract: what every coordination adapter must do, run against each of them by `embedded.rs` and `zookeeper.rs`.
#![allow(dead_code, reason = "each of the two test programs uses its own part")]

pub(crate) mod election;
pub(crate) mod member;
pub(crate) mod presence;
pub(crate) mod session;
pub(crate) mod tree;
pub(crate) mod view;

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};
use watchdog_core::ids::{Epoch, Incarnation, Version};
use watchdog_core::state::Hash;
use watchdog_membership::records::{
    ContenderRecord, FORMAT, Health, HostRecord, MemberRecord, ObituaryRecord, Paths, Phase, ProbeState,
    ProcessRecord,
};
use watchdog_membership::tree::{Change, Mode, Node, Operation, Session, Tree};
use watchdog_membership::wire::{Options, connector};

/// The session time-out of the tests.
pub(crate) const TIMEOUT: Duration = Duration::from_millis(1500);
/// Nothing takes this long but a failure, however loaded the machine is.
const DEADLINE: Duration = Duration::from_secs(60);

/// A service to test against, as fresh as new.
pub(crate) struct World {
    /// Where one of its servers listens.
    pub(crate) server: SocketAddr,
    /// What stands before and behind that in the url.
    pub(crate) scheme: &'static str,
    pub(crate) chroot: String,
    /// Whatever must live as long.
    pub(crate) _guard: Box<dyn Any + Send + Sync>,
}

impl World {
    pub(crate) fn url(&self) -> String {
        format!("{}://{}{}", self.scheme, self.server, self.chroot)
    }

    pub(crate) async fn open(&self) -> Arc<dyn Tree> {
        open(&self.url()).await
    }

    /// A way to the server that can be cut, and its url.
    pub(crate) async fn proxy(&self) -> (Proxy, String) {
        let proxy = Proxy::start(self.server).await;
        let url = format!("{}://{}{}", self.scheme, proxy.address, self.chroot);
        (proxy, url)
    }

    /// A client that can be killed like a process.
    pub(crate) async fn doomed(&self) -> Doomed {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let url = self.url();
        let tree = runtime.spawn(async move { open(&url).await }).await.unwrap();
        Doomed { runtime: Some(runtime), tree }
    }
}

pub(crate) fn options() -> Options {
    Options { session_timeout: TIMEOUT, ..Options::default() }
}

pub(crate) async fn open(url: &str) -> Arc<dyn Tree> {
    let connect = connector(url, options()).unwrap();
    let mut last = None;
    for _ in 0..10 {
        match connect.open().await {
            Ok(tree) => return tree,
            Err(error) => last = Some(error),
        }
    }
    panic!("{url}: {last:?}");
}

/// Fails with `what` instead of hanging.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what}: not within {DEADLINE:?}"),
    }
}

/// Reads again at each change until `path` is as wanted.
pub(crate) async fn node_becomes(
    tree: &dyn Tree,
    path: &str,
    what: &str,
    wanted: impl Fn(Option<&Node>) -> bool,
) -> Option<Node> {
    let mut changes = tree.watch(path).await.unwrap();
    soon(what, async {
        loop {
            let node = read(tree, path).await;
            if wanted(node.as_ref()) {
                return node;
            }
            changes.recv().await.unwrap_or_else(|| panic!("{what}: the session is over"));
        }
    })
    .await
}

pub(crate) async fn state_becomes(tree: &dyn Tree, wanted: Session) {
    let mut session = tree.session();
    soon(&format!("{wanted:?}"), session.wait_for(|state| *state == wanted)).await.unwrap();
}

pub(crate) async fn next(changes: &mut mpsc::UnboundedReceiver<Change>) -> Change {
    soon("a change", changes.recv()).await.expect("the watch ended")
}

/// Waits for the news of `path`; others may come before, and the same more than once.
pub(crate) async fn told(changes: &mut mpsc::UnboundedReceiver<Change>, wanted: &Change) {
    while next(changes).await != *wanted {}
}

pub(crate) async fn read(tree: &dyn Tree, path: &str) -> Option<Node> {
    tree.read(&[path.to_owned()]).await.unwrap().pop().unwrap()
}

pub(crate) fn create(path: &str, mode: Mode) -> Operation {
    Operation::Create { path: path.into(), data: b"x".to_vec(), mode }
}

pub(crate) fn set(path: &str, version: Option<i32>) -> Operation {
    Operation::Set { path: path.into(), data: b"y".to_vec(), version }
}

pub(crate) fn check(path: &str, version: Option<i32>) -> Operation {
    Operation::Check { path: path.into(), version }
}

pub(crate) fn delete(path: &str) -> Operation {
    Operation::Delete { path: path.into(), version: None }
}

/// A client in a runtime of its own.
pub(crate) struct Doomed {
    runtime: Option<Runtime>,
    pub(crate) tree: Arc<dyn Tree>,
}

impl Doomed {
    /// Nothing of it runs any more, and it says goodbye to nobody.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Its last handle may not run its drop either.
            std::mem::forget(Arc::clone(&self.tree));
            runtime.shutdown_background();
        }
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
        self.kill();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Open,
    Silent,
    Closed,
}

/// A way to a server that can be cut.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    way: watch::Sender<Way>,
}

impl Proxy {
    async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (way, state) = watch::channel(Way::Open);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, server, state.clone()));
            }
        });
        Self { address, way }
    }

    /// Bytes are swallowed, connections stay.
    pub(crate) fn silence(&self) {
        self.way.send_replace(Way::Silent);
    }

    /// Connections end, and new ones too, until it is opened.
    pub(crate) fn close(&self) {
        self.way.send_replace(Way::Closed);
    }

    pub(crate) fn open(&self) {
        self.way.send_replace(Way::Open);
    }
}

async fn carry(client: TcpStream, server: SocketAddr, mut state: watch::Receiver<Way>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (client_in, client_out) = client.into_split();
    let (server_in, server_out) = server.into_split();
    let (up, down) = (state.clone(), state.clone());
    tokio::select! {
        // A silent connection stays so: what it swallowed is lost, so it may not speak again.
        _ = state.wait_for(|way| *way == Way::Closed) => {}
        () = pump(client_in, server_out, up) => {}
        () = pump(server_in, client_out, down) => {}
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    state: watch::Receiver<Way>,
) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut bytes = vec![0; 64 * 1024];
    let mut lost = false;
    loop {
        let Ok(count @ 1..) = from.read(&mut bytes).await else { return };
        lost |= *state.borrow() == Way::Silent;
        if !lost && to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

pub(crate) fn paths() -> Paths {
    Paths::new(&"demo".parse().unwrap())
}

pub(crate) fn contender(name: &str) -> ContenderRecord {
    let address = "http://127.0.0.1:7000".to_owned();
    ContenderRecord {
        format: FORMAT,
        watchdog: name.parse().unwrap(),
        address,
        pid: 7,
        reaches_journal: true,
    }
}

pub(crate) fn member(replica: &str, life: u128) -> MemberRecord {
    MemberRecord {
        format: FORMAT,
        replica: replica.parse().unwrap(),
        incarnation: Incarnation::from_u128(life),
        host: "h1".parse().unwrap(),
        pid: 4711,
        start_ticks: 99,
        boot_id: "b".into(),
        address: "http://127.0.0.1:7001".into(),
        service: None,
        version: Version(3),
        state_hash: Hash::default(),
        health: Health::Ready,
        detail: String::new(),
        epoch: Epoch(1),
        since_ms: 5,
    }
}

pub(crate) fn process(replica: &str, life: u128) -> ProcessRecord {
    ProcessRecord {
        format: FORMAT,
        replica: replica.parse().unwrap(),
        incarnation: Incarnation::from_u128(life),
        host: "h1".parse().unwrap(),
        pid: 4711,
        start_ticks: 99,
        boot_id: "b".into(),
        phase: Phase::Running,
        probe: ProbeState::Passing,
        detail: String::new(),
        since_ms: 5,
        loaded: None,
    }
}

pub(crate) fn obituary(replica: &str, life: u128) -> ObituaryRecord {
    ObituaryRecord {
        format: FORMAT,
        replica: replica.parse().unwrap(),
        incarnation: Incarnation::from_u128(life),
        host: "h1".parse().unwrap(),
        status: "signal 9 (SIGKILL)".into(),
        tree_gone: true,
        at_ms: 6,
    }
}

pub(crate) fn host() -> HostRecord {
    HostRecord {
        format: FORMAT,
        host: "h1".parse().unwrap(),
        instance: "i".into(),
        address: "http://127.0.0.1:7002".into(),
        pid: 12,
        boot_id: "b".into(),
        inventory_complete: true,
        epoch: Epoch(0),
    }
}

/// Makes a test of each of these, in the world that `$world` makes.
macro_rules! contract {
    ($world:expr; $($module:ident { $($name:ident),* $(,)? })*) => {
        $(mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let world = $world().await;
                    super::contract::$module::$name(&world).await;
                }
            )*
        })*
    };
}

/// All of the contract.
macro_rules! whole_contract {
    ($world:expr) => {
        contract! { $world;
            tree {
                commits_are_all_or_nothing,
                parents_are_made,
                a_create_and_its_delete_fit_in_one_commit,
                nodes_carry_their_stamps,
                lists_and_reads_hold_thousands,
                watches_tell_of_everything_below,
            }
            session {
                ephemeral_nodes_end_with_a_closed_session,
                ephemeral_nodes_end_with_a_dropped_tree,
                ephemeral_nodes_of_the_killed_end_with_their_timeout,
                a_cut_connection_resyncs_in_the_same_session,
                a_silent_network_suspends_then_expires,
                a_suspended_session_comes_back,
            }
            election {
                the_next_in_the_row_leads,
                the_killed_are_succeeded,
                the_deposed_write_nothing,
                a_removed_contender_cannot_mint,
                confirms_cost_little,
                epochs_pass_those_of_the_journal,
                a_suspended_leader_stops_and_may_go_on,
            }
            member {
                the_dead_join_no_more,
                members_update_and_leave,
                an_earlier_session_is_replaced,
                the_kept_join_again_after_expiry,
                the_declared_dead_are_told,
                obituaries_are_pruned_under_the_fence,
            }
            presence {
                what_is_present_is_published_and_taken_back,
                presence_comes_back_after_expiry,
                the_epoch_is_seen_and_confirmed,
            }
            view {
                a_view_follows_what_changes,
                a_view_survives_a_cut_and_is_silent_about_the_unseen,
                what_cannot_be_read_is_named,
                a_look_sees_what_was_committed_before,
                ten_thousand_members_cost_what_changes,
            }
        }
    };
}
