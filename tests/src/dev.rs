//! Dev: a whole cluster from `watchdog dev` on this machine, and `watchdogctl` to talk to it.
//!
//! ```text
//! Dev::start ─► watchdog dev … ─► `ready` ─► D/endpoints ─► ctl(…), status()
//! Drop       ─► SIGTERM ─► (grace) ─► SIGKILL to the group, and to whoever was told of D
//! ```

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Output};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::process::{Pid, Signal, pidfd_send_signal};

use crate::process::{Guarded, append, told_of, wait_for};
use crate::reaper::Directory;

const READY_PATIENCE: Duration = Duration::from_secs(90);
const STOP_GRACE: Duration = Duration::from_secs(20);

/// What to start; the default is what `watchdog dev` does by itself, on free ports.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    /// `--watchdogs`.
    pub watchdogs: Option<usize>,
    /// `--replicas`.
    pub replicas: Option<usize>,
    /// `--coordination`, such as [`crate::zookeeper::Chroot::url`].
    pub coordination: Option<String>,
    /// `--journal`, such as [`crate::postgres::shared`].
    pub journal: Option<String>,
    /// Arguments that stand behind all others.
    pub more: Vec<String>,
    /// Environment variables on top of our own.
    pub environment: Vec<(String, String)>,
}

/// A running `watchdog dev`; it and all that it started end on drop.
#[derive(Debug)]
pub struct Dev {
    process: Guarded,
    lines: Receiver<String>,
    endpoints: String,
    directory: Directory,
}

impl Dev {
    /// Starts it in a fresh directory and waits for its line `ready`.
    ///
    /// # Errors
    ///
    /// If the programs have not been built, or it ends or takes too long before it is ready.
    pub fn start(setup: &Setup) -> anyhow::Result<Self> {
        let directory = Directory::fresh("dev-")?;
        // Its own directory is a child, so that the test's log is not among its files.
        let home = directory.path().join("dev");
        let mut command = Command::new(program("watchdog")?);
        command.arg("dev").arg("--dir").arg(&home).args(["--listen", "127.0.0.1:0"]).args(setup.arguments());
        command.envs(setup.environment.iter().map(|(name, value)| (name, value)));
        let log = directory.path().join("log");
        let mut process = Guarded::spawn_piped("watchdog dev", &mut command, &log)?;
        let output = process.take_output().context("take the pipe of watchdog dev")?;
        let lines = read_lines(output, &log)?;
        let mut dev = Self { process, lines, endpoints: String::new(), directory };
        if let Err(error) = dev.wait_for_line(READY_PATIENCE, |line| line == "ready") {
            anyhow::bail!("watchdog dev is not ready: {error}\n{}", dev.process.log_tail());
        }
        let file = home.join("endpoints");
        let endpoints = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        endpoints.trim().clone_into(&mut dev.endpoints);
        Ok(dev)
    }

    /// The URLs of all watchdogs, comma-separated.
    pub fn endpoints(&self) -> &str {
        &self.endpoints
    }

    /// Its `--dir`.
    pub fn home(&self) -> PathBuf {
        self.directory.path().join("dev")
    }

    /// Where everybody's certificates stand, with `--tls`.
    pub fn certificates(&self) -> Option<PathBuf> {
        Some(self.home().join("tls")).filter(|directory| directory.join("ca.pem").is_file())
    }

    /// The process id of `watchdog dev` itself.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// What it has written so far, both streams.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Takes lines of its timeline until one fits, and returns that one.
    ///
    /// # Errors
    ///
    /// If no line fits in time, or it ends.
    pub fn wait_for_line(&self, patience: Duration, fits: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        let started = Instant::now();
        loop {
            match self.lines.recv_timeout(patience.saturating_sub(started.elapsed())) {
                Ok(line) if fits(&line) => return Ok(line),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => anyhow::bail!("no such line within {patience:?}"),
                Err(RecvTimeoutError::Disconnected) => anyhow::bail!("it ended"),
            }
        }
    }

    /// Runs `watchdogctl` on this cluster.
    ///
    /// # Errors
    ///
    /// If the program cannot be run; that it refuses is in the output.
    pub fn ctl(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        self.ctl_command(arguments)?.output().context("run watchdogctl")
    }

    /// `watchdogctl` for this cluster, to be run by whoever asks; two at once, for example.
    ///
    /// # Errors
    ///
    /// If the program is not built.
    pub fn ctl_command(&self, arguments: &[&str]) -> anyhow::Result<Command> {
        let mut command = Command::new(program("watchdogctl")?);
        command.args(arguments).env("WATCHDOG_ENDPOINTS", &self.endpoints).env("WATCHDOG_CLUSTER", "demo");
        if let Some(directory) = self.certificates() {
            command.env("WATCHDOG_TLS_CA", directory.join("ca.pem"));
            command.env("WATCHDOG_TLS_CERT", directory.join("admin.pem"));
            command.env("WATCHDOG_TLS_KEY", directory.join("admin.key"));
        }
        Ok(command)
    }

