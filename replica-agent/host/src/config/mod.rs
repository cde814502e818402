//! Config: what the owner of this host allows, read once at start.

mod mistake;
mod program;
mod tls;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tracing_subscriber::EnvFilter;
use watchdog_core::ids::{ClusterId, HostId};
use watchdog_core::replica::ProbeTiming;
use watchdog_membership::wire::{self, CoordinationUrl};
use watchdog_telemetry::{Endpoint, logging};

pub(crate) use mistake::ConfigError;
pub(crate) use program::{LoadAct, Program, ReloadSignal};
pub(crate) use tls::TlsTable;

/// Longer ones are a slip of the unit: a day.
const MS: RangeInclusive<u64> = 1..=86_400_000;
/// What the coordination services grant.
const SESSION_TIMEOUT_MS: RangeInclusive<u64> = 200..=60_000;
/// Each rotation renames them all.
const LOGS_KEPT_MAX: u64 = 1_000;

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

    /// Checks what the types do not; answers the key at fault and what to do about it.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        self.tls.check()?;
        self.check_listen().map_err(|reason| ("listen", reason))?;
        if self.clusters.is_empty() {
            return Err(("clusters", "names no cluster; name at least one".into()));
        }
        if let Some(twice) = self.clusters.iter().enumerate().find(|(i, it)| self.clusters[..*i].contains(it))
        {
            return Err(("clusters", format!("names {} twice", twice.1)));
        }
        if self.dir.as_os_str().is_empty() {
            return Err(("dir", "names no directory".into()));
        }
        match self.coordination.url.parse::<CoordinationUrl>() {
            Ok(CoordinationUrl::Embedded { address }) if address.port() == 0 => {
                return Err(("url", "port 0 names no service; give the port on which it listens".into()));
            }
            Ok(_) => {}
            Err(error) => return Err(("url", error.to_string())),
        }
        self.coordination.tls()?;
        self.check_numbers()?;
        self.check_tellers()?;
        self.programs.iter().try_for_each(|(name, program)| {
            program.check().map_err(|(key, why)| (key, format!("program {}: {why}", name.escape_debug())))
        })
    }

    fn check_listen(&self) -> Result<(), String> {
        let (listen, is_encrypted) = (self.listen, self.tls.files().is_some());
        if !listen.ip().is_loopback() && !is_encrypted {
            return Err(format!(
                "{listen} is reachable from other machines and TLS is not configured; listen on 127.0.0.1, or give ca, certificate and key in a table [tls] (`watchdogctl certs init --help` makes them)"
            ));
        }
        if listen.ip().is_unspecified() {
            return Err(format!(
                "{listen} is no address that watchdogs could be told; give the one at which they reach this host"
            ));
        }
        Ok(())
    }

    fn check_tellers(&self) -> Result<(), (&'static str, String)> {
        let otlp = self.telemetry.otlp.as_deref().map_or(Ok(()), |otlp| otlp.parse::<Endpoint>().map(drop));
        otlp.map_err(|error| ("otlp", error.to_string()))?;
        let filter = EnvFilter::try_new(&self.log.filter).map(drop);
        filter.map_err(|error| {
            ("filter", format!("{:?} is not a filter such as info or debug: {error}", self.log.filter))
        })
    }

    fn check_numbers(&self) -> Result<(), (&'static str, String)> {
        let Probing { interval_ms, timeout_ms, failures, startup_ms } = self.probes;
        let numbers = [
            ("lease_ms", self.lease_ms, MS),
            ("grace_max_ms", self.grace_max_ms, 0..=*MS.end()),
            ("session_timeout_ms", self.coordination.session_timeout_ms, SESSION_TIMEOUT_MS),
            ("interval_ms", interval_ms, MS),
            ("timeout_ms", timeout_ms, MS),
            ("failures", u64::from(failures), 1..=u64::from(u32::MAX)),
            ("startup_ms", startup_ms, 0..=*MS.end()),
            ("max_bytes", self.logs.max_bytes, 1..=u64::MAX),
            ("keep", u64::from(self.logs.keep), 0..=LOGS_KEPT_MAX),
        ];
        match numbers.into_iter().find(|(_, value, range)| !range.contains(value)) {
            Some((key, _, range)) if *range.end() >= u64::from(u32::MAX) => {
                Err((key, format!("must be at least {}", range.start())))
            }
            Some((key, value, range)) => Err((
                key,
                format!("{value} is out of range; allowed are {} to {}", range.start(), range.end()),
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    const GOOD: &str = "host = \"host-a\"\nlisten = \"127.0.0.1:0\"\ndir = \"/tmp/x\"\nclusters = [\"demo\"]\n[coordination]\nurl = \"embedded://127.0.0.1:1\"\n[programs.web]\nargv = [\"/bin/web\", \"{port}\"]\nparameters.port = { pattern = \"port\", default = \"80\" }\n";

    fn read(text: &str) -> Result<Config, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("agent.toml");
        std::fs::write(&path, text).unwrap();
        let relative =
            |error: ConfigError| error.to_string().replace(&format!("{}/", directory.path().display()), "");
        Config::read(&path).map_err(relative)
    }

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

    #[test]
    fn mistakes_are_told_with_file_line_and_what_was_meant() {
        assert!(read(GOOD).is_ok());
        let table = [
            ("clusters", "clsters", "agent.toml:4: unknown key `clsters`; did you mean `clusters`?"),
            ("url =", "uri =", "agent.toml:6: unknown key `uri`; did you mean `url`?"),
            (
                "127.0.0.1:0",
                "0.0.0.0:7000",
                "agent.toml:2: listen: 0.0.0.0:7000 is reachable from other machines",
            ),
            ("127.0.0.1:0", "localhost", "agent.toml:2: invalid socket address syntax"),
            ("[\"demo\"]", "[]", "agent.toml:4: clusters: names no cluster"),
            ("[\"demo\"]", "[\"demo\", \"demo\"]", "agent.toml:4: clusters: names demo twice"),
            ("\"/tmp/x\"", "\"\"", "agent.toml:3: dir: names no directory"),
            ("embedded://127.0.0.1:1", "etcd://h1", "agent.toml:6: url: \"etcd://h1\" is not a coordination"),
            (
                "embedded://127.0.0.1:1",
                "embedded://127.0.0.1:0",
                "agent.toml:6: url: port 0 names no service",
            ),
            (
                "[coordination]",
                "lease_ms = 99999999999\n[coordination]",
                "agent.toml:5: lease_ms: 99999999999 is out of range; allowed are 1 to 86400000",
            ),
            ("[programs", "[logs]\nkeep = 4000000000\n[programs", "agent.toml:8: keep: 4000000000 is out of"),
            ("[programs.web]", "[programs.web]\nload = {}", "agent.toml:8: load: program web: does nothing"),
            (
                "[programs.web]",
                "[programs.web]\nenvironment = { \"A=B\" = \"x\" }",
                "agent.toml:8: environment: program web: \"A=B\" can't be the name of a variable",
            ),
            (
                "parameters.port",
                "parameters.PORT = { pattern = \"port\" }\nparameters.port",
                "agent.toml:9: parameters: program web: PORT and port would both be WATCHDOG_PARAM_PORT",
            ),
            ("\"host-a\"", "7", "agent.toml:1: invalid type: integer `7`, expected a string"),
            ("host-a", "Host", "agent.toml:1: name \"Host\" has 'H' at position 1"),
            (
                "{port}",
                "{prt}",
                "agent.toml:8: argv: program web: \"{prt}\" names no parameter; did you mean {port}?",
            ),
            (
                "\"80\"",
                "\"eighty\"",
                "agent.toml:9: parameters: program web: the default of port is not a port number",
            ),
            ("\"port\",", "\"prot\",", "agent.toml:9: unknown value `prot`; did you mean `port`?"),
        ];
        told(&table);
    }

    #[test]
    fn half_of_the_certificates_is_a_mistake_too() {
        told(&[
            (
                "[coordination]",
                "[tls]\nca = \"/no/ca\"\n[coordination]",
                "agent.toml:6: ca: certificate must be given too",
            ),
            (
                "[coordination]",
                "[tls]\nca = \"/no/ca\"\ncertificate = \"/no/c\"\nkey = \"/no/k\"\n[coordination]",
                "agent.toml:7: certificate: cannot read the certificate authority /no/ca: No such file",
            ),
            ("url =", "tls_key = \"/k\"\nurl =", "agent.toml:6: tls_key: tls_ca must be given too"),
        ]);
    }

    fn told(table: &[(&str, &str, &str)]) {
        for (from, to, expected) in table {
            let error = read(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert!(error.starts_with(expected), "{to}: {error}");
        }
    }

    #[test]
    fn logs_and_spans_go_only_where_they_can() {
        let table = [
            (
                "telemetry",
                "otlp = \"http://10.0.0.1:4317\"",
                "otlp: http://10.0.0.1:4317 leads away from this",
            ),
            ("log", "filter = \"info=loud\"", "filter: \"info=loud\" is not a filter"),
            ("log", "format = \"prety\"", "unknown value `prety`; did you mean `pretty`?"),
        ];
        for (of, key, expected) in table {
            let error =
                read(&GOOD.replacen("[programs", &format!("[{of}]\n{key}\n[programs"), 1)).unwrap_err();
            assert!(error.starts_with(&format!("agent.toml:8: {expected}")), "{key}: {error}");
        }
        let given = GOOD.replacen("[programs", "[telemetry]\notlp = \"http://127.0.0.1:4317\"\n[programs", 1);
        assert!(read(&given).unwrap().telemetry.otlp.is_some());
    }
}
