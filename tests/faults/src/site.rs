//! Site: where everything of one run stands on disk, and what each program is told in its configuration.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::net::{EACH, Node};
use crate::witness::Life;

/// The guarded cluster.
pub const CLUSTER: &str = "demo";
/// Short, so that much happens in a minute; long enough for two busy cores.
pub const SESSION_MS: u64 = 2_500;
/// How long an agent obeys, and the leader waits, without a word from the coordination service.
pub const LEASE_MS: u64 = 2_500;
/// The lease of the exclusive replica, which outlives two sessions.
pub const EXCLUSIVE_LEASE_MS: u64 = 12_000;
/// Replicas that may run anywhere.
pub const PLAIN: [&str; 4] = ["demo-a", "demo-b", "demo-c", "demo-d"];
/// The replica of which two may never run.
pub const EXCLUSIVE: &str = "demo-x";
/// How many serving replicas may be disturbed at once.
pub const DISTURBED_MAX: usize = 1;
const PROGRAM: &str = "scoring-server";
const ZOO_PORT: u16 = 2181;
const DOG_PORT: u16 = 7400;
const AGENT_PORT: u16 = 7201;
/// The port of PostgreSQL.
pub const DATABASE_PORT: u16 = 5432;

/// See the module.
#[derive(Debug, Clone)]
pub struct Site {
    root: PathBuf,
}

impl Site {
    /// Makes the directories below `root`.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn new(root: &Path) -> anyhow::Result<Self> {
        let site = Self { root: root.to_owned() };
        for directory in ["logs", "config", "clocks", "disks"] {
            make(&root.join(directory))?;
        }
        Ok(site)
    }

    /// Where a node's output goes.
    pub fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    /// The small disk of a node.
    pub fn disk(&self, node: Node) -> PathBuf {
        self.root.join("disks").join(node.name())
    }

    /// The configuration of a node.
    pub fn config(&self, node: Node) -> PathBuf {
        self.root.join("config").join(format!("{}.toml", node.name()))
    }

    /// What the clock of a watchdog is set by.
    pub fn clock(&self, node: Node) -> PathBuf {
        self.root.join("clocks").join(node.name())
    }

    /// Where a life of a replica says that it listens: its `service`, or its `agent`.
    pub fn announced(&self, life: &Life, what: &str) -> Option<String> {
        let host = (0..EACH).map(Node::Host).find(|node| node.name() == life.host)?;
        let file = self.disk(host).join("run").join(&life.incarnation).join("address.json");
        let told: Value = serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()?;
        Some(told[what].as_str()?.to_owned())
    }

    /// Where goals are written for the operator's command.
    pub fn goal(&self) -> PathBuf {
        self.root.join("config").join("goal.json")
    }

    /// The URLs of all watchdogs.
    pub fn endpoints() -> String {
        let urls = (0..EACH).map(|index| format!("http://{}:{DOG_PORT}", Node::Dog(index).address()));
        urls.collect::<Vec<_>>().join(",")
    }

    /// Where the agent of a host answers.
    pub fn agent(host: usize) -> String {
        format!("http://{}:{AGENT_PORT}", Node::Host(host).address())
    }

    /// Writes the configuration of everything but PostgreSQL.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn configure(&self, programs: &Path) -> anyhow::Result<()> {
        for index in 0..EACH {
            self.configure_zoo(index)?;
            write(&self.config(Node::Dog(index)), &toml::to_string(&watchdog(index))?)?;
            write(&self.config(Node::Host(index)), &toml::to_string(&self.host(index, programs))?)?;
            self.set_clock(Node::Dog(index), 0)?;
        }
        Ok(())
    }

    /// Sets the clock of a watchdog off by so many seconds.
    ///
    /// # Errors
    ///
    /// If the disk refuses.
    pub fn set_clock(&self, node: Node, seconds: i64) -> anyhow::Result<()> {
        // By rename, because the watchdog reads it at any time.
        let path = self.clock(node);
        let new = path.with_extension("new");
        write(&new, &format!("{seconds:+}s\n"))?;
        std::fs::rename(&new, &path).context("set a clock")
    }

    fn configure_zoo(&self, index: usize) -> anyhow::Result<()> {
        let data = self.root.join("zoo").join(Node::Zoo(index).name());
        make(&data)?;
        write(&data.join("myid"), &format!("{}\n", index + 1))?;
        let servers = (0..EACH).map(|server| {
            let address = Node::Zoo(server).address();
            format!("server.{}={address}:2888:3888", server + 1)
        });
        let text = format!(
            "tickTime=100\ninitLimit=100\nsyncLimit=20\nminSessionTimeout=200\nmaxSessionTimeout=60000\n\
             clientPort={ZOO_PORT}\nclientPortAddress={}\nmaxClientCnxns=0\n4lw.commands.whitelist=*\n\
             admin.enableServer=false\nstandaloneEnabled=false\ndataDir={}\n{}\n",
            Node::Zoo(index).address(),
            data.display(),
            servers.collect::<Vec<_>>().join("\n"),
        );
        write(&self.config(Node::Zoo(index)), &text)
    }

    fn host(&self, index: usize, programs: &Path) -> Value {
        let node = Node::Host(index);
        json!({
            "host": node.name(),
            "listen": format!("{}:{AGENT_PORT}", node.address()),
            "dir": self.disk(node),
            "clusters": [CLUSTER],
            "lease_ms": LEASE_MS,
            // A control group would outlive us on the machine.
            "cgroups": true,
            "coordination": coordination(),
            "programs": { PROGRAM: {
                "argv": [programs.join(PROGRAM)],
                "parameters": {
                    "listen": { "pattern": "address", "default": format!("{}:0", node.address()) },
                    "debug": { "pattern": "flag", "default": "1" },
                },
            } },
        })
    }
}

