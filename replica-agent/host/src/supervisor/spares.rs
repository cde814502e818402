//! Spares: launchers that have joined a control group of their own and wait for a program to become.
//!
//! ```text
//! quiet for a while ─► spawn, join (7 ms, and nobody on this machine can fork meanwhile) ─► spare
//! start ─► spare? ──yes──► order, exec ── no ──► a launcher without a group, at once
//! ```
//!
//! When many start at once, speed is worth more than the proof that a group
//! gives; those are found by session and environment.

use std::io;
use std::path::PathBuf;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::handle::Handle;
use super::proc;
use super::tree::{Groups, Tree};
use crate::run_as::launch::{self, Launch};

/// How many wait.
const SPARES: usize = 4;
/// How long it must have been quiet before new ones are made, so that they disturb no start.
const QUIET: Duration = Duration::from_millis(300);
/// Exec of a program on a local disk takes a millisecond; one on a hanging network disk never ends.
const PATIENCE: Duration = Duration::from_secs(10);

/// A launcher that waits for its order.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Its number, which will be the replica's.
    pub(crate) pid: u32,
    /// When it started, in clock ticks since boot.
    pub(crate) start_ticks: u64,
    /// The handle on it.
    pub(crate) handle: Handle,
    /// Its group.
    pub(crate) tree: Tree,
    order: ChildStdin,
    answer: pipe::Receiver,
}

impl Waiting {
    async fn new(launcher: PathBuf, tree: Tree) -> io::Result<Self> {
        let entrance = tree.entrance();
        let spawned = tokio::task::spawn_blocking(move || {
            let mut command = Command::new(launcher);
            command.arg(launch::WORD).args(entrance).env_clear();
            let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
            let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty())?;
            io::Result::Ok((child, pidfd))
        });
        let (mut child, pidfd) = spawned.await.map_err(io::Error::other)??;
        let handle = Handle::new(pidfd)?;
        // Not reaped yet, so this is it, dead or alive.
        let start_ticks = proc::Stat::of(child.id()).map_or(0, |stat| stat.start_ticks);
        let (Some(order), Some(answer)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("no pipes to the launcher"));
        };
        let answer = pipe::Receiver::from_owned_fd(answer.into())?;
        let mut waiting = Self { pid: child.id(), start_ticks, handle, tree, order, answer };
        match waiting.hear_readiness().await {
            Ok(()) => Ok(waiting),
            Err(error) => {
                waiting.discard().await;
                Err(error)
            }
        }
    }

    async fn hear_readiness(&mut self) -> io::Result<()> {
        match timeout(PATIENCE, self.answer.read_u8()).await {
            Ok(Ok(b'+')) => Ok(()),
            Ok(Err(error)) => Err(error),
            Ok(Ok(_)) => {
                let mut reason = String::new();
                // What can't be read can't be told.
                let _ = self.answer.read_to_string(&mut reason).await;
                Err(io::Error::other(reason))
            }
            Err(_) => Err(io::Error::other("the launcher does not come up")),
        }
    }

    /// Has it become the program; the answer says why it did not.
    pub(crate) async fn become_program(self, launch: &Launch) -> (Handle, Result<(), String>) {
        let Self { handle, order, mut answer, .. } = self;
        let told = async {
            let mut order = pipe::Sender::from_owned_fd(order.into())?;
            order.write_all(&serde_json::to_vec(launch)?).await?;
            drop(order);
            let mut reason = String::new();
            answer.read_to_string(&mut reason).await?;
            io::Result::Ok(reason)
        };
        let result = match timeout(PATIENCE, told).await {
            Ok(Ok(reason)) if reason.is_empty() => Ok(()),
            Ok(Ok(reason)) => Err(reason),
            Ok(Err(error)) => Err(format!("the launcher can't be told: {error}")),
            Err(_) => Err(format!("exec did not return within {PATIENCE:?}")),
        };
        (handle, result)
    }

    /// Ends it unused.
    pub(crate) async fn discard(self) {
        self.handle.signal(Signal::KILL);
        self.handle.end().await;
        self.tree.remove();
    }
}

/// The launchers that wait.
pub(crate) struct Spares {
    launcher: PathBuf,
    groups: Option<Groups>,
    ready: Mutex<Vec<Waiting>>,
    taken: Notify,
}

impl Spares {
    /// None yet.
    pub(crate) fn new(launcher: PathBuf, groups: Option<Groups>) -> Self {
        Self { launcher, groups, ready: Mutex::default(), taken: Notify::new() }
    }

    /// A launcher, at once; one that must have a group is waited for.
    ///
    /// # Errors
    ///
    /// When none can be made.
    pub(crate) async fn take(&self, must_have_group: bool) -> io::Result<Waiting> {
        loop {
            let ready = self.ready.lock().unwrap_or_else(PoisonError::into_inner).pop();
            self.taken.notify_one();
            match ready {
                Some(ready) if ready.handle.has_ended() => ready.discard().await,
                Some(ready) => return Ok(ready),
                // Where there are groups at all, an exclusive one has one, or is not started.
                None if must_have_group => return self.make().await,
                None => return Waiting::new(self.launcher.clone(), Tree::Session).await,
            }
        }
    }

    async fn make(&self) -> io::Result<Waiting> {
        let tree = match &self.groups {
            Some(groups) => groups.make()?,
            None => Tree::Session,
        };
        Waiting::new(self.launcher.clone(), tree).await
    }

    /// Ends all that wait.
    pub(crate) async fn empty(&self) {
        let ready = std::mem::take(&mut *self.ready.lock().unwrap_or_else(PoisonError::into_inner));
        for waiting in ready {
            waiting.discard().await;
        }
    }

    /// Makes new ones whenever it is quiet.
    pub(crate) async fn keep_filled(self: Arc<Self>) {
        let mut told = false;
        loop {
            let count = self.ready.lock().unwrap_or_else(PoisonError::into_inner).len();
            if count >= SPARES {
                self.taken.notified().await;
                // Until nothing was taken for a while.
                while timeout(QUIET, self.taken.notified()).await.is_ok() {}
                continue;
            }
            match self.make().await {
                Ok(waiting) => self.ready.lock().unwrap_or_else(PoisonError::into_inner).push(waiting),
                Err(error) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%error, "no launcher can be made ready in a control group");
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }
}
