//! Support: an agent in this process, around an application that misbehaves on request.

#![allow(dead_code, reason = "each test file uses its own part of this")]
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use replica_agent::{
    Addresses, Agent, AgentError, Application, Cancelled, Condition, Environment, Epoch, Hash, Key,
    LoadError, LoadRequest, Progress, State, StateFile, Version, digest,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tonic::transport::Channel;
use watchdog_proto::agent::act_request::Act;
use watchdog_proto::agent::agent_client::AgentClient;
use watchdog_proto::agent::{
    ActRequest, Drain, Load, LookRequest, Order, Progress as Told, StepResult, Undrain, act_event,
};

pub(crate) const INCARNATION: &str = "0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4e";
pub(crate) const OTHER_INCARNATION: &str = "0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4f";
/// Longer than anything takes on a loaded machine, shorter than anybody's patience.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// How the application behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Good,
    StallInPrepare,
    ReportOftenInPrepare,
    FailInPrepare,
    PanicInPrepare,
    FailInCommit,
    HangInCommit,
    Lie,
    HangWhenChecked,
}

/// The application.
pub(crate) struct Toy {
    pub(crate) state: RwLock<State>,
    pub(crate) mood: watch::Sender<Mood>,
    /// What `prepare` was asked.
    pub(crate) requests: Mutex<Vec<LoadRequest>>,
    pub(crate) drained: Mutex<Vec<&'static str>>,
}

impl Toy {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: RwLock::default(),
            mood: watch::Sender::new(Mood::Good),
            requests: Mutex::default(),
            drained: Mutex::default(),
        })
    }

    fn mood(&self) -> Mood {
        *self.mood.borrow()
    }
}

#[replica_agent::async_trait]
impl Application for Toy {
    type Prepared = State;

    async fn prepare(
        &self,
        request: LoadRequest,
        progress: Progress,
        mut cancelled: Cancelled,
    ) -> Result<State, LoadError> {
        self.requests.lock().unwrap().push(request.clone());
        match self.mood() {
            Mood::StallInPrepare => {
                progress.report(10, "connecting");
                cancelled.cancelled().await;
                std::future::pending::<()>().await;
            }
            Mood::ReportOftenInPrepare => {
                for percent in 0..8 {
                    progress.report(percent, format!("part {percent}"));
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
            Mood::FailInPrepare => return Err("the model is damaged".into()),
            Mood::PanicInPrepare => panic!("rehearsed"),
            _ => (),
        }
        let mut next = self.state.read().unwrap().clone();
        for (key, value) in &request.difference.0 {
            next.apply(key, value.as_ref());
        }
        Ok(next)
    }

    async fn commit(&self, next: State) -> Result<(), LoadError> {
        if self.mood() == Mood::FailInCommit {
            return Err("the disk is full".into());
        }
        let mut mood = self.mood.subscribe();
        mood.wait_for(|mood| *mood != Mood::HangInCommit).await.unwrap();
        *self.state.write().unwrap() = next;
        Ok(())
    }

    fn loaded(&self) -> BTreeMap<Key, Hash> {
        let mut digests = self.state.read().unwrap().digests();
        if self.mood() == Mood::Lie {
            for hash in digests.values_mut() {
                *hash = digest(&json!("a lie"));
            }
        }
        digests
    }

    fn live(&self) -> Condition {
        while self.mood() == Mood::HangWhenChecked {
            std::thread::sleep(Duration::from_millis(10));
        }
        Condition::Good
    }

    async fn drain(&self) {
        self.drained.lock().unwrap().push("drain");
    }

    async fn undrain(&self) {
        self.drained.lock().unwrap().push("undrain");
    }
}

pub(crate) fn state(entries: &[(&str, Value)]) -> State {
    State(entries.iter().map(|(key, value)| (key.parse().unwrap(), value.clone())).collect())
}

/// The state at version 1.
pub(crate) fn first() -> State {
    state(&[("model/fraud", json!({"bias": 1})), ("rule/high", json!("deny"))])
}

/// The state at version 2: one value changed, one removed, one new.
pub(crate) fn second() -> State {
    state(&[("model/fraud", json!({"bias": 2})), ("rule/low", json!("allow"))])
}

/// A running agent; it ends with this.
pub(crate) struct Rig {
    pub(crate) directory: TempDir,
    pub(crate) toy: Arc<Toy>,
    pub(crate) address: String,
    pub(crate) agent: AgentClient<Channel>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), AgentError>>,
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.task.abort();
        // Lets a checking thread that hangs go on to its end.
        self.toy.mood.send_replace(Mood::Good);
    }
}

