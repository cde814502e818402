//! Server: the real program, started as a host agent starts it.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use replica_agent::{Addresses, Environment, Epoch, State, StateFile, Version};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;
use watchdog_membership::records::{FORMAT, ObituaryRecord, Paths};
use watchdog_membership::wire::{Options, connector};
use watchdog_membership::{embedded, obituary};
use watchdog_proto::agent::act_request::Act;
use watchdog_proto::agent::agent_client::AgentClient;
use watchdog_proto::agent::{ActRequest, Load, Order, StepResult, act_event};

const INCARNATION: &str = "0197c7a0-5f3e-7c2d-8000-3f2a6b1c9d4e";
/// Longer than anything takes on a loaded machine.
const DEADLINE: Duration = Duration::from_secs(20);

fn state(incident: Option<Value>) -> State {
    let mut model = json!({"weights": {"amount": 1.0}, "bias": 0.0, "check": {"features": {}, "score": 0.5}});
    if let Some(incident) = incident {
        model["incident"] = incident;
    }
    let rule = json!({"if_above": 0.8, "then": "deny"});
    State(
        [("model/fraud", model), ("rule/high", rule)]
            .map(|(key, value)| (key.parse().unwrap(), value))
            .into_iter()
            .collect(),
    )
}

fn rehearsing(what: &str) -> State {
    state(Some(json!({"on": ["demo-a"], "what": what})))
}

/// The running program; killed with this.
struct Server {
    child: Child,
    directory: TempDir,
    address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(state: &State, coordination: &str) -> Self {
        let directory = TempDir::new().unwrap();
        let environment = Environment {
            cluster: "demo".parse().unwrap(),
            replica: "demo-a".parse().unwrap(),
            host: "host-1".parse().unwrap(),
            incarnation: INCARNATION.parse().unwrap(),
            coordination: Some(coordination.to_owned()),
            coordination_auth_file: None,
            session_timeout_ms: 2_000,
            epoch: Epoch(1),
            state_file: directory.path().join("state.json"),
            address_file: Some(directory.path().join("address.json")),
            parameters: BTreeMap::from([("DEBUG".to_owned(), "1".to_owned())]),
        };
        let file = StateFile { version: Version(1), state_hash: state.hash(), state: state.clone() };
        file.write(&environment.state_file).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_scoring-server"))
            .env_clear()
            .envs(environment.variables())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().rsplit("http://").next().unwrap().to_owned();
        Self { child, directory, address }
    }

    /// One HTTP exchange; no answer in time is an error.
    fn ask(&self, method: &str, path: &str) -> std::io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Ok((head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned()))
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.ask("GET", path).unwrap()
    }

    fn until(&self, path: &str, wanted: u16) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let answer = self.ask("GET", path);
            match answer {
                Ok((code, body)) if code == wanted => return body,
                _ => assert!(Instant::now() < deadline, "{path} never answered {wanted}: {answer:?}"),
            }
        }
    }

    fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it never ended");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    async fn load(&self, from: &State, to: &State) -> Result<StepResult, tonic::Status> {
        let agent = Addresses::read(&self.directory.path().join("address.json")).unwrap().agent;
        let order = Order {
            cluster: "demo".into(),
            epoch: 1,
            plan: "1-1".into(),
            step: "1-1-1".into(),
            target: INCARNATION.into(),
            timeout_ms: 5_000,
        };
        let load = Load {
            replica: "demo-a".into(),
            incarnation: INCARNATION.into(),
            from_version: 1,
            to_version: 2,
            difference_json: serde_json::to_string(&from.difference(to)).unwrap(),
            from_hash: from.hash().to_string(),
            to_hash: to.hash().to_string(),
            state_json: serde_json::to_string(to).unwrap(),
        };
        let request = ActRequest { order: Some(order), act: Some(Act::Load(load)) };
        let mut agent = AgentClient::connect(agent).await.unwrap();
        let mut events = agent.act(request).await?.into_inner();
        while let Some(event) = events.message().await? {
            if let Some(act_event::Event::Result(result)) = event.event {
                return Ok(result);
            }
        }
        panic!("no result");
    }
}

/// Where nobody serves any coordination.
const NOWHERE: &str = "embedded://127.0.0.1:1";

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn it_answers_from_the_state_file_without_any_coordination() {
    let begun = Instant::now();
    let mut server = Server::start(&state(None), NOWHERE);
    let answer = json(&server.until("/score?amount=0", 200));
    println!("first answer {:?} after exec", begun.elapsed());
    assert_eq!((&answer["score"], &answer["decision"]), (&json!(0.5), &json!("allow")));
    assert_eq!((&answer["version"], &answer["replica"]), (&json!(1), &json!("demo-a")));
    assert_eq!(answer["incarnation"], json!(INCARNATION));
    assert_eq!(json(&server.get("/score?amount=9").1)["decision"], json!("deny"));
    assert_eq!(server.get("/score?amount=x"), (400, "feature amount: \"x\" is not a number\n".into()));
    assert_eq!(server.get("/score?model=none").0, 404);
    assert_eq!(server.get("/healthz"), (200, "ok\n".into()));
    assert_eq!(json(&server.get("/version").1)["state_hash"], json!(state(None).hash()));
    kill_process(Pid::from_child(&server.child), Signal::TERM).unwrap();
    assert_eq!(server.wait().code(), Some(0));
}

