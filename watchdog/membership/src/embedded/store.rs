//! Store: the tree of the embedded coordination service as plain data; it is told the time and touches nothing.
//!
//! ```text
//! commit ──► put ──► nodes          settle ──► what changed, and whether the disk must know
//!             └────► undo log ────► revert ──► as if nothing had happened
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::{Mode, Node, Operation, Refused};
use crate::wire::is_path;

/// The largest node; ZooKeeper's limit, so that nobody comes to rely on more.
const DATA_BYTES_MAX: usize = 1024 * 1024;
/// The longest path.
pub(crate) const PATH_BYTES_MAX: usize = 1024;

/// A moment on the keeper's own clock, in milliseconds.
pub(crate) type Millis = u64;

/// Why a request was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    /// The session is over, or never was.
    #[error("no such session")]
    NoSession,
    /// A precondition does not hold.
    #[error("index {index}: {reason}")]
    Refused { index: usize, reason: Refused },
    /// The request makes no sense.
    #[error("operation {index} on {path:?}: {reason}")]
    Invalid { index: usize, path: String, reason: &'static str },
    /// The disk did not take it, so nothing was done.
    #[error("the coordination service cannot write its file, so it changed nothing: {cause}")]
    Disk { cause: String },
}

/// A node, and the number that its next sequential child gets.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    node: Node,
    next: u32,
}

#[derive(Debug)]
struct Lease {
    timeout_ms: u64,
    ends: Millis,
    owns: BTreeSet<String>,
}

/// What happened since the last [`Store::settle`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Settled {
    /// The paths that were created, changed or deleted.
    pub(crate) changed: BTreeSet<String>,
}

/// Nodes and sessions.
#[derive(Debug, Default)]
pub(crate) struct Store {
    nodes: BTreeMap<String, Entry>,
    sessions: BTreeMap<u64, Lease>,
    transaction: i64,
    undo: Vec<(String, Option<Entry>)>,
}

impl Store {
    /// The tree as the disk has it; transactions go on after `transaction`.
    pub(crate) fn restore(transaction: i64, nodes: BTreeMap<String, Node>) -> Self {
        let nodes = nodes.into_iter().map(|(path, node)| (path, Entry { node, next: 0 })).collect();
        Self { nodes, transaction, ..Self::default() }
    }

    /// The number of the last transaction.
    pub(crate) fn transaction(&self) -> i64 {
        self.transaction
    }

    /// The nodes that outlive every session.
    pub(crate) fn persistent(&self) -> impl Iterator<Item = (&String, &Node)> {
        let nodes = self.nodes.iter().map(|(path, entry)| (path, &entry.node));
        nodes.filter(|(_, node)| node.owner.is_none())
    }

    /// Opens a session under a number that the caller made up.
    pub(crate) fn open(&mut self, session: u64, timeout_ms: u64, now: Millis) {
        let lease = Lease { timeout_ms, ends: now + timeout_ms, owns: BTreeSet::new() };
        self.sessions.insert(session, lease);
    }

    /// A sign of life.
    pub(crate) fn touch(&mut self, session: u64, now: Millis) -> Result<(), Fault> {
        let lease = self.sessions.get_mut(&session).ok_or(Fault::NoSession)?;
        lease.ends = now + lease.timeout_ms;
        Ok(())
    }

    /// The sessions whose time is over.
    pub(crate) fn overdue(&self, now: Millis) -> Vec<u64> {
        self.sessions.iter().filter(|(_, lease)| lease.ends <= now).map(|(session, _)| *session).collect()
    }

    /// Gives every session more time: we were not there to hear them.
    pub(crate) fn extend(&mut self, ms: u64) {
        for lease in self.sessions.values_mut() {
            lease.ends += ms;
        }
    }

    /// Ends a session; its nodes go with it.
    pub(crate) fn close(&mut self, session: u64) {
        let Some(lease) = self.sessions.remove(&session) else { return };
        if !lease.owns.is_empty() {
            self.transaction += 1;
        }
        for path in lease.owns {
            self.put(&path, None);
        }
    }

    /// Does all of the operations, or none.
    pub(crate) fn commit(&mut self, session: u64, operations: &[Operation]) -> Result<Vec<String>, Fault> {
        if !self.sessions.contains_key(&session) {
            return Err(Fault::NoSession);
        }
        let mark = self.undo.len();
        self.transaction += 1;
        let mut paths = Vec::with_capacity(operations.len());
        for (index, operation) in operations.iter().enumerate() {
            match validate(index, operation).and_then(|()| self.apply(session, index, operation)) {
                Ok(path) => paths.push(path),
                Err(fault) => {
                    self.revert(mark);
                    return Err(fault);
                }
            }
        }
        Ok(paths)
    }

    /// The nodes at these paths.
    pub(crate) fn read(&self, paths: &[String]) -> Vec<Option<Node>> {
        paths.iter().map(|path| self.nodes.get(path).map(|entry| entry.node.clone())).collect()
    }

    /// The paths below `prefix`.
    pub(crate) fn list(&self, prefix: &str) -> Vec<String> {
        self.below(prefix).cloned().collect()
    }

    /// Accepts what was done since the last call.
    pub(crate) fn settle(&mut self) -> Settled {
        let changed = self.undo.drain(..).map(|(path, _)| path).collect();
        Settled { changed }
    }

    /// Whether anything that outlives a session differs from how it was at the last [`Store::settle`].
    pub(crate) fn must_save(&self) -> bool {
        let mut oldest: BTreeMap<&String, &Option<Entry>> = BTreeMap::new();
        for (path, before) in &self.undo {
            oldest.entry(path).or_insert(before);
        }
        oldest.into_iter().any(|(path, before)| lasting(before.as_ref()) != lasting(self.nodes.get(path)))
    }

