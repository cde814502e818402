//! Rig: a real host agent with a coordination service of its own, everything ended when it is dropped.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tonic::transport::Channel;
use uuid::Uuid;
use watchdog_core::ids::{ClusterId, Epoch, HostId, Incarnation, ReplicaId, Version};
use watchdog_core::state::{Hash, State};
use watchdog_membership::embedded::{Serving, serve};
use watchdog_membership::records::{
    EpochRecord, FORMAT, ObituaryRecord, Paths, ProcessRecord, decode, encode,
};
use watchdog_membership::tree::{Connect, Mode, Operation, Tree};
use watchdog_membership::wire::{Options, connector};
use watchdog_proto::agent::agent_client::AgentClient;
use watchdog_proto::agent::{
    ActRequest, Kill, LookReply, LookRequest, Order, SealReply, SealRequest, Snapshot, Start, StepResult,
    act_event, act_request,
};

/// Long enough for a loaded machine; nothing waits for it when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A coordination service, its client, and a directory for all of it.
pub(crate) struct World {
    pub(crate) directory: tempfile::TempDir,
    pub(crate) tree: Arc<dyn Tree>,
    pub(crate) paths: Paths,
    coordination: Serving,
}

impl World {
    /// A world in which a leader has minted epoch 1.
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let coordination = serve(listener, &directory.path().join("coordination")).unwrap();
        let connect: Arc<dyn Connect> = connector(&coordination.url(), Options::default()).unwrap();
        let tree = connect.open().await.unwrap();
        let world =
            Self { directory, tree, paths: Paths::new(&ClusterId::new("demo").unwrap()), coordination };
        let data = encode(&epoch_record(1));
        let create = Operation::Create { path: world.paths.epoch(), data, mode: Mode::Persistent };
        world.tree.commit(vec![create]).await.unwrap();
        world
    }

    /// Mints a later epoch.
    pub(crate) async fn mint(&self, epoch: u64) {
        let data = encode(&epoch_record(epoch));
        self.tree
            .commit(vec![Operation::Set { path: self.paths.epoch(), data, version: None }])
            .await
            .unwrap();
    }

    /// The host agent's directory.
    pub(crate) fn agent_dir(&self) -> PathBuf {
        self.directory.path().join("agent")
    }

    /// Stops the coordination service.
    pub(crate) async fn lose_coordination(self) -> tempfile::TempDir {
        self.coordination.stop().await;
        self.directory
    }

    /// Starts a host agent on the world's directory, with these lines in its configuration besides.
    pub(crate) async fn agent(&self, programs: &str) -> HostAgent {
        self.agent_in(&self.agent_dir(), programs).await
    }

    /// Starts a host agent on another directory.
    pub(crate) async fn agent_in(&self, dir: &Path, programs: &str) -> HostAgent {
        HostAgent::start(&self.configure(dir, programs), dir).await
    }

    /// The same, run by another program; `None` if it ends instead of listening.
    pub(crate) async fn agent_under(
        &self,
        runner: Command,
        (dir, programs): (&Path, &str),
    ) -> Option<HostAgent> {
        HostAgent::start_under(runner, (&self.configure(dir, programs), dir)).await
    }

    fn configure(&self, dir: &Path, programs: &str) -> PathBuf {
        // Keys of no table come first in a file.
        let (keys, programs) = programs.split_at(programs.find('[').unwrap_or(programs.len()));
        let config = format!(
            "host = \"host-a\"\nlisten = \"127.0.0.1:0\"\ndir = \"{}\"\nclusters = [\"demo\"]\n{keys}\n\
             [coordination]\nurl = \"{}\"\nsession_timeout_ms = 4000\n{programs}\n",
            dir.display(),
            self.coordination.url()
        );
        let file = self.directory.path().join(format!("agent-{}.toml", Uuid::now_v7()));
        std::fs::write(&file, config).unwrap();
        file
    }

    /// The process record of an incarnation, once `wanted` holds of it.
    pub(crate) async fn process(
        &self,
        replica: &str,
        incarnation: &str,
        wanted: impl Fn(&ProcessRecord) -> bool,
    ) -> ProcessRecord {
        let path = self.paths.process(&replica.parse().unwrap(), incarnation.parse().unwrap());
        self.node(&path, wanted).await
    }

    /// The obituary of an incarnation, once it stands.
    pub(crate) async fn obituary(&self, incarnation: &str) -> ObituaryRecord {
        self.node(&self.paths.obituary(incarnation.parse().unwrap()), |_| true).await
    }

    /// A record, once `wanted` holds of it.
    pub(crate) async fn node<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        wanted: impl Fn(&T) -> bool,
    ) -> T {
        let mut changes = self.tree.watch(path).await.unwrap();
        let waiting = async {
            loop {
                let node = self.tree.read(&[path.to_owned()]).await.unwrap().remove(0);
                let record = node.map(|node| decode::<T>(path, &node.data).unwrap());
                match record {
                    Some(record) if wanted(&record) => return record,
                    _ => changes.recv().await.unwrap(),
                };
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("waited in vain for {path}"))
    }
}