#[test]
fn drift_changes_what_is_served_and_what_is_reported() {
    let server = Server::start(&state(None), NOWHERE);
    server.until("/score", 200);
    assert_eq!(server.ask("POST", "/debug/drift?version=7").unwrap().0, 200);
    let version = json(&server.get("/version").1);
    assert_eq!(version["version"], json!(7));
    assert_ne!(version["state_hash"], json!(state(None).hash()));
    assert_ne!(json(&server.get("/score").1)["score"], json!(0.5));
    assert_eq!(server.get("/healthz").0, 503, "the known answer is wrong now");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn incidents_are_told_by_declaring_a_model() {
    let table = [
        // what goes wrong | the result of the load, or none when the process died
        ("none", Some("")),
        ("crash", None),
        ("crash_at_start", Some("")),
        ("slow_load", Some("")),
        ("unhealthy", Some("")),
        ("fail_load", Some("prepare failed, nothing was loaded: a rehearsed incident: this load fails")),
        (
            "fail_commit",
            Some("commit failed, the old version serves: a rehearsed incident: this commit fails"),
        ),
        ("lie", Some("version 2 was committed, but what is in memory hashes to")),
    ];
    for (what, expected) in table {
        let mut server = Server::start(&state(None), NOWHERE);
        server.until("/score", 200);
        let to = if what == "none" {
            State(state(None).0.into_iter().take(1).collect())
        } else {
            rehearsing(what)
        };
        let result = server.load(&state(None), &to).await;
        let Some(error) = expected else {
            assert!(result.is_err(), "{what}");
            assert_eq!(server.wait().signal(), Some(6), "{what}");
            continue;
        };
        let result = result.unwrap();
        assert!(result.error.starts_with(error), "{what}: {}", result.error);
        assert!(!error.is_empty() || result.error.is_empty(), "{what}: {}", result.error);
        assert_eq!(server.get("/score").0, 200, "{what}");
        let healthy = if what == "unhealthy" { 503 } else { 200 };
        assert_eq!(server.get("/healthz").0, healthy, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hang_answers_nobody_and_a_wrong_answer_is_noticed() {
    let server = Server::start(&state(None), NOWHERE);
    server.until("/score", 200);
    // The known answer 0.5 is its own opposite, so this model asks another question.
    let mut wrong = rehearsing("wrong_answer");
    let model = wrong.0.get_mut(&"model/fraud".parse().unwrap()).unwrap();
    model["check"] = json!({"features": {"amount": 1.0}, "score": 1.0 / (1.0 + (-1.0_f64).exp())});
    assert_eq!(server.load(&state(None), &wrong).await.unwrap().error, "");
    assert!(server.until("/healthz", 503).contains("is known to be right"));

    let server = Server::start(&state(None), NOWHERE);
    server.until("/score", 200);
    // The agent's own checks hang as well, so the load can't be proven.
    let result = server.load(&state(None), &rehearsing("hang")).await.unwrap();
    assert_eq!(result.error, "version 2 was committed, but the application no longer answers its own checks");
    assert!(server.ask("GET", "/score").is_err(), "it must not answer");
}

#[test]
fn a_state_that_cannot_be_loaded_ends_the_process_at_once() {
    for (what, code, signal) in [("fail_load", Some(1), None), ("crash_at_start", None, Some(6))] {
        let status = Server::start(&rehearsing(what), NOWHERE).wait();
        assert_eq!((status.code(), status.signal()), (code, signal), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn declared_dead_while_alive_it_ends_with_86() {
    let directory = TempDir::new().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let coordination = embedded::serve(listener, directory.path()).unwrap();
    let mut server = Server::start(&state(None), &coordination.url());
    let tree = connector(&coordination.url(), Options::default()).unwrap().open().await.unwrap();
    let paths = Paths::new(&"demo".parse().unwrap());
    let record = ObituaryRecord {
        format: FORMAT,
        replica: "demo-a".parse().unwrap(),
        incarnation: INCARNATION.parse().unwrap(),
        host: "host-1".parse().unwrap(),
        status: "unknown".into(),
        tree_gone: false,
        at_ms: 1,
    };
    let member = paths.member(&record.replica, record.incarnation);
    let deadline = Instant::now() + DEADLINE;
    while tree.read(std::slice::from_ref(&member)).await.unwrap()[0].is_none() {
        assert!(Instant::now() < deadline, "it never joined");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    obituary::declare_dead(tree.as_ref(), &paths, &record).await.unwrap();
    let status = tokio::task::spawn_blocking(move || server.wait()).await.unwrap();
    assert_eq!(status.code(), Some(86));
}
