//! Spawn: from a recorded order to a running process that is kept.
//!
//! ```text
//! launcher taken ─► guardian, if exclusive ─► (intent and process on disk) ─► exec ─► kept
//! ```

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::process::Signal;
use watchdog_membership::environment::{self, Environment};
use watchdog_membership::handover::StateFile;

use super::Supervisor;
use super::kept::Kept;
use super::spares::Waiting;
use crate::config::Program;
use crate::fault::{Blame, Blamed, Fault};
use crate::guest_files;
use crate::ledger::{Body, Entry, Life, ProcessKey};
use crate::run_as::{Job, Launch, launch};

/// The variable by which a process carries what was ordered, for a host agent that has lost its ledger.
pub(crate) const LIFE: &str = "WATCHDOG_LIFE";

/// More than any order brings.
const STATE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// The variable that tells a probe's program or a load's command for which life of the replica it runs.
const PROBED: &str = "WATCHDOG_PROBED_INCARNATION";

/// Why a process was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpawnError {
    /// Something that it needs can't be made.
    #[error("cannot {operation}")]
    Prepare {
        /// What was tried.
        operation: &'static str,
        /// What went wrong.
        source: io::Error,
    },
    /// It was forked, and could not become the program.
    #[error("{reason}")]
    NotRunning {
        /// A word for it.
        code: String,
        /// What the launcher said.
        reason: String,
    },
}

impl Blamed for SpawnError {
    fn fault(&self) -> Fault {
        match self {
            Self::Prepare { source, .. } => Fault::of_io(source, "not_prepared"),
            Self::NotRunning { code, .. } => Fault::new(code, Blame::Host),
        }
    }
}

impl SpawnError {
    fn prepare(operation: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Prepare { operation, source }
    }
}

/// A launcher that will become a replica.
pub(crate) struct Launcher {
    waiting: Waiting,
    key: ProcessKey,
}

impl Launcher {
    /// The process that it is and the replica will be.
    pub(crate) fn key(&self) -> &ProcessKey {
        &self.key
    }

    /// What must be on disk before it becomes the replica.
    pub(crate) fn entry(&self, life: &Life) -> Entry {
        Entry::Spawned(self.body(life))
    }

    fn body(&self, life: &Life) -> Body {
        Body { incarnation: life.incarnation, process: self.key.clone(), group: self.waiting.tree.group() }
    }

    /// Ends it unused.
    pub(crate) async fn discard(self) {
        self.waiting.discard().await;
    }
}

