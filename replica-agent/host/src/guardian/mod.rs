//! Guardian: keeps the promise that an exclusive replica does not outlive its lease.
//!
//! ```text
//! session confirmed ─► agent writes a later deadline ─► lease file ◄─ reads ─ guardian
//!                                                      deadline passed ─► kills the tree
//! ```
//!
//! One small process a replica, in a session of its own, so that it works on
//! when the host agent does not. It holds a lock on the lease file, by which
//! the host agent sees that it is there.

pub(crate) mod child;
pub(crate) mod lease;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use watchdog_core::ids::{ClusterId, Incarnation};

use crate::clock;
use crate::dirs::Dirs;
use crate::ledger::{Body, Life};
use crate::supervisor::Handle;
use lease::LeaseFile;

/// The hidden subcommand.
pub(crate) const WORD: &str = "guardian";
/// A guardian that does not say that it guards within this long will not.
const READY_PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait before trying again to set a guardian.
const GUARD_AGAIN: Duration = Duration::from_millis(200);

struct Lease {
    cluster: ClusterId,
    length: Duration,
    file: LeaseFile,
}

/// The leases of the exclusive replicas on this host.
#[derive(Clone)]
pub(crate) struct Leases {
    dirs: Dirs,
    launcher: PathBuf,
    held: Arc<Mutex<BTreeMap<Incarnation, Lease>>>,
}

impl Leases {
    /// None yet.
    pub(crate) fn new(dirs: Dirs, launcher: PathBuf) -> Self {
        Self { dirs, launcher, held: Arc::default() }
    }

    /// Gives a replica that is about to start its first lease, from now on; a guardian stands when this returns.
    ///
    /// # Errors
    ///
    /// Nobody guards it, so it must not be started.
    pub(crate) async fn grant(&self, life: &Life, lease_ms: u64, body: &Body) -> io::Result<()> {
        let (cluster, incarnation) = (&life.cluster, life.incarnation);
        let file = LeaseFile::open(&self.dirs.lease(incarnation))?;
        file.set_deadline(clock::boottime() + Duration::from_millis(lease_ms))?;
        self.stand_guard(body).await?;
        self.hold(
            incarnation,
            Lease { cluster: cluster.clone(), length: Duration::from_millis(lease_ms), file },
        );
        Ok(())
    }

    fn hold(&self, incarnation: Incarnation, lease: Lease) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(incarnation, lease);
    }

    /// Takes up the lease of an adopted replica, and sets a guardian over it where there is none.
    pub(crate) fn resume(&self, life: &Life, lease_ms: u64, body: &Body) {
        let (cluster, incarnation) = (&life.cluster, life.incarnation);
        let path = self.dirs.lease(incarnation);
        let known = path.exists();
        let opened = LeaseFile::open(&path).and_then(|file| {
            // A lost file says nothing about the deadline; what holds then is a lease from now, and no earlier guardian's.
            if !known {
                file.set_deadline(clock::boottime() + Duration::from_millis(lease_ms))?;
                child::end_others(incarnation);
            }
            Ok(file)
        });
        match opened {
            Ok(file) => self.hold(
                incarnation,
                Lease { cluster: cluster.clone(), length: Duration::from_millis(lease_ms), file },
            ),
            Err(error) => {
                tracing::error!(%incarnation, %error, "the lease of an exclusive replica can't be taken up");
            }
        }
        let leases = self.clone();
        tokio::spawn({
            let body = body.clone();
            async move { leases.guard_again(&body).await }
        });
    }

    /// The session of a cluster was confirmed at this time since boot: its replicas may run on for their lease.
    pub(crate) fn renew(&self, cluster: &ClusterId, confirmed: Duration) {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        for (incarnation, lease) in held.iter().filter(|(_, lease)| lease.cluster == *cluster) {
            if let Err(error) = lease.file.set_deadline(confirmed + lease.length) {
                tracing::error!(%incarnation, %error, "a lease can't be renewed");
            }
        }
    }

    /// The replica is dead: its guardian may go.
    pub(crate) fn release(&self, incarnation: Incarnation) {
        let lease = self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&incarnation);
        let path = self.dirs.lease(incarnation);
        let file = match lease {
            Some(lease) => Some(lease.file),
            None => path.exists().then(|| LeaseFile::open(&path).ok()).flatten(),
        };
        if let Some(file) = file
            && let Err(error) = file.release(&path)
        {
            tracing::warn!(%incarnation, %error, "a lease can't be released; its guardian goes when it runs out");
        }
    }

    fn is_held(&self, incarnation: Incarnation) -> bool {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&incarnation)
    }

    /// Starts a guardian unless there is one; it stands when this returns, and is replaced if it dies.
    async fn stand_guard(&self, body: &Body) -> io::Result<()> {
        let incarnation = body.incarnation;
        if child::is_guarded(&self.dirs.lease(incarnation))? {
            return Ok(());
        }
        let mut command = Command::new(&self.launcher);
        command.arg(WORD).arg(self.dirs.lease(incarnation)).arg(incarnation.to_string());
        command.arg(serde_json::to_string(body)?);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = command.spawn()?;
        let handle = Handle::new(pidfd_open(Pid::from_child(&process), PidfdFlags::empty())?)?;
        let (leases, body) = (self.clone(), body.clone());
        tokio::spawn(async move {
            handle.end().await;
            leases.guard_again(&body).await;
        });
        let output = process.stdout.take().ok_or_else(|| io::Error::other("no pipe to the guardian"))?;
        let mut output = pipe::Receiver::from_owned_fd(output.into())?;
        let mut word = [0; 1];
        match tokio::time::timeout(READY_PATIENCE, output.read(&mut word)).await {
            Ok(Ok(1)) => Ok(()),
            Ok(Err(error)) => Err(error),
            _ => Err(io::Error::other("the guardian did not come up")),
        }
    }

    /// Replaces a guardian that died before its replica.
    fn guard_again<'a>(&'a self, body: &'a Body) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            let incarnation = body.incarnation;
            while self.is_held(incarnation) {
                match self.stand_guard(body).await {
                    Ok(()) => return,
                    Err(error) => {
                        tracing::error!(%incarnation, %error, "an exclusive replica has no guardian");
                    }
                }
                tokio::time::sleep(GUARD_AGAIN).await;
            }
        })
    }
}
