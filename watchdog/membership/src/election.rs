//! Election: contenders in a row; the first leads, each watches only the one before it.
//!
//! ```text
//! enter ──► /contenders/<watchdog>-<uuid>-<turn> ──► the lowest? ──yes──► won ──► Term::mint
//!                         ▲                              │ no
//!                         └── the one before is gone ────┘
//! ```
//!
//! *Guarantees.* Two may believe for a while that they are first; the epoch
//! that the winner mints ([`crate::term`]) is what keeps them apart.

use std::sync::Arc;

use uuid::Uuid;

use crate::delay::Delay;
use crate::places::turn;
use crate::records::{ContenderRecord, Paths, decode, encode};
use crate::tree::{Mode, Operation, Refused, Session, Tree, TreeError};

/// Why a contender will not win any more.
#[derive(Debug, thiserror::Error)]
pub enum ElectionError {
    /// Its node is gone while its session lives: somebody removed it, so that the next one leads.
    #[error("our contender {path} was removed; enter again")]
    Removed {
        /// Its node.
        path: String,
    },
    /// The tree failed for good.
    #[error("cannot take part in the election")]
    Tree {
        /// Why.
        source: TreeError,
    },
}

/// Our place in the row. Dropping it leaves the node where it is until the session ends; see [`Contender::withdraw`].
pub struct Contender {
    tree: Arc<dyn Tree>,
    paths: Paths,
    record: ContenderRecord,
    uuid: String,
    path: String,
}

impl Contender {
    /// Joins the row at its end.
    ///
    /// When the fate of the create is unknown, ours is found by the UUID in its name, so that none is left behind.
    ///
    /// # Errors
    ///
    /// Only when the session is over or we may not write there; losses in between are waited out.
    pub async fn enter(
        tree: Arc<dyn Tree>,
        paths: Paths,
        record: ContenderRecord,
    ) -> Result<Self, TreeError> {
        let uuid = Uuid::new_v4().simple().to_string();
        let name = format!("{}/{}-{uuid}-", paths.contenders(), record.watchdog);
        let mut delay = Delay::default();
        let path = loop {
            let create = Operation::Create {
                path: name.clone(),
                data: encode(&record),
                mode: Mode::EphemeralSequential,
            };
            let created = match tree.commit(vec![create]).await {
                Ok(mut paths) => Ok(paths.pop()),
                Err(TreeError::Unknown { .. }) => {
                    delay.pause().await;
                    find(tree.as_ref(), &paths, &uuid).await.map(|mut found| found.pop())
                }
                Err(error) => Err(error),
            };
            match created {
                Ok(Some(path)) => break path,
                Ok(None) => {}
                Err(error) if error.is_passing() && *tree.session().borrow() != Session::Expired => {}
                Err(error) => return Err(error),
            }
            delay.pause().await;
        };
        Ok(Self { tree, paths, record, uuid, path })
    }

    /// Our node.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What we said about ourselves.
    pub fn record(&self) -> &ContenderRecord {
        &self.record
    }

    /// The session in which we contend.
    pub fn tree(&self) -> &Arc<dyn Tree> {
        &self.tree
    }

    /// The cluster's paths.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Waits until we are the first in the row. May be dropped and asked again.
    ///
    /// # Errors
    ///
    /// If our node was removed or the session is over; losses in between are waited out.
    pub async fn won(&self) -> Result<(), ElectionError> {
        let mut delay = Delay::default();
        loop {
            match self.ahead().await {
                Ok(Row::First) => return Ok(()),
                Ok(Row::Behind(path)) => match self.gone(&path).await {
                    Ok(()) => delay.reset(),
                    Err(source) if source.is_passing() => delay.pause().await,
                    Err(source) => return Err(ElectionError::Tree { source }),
                },
                Ok(Row::Removed) => return Err(ElectionError::Removed { path: self.path.clone() }),
                Err(source) if source.is_passing() => delay.pause().await,
                Err(source) => return Err(ElectionError::Tree { source }),
            }
        }
    }

    /// Says something new about ourselves; our place in the row stays.
    ///
    /// # Errors
    ///
    /// If the tree does not take it; [`Contender::won`] says whether our place is lost.
    pub async fn update(&mut self, record: ContenderRecord) -> Result<(), TreeError> {
        let set = Operation::Set { path: self.path.clone(), data: encode(&record), version: None };
        self.tree.commit(vec![set]).await?;
        self.record = record;
        Ok(())
    }

    /// Leaves the row, so that the next one leads at once.
    ///
    /// # Errors
    ///
    /// If the tree does not say that it is gone; closing the session removes it too.
    pub async fn withdraw(self) -> Result<(), TreeError> {
        match self.tree.commit(vec![Operation::Delete { path: self.path, version: None }]).await {
            Err(TreeError::Refused { reason: Refused::Missing, .. } | TreeError::Expired) => Ok(()),
            other => other.map(drop),
        }
    }

    async fn ahead(&self) -> Result<Row, TreeError> {
        // A create whose answer was lost may land after we entered again under another turn; it is ours to remove.
        for stray in find(self.tree.as_ref(), &self.paths, &self.uuid).await? {
            if stray != self.path {
                self.tree.commit(vec![Operation::Delete { path: stray, version: None }]).await?;
            }
        }
        let row = row(self.tree.as_ref(), &self.paths).await?;
        let Some(ours) = row.iter().position(|(_, path)| *path == self.path) else { return Ok(Row::Removed) };
        Ok(match ours.checked_sub(1).and_then(|before| row.get(before)) {
            None => Row::First,
            Some((_, path)) => Row::Behind(path.clone()),
        })
    }

    /// Waits until anything happens to `path`, if it is still there.
    async fn gone(&self, path: &str) -> Result<(), TreeError> {
        let mut changes = self.tree.watch(path).await?;
        if self.tree.read(&[path.to_owned()]).await?.first().is_some_and(Option::is_some) {
            changes.recv().await.ok_or(TreeError::Expired)?;
        }
        Ok(())
    }
}

enum Row {
    First,
    Behind(String),
    Removed,
}

/// Who contends, the front runner first, with their turns. What cannot be read is left out here; [`crate::view`] names it.
///
/// # Errors
///
/// If the tree cannot be read.
pub async fn contenders(tree: &dyn Tree, paths: &Paths) -> Result<Vec<(u64, ContenderRecord)>, TreeError> {
    let row = row(tree, paths).await?;
    let asked: Vec<String> = row.iter().map(|(_, path)| path.clone()).collect();
    let nodes = tree.read(&asked).await?;
    let read = row.into_iter().zip(nodes).filter_map(|((turn, path), node)| {
        let record = decode(&path, &node?.data).ok()?;
        Some((turn, record))
    });
    Ok(read.collect())
}

/// The nodes of the contenders, by their turn.
async fn row(tree: &dyn Tree, paths: &Paths) -> Result<Vec<(u64, String)>, TreeError> {
    let listed = tree.list(&paths.contenders()).await?;
    let mut row: Vec<(u64, String)> =
        listed.into_iter().filter_map(|path| turn(&path).map(|turn| (turn, path))).collect();
    row.sort();
    Ok(row)
}

async fn find(tree: &dyn Tree, paths: &Paths, uuid: &str) -> Result<Vec<String>, TreeError> {
    let mut listed = tree.list(&paths.contenders()).await?;
    listed.retain(|path| path.contains(uuid));
    Ok(listed)
}