fn epoch_record(epoch: u64) -> EpochRecord {
    EpochRecord {
        format: FORMAT,
        epoch: Epoch(epoch),
        leader: "watchdog-1".parse().unwrap(),
        term: Epoch(epoch),
        head: Version(0),
        hash: Hash::default(),
    }
}

/// A real host agent process.
pub(crate) struct HostAgent {
    pub(crate) process: Child,
    pub(crate) client: AgentClient<Channel>,
    pub(crate) dir: PathBuf,
    pub(crate) instance: String,
    ended: bool,
}

impl HostAgent {
    async fn start(config: &Path, dir: &Path) -> Self {
        Self::start_under(Command::new("env"), (config, dir)).await.unwrap()
    }

    async fn start_under(mut runner: Command, (config, dir): (&Path, &Path)) -> Option<Self> {
        let mut process = runner
            .arg(env!("CARGO_BIN_EXE_replica-agent"))
            .args(["run", "--config"])
            .arg(config)
            .env("RUST_LOG", "info")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        if line.is_empty() {
            process.wait().unwrap();
            return None;
        }
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        let client = AgentClient::connect(address).await.unwrap();
        let mut agent = Self { process, client, dir: dir.to_owned(), instance: String::new(), ended: false };
        agent.instance = agent.look(&[]).await.instance;
        agent.await_confirmation().await;
        Some(agent)
    }

    /// Orders are refused until the agent has read the epoch.
    async fn await_confirmation(&mut self) {
        let started = Instant::now();
        loop {
            let mut probe = self.order("probe-confirmed");
            probe.target.clone_from(&self.instance);
            let act = act_request::Act::Snapshot(Snapshot {
                replica: "nobody".into(),
                incarnation: incarnation(),
                budget_ms: 1,
            });
            match self.act(probe, act).await {
                Err(status) if status.message().starts_with("unconfirmed") => {
                    assert!(started.elapsed() < PATIENCE, "the agent never read the epoch");
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                _ => return,
            }
        }
    }

    /// An order of epoch 1 to this instance.
    pub(crate) fn order(&self, step: &str) -> Order {
        Order {
            cluster: "demo".into(),
            epoch: 1,
            plan: "1-1".into(),
            step: step.into(),
            target: self.instance.clone(),
            timeout_ms: 10_000,
            session: String::new(),
        }
    }

    /// Has an act done, and answers its result.
    pub(crate) async fn act(
        &mut self,
        order: Order,
        act: act_request::Act,
    ) -> Result<StepResult, tonic::Status> {
        let mut events =
            self.client.act(ActRequest { order: Some(order), act: Some(act) }).await?.into_inner();
        loop {
            let event = tokio::time::timeout(PATIENCE, events.message()).await.unwrap()?.unwrap();
            if let Some(act_event::Event::Result(result)) = event.event {
                return Ok(result);
            }
        }
    }

    /// Starts a replica, and answers its process id.
    pub(crate) async fn start_replica(&mut self, step: &str, start: Start) -> u32 {
        let result = self.act(self.order(step), act_request::Act::Start(start)).await.unwrap();
        assert_eq!(result.error, "");
        result.process.unwrap().pid
    }

    /// Kills a replica, and answers the result.
    pub(crate) async fn kill_replica(&mut self, step: &str, start: &Start, grace_ms: u64) -> StepResult {
        let kill = Kill { replica: start.replica.clone(), incarnation: start.incarnation.clone(), grace_ms };
        self.act(self.order(step), act_request::Act::Kill(kill)).await.unwrap()
    }

    /// Looks.
    pub(crate) async fn look(&mut self, replicas: &[&str]) -> LookReply {
        let replicas = replicas.iter().map(|replica| (*replica).to_owned()).collect();
        self.client.look(LookRequest { cluster: "demo".into(), replicas }).await.unwrap().into_inner()
    }

    /// Seals these steps.
    pub(crate) async fn seal(&mut self, epoch: u64, steps: &[&str]) -> Result<SealReply, tonic::Status> {
        let steps = steps.iter().map(|step| (*step).to_owned()).collect();
        let target = self.instance.clone();
        let request = SealRequest { cluster: "demo".into(), epoch, target, steps };
        Ok(self.client.seal(request).await?.into_inner())
    }

    /// Ends the agent alone; its replicas go on. Answers its exit code, if it had one.
    pub(crate) fn end(mut self, signal: Signal) -> Option<i32> {
        kill(self.process.id(), signal);
        self.ended = true;
        self.process.wait().unwrap().code()
    }
}

impl Drop for HostAgent {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.process.kill();
            let _ = self.process.wait();
            end_carriers(&self.dir);
        }
    }
}

