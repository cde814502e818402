//! Presence: a host agent's own record, its processes and its dead, kept in the tree by a task.
//!
//! ```text
//! Presence (watch channel) ──► declare the dead ──► create, set, delete what differs ──► wait for a change
//!                                   ▲                                                        │
//!                                   └───── a new session after expiry: publish everything ◄──┘
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use watchdog_core::ids::Incarnation;

use crate::delay::Delay;
use crate::link::{Keeping, Link, expired, link};
use crate::obituary::declare_dead;
use crate::records::{HostRecord, ObituaryRecord, Paths, ProcessRecord, encode};
use crate::term::is_missing;
use crate::tree::{Connect, Mode, Operation, Refused, Tree, TreeError};

/// How many operations go into one commit.
const COMMIT_MAX: usize = 100;
/// How many obituaries are under way at once.
const OBITUARIES_AT_ONCE: usize = 32;

/// What a host agent has to say to one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Presence {
    /// Itself.
    pub host: HostRecord,
    /// The processes that it keeps.
    pub processes: BTreeMap<Incarnation, Arc<ProcessRecord>>,
    /// The dead that it knows of; each is declared once, whatever it takes. Leave one in until it was
    /// [declared](Present::declared).
    pub obituaries: BTreeMap<Incarnation, Arc<ObituaryRecord>>,
}

/// A presence that is kept by a task. Dropping it gives the session up, as a crash would.
pub struct Present {
    link: Link,
    declared: watch::Receiver<BTreeSet<Incarnation>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Present {
    /// The session, the epoch, and how fresh they are.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// Which of the obituaries of the presence stand in the tree, or have stood there.
    pub fn declared(&self) -> watch::Receiver<BTreeSet<Incarnation>> {
        self.declared.clone()
    }

    /// Takes everything back and closes the session.
    pub async fn leave(mut self) {
        self.stop.send_replace(true);
        // A task that panicked has left as well: its session ends by itself.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Keeps what `presence` holds in the tree, through losses and expiries of the session.
pub fn keep_present(connect: Arc<dyn Connect>, paths: Paths, presence: watch::Receiver<Presence>) -> Present {
    let (keeping, link) = link(connect, paths.clone());
    let (stop, mut stopped) = watch::channel(false);
    let (declaring, declared) = watch::channel(BTreeSet::new());
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
            let publisher = Publisher {
                tree: tree.as_ref(),
                paths: &paths,
                declared: &declaring,
                published: BTreeMap::new(),
            };
            let told = tokio::select! {
                () = &mut stop => true,
                () = serve(&keeping, publisher, presence.clone()) => false,
            };
            keeping.close(tree.as_ref()).await;
            if told {
                return;
            }
        }
    });
    Present { link, declared, stop, task }
}

/// One session: resolves when it is over.
async fn serve(keeping: &Keeping, mut publisher: Publisher<'_>, mut presence: watch::Receiver<Presence>) {
    let tree = publisher.tree;
    let publishing = async {
        let mut delay = Delay::default();
        loop {
            let wanted = presence.borrow_and_update().clone();
            match publisher.publish(&wanted).await {
                Ok(()) => {
                    delay.reset();
                    if presence.changed().await.is_err() {
                        // Nothing will ever change again; the nodes stay as long as the session.
                        std::future::pending::<()>().await;
                    }
                }
                Err(TreeError::Expired) => return,
                Err(error) => {
                    if delay.is_fresh() {
                        tracing::warn!(error = %error, cause = ?error, "presence not published; trying on");
                    }
                    delay.pause().await;
                }
            }
        }
    };
    let followed = async {
        keeping.follow(tree).await;
        // It ends with the session, which the third branch sees; an epoch that we may not read does not end us.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = publishing => {}
        () = followed => {}
        () = expired(tree) => {}
    }
}

/// What one session has published.
struct Publisher<'a> {
    tree: &'a dyn Tree,
    paths: &'a Paths,
    declared: &'a watch::Sender<BTreeSet<Incarnation>>,
    /// By path; nothing where the fate of our last write is unknown.
    published: BTreeMap<String, Option<Vec<u8>>>,
}

