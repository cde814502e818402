//! Init: keeps the daemons running, as the init system of a real machine would.
//!
//! ```text
//! spawn ─► runs ──dies──► delay (50 ms, doubling up to 2 s, reset after 3 s of life) ─► spawn
//!            └──stop──► SIGTERM ─► grace ─► SIGKILL
//! ```

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use watchdog_core::policy::Backoff;
use watchdog_ports::delays::Delays;

use super::{say, sweep};

const RESTART: Backoff = Backoff { initial_ms: 50, factor: 2.0, max_ms: 2_000 };
/// Who has lived this long was started all right.
const SETTLED: Duration = Duration::from_secs(3);
/// So many deaths in a row, each before it settled, won't mend themselves.
const HOPELESS: u32 = 5;
/// How much of a log is shown when its process won't run.
const TAIL_LINES: usize = 8;

/// What a process is to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A watchdog.
    Watchdog,
    /// A host agent.
    HostAgent,
}

impl Role {
    /// How long it may take to end on SIGTERM.
    fn grace(self) -> Duration {
        match self {
            Self::Watchdog => Duration::from_millis(1_500),
            Self::HostAgent => Duration::from_secs(1),
        }
    }
}

/// One process to keep running.
#[derive(Debug)]
pub(super) struct Unit {
    /// What it is to the cluster.
    pub(super) role: Role,
    /// What people are told.
    pub(super) title: String,
    /// Its executable.
    pub(super) program: PathBuf,
    /// Its arguments.
    pub(super) arguments: Vec<OsString>,
    /// Where its output goes.
    pub(super) log: PathBuf,
    /// By which it is found when all else is lost.
    pub(super) home: PathBuf,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Init {
    kept: Vec<(Role, JoinHandle<()>)>,
    has_started: bool,
    stop_watchdogs: watch::Sender<bool>,
    stop_host_agents: watch::Sender<bool>,
    hopeless: watch::Sender<Option<String>>,
}

impl Default for Init {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            has_started: false,
            stop_watchdogs: watch::Sender::new(false),
            stop_host_agents: watch::Sender::new(false),
            hopeless: watch::Sender::new(None),
        }
    }
}

impl Init {
    /// Starts a process, and again whenever it dies.
    pub(super) fn keep(&mut self, unit: Unit) {
        let role = unit.role;
        self.has_started = true;
        // The first time here, so that people see them come in order.
        let first = unit.start();
        let keeper = Keeper { unit, stop: self.stop_of(role).subscribe(), hopeless: self.hopeless.clone() };
        self.kept.push((role, tokio::spawn(keeper.run(first))));
    }

    /// Whether anything was ever started.
    pub(super) fn has_started(&self) -> bool {
        self.has_started
    }

    /// Tells of a process that dies again and again as soon as it is started.
    pub(super) fn hopeless(&self) -> watch::Receiver<Option<String>> {
        self.hopeless.subscribe()
    }

    /// Ends all processes of `role`, and waits for it.
    pub(super) async fn stop(&mut self, role: Role) {
        self.stop_of(role).send_replace(true);
        let (stopping, kept) = self.kept.drain(..).partition(|(kind, _)| *kind == role);
        self.kept = kept;
        for (_, keeper) in stopping {
            // A keeper that panicked has dropped, and so killed, its child.
            let _: Result<(), tokio::task::JoinError> = keeper.await;
        }
    }

    fn stop_of(&self, role: Role) -> &watch::Sender<bool> {
        match role {
            Role::Watchdog => &self.stop_watchdogs,
            Role::HostAgent => &self.stop_host_agents,
        }
    }
}

/// Keeps one process.
struct Keeper {
    unit: Unit,
    stop: watch::Receiver<bool>,
    hopeless: watch::Sender<Option<String>>,
}

impl Keeper {
    async fn run(mut self, first: io::Result<Child>) {
        let mut delays = Delays::new(RESTART, 0.0);
        let mut young_deaths = 0;
        let mut child = first;
        loop {
            let started = Instant::now();
            let Some(end) = self.until_death(child).await else { return };
            if started.elapsed() >= SETTLED {
                delays.reset();
                young_deaths = 0;
            } else {
                young_deaths += 1;
            }
            if young_deaths >= HOPELESS {
                let said = format!(
                    "{} won't run: {end}; the end of {}:\n{}",
                    self.unit.title,
                    self.unit.log.display(),
                    self.unit.log_tail()
                );
                self.hopeless.send_replace(Some(said));
            }
            let delay = delays.next_delay();
            say(format_args!(
                "{} died ({end}); it is started again in {} ms",
                self.unit.title,
                delay.as_millis()
            ));
            if tokio::time::timeout(delay, stopped(&mut self.stop)).await.is_ok() {
                return;
            }
            child = self.unit.start();
        }
    }

    /// How it died; `None` when it was ended by us.
    async fn until_death(&mut self, child: io::Result<Child>) -> Option<String> {
        let mut child = match child {
            Ok(child) => child,
            Err(error) => return Some(format!("it cannot be started: {error}")),
        };
        // Held open until it is dead: its end tells the child that we are gone. Waiting would close it.
        let _lifeline = child.stdin.take();
        tokio::select! {
            status = child.wait() => Some(describe(status)),
            () = stopped(&mut self.stop) => {
                end(&mut child, self.unit.role.grace()).await;
                None
            }
        }
    }
}

impl Unit {
    /// Spawns it and says so.
    fn start(&self) -> io::Result<Child> {
        let child = self.spawn()?;
        say(format_args!("{} runs (pid {})", self.title, child.id().unwrap_or_default()));
        Ok(child)
    }

    fn spawn(&self) -> io::Result<Child> {
        let log = File::options().create(true).append(true).open(&self.log)?;
        Command::new(&self.program)
            .args(&self.arguments)
            .env(sweep::VARIABLE, &self.home)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is ours alone: we end the others in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Without a sender nobody wants it to run any more.
    drop(stop.wait_for(|stop| *stop).await);
}

/// Asks it to end, and kills it after the grace; a frozen one hears nothing.
async fn end(child: &mut Child, grace: Duration) {
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It is not reaped yet, so the number is still its own.
        let _ = kill_process(pid, Signal::TERM);
    }
    if tokio::time::timeout(grace, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

fn describe(status: io::Result<ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}