impl Supervisor {
    /// The state that was made available to a replica; `None` if what is there can't be used.
    pub(crate) fn cached_state(&self, life: &Life) -> Option<StateFile> {
        let path = self.dirs.state(&life.cluster, &life.replica);
        let beneath = path.strip_prefix(self.dirs.root()).ok()?;
        let bytes = guest_files::read(self.dirs.root(), beneath, STATE_BYTES_MAX).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// Makes the state that a replica starts from available to it.
    ///
    /// # Errors
    ///
    /// When the disk does not take it.
    pub(crate) fn cache_state(&self, life: &Life, state: &StateFile) -> Result<(), SpawnError> {
        let path = self.dirs.state(&life.cluster, &life.replica);
        // The usual restart finds the same state there, and then costs no sync.
        if self.cached_state(life).is_some_and(|cached| cached == *state) {
            return Ok(());
        }
        let directory = path.parent().unwrap_or(self.dirs.root());
        std::fs::create_dir_all(directory)
            .map_err(SpawnError::prepare("make the directory for the state"))?;
        state.write(&path).map_err(|error| SpawnError::Prepare {
            operation: "write the state file",
            source: io::Error::new(kind_of(&error), with_causes(&error)),
        })
    }

    /// Makes everything that a replica needs on disk, and answers how it is launched.
    ///
    /// # Errors
    ///
    /// Nothing was started.
    pub(crate) fn prepare(
        &self,
        life: &Life,
        program: &Program,
        state: &StateFile,
    ) -> Result<Launch, SpawnError> {
        self.cache_state(life, state)?;
        self.prepare_files(life).map_err(SpawnError::prepare("prepare the replica's files"))?;
        Ok(Launch {
            parent: std::process::id(),
            logs: Some(self.dirs.logs(&life.cluster, &life.replica)),
            user: program.user.clone(),
            owned: vec![self.dirs.run(life.incarnation)],
            readable: vec![self.dirs.state(&life.cluster, &life.replica)],
            directory: program.directory.clone(),
            variables: self.variables(life, program),
            argv: Program::render(&program.argv, &life.parameters),
        })
    }

    fn prepare_files(&self, life: &Life) -> io::Result<()> {
        std::fs::create_dir_all(self.dirs.run(life.incarnation))?;
        for log in self.dirs.logs(&life.cluster, &life.replica) {
            std::fs::create_dir_all(log.parent().unwrap_or(Path::new("/")))?;
        }
        Ok(())
    }

    /// What runs for a replica beside it: a probe's program or a load's command, as the replica's own program runs,
    /// where `program` says nothing else.
    pub(crate) fn job(&self, life: &Life, program: &Program, argv: Vec<String>) -> Job {
        let guarded = self.config.programs.get(&life.program);
        let mut variables = own_variables(program);
        let told = [
            (environment::CLUSTER, life.cluster.to_string()),
            (environment::REPLICA, life.replica.to_string()),
            (environment::HOST, self.config.host.to_string()),
            (PROBED, life.incarnation.to_string()),
        ];
        variables.extend(told.map(|(name, value)| (name.to_owned(), value)));
        Job {
            user: program.user.clone().or_else(|| guarded?.user.clone()),
            directory: program.directory.clone().or_else(|| guarded?.directory.clone()),
            variables,
            argv,
        }
    }

    fn variables(&self, life: &Life, program: &Program) -> BTreeMap<String, String> {
        let mut variables = own_variables(program);
        let environment = Environment {
            cluster: life.cluster.clone(),
            replica: life.replica.clone(),
            host: self.config.host.clone(),
            incarnation: life.incarnation,
            coordination: Some(self.config.coordination.url.clone()),
            coordination_auth_file: self.config.coordination.auth_file.clone(),
            // The configuration's check has refused what is not whole.
            coordination_tls: self.config.coordination.tls().unwrap_or_default(),
            tls: program.tls.passed_on().or_else(|| self.config.tls.passed_on()),
            session_timeout_ms: self.config.coordination.session_timeout_ms,
            epoch: life.epoch,
            state_file: self.dirs.state(&life.cluster, &life.replica),
            address_file: Some(self.dirs.address(life.incarnation)),
            parameters: life.parameters.clone(),
        };
        variables.extend(environment.variables());
        // A life holds only texts and numbers under text keys, which JSON can always hold.
        variables.insert(LIFE.to_owned(), serde_json::to_string(life).unwrap_or_default());
        variables
    }

    /// Takes a launcher, and sets a guardian over it if the replica is exclusive.
    ///
    /// # Errors
    ///
    /// Nothing was started.
    pub(crate) async fn launcher(&self, life: &Life) -> Result<Launcher, SpawnError> {
        let waiting = self.spares.take(life.lease_ms.is_some()).await;
        let waiting = waiting.map_err(SpawnError::prepare("make a launcher"))?;
        let key =
            ProcessKey { pid: waiting.pid, start_ticks: waiting.start_ticks, boot_id: self.boot_id.clone() };
        let launcher = Launcher { waiting, key };
        if let Some(lease_ms) = life.lease_ms
            && let Err(source) = self.leases.grant(life, lease_ms, &launcher.body(life)).await
        {
            launcher.discard().await;
            self.leases.release(life.incarnation);
            let operation = "set a guardian over the exclusive replica";
            return Err(SpawnError::Prepare { operation, source });
        }
        Ok(launcher)
    }

    /// Has a launcher become a replica; what it is stands on disk already.
    ///
    /// # Errors
    ///
    /// No process of this incarnation runs.
    pub(crate) async fn launch(
        self: &Arc<Self>,
        life: Life,
        launcher: Launcher,
        launch: &Launch,
    ) -> Result<Arc<Kept>, SpawnError> {
        let body = launcher.body(&life);
        let (handle, running) = launcher.waiting.become_program(launch).await;
        watchdog_crash_points::crash_point!("host.start.running");
        let kept = Kept::new(life, body, handle);
        match running {
            Ok(()) => Ok(self.keep(kept)),
            Err(reason) => {
                // It may become the program late; nobody would know of it.
                kept.signal(Signal::KILL);
                kept.end().await;
                self.clear(&kept.body, kept.had()).await;
                let (code, reason) = launch::reason(&reason);
                Err(SpawnError::NotRunning { code: code.to_owned(), reason: reason.to_owned() })
            }
        }
    }

    /// Forgets what a replica that never ran needed.
    pub(crate) fn unprepare(&self, life: &Life) {
        self.leases.release(life.incarnation);
        self.dirs.forget(life.incarnation);
    }
}

/// What a program has in its environment beside the names of the contract.
fn own_variables(program: &Program) -> BTreeMap<String, String> {
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".into());
    let mut variables: BTreeMap<String, String> = [("PATH".to_owned(), path)].into();
    variables.extend(watchdog_crash_points::passed_on());
    variables.extend(program.environment.clone());
    variables
}

/// What kind of error of the kernel is beneath.
fn kind_of(error: &(dyn std::error::Error + 'static)) -> io::ErrorKind {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let mut kernels = causes.filter_map(|error| error.downcast_ref::<io::Error>());
    kernels.next().map_or(io::ErrorKind::Other, io::Error::kind)
}

/// An error with everything beneath it, in one line.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
