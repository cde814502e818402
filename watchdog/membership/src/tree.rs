//! Tree: the few things that our recipes need from a coordination service.
//!
//! Election, membership, obituaries and observation are written once, against
//! this trait; ZooKeeper and the embedded service are its adapters.
//!
//! *Guarantees.* Commits are linearizable and all-or-nothing. An ephemeral
//! node is gone once its session has ended. A watch tells at least once, after
//! it stands, of every path at or below its prefix that changed; after
//! [`Change::Resync`] anything may have been missed and the caller reads all again.
//!
//! *On connection loss.* Writes of unknown fate answer [`TreeError::Unknown`];
//! they may still happen, so every write that matters is fenced by a check.
//!
//! *Cancellation safety.* Dropping the future of a commit leaves its fate
//! unknown; every other future may be dropped. Dropping the last handle of a
//! tree ends its session as [`Tree::close`] does, if a runtime still runs.

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};

/// A node as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it holds.
    pub data: Vec<u8>,
    /// When it was created, in transactions; two lives of one path differ in it.
    pub created: i64,
    /// When it was last changed, in transactions.
    pub modified: i64,
    /// How often its data was set since it was created.
    pub version: i32,
    /// The session that it dies with; `None` for a persistent node.
    pub owner: Option<u64>,
}

/// How a node is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Stays until deleted.
    Persistent,
    /// Dies with the session.
    Ephemeral,
    /// Dies with the session; a number that grows within the parent is appended to its name.
    EphemeralSequential,
}

/// One operation of a commit. A version of `None` means any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// The node exists (in that version).
    Check {
        /// Which node.
        path: String,
        /// In which version.
        version: Option<i32>,
    },
    /// The node is made; it may not exist. Persistent parents are made as needed, before the commit.
    Create {
        /// Which node.
        path: String,
        /// What it holds.
        data: Vec<u8>,
        /// How long it lives.
        mode: Mode,
    },
    /// The node's data is replaced.
    Set {
        /// Which node.
        path: String,
        /// What it holds from now on.
        data: Vec<u8>,
        /// In which version it must be.
        version: Option<i32>,
    },
    /// The node is removed.
    Delete {
        /// Which node.
        path: String,
        /// In which version it must be.
        version: Option<i32>,
    },
}

impl Operation {
    /// The node that it names.
    pub fn path(&self) -> &str {
        match self {
            Self::Check { path, .. }
            | Self::Create { path, .. }
            | Self::Set { path, .. }
            | Self::Delete { path, .. } => path,
        }
    }
}

/// How sure we are that our session lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// Confirmed lately.
    Connected,
    /// The connection is lost; the session may or may not live. Stop acting.
    Suspended,
    /// Over for good: open a new tree.
    Expired,
}

/// What a watch tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This path was created, changed or deleted.
    Path(String),
    /// Anything may have changed: read everything again.
    Resync,
}

/// Why an operation on the tree failed.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A precondition of a commit does not hold; nothing was done.
    #[error("operation {index} on {path} refused: {reason}")]
    Refused {
        /// Which operation of the commit, from 0.
        index: usize,
        /// The path that it names.
        path: String,
        /// What does not hold.
        reason: Refused,
    },
    /// The session is over.
    #[error("the coordination session has expired")]
    Expired,
    /// The request was sent and no answer came: it may have happened, or may still happen.
    #[error("no answer from the coordination service to {operation}; its fate is unknown")]
    Unknown {
        /// What was asked.
        operation: &'static str,
        /// What the client said.
        source: Option<BoxError>,
    },
    /// The service cannot be reached; nothing was done.
    #[error("coordination service unavailable while trying to {operation}")]
    Unavailable {
        /// What was asked.
        operation: &'static str,
        /// What the client said.
        source: BoxError,
    },
    /// We may not do this.
    #[error("the coordination service denies access to {path}; check its ACLs and our credentials")]
    Denied {
        /// To which node.
        path: String,
    },
}

/// Which precondition of an operation does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is no such node.
    #[error("the node does not exist")]
    Missing,
    /// The node is already there.
    #[error("the node exists")]
    Exists,
    /// The node is in another version.
    #[error("the node is in another version")]
    BadVersion,
    /// The node has children.
    #[error("the node has children")]
    NotEmpty,
}

impl TreeError {
    /// Which precondition of which operation of a commit does not hold, if that is what went wrong.
    pub fn refused(&self) -> Option<(usize, Refused)> {
        match self {
            Self::Refused { index, reason, .. } => Some((*index, *reason)),
            _ => None,
        }
    }

    /// Whether the same may succeed a moment later, in the same session.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unknown { .. } | Self::Unavailable { .. })
    }
}

/// Any error, as a cause.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A session with a coordination service. Paths are absolute, below the configured chroot.
#[async_trait]
pub trait Tree: Send + Sync {
    /// The id of the session, as it appears in [`Node::owner`].
    fn session_id(&self) -> u64;

    /// How sure we are that our session lives; every change is seen by the receiver.
    fn session(&self) -> watch::Receiver<Session>;

    /// The negotiated session time-out, in milliseconds.
    fn timeout_ms(&self) -> u64;

    /// Does all of the operations, or none; answers the paths, as created.
    async fn commit(&self, operations: Vec<Operation>) -> Result<Vec<String>, TreeError>;

    /// Reads nodes, in the order asked; `None` where there is none. Batched as the service needs it.
    async fn read(&self, paths: &[String]) -> Result<Vec<Option<Node>>, TreeError>;

    /// All paths below `prefix` (not the prefix itself), in order.
    async fn list(&self, prefix: &str) -> Result<Vec<String>, TreeError>;

    /// Waits until reads of this tree see every commit that was acknowledged, to anybody, before this was called, and
    /// every watch has told of them.
    async fn sync(&self) -> Result<(), TreeError>;

    /// Watches every path at or below `prefix`; stands when this returns. Dropping the receiver ends it, and the
    /// channel ends with the session.
    async fn watch(&self, prefix: &str) -> Result<mpsc::UnboundedReceiver<Change>, TreeError>;

    /// Ends the session at once, so that its ephemeral nodes go now.
    async fn close(&self);
}

/// Opens sessions; kept by whoever must open a new one when the old has expired.
#[async_trait]
pub trait Connect: Send + Sync {
    /// Opens a session; tries once, within a bounded time.
    async fn open(&self) -> Result<std::sync::Arc<dyn Tree>, TreeError>;
}
