//! Config: what the owner of this host allows, read once at start.

mod mistake;
mod program;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use watchdog_core::ids::{ClusterId, HostId};
use watchdog_core::replica::ProbeTiming;

pub(crate) use mistake::ConfigError;
pub(crate) use program::{LoadAct, Program, ReloadSignal};

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
    /// Orders are refused when the session has not been confirmed for longer than this.
    #[serde(default = "lease_ms")]
    pub(crate) lease_ms: u64,
    /// An order's grace is cut to this.
    #[serde(default = "grace_max_ms")]
    pub(crate) grace_max_ms: u64,
    /// Whether each replica gets a control group of its own, where the kernel lets us.
    #[serde(default = "yes")]
    pub(crate) cgroups: bool,
    /// The probe of replicas that declare none.
    #[serde(default)]
    pub(crate) probes: Probing,
    /// When the output of replicas is rotated.
    #[serde(default)]
    pub(crate) logs: Logs,
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
        let config: Self = toml::from_str(&text).map_err(|error| mistake::explain(path, &text, &error))?;
        config.check().map_err(|(key, reason)| mistake::wrong(path, &text, key, &reason))?;
        Ok(config)
    }

    /// Checks what the types do not; answers the key at fault and what to do about it.
    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        if !self.listen.ip().is_loopback() {
            let reason = format!(
                "{} is reachable from other machines and the agent has no TLS; listen on 127.0.0.1 and put a tunnel (WireGuard, stunnel) in front",
                self.listen
            );
            return Err(("listen", reason));
        }
        if self.clusters.is_empty() {
            return Err(("clusters", "names no cluster; name at least one".into()));
        }
        let positive = [
            ("lease_ms", self.lease_ms),
            ("session_timeout_ms", self.coordination.session_timeout_ms),
            ("interval_ms", self.probes.interval_ms),
            ("timeout_ms", self.probes.timeout_ms),
            ("failures", u64::from(self.probes.failures)),
            ("max_bytes", self.logs.max_bytes),
        ];
        if let Some((key, _)) = positive.into_iter().find(|(_, value)| *value == 0) {
            return Err((key, "must be at least 1".into()));
        }
        self.programs.iter().try_for_each(|(name, program)| {
            program.check().map_err(|(key, why)| (key, format!("program {name}: {why}")))
        })
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
    fn the_example_is_valid_and_names_every_key() {
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/host-agent.toml");
        let config = Config::read(&example).unwrap();
        assert!(!config.programs.is_empty());
        let text = std::fs::read_to_string(example).unwrap();
        for key in [
            "host",
            "listen",
            "dir",
            "clusters",
            "lease_ms",
            "grace_max_ms",
            "cgroups",
            "url",
            "session_timeout_ms",
            "auth_file",
            "interval_ms",
            "timeout_ms",
            "failures",
            "startup_ms",
            "max_bytes",
            "keep",
            "argv",
            "user",
            "directory",
            "environment",
            "parameters",
            "pattern",
            "one_of",
            "default",
            "load",
            "render",
            "command",
            "signal",
        ] {
            assert!(text.contains(key), "{key} is not documented");
        }
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
        for (from, to, expected) in table {
            let error = read(&GOOD.replacen(from, to, 1)).unwrap_err();
            assert!(error.starts_with(expected), "{to}: {error}");
        }
    }
}