pub(crate) fn environment(directory: &TempDir, coordination: Option<String>) -> Environment {
    Environment {
        cluster: "demo".parse().unwrap(),
        replica: "demo-a".parse().unwrap(),
        host: "host-1".parse().unwrap(),
        incarnation: INCARNATION.parse().unwrap(),
        coordination,
        coordination_auth_file: None,
        coordination_tls: None,
        tls: None,
        session_timeout_ms: 2_000,
        epoch: Epoch(3),
        state_file: directory.path().join("state.json"),
        address_file: Some(directory.path().join("address.json")),
        parameters: BTreeMap::new(),
    }
}

impl Rig {
    /// Starts an agent on version 1, under epoch 3.
    pub(crate) async fn start(coordination: Option<String>) -> Self {
        let directory = TempDir::new().unwrap();
        let environment = environment(&directory, coordination);
        let file = StateFile { version: Version(1), state_hash: first().hash(), state: first() };
        file.write(&environment.state_file).unwrap();
        let toy = Toy::new();
        let (stop, stopped) = oneshot::channel::<()>();
        let addresses = environment.address_file.clone().unwrap();
        let agent = Agent::new(environment).service("http://127.0.0.1:9");
        let task = tokio::spawn(agent.run_until(toy.clone(), async { drop(stopped.await) }));
        let address = eventually(async || Addresses::read(&addresses).ok()).await.agent;
        let agent = AgentClient::connect(address.clone()).await.unwrap();
        let mut rig = Self { directory, toy, address, agent, stop: Some(stop), task };
        rig.await_version(1).await;
        rig
    }

    /// Tells it to end, and answers how it ended.
    pub(crate) async fn stop(mut self) -> Result<(), AgentError> {
        drop(self.stop.take());
        tokio::time::timeout(DEADLINE, &mut self.task).await.unwrap().unwrap()
    }

    /// Orders an act and follows it to its result.
    pub(crate) async fn act(
        &mut self,
        step: &str,
        act: Act,
    ) -> Result<(Vec<Told>, StepResult), tonic::Status> {
        self.ask(request(step, act)).await
    }

    pub(crate) async fn ask(
        &mut self,
        request: ActRequest,
    ) -> Result<(Vec<Told>, StepResult), tonic::Status> {
        follow(&mut self.agent, request).await
    }

    pub(crate) async fn look(&mut self) -> watchdog_proto::agent::LoadedReport {
        let request = LookRequest { cluster: "demo".into(), replicas: Vec::new() };
        self.agent.look(request).await.unwrap().into_inner().loaded.unwrap()
    }

    async fn await_version(&mut self, version: u64) {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        while self.look().await.version != version {
            assert!(tokio::time::Instant::now() < deadline, "version {version} was never loaded");
        }
    }
}

/// Orders, and follows to the result.
pub(crate) async fn follow(
    agent: &mut AgentClient<Channel>,
    request: ActRequest,
) -> Result<(Vec<Told>, StepResult), tonic::Status> {
    let mut events = agent.act(request).await?.into_inner();
    let mut progress = Vec::new();
    while let Some(event) = events.message().await? {
        match event.event {
            Some(act_event::Event::Progress(told)) => progress.push(told),
            Some(act_event::Event::Result(result)) => {
                assert_eq!(events.message().await?, None, "nothing follows a result");
                return Ok((progress, result));
            }
            None => panic!("an event without content"),
        }
    }
    panic!("no result");
}

/// Asks again and again until there is an answer.
pub(crate) async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(tokio::time::Instant::now() < deadline, "it never happened");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// An order as the leader of epoch 3 gives it, with ten seconds of patience.
pub(crate) fn request(step: &str, act: Act) -> ActRequest {
    let order = Order {
        cluster: "demo".into(),
        epoch: 3,
        plan: "3-1".into(),
        step: step.into(),
        target: INCARNATION.into(),
        timeout_ms: 10_000,
        session: String::new(),
    };
    ActRequest { order: Some(order), act: Some(act) }
}

pub(crate) fn drain() -> Act {
    Act::Drain(Drain { replica: "demo-a".into(), incarnation: INCARNATION.into() })
}

pub(crate) fn undrain() -> Act {
    Act::Undrain(Undrain { replica: "demo-a".into(), incarnation: INCARNATION.into() })
}

/// The load from version 1 to version 2.
pub(crate) fn load() -> Load {
    Load {
        replica: "demo-a".into(),
        incarnation: INCARNATION.into(),
        from_version: 1,
        to_version: 2,
        difference_json: serde_json::to_string(&first().difference(&second())).unwrap(),
        from_hash: first().hash().to_string(),
        to_hash: second().hash().to_string(),
        state_json: serde_json::to_string(&second()).unwrap(),
    }
}