/// Ends whatever was started from this directory.
pub(crate) struct Sweep(pub PathBuf);

impl Drop for Sweep {
    fn drop(&mut self) {
        end_carriers(&self.0);
    }
}

/// Removes the control groups of an agent that did not live to do it.
fn remove_groups(dir: &Path) {
    let name = format!("replica-agent-{}", Hash::of(dir.as_os_str().as_encoded_bytes()).short());
    for mount in ["/sys/fs/cgroup/unified", "/sys/fs/cgroup"] {
        let base = Path::new(mount).join(&name);
        let started = Instant::now();
        // What was killed leaves its group a moment later.
        while base.exists() && started.elapsed() < Duration::from_secs(5) {
            for entry in std::fs::read_dir(&base).into_iter().flatten().flatten() {
                let _ = std::fs::remove_dir(entry.path());
            }
            if std::fs::remove_dir(&base).is_err() {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

fn end_carriers(dir: &Path) {
    let needle = format!("WATCHDOG_STATE_FILE={}/", dir.display());
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        if String::from_utf8_lossy(&environment).contains(&needle) {
            kill(pid, Signal::KILL);
        }
    }
    remove_groups(dir);
}

/// Signals a process, if it is there.
pub(crate) fn kill(pid: u32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal);
}

/// The state of a process, as /proc tells it.
pub(crate) fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim().chars().next()
}

/// Whether a process runs (and is not only waiting to be reaped).
pub(crate) fn runs(pid: u32) -> bool {
    !matches!(state(pid), Some('Z' | 'X') | None)
}

/// The processes that sleep for so long: what a test's program has left, whatever became of its environment.
pub(crate) fn sleepers(seconds: &str) -> Vec<u32> {
    let sleeps = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        words.next().is_some_and(|word| word.ends_with(b"sleep")) && words.next() == Some(seconds.as_bytes())
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(sleeps).collect()
}

/// Waits for something outside of us that gives no event.
pub(crate) async fn eventually(what: &str, mut look: impl FnMut() -> bool) {
    let started = Instant::now();
    while !look() {
        assert!(started.elapsed() < PATIENCE, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A fresh incarnation.
pub(crate) fn incarnation() -> String {
    Incarnation::from_u128(Uuid::now_v7().as_u128()).to_string()
}

/// An order to start a replica with an empty state.
pub(crate) fn start(replica: &str, program: &str) -> Start {
    let _: ReplicaId = replica.parse().unwrap();
    let _: HostId = "host-a".parse().unwrap();
    Start {
        replica: replica.into(),
        incarnation: incarnation(),
        program: program.into(),
        version: 1,
        state_json: "{}".into(),
        state_hash: State::default().hash().to_string(),
        ..Start::default()
    }
}
