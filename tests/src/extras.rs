//! Extras: replicas that are only records in the embedded group of a dev cluster, so that hundreds cost no process.
//!
//! The daemon sees, judges and shows them like any other; nobody stands behind them who could be healed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tonic::transport::Channel;
use watchdog_proto::coordination::coordination_client::CoordinationClient;
use watchdog_proto::coordination::operation::Operation as Kind;
use watchdog_proto::coordination::{CommitRequest, Create, HeartbeatRequest, OpenRequest, Operation, Set};

use crate::admin;
use crate::dev::Dev;

const CLUSTER: &str = "demo";
const TIMEOUT_MS: u64 = 30_000;
const PATIENCE: Duration = Duration::from_mins(1);
/// Records in one commit.
const BATCH: usize = 50;

/// A crowd in the group, until it is dropped.
#[derive(Debug)]
pub struct Extras {
    runtime: Runtime,
    client: CoordinationClient<Channel>,
    session: u64,
    version: u64,
    state_hash: String,
    hosts: usize,
    over: Arc<AtomicBool>,
    heart: Option<JoinHandle<()>>,
}

impl Extras {
    /// Declares `count` replicas on `hosts` hosts, and has them all be there and well.
    ///
    /// # Errors
    ///
    /// If the cluster is not on the embedded group, or does not take them for healthy.
    pub fn join(dev: &Dev, count: usize, hosts: usize) -> anyhow::Result<Self> {
        dev.ctl(&["pause", "--reason", "a crowd comes"])?;
        let names: Vec<String> = (0..count).map(name).collect();
        let declared: Vec<(String, Value)> =
            (0..count).map(|index| (format!("replica/{}", name(index)), spec(index, hosts))).collect();
        let changes: Vec<(&str, Option<Value>)> =
            declared.iter().map(|(key, spec)| (key.as_str(), Some(spec.clone()))).collect();
        let version = admin::append(dev, &changes)?;
        let state = dev.json(&["log", "state"])?;
        let state_hash = state["state_hash"].as_str().context("the state has no hash")?.to_owned();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (client, session) = runtime.block_on(open(dev))?;
        let over = Arc::new(AtomicBool::new(false));
        let mut extras = Self { runtime, client, session, version, state_hash, hosts, over, heart: None };
        extras.heart = Some(extras.beat());
        extras.register(count)?;
        dev.wait_for_status("a healthy crowd", PATIENCE, |status| {
            let rows = status["replicas"].as_array()?;
            let well = |row: &&Value| row["state"] == "healthy" && row["version"] == row["expected"];
            let ours =
                rows.iter().filter(well).filter(|row| names.iter().any(|name| row["replica"] == **name));
            (ours.count() == count).then_some(())
        })?;
        dev.ctl(&["resume"])?;
        Ok(extras)
    }

    /// Has one of them feel otherwise: `ready`, `draining`, `loading`, `starting` or `unhealthy`.
    ///
    /// # Errors
    ///
    /// If the group does not answer.
    pub fn feel(&self, index: usize, health: &str) -> anyhow::Result<()> {
        let set = Set { path: path("members", index), data: self.member(index, health), version: -1 };
        self.commit(vec![Operation { operation: Some(Kind::Set(set)) }])
    }

    fn register(&self, count: usize) -> anyhow::Result<()> {
        let create = |path, data| {
            let create = Create { path, data, ephemeral: true, sequential: false };
            Operation { operation: Some(Kind::Create(create)) }
        };
        let hosts = (0..self.hosts)
            .map(|index| create(format!("/{CLUSTER}/hosts/{}", host(index)), host_record(index)));
        let lives = (0..count).flat_map(|index| {
            let process = create(path("processes", index), self.process(index));
            [process, create(path("members", index), self.member(index, "ready"))]
        });
        let all: Vec<Operation> = hosts.chain(lives).collect();
        all.chunks(BATCH).try_for_each(|some| self.commit(some.to_vec()))
    }

    fn commit(&self, operations: Vec<Operation>) -> anyhow::Result<()> {
        let request = CommitRequest { session: self.session, operations };
        let mut client = self.client.clone();
        self.runtime
            .block_on(async move { client.commit(request).await })
            .context("write to the group")
            .map(drop)
    }

    fn beat(&self) -> JoinHandle<()> {
        let (over, session, mut client) = (Arc::clone(&self.over), self.session, self.client.clone());
        let runtime = self.runtime.handle().clone();
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                // A beat that is lost is one of many.
                let _ = runtime.block_on(client.heartbeat(HeartbeatRequest { session, mark: 0 }));
                std::thread::park_timeout(Duration::from_millis(TIMEOUT_MS / 6));
            }
        })
    }

    fn process(&self, index: usize) -> Vec<u8> {
        let record = json!({
            "format": 1, "replica": name(index), "incarnation": incarnation(index), "host": host(index % self.hosts),
            "pid": 100_000 + index, "start_ticks": 1, "boot_id": "crowd", "phase": "running", "probe": "passing",
            "detail": "", "since_ms": now_ms(), "loaded": null,
        });
        record.to_string().into_bytes()
    }

    fn member(&self, index: usize, health: &str) -> Vec<u8> {
        let record = json!({
            "format": 1, "replica": name(index), "incarnation": incarnation(index), "host": host(index % self.hosts),
            "pid": 100_000 + index, "start_ticks": 1, "boot_id": "crowd", "address": "http://127.0.0.1:9",
            "service": null, "version": self.version, "state_hash": self.state_hash, "health": health,
            "detail": "", "epoch": 1, "since_ms": now_ms(),
        });
        record.to_string().into_bytes()
    }
}

impl Drop for Extras {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(heart) = self.heart.take() {
            heart.thread().unpark();
            let _ = heart.join();
        }
    }
}

async fn open(dev: &Dev) -> anyhow::Result<(CoordinationClient<Channel>, u64)> {
    let file = dev.home().join("watchdogs/w1.toml");
    let text = std::fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    let after = text.split("embedded://").nth(1).context("the cluster is not on the embedded group")?;
    let address: String = after.chars().take_while(|c| *c != '"' && *c != '\'').collect();
    let mut client =
        CoordinationClient::connect(format!("http://{address}")).await.context("reach the group")?;
    let opened = client.open(OpenRequest { timeout_ms: TIMEOUT_MS }).await.context("open a session")?;
    Ok((client, opened.into_inner().session))
}

fn host_record(index: usize) -> Vec<u8> {
    let record = json!({
        "format": 1, "host": host(index), "instance": format!("crowd-{index}"), "address": "http://127.0.0.1:9",
        "pid": 90_000 + index, "boot_id": "crowd", "inventory_complete": true, "epoch": 1, "session": "crowd",
    });
    record.to_string().into_bytes()
}

fn spec(index: usize, hosts: usize) -> Value {
    json!({ "hosts": [host(index % hosts)], "program": "scoring-server" })
}

/// What one of them is called.
pub fn name(index: usize) -> String {
    format!("crowd-{index:03}")
}

fn host(index: usize) -> String {
    format!("rack-{:02}", index + 1)
}

fn incarnation(index: usize) -> String {
    format!("0197c7a0-5f3e-7c2d-8000-{index:012x}")
}

fn path(kind: &str, index: usize) -> String {
    format!("/{CLUSTER}/{kind}/{}/{}", name(index), incarnation(index))
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
