//! Member: one incarnation of a replica in the group, unless it was declared dead.
//!
//! ```text
//! join: multi{create obituary, delete it, create member} ──► update (when it changed) ──► leave
//!              └ exists: declared dead, stop serving
//! ```
//!
//! *Guarantees.* The three are one commit, so an obituary that is there makes
//! it fail, and one that comes later deletes what it made.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::delay::Delay;
use crate::link::{Keeping, Link, expired, link};
use crate::obituary::remove;
use crate::records::{MemberRecord, Paths, encode};
use crate::term::is_missing;
use crate::tree::{Connect, Mode, Operation, Refused, Tree, TreeError};

/// Why an incarnation is not in the group.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// Its obituary stands: somebody may already run in its place.
    #[error("this incarnation was declared dead")]
    DeclaredDead,
    /// The tree failed.
    #[error("cannot join the group")]
    Tree {
        /// Why.
        source: TreeError,
    },
}

/// A membership. Dropping it leaves the node where it is until the session ends; see [`Member::leave`].
pub struct Member {
    tree: Arc<dyn Tree>,
    path: String,
    record: MemberRecord,
}

impl Member {
    /// Joins the group.
    ///
    /// # Errors
    ///
    /// [`JoinError::DeclaredDead`] is for good; after anything else try again, in a new session if this one has expired.
    pub async fn join(tree: Arc<dyn Tree>, paths: &Paths, record: MemberRecord) -> Result<Self, JoinError> {
        watchdog_crash_points::crash_point!("replica.group.joining");
        let path = paths.member(&record.replica, record.incarnation);
        let obituary = paths.obituary(record.incarnation);
        let create = Operation::Create { path: path.clone(), data: encode(&record), mode: Mode::Ephemeral };
        match tree.commit(registration(&obituary, vec![create.clone()])).await {
            Ok(_) => {}
            Err(TreeError::Refused { index: 2, reason: Refused::Exists, .. }) => {
                // Ours, of an earlier session or of a try whose answer was lost: an incarnation is one process.
                let nodes = tree.read(std::slice::from_ref(&path)).await;
                let nodes = nodes.map_err(|source| JoinError::Tree { source })?;
                let owner = nodes.into_iter().next().flatten().and_then(|node| node.owner);
                let replace = if owner == Some(tree.session_id()) {
                    vec![Operation::Set { path: path.clone(), data: encode(&record), version: None }]
                } else {
                    vec![Operation::Delete { path: path.clone(), version: None }, create]
                };
                tree.commit(registration(&obituary, replace)).await.map_err(join_error)?;
            }
            Err(error) => return Err(join_error(error)),
        }
        watchdog_crash_points::crash_point!("replica.group.joined");
        Ok(Self { tree, path, record })
    }

    /// What the group knows of us.
    pub fn record(&self) -> &MemberRecord {
        &self.record
    }

    /// Tells the group, if anything has changed.
    ///
    /// # Errors
    ///
    /// A refusal as missing means that our node was deleted: join again, which says whether we were declared dead.
    pub async fn update(&mut self, record: MemberRecord) -> Result<(), TreeError> {
        if record == self.record {
            return Ok(());
        }
        let set = Operation::Set { path: self.path.clone(), data: encode(&record), version: None };
        self.tree.commit(vec![set]).await?;
        self.record = record;
        Ok(())
    }

    /// Leaves the group.
    ///
    /// # Errors
    ///
    /// If the tree does not say that we are gone; closing the session removes us too.
    pub async fn leave(self) -> Result<(), TreeError> {
        remove(self.tree.as_ref(), self.path).await
    }
}

/// What is refused when the obituary stands.
fn registration(obituary: &str, operations: Vec<Operation>) -> Vec<Operation> {
    let mut all = vec![
        Operation::Create { path: obituary.to_owned(), data: Vec::new(), mode: Mode::Persistent },
        Operation::Delete { path: obituary.to_owned(), version: None },
    ];
    all.extend(operations);
    all
}

fn join_error(error: TreeError) -> JoinError {
    match error {
        TreeError::Refused { index: 0, reason: Refused::Exists, .. } => JoinError::DeclaredDead,
        source => JoinError::Tree { source },
    }
}

