//! Replica: what the log declares about one slot, under `replica/<name>`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::ids::HostId;
use crate::state::{Hash, digest};

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

impl ReplicaSpec {
    /// The hash of what a process is started with, beside its state: whoever runs with another one must be started anew.
    pub fn setup_hash(&self) -> Hash {
        let probes = serde_json::to_value(&self.probes).unwrap_or_default();
        setup_hash(&self.program, &self.parameters, &probes)
    }
}

/// The hash by which an agent attests what it started a process with: SHA-256 of the canonical JSON of
/// `{"parameters": {…}, "probes": […], "program": "…"}`.
pub fn setup_hash(program: &str, parameters: &BTreeMap<String, String>, probes: &Value) -> Hash {
    digest(&json!({ "program": program, "parameters": parameters, "probes": probes }))
}

fn default_lease_ms() -> u64 {
    10_000
}

fn default_grace_ms() -> u64 {
    5_000
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
