//! Files: which programs are run, with which configuration.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;
use watchdog_membership::wire::CoordinationUrl;
use watchdog_telemetry::VARIABLE;

use super::certificates::Certificates;
use super::home::Home;
use super::init::{Role, Unit};
use super::{CLUSTER, founding};
use crate::config::{Config, JournalUrl};

/// Short, so that a lost watchdog or host is seen soon; a busy laptop still keeps it.
const SESSION_TIMEOUT_MS: u64 = 2_000;

/// The executables that are run beside this one.
#[derive(Debug)]
pub(super) struct Programs {
    watchdog: PathBuf,
    host_agent: PathBuf,
    scoring_server: PathBuf,
}

impl Programs {
    /// Those in `directory`, whether they are there or not.
    #[cfg(test)]
    pub(super) fn named(directory: &str) -> Self {
        let named = |name: &str| Path::new(directory).join(name);
        Self {
            watchdog: named("watchdog"),
            host_agent: named("replica-agent"),
            scoring_server: named(founding::PROGRAM),
        }
    }

    /// Those in the directory of this one.
    pub(super) fn beside_us() -> anyhow::Result<Self> {
        let watchdog = std::env::current_exe().context("find our own program")?;
        let beside = |name: &str| {
            let path = watchdog.with_file_name(name);
            anyhow::ensure!(
                path.is_file(),
                "the program {name} is not built: {} is missing; run `cargo build --bins`, or start with `cargo dev`",
                path.display()
            );
            Ok(path)
        };
        let host_agent = beside("replica-agent")?;
        let scoring_server = beside(founding::PROGRAM)?;
        Ok(Self { watchdog, host_agent, scoring_server })
    }
}

/// What an earlier run in the same directory used, and what should stay where it is.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    /// The watchdogs' addresses.
    pub(super) watchdogs: Vec<SocketAddr>,
    /// The embedded service's.
    pub(super) coordination: Option<SocketAddr>,
}

impl Earlier {
    /// From the configurations that are there; what can't be read is chosen anew.
    pub(super) fn read(home: &Home) -> Self {
        let mut earlier = Self::default();
        for index in 0.. {
            let Ok(config) = Config::read(&watchdog_file(home, index)) else { return earlier };
            earlier.watchdogs.push(config.listen);
            if let Ok(CoordinationUrl::Embedded { address }) = config.coordination.url.parse() {
                earlier.coordination = Some(address);
            }
        }
        earlier
    }
}

/// Who runs where.
#[derive(Debug)]
pub(super) struct Layout {
    /// The address of each.
    pub(super) watchdogs: Vec<SocketAddr>,
    /// How many.
    pub(super) hosts: u16,
    /// Its address.
    pub(super) coordination: String,
    /// Its address.
    pub(super) journal: JournalUrl,
    /// Everybody's certificates, where connections are encrypted.
    pub(super) certificates: Option<Certificates>,
}

impl Layout {
    /// The URL of each watchdog.
    pub(super) fn endpoints(&self) -> Vec<String> {
        self.watchdogs.iter().map(|address| format!("{}://{address}", self.scheme())).collect()
    }

    fn scheme(&self) -> &'static str {
        if self.certificates.is_some() { "https" } else { "http" }
    }

    fn tls(&self, name: &str) -> serde_json::Value {
        self.certificates.as_ref().map_or_else(|| json!({}), |certificates| certificates.table(name))
    }

    /// Writes every process's configuration.
    pub(super) fn write(&self, home: &Home, programs: &Programs) -> anyhow::Result<()> {
        for (index, address) in self.watchdogs.iter().enumerate() {
            write(&watchdog_file(home, index), &self.watchdog(index, *address))?;
        }
        for index in 0..self.hosts {
            write(&host_file(home, index), &self.host(home, index, programs))?;
        }
        Ok(())
    }

    fn watchdog(&self, index: usize, address: SocketAddr) -> serde_json::Value {
        json!({
            "id": watchdog_name(index),
            "listen": address,
            "clusters": [CLUSTER],
            "journal": self.journal.as_str(),
            "query_timeout_ms": 2_000,
            "resign_after_ms": 3_000,
            "stay_out_ms": 5_000,
            "coordination": { "url": self.coordination, "session_timeout_ms": SESSION_TIMEOUT_MS },
            "tls": self.tls(&watchdog_name(index)),
        })
    }

    fn host(&self, home: &Home, index: u16, programs: &Programs) -> serde_json::Value {
        json!({
            "host": founding::host_name(index),
            // Its address is published, so a new one after a restart does no harm.
            "listen": "127.0.0.1:0",
            "dir": host_directory(home, index),
            "clusters": [CLUSTER],
            "lease_ms": founding::LEASE_MS,
            "coordination": { "url": self.coordination, "session_timeout_ms": SESSION_TIMEOUT_MS },
            "tls": self.tls(&founding::host_name(index)),
            "programs": { founding::PROGRAM: {
                "argv": [programs.scoring_server],
                "parameters": {
                    "listen": { "pattern": "address", "default": "127.0.0.1:0" },
                    "debug": { "pattern": "flag", "default": "0" },
                },
                "environment": collector(),
            } },
        })
    }

    /// The processes to keep running.
    pub(super) fn units(&self, programs: &Programs, home: &Home) -> anyhow::Result<Vec<Unit>> {
        let watchdogs = self.watchdogs.iter().enumerate().map(|(index, address)| Unit {
            role: Role::Watchdog,
            title: format!("watchdog {} at {}://{address}", watchdog_name(index), self.scheme()),
            program: programs.watchdog.clone(),
            arguments: run(watchdog_file(home, index)),
            log: home.log(&watchdog_name(index)),
            home: home.path().to_owned(),
        });
        let hosts = (0..self.hosts).map(|index| Unit {
            role: Role::HostAgent,
            title: format!("host agent {}", founding::host_name(index)),
            program: programs.host_agent.clone(),
            arguments: run(host_file(home, index)),
            log: home.log(&founding::host_name(index)),
            home: home.path().to_owned(),
        });
        let units: Vec<Unit> = watchdogs.chain(hosts).collect();
        for unit in &units {
            // A log that can't be written is told now rather than by a process that never starts.
            let log = std::fs::File::options().create(true).append(true).open(&unit.log);
            log.with_context(|| format!("cannot write {}", unit.log.display()))?;
        }
        Ok(units)
    }
}

/// What the example server is told of the collector that we were told of; the daemons inherit it.
fn collector() -> serde_json::Value {
    std::env::var(VARIABLE).map_or_else(|_| json!({}), |address| json!({ VARIABLE: address }))
}

fn run(config: PathBuf) -> Vec<OsString> {
    vec!["run".into(), "--config".into(), config.into(), "--exit-with-parent".into()]
}

pub(super) fn watchdog_name(index: usize) -> String {
    format!("w{}", index + 1)
}

fn watchdog_file(home: &Home, index: usize) -> PathBuf {
    home.path().join("watchdogs").join(format!("{}.toml", watchdog_name(index)))
}

fn host_directory(home: &Home, index: u16) -> PathBuf {
    home.path().join("hosts").join(founding::host_name(index))
}

fn host_file(home: &Home, index: u16) -> PathBuf {
    host_directory(home, index).join("agent.toml")
}

fn write(path: &Path, content: &serde_json::Value) -> anyhow::Result<()> {
    let text = toml::to_string(content).context("write a configuration")?;
    let text = format!("# Written by `watchdog dev` at each of its starts.\n{text}");
    let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    made.and_then(|()| std::fs::write(path, text)).with_context(|| format!("cannot write {}", path.display()))
}
