//! PostgreSQL: a real server on a fresh directory and port, that can be restarted, killed and frozen.
//!
//! ```text
//! Postgres::start ─► initdb ─► postgres (as user `postgres` when we are root) ─► answers on 127.0.0.1 and a socket
//! shared()        ─► one server per test process, a fresh database per call
//! ```

use std::os::fd::OwnedFd;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, pidfd_send_signal};

use crate::ports;
use crate::process::{Guarded, children_of, handle_of, is_program, wait_for};
use crate::reaper::Directory;

const START_PATIENCE: Duration = Duration::from_mins(1);

/// Whether a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// `fsync = on`: what a commit costs is what it costs in production.
    Synced,
    /// `fsync = off`: quicker, and as safe as long as the machine itself stays up.
    Unsynced,
}

/// A running server; killed and removed on drop.
#[derive(Debug)]
pub struct Postgres {
    binaries: PathBuf,
    port: u16,
    durability: Durability,
    next_database: AtomicU32,
    process: Mutex<Option<Guarded>>,
    directory: Directory,
}

impl Postgres {
    /// Creates a server on a fresh directory and waits until it answers.
    ///
    /// # Errors
    ///
    /// If Debian's package is missing (named in the message) or the server does not come up.
    pub fn start(durability: Durability) -> anyhow::Result<Self> {
        let binaries = find_binaries()?;
        let directory = Directory::fresh("postgres-")?;
        if let Some(user) = unprivileged()? {
            chown(directory.path(), Some(user.uid), Some(user.gid))
                .context("give the directory to postgres")?;
        }
        let server = Self {
            binaries,
            port: ports::free()?,
            durability,
            next_database: AtomicU32::new(1),
            process: Mutex::new(None),
            directory,
        };
        server.initialise()?;
        server.launch()?;
        Ok(server)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The directory of its unix socket.
    pub fn socket_directory(&self) -> PathBuf {
        self.directory.path().to_owned()
    }

    /// The address of the database `postgres`, which everybody may do anything in.
    pub fn url(&self) -> String {
        self.database_url("postgres")
    }

    /// Creates an empty database and returns its address.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub fn create_database(&self) -> anyhow::Result<String> {
        let name = format!("test_{}", self.next_database.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(self.database_url(&name))
    }

    /// Runs one statement in `database` with psql and returns the bare values.
    ///
    /// # Errors
    ///
    /// If psql fails, with what it said.
    pub fn psql(&self, database: &str, statement: &str) -> anyhow::Result<String> {
        let output = Command::new(self.binaries.join("psql"))
            .args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-d", &self.database_url(database), "-c", statement])
            .env("PGCONNECT_TIMEOUT", "10")
            .output()
            .context("run psql")?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "psql: {}", said.trim());
        Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
    }

    /// Shuts it down in order (`fast`: open transactions are rolled back) and waits until it is gone.
    ///
    /// # Errors
    ///
    /// If it does not obey in time.
    pub fn stop_fast(&self) -> anyhow::Result<()> {
        if let Some(mut process) = self.process().take() {
            anyhow::ensure!(process.stop(Signal::INT, START_PATIENCE), "postgres ignored SIGINT");
        }
        Ok(())
    }

    /// Stops it fast if it runs, starts it on its old data and waits until it answers.
    ///
    /// # Errors
    ///
    /// If it does not stop or come up.
    pub fn restart(&self) -> anyhow::Result<()> {
        self.stop_fast()?;
        self.launch()
    }

    /// Kills all of its processes with SIGKILL and waits until they are gone: the next start recovers from its log.
    pub fn kill(&self) {
        let Some(mut postmaster) = self.process().take() else { return };
        // Its backends lead groups of their own, and the next start waits for the last of them.
        let backends: Vec<OwnedFd> =
            children_of(postmaster.pid()).into_iter().filter_map(handle_of).collect();
        postmaster.kill();
        for backend in &backends {
            let _ = pidfd_send_signal(backend, Signal::KILL);
        }
        for backend in &backends {
            let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
            let _ = poll(&mut [PollFd::new(backend, PollFlags::IN)], Some(&patience));
        }
    }

    /// Stops all of its processes with SIGSTOP: connections stay open, and nothing is answered.
    pub fn freeze(&self) {
        let process = self.process();
        let Some(postmaster) = process.as_ref() else { return };
        // The postmaster first, so that no new backend appears behind our back.
        postmaster.signal(Signal::STOP);
        for backend in children_of(postmaster.pid()).into_iter().filter_map(handle_of) {
            let _ = pidfd_send_signal(&backend, Signal::STOP);
        }
    }

