//! Config: what one watchdog is told when it starts; every key is documented in `examples/watchdog.toml`.

mod access;
mod mistake;
mod rules;
mod secrecy;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use serde::Deserialize;
use toml::Spanned;
use watchdog_core::ids::{ClusterId, WatchdogId};
use watchdog_membership::wire;
use watchdog_telemetry::Endpoint;
pub(crate) use watchdog_telemetry::logging::Format as LogFormat;
use watchdog_trust::TlsFiles;

pub(crate) use access::Access;
pub(crate) use mistake::ConfigError;
pub(crate) use rules::hidden;

/// A configuration that names and explains every key.
pub(crate) const EXAMPLE: &str = include_str!("../../../../examples/watchdog.toml");

/// A file that has been read and checked.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// What this watchdog is called.
    pub(crate) id: WatchdogId,
    /// Where it answers; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// With what connections are encrypted; without it everything stays on this machine.
    pub(crate) tls: Option<TlsFiles>,
    /// The URL that others are given, where it is not that of the listening address.
    pub(crate) address: Option<String>,
    /// What it guards.
    pub(crate) clusters: Vec<ClusterId>,
    /// Where log and record are kept.
    pub(crate) journal: JournalUrl,
    /// A query that takes longer has failed.
    pub(crate) query_timeout: Duration,
    /// How long a leader goes without the journal, while others reach it, before it resigns.
    pub(crate) resign_after: Duration,
    /// How long it stays out of elections then.
    pub(crate) stay_out: Duration,
    /// Where the group is kept.
    pub(crate) coordination: Coordination,
    /// Who may do what.
    pub(crate) access: Access,
    /// What is logged, and how.
    pub(crate) log: Log,
    /// Where the spans of plans are sent.
    pub(crate) otlp: Option<Endpoint>,
}

/// The address of a journal: `sqlite:PATH` or `postgres://…`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct JournalUrl(String);

impl std::fmt::Debug for JournalUrl {
    /// Leaves the password out: this ends up in logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("JournalUrl").field(&hidden(&self.0)).finish()
    }
}

impl JournalUrl {
    /// The address as text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for JournalUrl {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        rules::journal(url).map(|()| Self(url.to_owned()))
    }
}

/// How to reach the coordination service.
#[derive(Debug, Clone)]
pub(crate) struct Coordination {
    /// `zookeeper://…` or `embedded://…`; it parses as a [`wire::CoordinationUrl`].
    pub(crate) url: String,
    /// How long a silent session is remembered.
    pub(crate) session_timeout: Duration,
    /// The file with our credentials.
    pub(crate) auth_file: Option<PathBuf>,
    /// How connections to it are encrypted.
    pub(crate) tls: Option<wire::Tls>,
}

impl Coordination {
    /// What [`wire::connector`] needs beside the address; reads the credentials.
    pub(crate) fn options(&self) -> anyhow::Result<wire::Options> {
        let read = |path: &PathBuf| -> anyhow::Result<wire::Digest> {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            text.parse().with_context(|| format!("cannot use {}", path.display()))
        };
        let digest = self.auth_file.as_ref().map(read).transpose()?;
        Ok(wire::Options { session_timeout: self.session_timeout, digest, tls: self.tls.clone() })
    }
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    /// For people or for programs.
    pub(crate) format: LogFormat,
    /// Levels, as `tracing_subscriber::EnvFilter` reads them.
    pub(crate) filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Pretty, filter: "info".to_owned() }
    }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    ///
    /// A [`ConfigError`] with the file, the place in it and what was probably meant.
    pub(crate) fn read(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(path, &text)
    }

    /// Reads and checks what a file would hold.
    ///
    /// # Errors
    ///
    /// As [`Config::read`].
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let source = mistake::Source { path, text };
        let file: File = toml::from_str(text).map_err(|error| source.explain(&error))?;
        file.checked().map_err(|(span, reason)| source.wrong(&span, &reason))
    }

    /// The URL to give to others, when we really listen on `listening`.
    pub(crate) fn advertised(&self, listening: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        self.address.clone().unwrap_or_else(|| format!("{scheme}://{listening}"))
    }
}

/// The file as it stands, with the place of each value whose rules the types can't express.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: WatchdogId,
    listen: Spanned<SocketAddr>,
    address: Option<Spanned<String>>,
    clusters: Spanned<Vec<ClusterId>>,
    journal: Spanned<String>,
    query_timeout_ms: Option<Spanned<u64>>,
    resign_after_ms: Option<Spanned<u64>>,
    stay_out_ms: Option<Spanned<u64>>,
    coordination: CoordinationTable,
    #[serde(default)]
    tls: TlsTable,
    #[serde(default)]
    access: access::AccessTable,
    #[serde(default)]
    log: LogTable,
    #[serde(default)]
    telemetry: TelemetryTable,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CoordinationTable {
    url: Spanned<String>,
    session_timeout_ms: Option<Spanned<u64>>,
    auth_file: Option<Spanned<PathBuf>>,
    tls_ca: Option<Spanned<PathBuf>>,
    tls_certificate: Option<Spanned<PathBuf>>,
    tls_key: Option<Spanned<PathBuf>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsTable {
    ca: Option<Spanned<PathBuf>>,
    certificate: Option<Spanned<PathBuf>>,
    key: Option<Spanned<PathBuf>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogTable {
    #[serde(default)]
    format: LogFormat,
    filter: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TelemetryTable {
    otlp: Option<Spanned<String>>,
}
