//! Dirs: where the host agent keeps its files.
//!
//! ```text
//! dir/ledger                              what must not be forgotten
//! dir/lock                                held while an agent runs
//! dir/state/CLUSTER/REPLICA.json          the state to start a replica from
//! dir/run/INCARNATION/address.json        where it listens
//! dir/leases/INCARNATION                  until when an exclusive one may run
//! dir/logs/CLUSTER/REPLICA.{out,err}      what it printed
//! dir/snapshots/CLUSTER-STEP.json         pictures of the dying
//! ```

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use watchdog_core::ids::{ClusterId, Incarnation, ReplicaId, StepId};

/// The state directory.
#[derive(Debug, Clone)]
pub(crate) struct Dirs {
    root: PathBuf,
}

impl Dirs {
    /// Makes what is missing.
    ///
    /// # Errors
    ///
    /// When a directory can't be made.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        for part in ["state", "run", "leases", "logs", "snapshots"] {
            std::fs::create_dir_all(root.join(part))?;
        }
        // Replicas carry this path, and are recognised by it also after the directory was lost.
        Ok(Self { root: root.canonicalize()? })
    }

    /// Keeps other host agents out for as long as the file is held.
    ///
    /// # Errors
    ///
    /// When another one has it.
    pub(crate) fn lock(&self) -> io::Result<File> {
        let file = File::create(self.root.join("lock"))?;
        file.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => io::Error::other("another host agent uses this directory"),
            std::fs::TryLockError::Error(error) => error,
        })?;
        Ok(file)
    }

    /// All of it.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The state to start a replica from.
    pub(crate) fn state(&self, cluster: &ClusterId, replica: &ReplicaId) -> PathBuf {
        self.root.join("state").join(cluster.as_str()).join(format!("{replica}.json"))
    }

    /// What belongs to one incarnation.
    pub(crate) fn run(&self, incarnation: Incarnation) -> PathBuf {
        self.root.join("run").join(incarnation.to_string())
    }

    /// Where a replica writes where it listens.
    pub(crate) fn address(&self, incarnation: Incarnation) -> PathBuf {
        self.run(incarnation).join("address.json")
    }

    /// Until when an exclusive replica may run.
    pub(crate) fn lease(&self, incarnation: Incarnation) -> PathBuf {
        self.root.join("leases").join(incarnation.to_string())
    }

    /// What a replica prints: standard output and standard error.
    pub(crate) fn logs(&self, cluster: &ClusterId, replica: &ReplicaId) -> [PathBuf; 2] {
        let directory = self.root.join("logs").join(cluster.as_str());
        [directory.join(format!("{replica}.out")), directory.join(format!("{replica}.err"))]
    }

    /// The picture that a step took.
    pub(crate) fn snapshot(&self, cluster: &ClusterId, step: &StepId) -> PathBuf {
        self.snapshots().join(format!("{cluster}-{step}.json"))
    }

    /// All pictures.
    pub(crate) fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    /// Removes what belonged to a dead incarnation.
    pub(crate) fn forget(&self, incarnation: Incarnation) {
        let run = self.run(incarnation);
        if let Err(error) = std::fs::remove_dir_all(&run)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::debug!(path = %run.display(), %error, "a directory of a dead replica stays");
        }
    }
}