    /// Lets a frozen one run on.
    pub fn thaw(&self) {
        let process = self.process();
        let Some(postmaster) = process.as_ref() else { return };
        for backend in children_of(postmaster.pid()).into_iter().filter_map(handle_of) {
            let _ = pidfd_send_signal(&backend, Signal::CONT);
        }
        postmaster.signal(Signal::CONT);
    }

    fn initialise(&self) -> anyhow::Result<()> {
        let output = as_unprivileged(self.binaries.join("initdb"))?
            .args([
                "--username=postgres",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-sync",
                "-D",
            ])
            .arg(self.data())
            .current_dir(self.directory.path())
            .output()
            .context("run initdb")?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "initdb: {}", said.trim());
        Ok(())
    }

    fn launch(&self) -> anyhow::Result<()> {
        let fsync = match self.durability {
            Durability::Synced => "fsync=on",
            Durability::Unsynced => "fsync=off",
        };
        let mut command = as_unprivileged(self.binaries.join("postgres"))?;
        command.arg("-D").arg(self.data()).arg("-k").arg(self.directory.path());
        command.args([
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
            "-c",
            fsync,
            "-c",
            "max_connections=200",
        ]);
        command.args(["-c", "shared_buffers=32MB"]).current_dir(self.directory.path());
        let mut started = Guarded::spawn("postgres", &mut command, &self.directory.path().join("log"))?;
        wait_for("postgres to answer", START_PATIENCE, || {
            (!started.is_running() || self.psql("postgres", "SELECT 1").is_ok()).then_some(())
        })?;
        anyhow::ensure!(started.is_running(), "postgres ended while starting:\n{}", started.log_tail());
        *self.process() = Some(started);
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn database_url(&self, name: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{name}", self.port)
    }

    fn process(&self) -> MutexGuard<'_, Option<Guarded>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Returns the address of a fresh database on a server (without fsync) that all tests of this process share.
///
/// # Errors
///
/// If the server does not come up; each later call reports that too.
pub fn shared() -> anyhow::Result<String> {
    shared_server()?.create_database()
}

/// The shared server itself; whoever stops it disturbs other tests, and so starts one of its own instead.
///
/// # Errors
///
/// If the server does not come up.
pub fn shared_server() -> anyhow::Result<&'static Postgres> {
    static SHARED: LazyLock<Result<Postgres, String>> =
        LazyLock::new(|| Postgres::start(Durability::Unsynced).map_err(|error| format!("{error:#}")));
    SHARED.as_ref().map_err(|error| anyhow::anyhow!("the shared postgres: {error}"))
}

/// The newest server that Debian has installed.
///
/// # Errors
///
/// Names the package that is missing.
pub fn find_binaries() -> anyhow::Result<PathBuf> {
    let found = std::fs::read_dir("/usr/lib/postgresql").ok().and_then(|versions| {
        let versions = versions.flatten().filter(|version| version.path().join("bin/postgres").exists());
        versions.max_by_key(|version| version.file_name().to_string_lossy().parse::<u32>().unwrap_or(0))
    });
    let found =
        found.context("/usr/lib/postgresql/*/bin/postgres is missing: apt-get install -y postgresql")?;
    anyhow::ensure!(is_program("setpriv"), "setpriv is missing: apt-get install -y util-linux");
    Ok(found.path().join("bin"))
}

/// The user `postgres`, whom the server runs as when we are root (it refuses to be root).
#[derive(Debug, Clone, Copy)]
pub struct Unprivileged {
    /// Its number.
    pub uid: u32,
    /// Its group's.
    pub gid: u32,
}

/// Whom the server runs as; `None` when we are not root, and so it runs as we do.
///
/// # Errors
///
/// If we are root and there is no such user.
pub fn unprivileged() -> anyhow::Result<Option<Unprivileged>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd").context("read /etc/passwd")?;
    let fields =
        users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == "postgres");
    let user = fields.and_then(|fields| {
        Some(Unprivileged { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
    });
    user.map(Some).context("there is no user postgres: apt-get install -y postgresql")
}

fn as_unprivileged(program: PathBuf) -> anyhow::Result<Command> {
    let Some(user) = unprivileged()? else { return Ok(Command::new(program)) };
    let mut command = Command::new("setpriv");
    command.args([format!("--reuid={}", user.uid), format!("--regid={}", user.gid)]);
    command.arg("--clear-groups").arg(program);
    Ok(command)
}
