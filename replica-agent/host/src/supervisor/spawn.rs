//! Spawn: from an order to a running, recorded process.
//!
//! ```text
//! (intent is on disk) ─► guardian, if exclusive ─► fork, exec ─► handle ─► recorded ─► kept
//! ```

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use watchdog_membership::environment::{Environment, StateFile};

use super::kept::Kept;
use super::launch::Launch;
use super::tree::Tree;
use super::user::User;
use super::{Supervisor, proc};
use crate::config::Program;
use crate::ledger::{Entry, LedgerError, Life, ProcessKey};

/// The variable by which a process carries what was ordered, for a host agent that has lost its ledger.
pub(crate) const LIFE: &str = "WATCHDOG_LIFE";
/// Exec of a program on a local disk takes a millisecond; one on a hanging network disk never ends.
const EXEC_PATIENCE: Duration = Duration::from_secs(10);

/// Why a process was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpawnError {
    /// The machine has no such user.
    #[error("the program's user {user:?} does not exist on this host")]
    NoUser {
        /// Its name.
        user: String,
    },
    /// Something that it needs can't be made.
    #[error("cannot {operation}: {source}")]
    Prepare {
        /// What was tried.
        operation: &'static str,
        /// What went wrong.
        source: io::Error,
    },
    /// It was forked, and could not become the program.
    #[error("{reason}")]
    NotRunning {
        /// What the launcher said.
        reason: String,
    },
    /// The disk did not take the record, so the process was ended again.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl SpawnError {
    fn prepare(operation: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Prepare { operation, source }
    }
}

/// A process between fork and the proof that it runs the program.
struct Forked {
    key: ProcessKey,
    pidfd: OwnedFd,
    pipe: pipe::Receiver,
    tree: Tree,
}

impl Supervisor {
    /// Makes the state that a replica starts from available to it.
    ///
    /// # Errors
    ///
    /// When the disk does not take it.
    pub(crate) fn cache_state(&self, life: &Life, state: &StateFile) -> Result<(), SpawnError> {
        let path = self.dirs.state(&life.cluster, &life.replica);
        // The usual restart finds the same state there, and then costs no sync.
        if StateFile::read(&path).is_ok_and(|cached| cached == *state) {
            return Ok(());
        }
        let directory = path.parent().unwrap_or(self.dirs.root());
        std::fs::create_dir_all(directory)
            .map_err(SpawnError::prepare("make the directory for the state"))?;
        let failed = |error| SpawnError::Prepare {
            operation: "write the state file",
            source: io::Error::other(with_causes(&error)),
        };
        state.write(&path).map_err(failed)
    }

    /// Starts a process whose intent is on disk; `extra` is recorded together with it.
    ///
    /// # Errors
    ///
    /// No process of this incarnation runs.
    pub(crate) async fn spawn(
        self: &Arc<Self>,
        life: Life,
        program: Program,
        extra: impl FnOnce(&ProcessKey) -> Entry,
    ) -> Result<Arc<Kept>, SpawnError> {
        let incarnation = life.incarnation;
        if let Some(lease_ms) = life.lease_ms {
            let leased = self.leases.grant(&life.cluster, incarnation, lease_ms).await;
            leased.map_err(SpawnError::prepare("set a guardian over the exclusive replica"))?;
        }
        let result = self.clone().spawn_guarded(life, program, extra).await;
        if result.is_err() {
            self.leases.release(incarnation);
            self.dirs.forget(incarnation);
        }
        result
    }

    async fn spawn_guarded(
        self: Arc<Self>,
        life: Life,
        program: Program,
        extra: impl FnOnce(&ProcessKey) -> Entry,
    ) -> Result<Arc<Kept>, SpawnError> {
        let forking = self.clone();
        let ordered = life.clone();
        let forked = tokio::task::spawn_blocking(move || forking.fork(&ordered, &program));
        let lost = |_| SpawnError::NotRunning { reason: "the thread that starts processes failed".into() };
        let mut forked = forked.await.map_err(lost)??;
        let entries = vec![
            Entry::Spawned { incarnation: life.incarnation, process: forked.key.clone() },
            extra(&forked.key),
        ];
        let (recorded, running) =
            tokio::join!(self.ledger.record_order(entries), await_exec(&mut forked.pipe));
        let kept = Kept::new(life, forked.key, forked.pidfd, forked.tree)
            .map_err(SpawnError::prepare("watch the process"))?;
        let failed = recorded.map_err(SpawnError::from).and(running);
        if let Err(error) = failed {
            // It may have become the program, or may still; nobody would know of it.
            kept.signal(Signal::KILL);
            kept.tree.kill(kept.life.incarnation, Some(kept.key.pid));
            kept.end().await;
            kept.tree.clear(kept.life.incarnation, Some(kept.key.pid)).await;
            return Err(error);
        }
        Ok(self.keep(kept))
    }

