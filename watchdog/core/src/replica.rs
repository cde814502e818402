//! Replica: what the log declares about one slot, under `replica/<name>`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::HostId;
use crate::state::{self, Hash};

/// The value of a `replica/<name>` key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplicaSpec {
    /// Where it may live, the preferred host first.
    pub hosts: Vec<HostId>,
    /// What to run: a name in the host agents' own configuration.
    pub program: String,
    /// Values for the parameters that the program takes.
    #[serde(default)]
    pub parameters: BTreeMap<String, String>,
    /// How its host agent finds out that it answers.
    #[serde(default)]
    pub probes: Vec<Probe>,
    /// Whether two of it may never run at the same time, also not during a partition.
    #[serde(default)]
    pub exclusive: bool,
    /// How long an exclusive replica may run on without its host agent's session confirmed, in milliseconds.
    #[serde(default = "default_lease_ms")]
    pub lease_ms: u64,
    /// How long it may take to leave on SIGTERM before it is killed, in milliseconds.
    #[serde(default = "default_grace_ms")]
    pub grace_ms: u64,
    /// Whether it serves on without interruption while a version is loaded, so that leaving a bad one needs no budget.
    #[serde(default)]
    pub live_load: bool,
    /// Free labels, for people.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

fn default_lease_ms() -> u64 {
    10_000
}

fn default_grace_ms() -> u64 {
    5_000
}

/// The hash of what a process is started with, as its declaration says it: a process whose hash is another one was
/// started by another declaration, whatever it is called.
///
/// Parameters are those that the declaration gives, without what a host adds by default.
pub fn launch_hash(program: &str, parameters: &BTreeMap<String, String>, probes: &[Probe]) -> Hash {
    // Texts and numbers only, which JSON can always hold.
    let probes = serde_json::to_value(probes).unwrap_or_default();
    state::digest(&serde_json::json!({"program": program, "parameters": parameters, "probes": probes}))
}

impl ReplicaSpec {
    /// The hash of what a process of this declaration is started with.
    pub fn launch_hash(&self) -> Hash {
        launch_hash(&self.program, &self.parameters, &self.probes)
    }
}

/// One way of asking a process whether it works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Probe {
    /// `GET path` answers 2xx.
    Http {
        /// The path, with the leading slash.
        path: String,
        /// Where; `None` is the service address that the replica announced.
        #[serde(default)]
        address: Option<String>,
        /// When to ask and when to believe.
        #[serde(default)]
        timing: ProbeTiming,
    },
    /// The port accepts a connection.
    Tcp {
        /// Where; `None` is the service address that the replica announced.
        #[serde(default)]
        address: Option<String>,
        /// When to ask and when to believe.
        #[serde(default)]
        timing: ProbeTiming,
    },
    /// A program of the host agent's configuration exits 0.
    Command {
        /// Its name.
        program: String,
        /// When to ask and when to believe.
        #[serde(default)]
        timing: ProbeTiming,
    },
    /// The standard gRPC health service answers SERVING.
    Grpc {
        /// Where; `None` is the agent address that the replica announced.
        #[serde(default)]
        address: Option<String>,
        /// When to ask and when to believe.
        #[serde(default)]
        timing: ProbeTiming,
    },
}

/// When to probe and when to believe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeTiming {
    /// From one round to the next, in milliseconds.
    pub interval_ms: u64,
    /// How long one round may take, in milliseconds.
    pub timeout_ms: u64,
    /// How many rounds in a row must fail before it counts as failing.
    pub failures: u32,
}

impl Default for ProbeTiming {
    fn default() -> Self {
        Self { interval_ms: 100, timeout_ms: 100, failures: 3 }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_process_is_started_with_changes_its_hash_and_nothing_else_does() {
        let spec = |text: &str| serde_json::from_str::<ReplicaSpec>(text).unwrap().launch_hash();
        let base = spec(r#"{"hosts":["h1"],"program":"p","parameters":{"memory":"64"}}"#);
        let table = [
            (r#"{"hosts":["h2"],"program":"p","parameters":{"memory":"64"},"grace_ms":1}"#, true),
            (r#"{"hosts":["h1"],"program":"q","parameters":{"memory":"64"}}"#, false),
            (r#"{"hosts":["h1"],"program":"p","parameters":{"memory":"128"}}"#, false),
            (r#"{"hosts":["h1"],"program":"p","parameters":{"memory":"64","a":"b"}}"#, false),
            (
                r#"{"hosts":["h1"],"program":"p","parameters":{"memory":"64"},"probes":[{"kind":"tcp"}]}"#,
                false,
            ),
        ];
        for (text, same) in table {
            assert_eq!(spec(text) == base, same, "{text}");
        }
        // It stands in the records of agents of other versions.
        assert_eq!(base.short(), "a617eddda8d1");
    }
}
