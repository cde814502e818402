//! Config: what the owner of this host allows, read once at start.

mod check;
mod mistake;
mod program;
mod tls;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use watchdog_core::ids::{ClusterId, HostId};
use watchdog_core::replica::ProbeTiming;
use watchdog_membership::wire;
use watchdog_telemetry::logging;

pub(crate) use mistake::ConfigError;
pub(crate) use program::{LoadAct, Program, ReloadSignal};
pub(crate) use tls::TlsTable;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// What this host is called in the log.
    pub(crate) host: HostId,
    /// Where the agent answers; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// What it must not forget stands here.
    pub(crate) dir: PathBuf,
    /// Whose replicas it keeps.
    pub(crate) clusters: Vec<ClusterId>,
    /// The group's home.
    pub(crate) coordination: Coordination,
    /// With what connections are encrypted; without it everything stays on this machine.
    #[serde(default)]
    pub(crate) tls: TlsTable,
    /// Orders are refused when the session has not been confirmed for longer than this.
    #[serde(default = "lease_ms")]
    pub(crate) lease_ms: u64,
    /// An order's grace is cut to this.
    #[serde(default = "grace_max_ms")]
    pub(crate) grace_max_ms: u64,
    /// Whether each replica gets a control group of its own, where the kernel lets us.
    #[serde(default = "yes")]
    pub(crate) cgroups: bool,
    /// Whether exclusive replicas may run where no control group can prove that all of one is gone.
    #[serde(default)]
    pub(crate) exclusive_without_cgroups: bool,
    /// The probe of replicas that declare none.
    #[serde(default)]
    pub(crate) probes: Probing,
    /// When the output of replicas is rotated.
    #[serde(default)]
    pub(crate) logs: Logs,
    /// What the agent itself logs.
    #[serde(default)]
    pub(crate) log: Log,
    /// What is told to tracing systems.
    #[serde(default)]
    pub(crate) telemetry: Telemetry,
    /// What may run.
    #[serde(default)]
    pub(crate) programs: BTreeMap<String, Program>,
}

/// How to reach the coordination service.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Coordination {
    /// `zookeeper://h1,h2,h3/chroot` or `embedded://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// How long a silent session is remembered.
    #[serde(default = "session_timeout_ms")]
    pub(crate) session_timeout_ms: u64,
    /// Credentials, `user:password` on one line.
    #[serde(default)]
    pub(crate) auth_file: Option<PathBuf>,
    /// Whose signature makes a server's certificate good; with it connections are encrypted.
    #[serde(default)]
    pub(crate) tls_ca: Option<PathBuf>,
    /// Our certificate, where the service wants one.
    #[serde(default)]
    pub(crate) tls_certificate: Option<PathBuf>,
    /// Its key.
    #[serde(default)]
    pub(crate) tls_key: Option<PathBuf>,
}

impl Coordination {
    /// How connections to it are encrypted.
    ///
    /// # Errors
    ///
    /// The key at fault, and what to do about it.
    pub(crate) fn tls(&self) -> Result<Option<wire::Tls>, (&'static str, String)> {
        tls::coordination((self.tls_ca.as_deref(), self.tls_certificate.as_deref(), self.tls_key.as_deref()))
    }
}

/// When to probe replicas that declare no probes of their own, and how long any may take to answer first.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Probing {
    /// From one round to the next.
    pub(crate) interval_ms: u64,
    /// How long a round may take.
    pub(crate) timeout_ms: u64,
    /// How many rounds in a row must fail.
    pub(crate) failures: u32,
    /// A replica that never answered counts as failing only when it is older than this.
    pub(crate) startup_ms: u64,
}

impl Default for Probing {
    fn default() -> Self {
        let ProbeTiming { interval_ms, timeout_ms, failures } = ProbeTiming::default();
        Self { interval_ms, timeout_ms, failures, startup_ms: 10_000 }
    }
}

impl Probing {
    /// The part of it that a probe may override.
    pub(crate) fn timing(&self) -> ProbeTiming {
        ProbeTiming { interval_ms: self.interval_ms, timeout_ms: self.timeout_ms, failures: self.failures }
    }
}

/// How much of what replicas print is kept.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Logs {
    /// A file that has grown beyond this is rotated.
    pub(crate) max_bytes: u64,
    /// How many old files are kept.
    pub(crate) keep: u32,
}

impl Default for Logs {
    fn default() -> Self {
        Self { max_bytes: 10 * 1024 * 1024, keep: 3 }
    }
}

/// What the agent itself logs, to standard error.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// For people or for programs.
    pub(crate) format: logging::Format,
    /// Levels, as `tracing_subscriber::EnvFilter` reads them.
    pub(crate) filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: logging::Format::Pretty, filter: "info".to_owned() }
    }
}

/// What is told to tracing systems.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Telemetry {
    /// Where the spans of orders are sent.
    pub(crate) otlp: Option<String>,
}

fn lease_ms() -> u64 {
    10_000
}

fn grace_max_ms() -> u64 {
    60_000
}

fn session_timeout_ms() -> u64 {
    4_000
}

fn yes() -> bool {
    true
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] with the file, the line and what was probably meant.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// Reads and checks what a file would hold.
    ///
    /// # Errors
    ///
    /// As [`Config::read`].
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| mistake::explain(path, text, &error))?;
        config.check().map_err(|(key, reason)| mistake::wrong(path, text, key, &reason))?;
        Ok(config)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_valid_and_shows_the_defaults() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/host-agent.toml");
        let text = std::fs::read_to_string(&example).unwrap();
        let config = Config::parse(&example, &text).unwrap();
        assert!(!config.programs.is_empty());
        // What can be left out of the tables that have defaults is shown with its default.
        let (of_the_agent, _) = text.split_once("[programs.").unwrap();
        let mut left_out = 0;
        for line in of_the_agent.lines().filter(|line| line.contains(" = ") && !line.starts_with('#')) {
            let Ok(without) = Config::parse(&example, &text.replacen(line, "", 1)) else { continue };
            assert_eq!(format!("{without:?}"), format!("{config:?}"), "{line} is not the default");
            left_out += 1;
        }
        assert!(left_out >= 10, "what has a default is found");
    }
}
