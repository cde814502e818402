//! Contract: what every coordination adapter must do, run against each of them by `embedded.rs` and `zookeeper.rs`.
#![allow(dead_code, reason = "each of the two test programs uses its own part")]

pub(crate) mod election;
pub(crate) mod member;
pub(crate) mod pauses;
pub(crate) mod presence;
mod proxy;
mod samples;
pub(crate) mod session;
pub(crate) mod tree;
pub(crate) mod view;

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use proxy::Proxy;
pub(crate) use samples::*;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use watchdog_membership::tree::{Change, Mode, Node, Operation, Session, Tree};
use watchdog_membership::wire::{Options, connector};

/// Nothing takes this long but a failure, however loaded the machine is.
const DEADLINE: Duration = Duration::from_mins(1);

/// A service to test against, as fresh as new.
pub(crate) struct World {
    /// Where one of its servers listens.
    pub(crate) server: SocketAddr,
    /// What stands before and behind that in the url.
    pub(crate) scheme: &'static str,
    pub(crate) chroot: String,
    /// The time-out of its sessions.
    pub(crate) timeout: Duration,
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

/// Long enough not to end by itself where the machine is busy with everything else; three servers in Java need more.
pub(crate) fn options(url: &str) -> Options {
    let session_timeout = Duration::from_millis(if url.starts_with("zookeeper") { 4000 } else { 3000 });
    Options { session_timeout, ..Options::default() }
}

pub(crate) async fn open(url: &str) -> Arc<dyn Tree> {
    let connect = connector(url, options(url)).unwrap();
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
    let value = tokio::time::timeout(DEADLINE, future).await;
    value.unwrap_or_else(|_| panic!("{what}: not within {DEADLINE:?}"))
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
                a_term_is_confirmed_beside_what_takes_long,
                epochs_pass_those_of_the_journal,
                a_suspended_leader_stops_and_may_go_on,
            }
            member {
                the_dead_join_no_more,
                members_update_and_leave,
                an_earlier_session_is_replaced,
                the_kept_join_again_after_expiry,
                the_declared_dead_are_told,
                a_dropped_membership_ends,
                obituaries_are_pruned_under_the_fence,
            }
            pauses {
                pauses_outlive_their_leader_and_are_fenced,
                pauses_that_cannot_be_read_are_not_none,
                an_obituary_of_another_host_gives_way,
            }
            presence {
                what_is_present_is_published_and_taken_back,
                presence_comes_back_after_expiry,
                the_epoch_is_seen_and_confirmed,
            }
            view {
                a_view_follows_what_changes,
                what_comes_and_goes_between_two_readings_is_told,
                a_view_survives_a_cut_and_is_silent_about_the_unseen,
                what_cannot_be_read_is_named,
                a_look_sees_what_was_committed_before,
                ten_thousand_members_cost_what_changes,
            }
        }
    };
}