impl Publisher<'_> {
    async fn publish(&mut self, presence: &Presence) -> Result<(), TreeError> {
        self.declare(presence).await?;
        let mut wanted = BTreeMap::new();
        for (incarnation, record) in &presence.processes {
            // The dead are not published again, even if their process record is still in the presence.
            if !presence.obituaries.contains_key(incarnation) {
                wanted.insert(self.paths.process(&record.replica, *incarnation), encode(record.as_ref()));
            }
        }
        let host = (self.paths.host(&presence.host.host), encode(&presence.host));
        let extra: Vec<String> = self
            .published
            .keys()
            .filter(|path| **path != host.0 && !wanted.contains_key(*path))
            .cloned()
            .collect();
        let changed: Vec<(String, Vec<u8>)> =
            wanted.into_iter().filter(|(path, data)| self.differs(path, data)).collect();
        for batch in changed.chunks(COMMIT_MAX) {
            self.put(batch).await?;
        }
        for path in extra {
            crate::obituary::remove(self.tree, path.clone()).await?;
            self.published.remove(&path);
        }
        watchdog_crash_points::crash_point!("host.presence.processes");
        // Last, because it says whether the inventory is complete.
        if self.differs(&host.0, &host.1) {
            self.put(std::slice::from_ref(&host)).await?;
        }
        Ok(())
    }

    fn differs(&self, path: &str, data: &[u8]) -> bool {
        self.published.get(path).and_then(Option::as_deref) != Some(data)
    }

    async fn declare(&mut self, presence: &Presence) -> Result<(), TreeError> {
        let done = self.declared.borrow().clone();
        let new: Vec<&ObituaryRecord> = presence
            .obituaries
            .iter()
            .filter(|(incarnation, _)| !done.contains(*incarnation))
            .map(|(_, record)| record.as_ref())
            .collect();
        let mut result = Ok(());
        for group in new.chunks(OBITUARIES_AT_ONCE) {
            let declare = group.iter().map(|record| declare_dead(self.tree, self.paths, record));
            for (record, declared) in group.iter().zip(join_all(declare).await) {
                if let Err(error) = declared {
                    result = Err(error);
                    continue;
                }
                self.published.remove(&self.paths.process(&record.replica, record.incarnation));
                self.declared.send_modify(|declared| {
                    declared.insert(record.incarnation);
                });
            }
        }
        if done.iter().any(|incarnation| !presence.obituaries.contains_key(incarnation)) {
            let keep = |incarnation: &Incarnation| presence.obituaries.contains_key(incarnation);
            self.declared.send_modify(|declared| declared.retain(keep));
        }
        result
    }

    /// Writes all in one commit, or, where that is refused, one by one.
    async fn put(&mut self, batch: &[(String, Vec<u8>)]) -> Result<(), TreeError> {
        let operations = batch.iter().map(|(path, data)| {
            let (path, data) = (path.clone(), data.clone());
            match self.published.get(&path) {
                Some(Some(_)) => Operation::Set { path, data, version: None },
                _ => Operation::Create { path, data, mode: Mode::Ephemeral },
            }
        });
        let result = self.tree.commit(operations.collect()).await;
        for (path, data) in batch {
            self.published.insert(path.clone(), result.is_ok().then(|| data.clone()));
        }
        match result {
            Ok(_) => return Ok(()),
            Err(TreeError::Refused { .. }) => {}
            Err(error) => return Err(error),
        }
        for (path, data) in batch {
            put_one(self.tree, path, data).await?;
            self.published.insert(path.clone(), Some(data.clone()));
        }
        Ok(())
    }
}

/// Makes the node hold the data in our session, whatever was there: an earlier session of this very host.
async fn put_one(tree: &dyn Tree, path: &str, data: &[u8]) -> Result<(), TreeError> {
    let create = || Operation::Create { path: path.to_owned(), data: data.to_vec(), mode: Mode::Ephemeral };
    match tree.commit(vec![create()]).await {
        Err(TreeError::Refused { reason: Refused::Exists, .. }) => {}
        other => return other.map(drop),
    }
    let node = tree.read(&[path.to_owned()]).await?.into_iter().next().flatten();
    let delete = Operation::Delete { path: path.to_owned(), version: None };
    let set = Operation::Set { path: path.to_owned(), data: data.to_vec(), version: None };
    let operations = match node {
        None => vec![create()],
        Some(node) if node.owner == Some(tree.session_id()) => vec![set],
        Some(_) => vec![delete, create()],
    };
    match tree.commit(operations).await {
        // It went meanwhile: the earlier session has ended.
        Err(error) if is_missing(&error) => tree.commit(vec![create()]).await.map(drop),
        other => other.map(drop),
    }
}
