//! Outside: the readers of what comes from outside, for whoever tests them with bad input.
//!
//! No part of the crate's contract.

use std::collections::BTreeMap;

use watchdog_core::ids::ClusterId;
use watchdog_proto::coordination as proto;

use crate::embedded::{convert, disk, store};
use crate::picture::{Delta, Picture};
use crate::records::Paths;
use crate::tree::Node;

/// Reads the file of the embedded coordination service; answers it as it would be written again.
///
/// # Errors
///
/// What is wrong with it.
pub fn tree_file(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let (reserved, nodes) = disk::read(bytes)?;
    Ok(disk::bytes(reserved, nodes.iter()))
}

/// The file that holds these nodes.
pub fn tree_file_of(nodes: &BTreeMap<String, Node>) -> Vec<u8> {
    disk::bytes(1, nodes.iter())
}

/// The tree of the embedded coordination service, without its sockets and its disk.
#[derive(Debug)]
pub struct Tree {
    store: store::Store,
}

/// The one session that a [`Tree`] has.
const SESSION: u64 = 1;

impl Default for Tree {
    /// An empty one.
    fn default() -> Self {
        Self::restored(store::Store::default())
    }
}

impl Tree {
    fn restored(mut store: store::Store) -> Self {
        store.open(SESSION, 1_000, 0);
        Self { store }
    }

    /// Does what a request asks, or nothing.
    ///
    /// # Errors
    ///
    /// What the caller is told.
    pub fn commit(&mut self, request: proto::CommitRequest) -> Result<Vec<String>, String> {
        let operations: Option<Vec<_>> = request.operations.into_iter().map(convert::operation_in).collect();
        let operations = operations.ok_or("operations: one of them is of no known kind")?;
        let paths = self.store.commit(SESSION, &operations).map_err(|fault| fault.to_string())?;
        self.store.settle();
        Ok(paths)
    }

    /// Everything that is in it.
    pub fn nodes(&self) -> BTreeMap<String, Node> {
        let paths = self.store.list("/");
        let nodes = self.store.read(&paths);
        paths.into_iter().zip(nodes).filter_map(|(path, node)| Some((path, node?))).collect()
    }

    /// The tree as it is after a restart of the service.
    ///
    /// # Errors
    ///
    /// That the service can't read what it wrote.
    pub fn restarted(&self) -> Result<Self, String> {
        let bytes = disk::bytes(self.store.transaction(), self.store.persistent());
        let (transaction, nodes) = disk::read(&bytes)?;
        Ok(Self::restored(store::Store::restore(transaction, nodes)))
    }
}

/// Takes what stands at these paths of a cluster's tree into a picture; `None` is a node that is gone.
pub fn see(picture: &mut Picture, cluster: &ClusterId, (path, data): (&str, Option<&[u8]>)) -> Delta {
    let mut delta = Delta::default();
    let node =
        data.map(|data| Node { data: data.to_vec(), created: 1, modified: 1, version: 0, owner: Some(1) });
    if let Some(place) = Paths::new(cluster).place(path) {
        picture.set(&place, (path, node.as_ref()), &mut delta);
    }
    delta
}