    /// Takes back what was done since the last [`Store::settle`].
    pub(crate) fn revert_all(&mut self) {
        self.revert(0);
    }

    fn revert(&mut self, mark: usize) {
        for (path, before) in self.undo.split_off(mark).into_iter().rev() {
            self.replace(&path, before);
        }
    }

    fn apply(&mut self, session: u64, index: usize, operation: &Operation) -> Result<String, Fault> {
        let refused = |reason| Fault::Refused { index, reason };
        match operation {
            Operation::Check { path, version } => {
                self.expect(path, *version).map_err(refused)?;
                Ok(path.clone())
            }
            Operation::Create { path, data, mode } => self.create((session, index), (path, *mode), data),
            Operation::Set { path, data, version } => {
                let mut entry = self.expect(path, *version).map_err(refused)?.clone();
                entry.node.data.clone_from(data);
                entry.node.version += 1;
                entry.node.modified = self.transaction;
                self.put(path, Some(entry));
                Ok(path.clone())
            }
            Operation::Delete { path, version } => {
                self.expect(path, *version).map_err(refused)?;
                if self.below(path).next().is_some() {
                    return Err(refused(Refused::NotEmpty));
                }
                self.put(path, None);
                Ok(path.clone())
            }
        }
    }

    fn expect(&self, path: &str, version: Option<i32>) -> Result<&Entry, Refused> {
        let entry = self.nodes.get(path).ok_or(Refused::Missing)?;
        match version {
            Some(version) if version != entry.node.version => Err(Refused::BadVersion),
            _ => Ok(entry),
        }
    }

    fn create(
        &mut self,
        (session, index): (u64, usize),
        (path, mode): (&str, Mode),
        data: &[u8],
    ) -> Result<String, Fault> {
        self.make_parents(path, index)?;
        let mut path = path.to_owned();
        if mode == Mode::EphemeralSequential {
            let number = self.next_number(parent(&path).unwrap_or_default());
            path = format!("{path}{number:010}");
        }
        if self.nodes.contains_key(&path) {
            return Err(Fault::Refused { index, reason: Refused::Exists });
        }
        let owner = (mode != Mode::Persistent).then_some(session);
        self.put(&path, Some(self.fresh(data.to_vec(), owner)));
        Ok(path)
    }

    fn fresh(&self, data: Vec<u8>, owner: Option<u64>) -> Entry {
        let (created, modified) = (self.transaction, self.transaction);
        Entry { node: Node { data, created, modified, version: 0, owner }, next: 0 }
    }

    fn make_parents(&mut self, path: &str, index: usize) -> Result<(), Fault> {
        let Some(parent) = parent(path) else { return Ok(()) };
        match self.nodes.get(parent) {
            Some(entry) if entry.node.owner.is_none() => Ok(()),
            Some(_) => {
                let reason = "an ephemeral node has no children";
                Err(Fault::Invalid { index, path: path.to_owned(), reason })
            }
            None => {
                self.make_parents(parent, index)?;
                self.put(parent, Some(self.fresh(Vec::new(), None)));
                Ok(())
            }
        }
    }

    fn next_number(&mut self, parent: &str) -> u32 {
        let Some(entry) = self.nodes.get(parent) else { return 0 };
        let mut entry = entry.clone();
        let number = entry.next;
        entry.next += 1;
        // Not through `put`: a number that was once given is never taken back, and nobody watches it.
        self.nodes.insert(parent.to_owned(), entry);
        number
    }

    fn below(&self, prefix: &str) -> impl Iterator<Item = &String> {
        let start = format!("{}/", prefix.trim_end_matches('/'));
        let range = self.nodes.range(start.clone()..);
        range.map(|(path, _)| path).take_while(move |path| path.starts_with(&start))
    }

    fn put(&mut self, path: &str, entry: Option<Entry>) {
        let before = self.replace(path, entry);
        self.undo.push((path.to_owned(), before));
    }

    /// Changes the node, and which session owns it.
    fn replace(&mut self, path: &str, entry: Option<Entry>) -> Option<Entry> {
        let owner = entry.as_ref().and_then(|entry| entry.node.owner);
        let before = match entry {
            Some(entry) => self.nodes.insert(path.to_owned(), entry),
            None => self.nodes.remove(path),
        };
        if let Some(lease) =
            before.as_ref().and_then(|b| b.node.owner).and_then(|s| self.sessions.get_mut(&s))
        {
            lease.owns.remove(path);
        }
        if let Some(lease) = owner.and_then(|session| self.sessions.get_mut(&session)) {
            lease.owns.insert(path.to_owned());
        }
        before
    }
}

/// The node, if it outlives sessions.
fn lasting(entry: Option<&Entry>) -> Option<&Node> {
    entry.map(|entry| &entry.node).filter(|node| node.owner.is_none())
}

/// The path above, or nothing for a top one.
fn parent(path: &str) -> Option<&str> {
    path.rfind('/').filter(|end| *end > 0).map(|end| &path[..end])
}

fn validate(index: usize, operation: &Operation) -> Result<(), Fault> {
    let (path, data) = match operation {
        Operation::Check { path, .. } | Operation::Delete { path, .. } => (path, &[][..]),
        Operation::Create { path, data, .. } | Operation::Set { path, data, .. } => (path, data.as_slice()),
    };
    let invalid = |reason| Err(Fault::Invalid { index, path: path.chars().take(200).collect(), reason });
    if path.len() > PATH_BYTES_MAX {
        return invalid("the path is longer than 1024 bytes");
    }
    if !is_path(path) {
        return invalid("the path must be absolute, of segments A-Z a-z 0-9 . _ -");
    }
    if data.len() > DATA_BYTES_MAX {
        return invalid("the data is larger than 1 MiB");
    }
    Ok(())
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