/// A membership that is kept by a task. Dropping it gives the session up, as a crash would.
pub struct Joined {
    link: Link,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Joined {
    /// The session, the epoch, and how fresh they are.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Leaves the group and closes the session.
    pub async fn leave(mut self) {
        self.stop.send_replace(true);
        // A task that panicked has left as well: its session ends by itself.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Keeps a replica in the group: joins, updates on every change of `records`, joins again after expiry.
///
/// `on_dead` is called once, when the incarnation was declared dead; nothing is tried after that.
pub fn keep_joined(
    connect: Arc<dyn Connect>,
    paths: Paths,
    records: watch::Receiver<MemberRecord>,
    on_dead: impl FnOnce() + Send + 'static,
) -> Joined {
    let (keeping, link) = link(connect, paths.clone());
    let (stop, mut stopped) = watch::channel(false);
    let task = tokio::spawn(async move {
        let stop = async move {
            // A sender that is gone stops us too.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        let mut stop = std::pin::pin!(stop);
        loop {
            let tree = tokio::select! {
                () = &mut stop => return,
                tree = keeping.open() => tree,
            };
            let ended = tokio::select! {
                () = &mut stop => Ended::Told,
                ended = serve(&keeping, &tree, &paths, records.clone()) => ended,
            };
            keeping.close(tree.as_ref()).await;
            match ended {
                Ended::Told => return,
                Ended::Dead => return on_dead(),
                Ended::Expired => {}
            }
        }
    });
    Joined { link, stop, task }
}

enum Ended {
    Told,
    Dead,
    Expired,
}

/// One session: resolves when it is over, or we are.
async fn serve(
    keeping: &Keeping,
    tree: &Arc<dyn Tree>,
    paths: &Paths,
    mut records: watch::Receiver<MemberRecord>,
) -> Ended {
    let membership = async {
        let mut delay = Delay::default();
        loop {
            match keep(tree, paths, &mut records, &mut delay).await {
                JoinError::DeclaredDead => return Ended::Dead,
                JoinError::Tree { source: TreeError::Expired } => return Ended::Expired,
                JoinError::Tree { source } => {
                    if delay.is_fresh() {
                        tracing::warn!(error = %source, cause = ?source, "not in the group; trying on");
                    }
                    delay.pause().await;
                }
            }
        }
    };
    let followed = async {
        keeping.follow(tree.as_ref()).await;
        // It ends with the session, which the third branch sees; an epoch that we may not read does not end us.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ended = membership => ended,
        () = followed => Ended::Expired,
        () = expired(tree.as_ref()) => Ended::Expired,
    }
}

/// Joins and updates until something fails.
async fn keep(
    tree: &Arc<dyn Tree>,
    paths: &Paths,
    records: &mut watch::Receiver<MemberRecord>,
    delay: &mut Delay,
) -> JoinError {
    let record = records.borrow_and_update().clone();
    // An obituary deletes our node; only a watch tells one who has nothing to say. It stands before the node does, or
    // it would miss a deletion that follows at once.
    let watched = tree.watch(&paths.member(&record.replica, record.incarnation)).await;
    let mut changes = match watched {
        Ok(changes) => changes,
        Err(source) => return JoinError::Tree { source },
    };
    let mut member = match Member::join(Arc::clone(tree), paths, record).await {
        Ok(member) => member,
        Err(error) => return error,
    };
    delay.reset();
    let mut telling = true;
    loop {
        let gone = tokio::select! {
            heard = records.changed(), if telling => {
                telling = heard.is_ok();
                let record = records.borrow_and_update().clone();
                match member.update(record).await {
                    Ok(()) => false,
                    Err(source) if is_missing(&source) => true,
                    Err(source) => return JoinError::Tree { source },
                }
            }
            change = changes.recv() => match (change, tree.read(std::slice::from_ref(&member.path)).await) {
                (None, _) => return JoinError::Tree { source: TreeError::Expired },
                (_, Ok(nodes)) => nodes.first().is_some_and(Option::is_none),
                (_, Err(source)) => return JoinError::Tree { source },
            },
        };
        if gone {
            member = match Member::join(Arc::clone(tree), paths, member.record.clone()).await {
                Ok(member) => member,
                Err(error) => return error,
            };
        }
    }
}