    fn fork(&self, life: &Life, program: &Program) -> Result<Forked, SpawnError> {
        let user = program
            .user
            .as_ref()
            .map(|name| User::find(name).ok_or_else(|| SpawnError::NoUser { user: name.clone() }));
        let user = user.transpose()?;
        self.prepare_files(life, user.as_ref())
            .map_err(SpawnError::prepare("prepare the replica's files"))?;
        let [out, err] = self.dirs.logs(&life.cluster, &life.replica);
        let out = append(&out).map_err(SpawnError::prepare("open the replica's log"))?;
        let tree = match &self.groups {
            Some(groups) => {
                groups.make(life.incarnation).map_err(SpawnError::prepare("make a control group"))?
            }
            None => Tree::Session,
        };
        let launch = Launch {
            entrance: tree.entrance(),
            errors: err,
            owner: user.as_ref().map(|user| user.ids),
            directory: program.directory.clone(),
            argv: Program::render(&program.argv, &life.parameters),
        };
        let mut command = launch.command(&self.launcher);
        command.env_clear().envs(self.variables(life, program, user.as_ref()));
        command.stdin(Stdio::null()).stdout(out).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(SpawnError::prepare("fork"))?;
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::empty());
        let pidfd =
            pidfd.map_err(|errno| SpawnError::prepare("open a handle on the process")(errno.into()))?;
        // Not reaped yet, so this is it, dead or alive.
        let start_ticks = proc::Stat::of(child.id()).map_or(0, |stat| stat.start_ticks);
        let pipe = child.stderr.take().map(|pipe| pipe::Receiver::from_owned_fd(pipe.into()));
        let Some(Ok(pipe)) = pipe else {
            // Without the pipe we would not learn whether it runs.
            let _ = pidfd_send_signal(&pidfd, Signal::KILL);
            return Err(SpawnError::NotRunning { reason: "no pipe to the launcher".into() });
        };
        let key = ProcessKey { pid: child.id(), start_ticks, boot_id: self.boot_id.clone() };
        Ok(Forked { key, pidfd, pipe, tree })
    }

    fn prepare_files(&self, life: &Life, user: Option<&User>) -> io::Result<()> {
        let run = self.dirs.run(life.incarnation);
        std::fs::create_dir_all(&run)?;
        for log in self.dirs.logs(&life.cluster, &life.replica) {
            std::fs::create_dir_all(log.parent().unwrap_or(Path::new("/")))?;
        }
        if let Some(User { ids: (user, group), .. }) = user {
            std::os::unix::fs::chown(&run, Some(*user), Some(*group))?;
            std::os::unix::fs::chown(
                self.dirs.state(&life.cluster, &life.replica),
                Some(*user),
                Some(*group),
            )?;
        }
        Ok(())
    }

    fn variables(&self, life: &Life, program: &Program, user: Option<&User>) -> Vec<(String, String)> {
        let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".into());
        let mut variables = vec![("PATH".to_owned(), path)];
        if let (Some(user), Some(name)) = (user, &program.user) {
            variables.push(("USER".to_owned(), name.clone()));
            variables.push(("HOME".to_owned(), user.home.to_string_lossy().into_owned()));
        }
        variables.extend(program.environment.clone());
        let environment = Environment {
            cluster: life.cluster.clone(),
            replica: life.replica.clone(),
            host: self.config.host.clone(),
            incarnation: life.incarnation,
            coordination: Some(self.config.coordination.url.clone()),
            coordination_auth_file: self.config.coordination.auth_file.clone(),
            session_timeout_ms: self.config.coordination.session_timeout_ms,
            epoch: life.epoch,
            state_file: self.dirs.state(&life.cluster, &life.replica),
            address_file: Some(self.dirs.address(life.incarnation)),
            parameters: life.parameters.clone(),
        };
        variables.extend(environment.variables());
        // A life holds only texts and numbers under text keys, which JSON can always hold.
        variables.push((LIFE.to_owned(), serde_json::to_string(life).unwrap_or_default()));
        variables
    }
}

/// Waits until the launcher has become the program: its end of the pipe is closed by exec.
async fn await_exec(pipe: &mut pipe::Receiver) -> Result<(), SpawnError> {
    let mut said = String::new();
    let read = tokio::time::timeout(EXEC_PATIENCE, pipe.read_to_string(&mut said)).await;
    match read {
        Ok(Ok(0)) => Ok(()),
        Ok(Ok(_)) => Err(SpawnError::NotRunning { reason: said }),
        Ok(Err(error)) => {
            Err(SpawnError::NotRunning { reason: format!("the launcher can't be heard: {error}") })
        }
        Err(_) => {
            Err(SpawnError::NotRunning { reason: format!("exec did not return within {EXEC_PATIENCE:?}") })
        }
    }
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// An error with everything beneath it, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
