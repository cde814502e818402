//! Link: a session that is opened again whenever it has expired, and what an agent must know of it.
//!
//! ```text
//! open ──► serve (the caller's work) ──► Expired ──► open …
//!            ├─ epoch: the highest that the cluster has seen, as soon as it changes
//!            └─ confirmed: when the epoch was last read afresh, for leases
//! ```

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::delay::Delay;
use crate::records::{EpochRecord, Paths, decode};
use crate::tree::{Connect, Session, Tree, TreeError};

/// How an agent's connection to its cluster stands; clones see the same.
#[derive(Clone)]
pub struct Link {
    /// Weak, so that a link that somebody keeps does not keep the session.
    tree: watch::Receiver<Option<Weak<dyn Tree>>>,
    epoch: watch::Receiver<Option<EpochRecord>>,
    confirmed: watch::Receiver<Option<Instant>>,
}

impl Link {
    /// The session of now; `None` while there is none.
    pub fn tree(&self) -> Option<Arc<dyn Tree>> {
        self.tree.borrow().as_ref().and_then(Weak::upgrade)
    }

    /// The epoch record as last read; it never goes back.
    pub fn epoch_seen(&self) -> watch::Receiver<Option<EpochRecord>> {
        self.epoch.clone()
    }

    /// When we last asked the service for the epoch and got its answer: up to then our session was surely alive and
    /// [`Link::epoch_seen`] surely true. `None` before the first time.
    pub fn last_confirmed(&self) -> Option<Instant> {
        *self.confirmed.borrow()
    }

    /// The same, to wait for.
    pub fn confirmations(&self) -> watch::Receiver<Option<Instant>> {
        self.confirmed.clone()
    }
}

/// The other end of a [`Link`]: what the keeping task fills.
pub(crate) struct Keeping {
    connect: Arc<dyn Connect>,
    paths: Paths,
    tree: watch::Sender<Option<Weak<dyn Tree>>>,
    epoch: watch::Sender<Option<EpochRecord>>,
    confirmed: watch::Sender<Option<Instant>>,
}

/// Makes both ends.
pub(crate) fn link(connect: Arc<dyn Connect>, paths: Paths) -> (Keeping, Link) {
    let (tree, epoch, confirmed) =
        (watch::Sender::new(None), watch::Sender::new(None), watch::Sender::new(None));
    let link = Link { tree: tree.subscribe(), epoch: epoch.subscribe(), confirmed: confirmed.subscribe() };
    (Keeping { connect, paths, tree, epoch, confirmed }, link)
}

impl Keeping {
    /// Opens a session, however long it takes.
    pub(crate) async fn open(&self) -> Arc<dyn Tree> {
        let mut delay = Delay::default();
        let mut told = false;
        loop {
            match self.connect.open().await {
                Ok(tree) => {
                    tracing::info!(session = tree.session_id(), "coordination session opened");
                    self.tree.send_replace(Some(Arc::downgrade(&tree)));
                    return tree;
                }
                Err(error) if told => tracing::debug!(error = %error, "still no coordination session"),
                Err(error) => {
                    tracing::warn!(error = %error, cause = ?error, "no coordination session; trying on");
                    told = true;
                }
            }
            delay.pause().await;
        }
    }

    /// Gives the session up, so that its nodes go.
    pub(crate) async fn close(&self, tree: &dyn Tree) {
        self.tree.send_replace(None);
        tree.close().await;
    }

    /// Keeps the epoch and the confirmation up to date until the session is over.
    pub(crate) async fn follow(&self, tree: &dyn Tree) {
        let mut delay = Delay::default();
        loop {
            match self.follow_watch(tree, &mut delay).await {
                Err(error) if error.is_passing() => delay.pause().await,
                Err(TreeError::Expired) | Ok(()) => return,
                Err(error) => {
                    tracing::error!(error = %error, "the epoch cannot be watched");
                    return;
                }
            }
        }
    }

    async fn follow_watch(&self, tree: &dyn Tree, delay: &mut Delay) -> Result<(), TreeError> {
        let path = self.paths.epoch();
        let every = Duration::from_millis(tree.timeout_ms()) / 3;
        let mut changes = tree.watch(&path).await?;
        let mut next = tokio::time::Instant::now();
        loop {
            tokio::select! {
                change = changes.recv() => if change.is_none() { return Ok(()); },
                () = tokio::time::sleep_until(next) => {}
            }
            next = tokio::time::Instant::now() + every;
            let asked = Instant::now();
            tree.sync().await?;
            let node = tree.read(std::slice::from_ref(&path)).await?.pop().flatten();
            delay.reset();
            if let Some(node) = node {
                match decode::<EpochRecord>(&path, &node.data) {
                    Ok(record) => self.see(record),
                    Err(error) => {
                        // Not confirmed: whoever may not guess the epoch may not act.
                        tracing::error!(error = %error, "the epoch cannot be read");
                        continue;
                    }
                }
            }
            self.confirmed.send_replace(Some(asked));
        }
    }

    fn see(&self, record: EpochRecord) {
        self.epoch.send_if_modified(|seen| {
            let older = seen.as_ref().is_some_and(|seen| seen.epoch > record.epoch);
            let same = seen.as_ref() == Some(&record);
            if !older && !same {
                *seen = Some(record);
            }
            !older && !same
        });
    }
}

/// Resolves when the session is over.
pub(crate) async fn expired(tree: &dyn Tree) {
    let mut session = tree.session();
    // An adapter that is gone has no session either.
    let _ = session.wait_for(|session| *session == Session::Expired).await;
}