fn coordination() -> Value {
    let servers = (0..EACH).map(|index| format!("{}:{ZOO_PORT}", Node::Zoo(index).address()));
    let url = format!("zookeeper://{}/watchdog", servers.collect::<Vec<_>>().join(","));
    json!({ "url": url, "session_timeout_ms": SESSION_MS })
}

fn watchdog(index: usize) -> Value {
    let database = Node::Database.address();
    json!({
        "id": Node::Dog(index).name(),
        "listen": format!("{}:{DOG_PORT}", Node::Dog(index).address()),
        "clusters": [CLUSTER],
        "journal": format!("postgres://postgres@{database}:{DATABASE_PORT}/postgres"),
        "query_timeout_ms": 2_000,
        "resign_after_ms": 3_000,
        "stay_out_ms": 5_000,
        "coordination": coordination(),
    })
}

/// The goal that founds the cluster: quick to see and quick to forget, as much must happen in a minute.
pub fn founding() -> Value {
    let mut set = json!({
        "policy/healing": {
            "check_interval_ms": 200,
            "silence_spacing_ms": 300,
            "max_disturbed": DISTURBED_MAX,
            "heals_per_hour": 5_000,
            "backoff": { "initial_ms": 200, "factor": 2.0, "max_ms": 3_000 },
            "quiet_ms": 2_000,
            "flapping_deaths": 50,
            "flapping_window_ms": 10_000,
            "lease_ms": LEASE_MS,
            "lease_margin_ms": 500,
            "timeouts": {
                "seal_ms": 1_000, "start_ms": 5_000, "kill_ms": 3_000,
                "drain_ms": 5_000, "load_ms": 10_000, "probe_ms": 10_000
            },
            "soak_ms": 300,
            "probation_ms": 500
        },
        "policy/application": { "kinds": ["model", "rule", "setting"] },
        "model/fraud": { "weights": { "amount": 0.002, "foreign": 0.9 }, "bias": -1.5 },
        "rule/block": { "if_above": 0.8, "then": "deny" },
    });
    for (index, name) in PLAIN.iter().chain([&EXCLUSIVE]).enumerate() {
        let hosts: Vec<String> = (0..EACH).map(|offset| Node::Host((index + offset) % EACH).name()).collect();
        let exclusive = *name == EXCLUSIVE;
        set[format!("replica/{name}")] = json!({
            "hosts": hosts,
            "program": PROGRAM,
            "probes": [{
                "kind": "http", "path": "/healthz",
                "timing": { "interval_ms": 100, "timeout_ms": 250, "failures": 3 }
            }],
            "exclusive": exclusive,
            "lease_ms": if exclusive { EXCLUSIVE_LEASE_MS } else { LEASE_MS },
            "grace_ms": 1_000,
        });
    }
    json!({ "name": "founding", "set": set })
}

fn make(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("make {}", path.display()))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}