    /// Runs `watchdogctl -o json` and returns what it printed.
    ///
    /// # Errors
    ///
    /// If it does not exit with 0, or prints no JSON.
    pub fn json(&self, arguments: &[&str]) -> anyhow::Result<serde_json::Value> {
        let output = self.ctl(&[&["-o", "json"], arguments].concat())?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(
            output.status.success(),
            "watchdogctl {}: {}: {said}",
            arguments.join(" "),
            output.status
        );
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("watchdogctl {} printed no JSON", arguments.join(" ")))
    }

    /// `watchdogctl -o json status`.
    ///
    /// # Errors
    ///
    /// As [`Dev::json`]; so also while nobody leads.
    pub fn status(&self) -> anyhow::Result<serde_json::Value> {
        self.json(&["status"])
    }

    /// Asks for the status until `look` finds what it looks for in it.
    ///
    /// # Errors
    ///
    /// After `patience`, with `what` and the last answer.
    pub fn wait_for_status<T>(
        &self,
        what: &str,
        patience: Duration,
        look: impl Fn(&serde_json::Value) -> Option<T>,
    ) -> anyhow::Result<T> {
        let mut last = String::from("no answer yet");
        let found = wait_for(what, patience, || match self.status() {
            Ok(status) => {
                last = format!("{status:#}");
                look(&status)
            }
            Err(error) => {
                last = format!("{error:#}");
                None
            }
        });
        found.with_context(|| format!("the last answer was {last}"))
    }

    /// Kills one process of the cluster with SIGKILL.
    ///
    /// # Errors
    ///
    /// If there is no such process, or it is not ours to kill.
    pub fn kill9(&self, pid: u32) -> anyhow::Result<()> {
        self.signal(pid, Signal::KILL)
    }

    /// Sends `signal` to one process of the cluster.
    ///
    /// # Errors
    ///
    /// As [`Dev::kill9`].
    pub fn signal(&self, pid: u32, signal: Signal) -> anyhow::Result<()> {
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw).context("0 is no process id")?;
        rustix::process::kill_process(number, signal).with_context(|| format!("signal process {pid}"))
    }

    /// Ends it with SIGTERM and says whether it obeyed within the grace.
    pub fn stop(&mut self) -> bool {
        self.process.stop(Signal::TERM, STOP_GRACE)
    }

    /// The processes that were told of its directory and still run; after [`Dev::stop`] there should be none.
    pub fn survivors(&self) -> Vec<u32> {
        told_of(self.directory.path()).into_iter().map(|(pid, _)| pid).collect()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        if !self.stop() {
            eprintln!("watchdog dev ignored SIGTERM for {STOP_GRACE:?}");
        }
        for (pid, handle) in told_of(self.directory.path()) {
            eprintln!("process {pid} outlived watchdog dev and is killed");
            let _ = pidfd_send_signal(&handle, Signal::KILL);
        }
    }
}

impl Setup {
    pub(crate) fn arguments(&self) -> Vec<String> {
        let options = [
            ("--watchdogs", self.watchdogs.map(|count| count.to_string())),
            ("--replicas", self.replicas.map(|count| count.to_string())),
            ("--coordination", self.coordination.clone()),
            ("--journal", self.journal.clone()),
        ];
        let given = options.into_iter().filter_map(|(name, value)| Some([name.to_owned(), value?]));
        given.flatten().chain(self.more.iter().cloned()).collect()
    }
}

/// Passes each line on, and keeps it in the log beside what it wrote to standard error.
fn read_lines(output: ChildStdout, log: &Path) -> anyhow::Result<Receiver<String>> {
    let mut log = append(log)?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // Neither a full disk nor a test that no longer listens may block the child at its pipe.
            let _ = writeln!(log, "{line}");
            let _ = sender.send(line);
        }
    });
    Ok(receiver)
}

/// The path of one of our own programs, beside the running test in the target directory.
///
/// # Errors
///
/// If it has not been built.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let test = std::env::current_exe().context("find the running test")?;
    // target/debug/deps/test-0123 for tests and benches, target/debug/name for binaries.
    let found =
        test.ancestors().skip(1).take(2).map(|directory| directory.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("{name} is not built: run `cargo xtask build` first"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn only_what_is_set_becomes_an_argument() {
        let setup =
            Setup { replicas: Some(5), more: vec!["--scenario".into(), "drift".into()], ..Setup::default() };
        assert_eq!(setup.arguments(), ["--replicas", "5", "--scenario", "drift"]);
        assert!(Setup::default().arguments().is_empty());
    }

    #[test]
    fn a_program_that_is_not_built_is_named() {
        let error = program("no-such-program").unwrap_err();
        assert!(error.to_string().contains("no-such-program"), "{error}");
    }

    #[test]
    fn lines_come_one_by_one_and_stay_in_the_log() {
        let directory = Directory::fresh("dev-").unwrap();
        let log = directory.path().join("log");
        let script = "echo starting; echo noise >&2; echo ready; exec sleep 600";
        let mut process = Guarded::spawn_piped("sh", Command::new("sh").args(["-c", script]), &log).unwrap();
        let lines = read_lines(process.take_output().unwrap(), &log).unwrap();
        let dev = Dev { process, lines, endpoints: String::new(), directory };
        assert_eq!(dev.wait_for_line(Duration::from_secs(10), |line| line == "ready").unwrap(), "ready");
        assert!(dev.log().contains("starting\n") && dev.log().contains("noise\n"), "{}", dev.log());
        assert!(dev.wait_for_line(Duration::from_millis(10), |_| true).is_err());
    }
}
