//! View: the picture of a cluster, kept up to date at the cost of what changed.
//!
//! ```text
//! watch (first) ──► list, read all ──► picture
//!   └ events ──► dirty paths ──► refresh: read those ──► picture, delta
//!                  └ Resync ──► refresh: read all
//! look(replicas): sync, then read theirs and the dirty ones, whatever the events say
//! ```
//!
//! *Cost.* A refresh without changes touches nothing; k changes of n cost k
//! reads, in batches, and k steps of log n. The picture is borrowed, not
//! copied; a [`Delta`] says which parts of it differ.
//!
//! *Cancellation safety.* Every method may be dropped; what was dirty stays dirty.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use watchdog_core::ids::ReplicaId;

use crate::picture::{Delta, Picture};
use crate::records::Paths;
use crate::tree::{Change, Session, Tree, TreeError};

/// Everything is read again this often, also without a reason: a lost event must not be lost forever.
const RESYNC_EVERY: Duration = Duration::from_mins(5);

/// The observation of one cluster; owned by one task.
pub struct View {
    tree: Arc<dyn Tree>,
    paths: Paths,
    changes: mpsc::UnboundedReceiver<Change>,
    dirty: BTreeSet<String>,
    /// All paths that hold something, so that a full read notices what went.
    known: BTreeSet<String>,
    stale: bool,
    read_all_at: Instant,
    picture: Picture,
}

impl View {
    /// Watches the cluster and reads all of it.
    ///
    /// # Errors
    ///
    /// If the tree cannot be watched or read.
    pub async fn open(tree: Arc<dyn Tree>, paths: Paths) -> Result<Self, TreeError> {
        let changes = tree.watch(paths.root()).await?;
        let mut view = Self {
            tree,
            paths,
            changes,
            dirty: BTreeSet::new(),
            known: BTreeSet::new(),
            stale: true,
            read_all_at: Instant::now(),
            picture: Picture::default(),
        };
        view.refresh().await?;
        Ok(view)
    }

    /// The picture as last read.
    pub fn picture(&self) -> &Picture {
        &self.picture
    }

    /// The session that it is seen through.
    pub fn tree(&self) -> &Arc<dyn Tree> {
        &self.tree
    }

    /// Brings the picture up to date with every event so far, and says what that changed.
    ///
    /// # Errors
    ///
    /// If the session is not surely alive or the tree cannot be read: the picture is then old, and nothing may be
    /// concluded from what it lacks.
    pub async fn refresh(&mut self) -> Result<Delta, TreeError> {
        self.drain()?;
        if self.stale || self.read_all_at.elapsed() >= RESYNC_EVERY {
            return self.read_all().await;
        }
        if self.dirty.is_empty() {
            return Ok(Delta::default());
        }
        let paths: Vec<String> = self.dirty.iter().cloned().collect();
        self.read(paths).await
    }

    /// Reads the nodes of these replicas now, and whatever is dirty; counts as a look at each of them.
    ///
    /// # Errors
    ///
    /// As [`View::refresh`].
    pub async fn look(&mut self, replicas: &BTreeSet<ReplicaId>) -> Result<Delta, TreeError> {
        // Without a connection this says so at once, instead of waiting for one.
        self.drain()?;
        // After it every event of what was committed before has been told, so no node can be missed.
        self.tree.sync().await?;
        let mut delta = self.refresh().await?;
        let mut paths = Vec::new();
        for replica in replicas {
            for incarnation in self.picture.lives(replica) {
                paths.push(self.paths.process(replica, incarnation));
                paths.push(self.paths.member(replica, incarnation));
                paths.push(self.paths.obituary(incarnation));
            }
        }
        delta.absorb(self.read(paths).await?);
        for replica in replicas {
            self.picture.looks.insert(replica.clone(), self.picture.look);
        }
        Ok(delta)
    }

    /// Resolves when something is dirty, or the session is over.
    pub async fn changed(&mut self) {
        if self.stale || !self.dirty.is_empty() {
            return;
        }
        match self.changes.recv().await {
            Some(change) => self.note(change),
            // The next refresh says that the session is over.
            None => self.stale = true,
        }
    }

    fn note(&mut self, change: Change) {
        match change {
            Change::Path(path) => {
                if self.paths.place(&path).is_some() {
                    self.dirty.insert(path);
                }
            }
            Change::Resync => self.stale = true,
        }
    }

    /// Takes in the events so far.
    fn drain(&mut self) -> Result<(), TreeError> {
        loop {
            match self.changes.try_recv() {
                Ok(change) => self.note(change),
                Err(mpsc::error::TryRecvError::Empty) => break,
                Err(mpsc::error::TryRecvError::Disconnected) => return Err(TreeError::Expired),
            }
        }
        match *self.tree.session().borrow() {
            Session::Connected => Ok(()),
            Session::Expired => Err(TreeError::Expired),
            Session::Suspended => Err(TreeError::Unavailable {
                operation: "observe",
                source: "the connection is lost, so what is not seen is unknown".into(),
            }),
        }
    }

    /// Reads everything again.
    async fn read_all(&mut self) -> Result<Delta, TreeError> {
        // Also when an earlier try to read everything failed: events may have been lost since.
        let unwatched = self.stale;
        self.stale = true;
        let listed = self.tree.list(self.paths.root()).await?;
        let mut paths: BTreeSet<String> = self.known.clone();
        paths.extend(listed.into_iter().filter(|path| self.paths.place(path).is_some()));
        paths.extend(self.dirty.iter().cloned());
        let mut delta = self.read(paths.into_iter().collect()).await?;
        delta.resynced = true;
        delta.unwatched = unwatched;
        self.picture.full_look = self.picture.look;
        self.picture.looks.clear();
        self.read_all_at = Instant::now();
        self.stale = false;
        Ok(delta)
    }

    async fn read(&mut self, paths: Vec<String>) -> Result<Delta, TreeError> {
        let nodes = self.tree.read(&paths).await?;
        let mut delta = Delta::default();
        for (path, node) in paths.iter().zip(&nodes) {
            // Only paths that stand for something become dirty or known.
            if let Some(place) = self.paths.place(path) {
                // Somebody told of it, and it stands neither before nor now.
                if node.is_none() && self.dirty.contains(path) && !self.known.contains(path) {
                    delta.note_flash(&place);
                }
                self.picture.set(&place, (path, node.as_ref()), &mut delta);
            }
            self.dirty.remove(path);
            if node.is_none() {
                self.known.remove(path);
            } else if !self.known.contains(path) {
                self.known.insert(path.clone());
            }
        }
        self.picture.look += 1;
        for replica in &delta.replicas {
            self.picture.looks.insert(replica.clone(), self.picture.look);
        }
        Ok(delta)
    }
}
