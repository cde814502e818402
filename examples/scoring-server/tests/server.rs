//! Server: the real program, started as a host agent starts it.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use replica_agent::{Environment, Epoch, State, StateFile, Version};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

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
    /// Holds its state file as long as it runs.
    _directory: TempDir,
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
            coordination_tls: None,
            tls: None,
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
        Self { child, _directory: directory, address }
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

#[test]
fn incidents_that_leave_it_running_show_where_they_should() {
    let table = [
        // what goes wrong | /healthz
        ("slow_load", 200),
        ("lie", 200),
        ("unhealthy", 503),
        ("wrong_answer", 503),
    ];
    for (what, healthy) in table {
        let mut state = rehearsing(what);
        // The known answer 0.5 would be its own opposite, so this model is asked another question.
        let model = state.0.get_mut(&"model/fraud".parse().unwrap()).unwrap();
        model["check"] = json!({"features": {"amount": 1.0}, "score": 1.0 / (1.0 + (-1.0_f64).exp())});
        model["incident"]["after_ms"] = json!(if what == "slow_load" { 250 } else { 0 });
        let begun = Instant::now();
        let server = Server::start(&state, NOWHERE);
        let score = json(&server.until("/score?amount=1", 200))["score"].as_f64().unwrap();
        assert_eq!(score < 0.5, what == "wrong_answer", "{what}: {score}");
        assert_eq!(server.get("/healthz").0, healthy, "{what}");
        assert!(what != "slow_load" || begun.elapsed() >= Duration::from_millis(250));
    }
}

#[test]
fn a_hang_answers_nobody() {
    let server = Server::start(&rehearsing("hang"), NOWHERE);
    let deadline = Instant::now() + DEADLINE;
    while server.ask("GET", "/score").is_ok() {
        assert!(Instant::now() < deadline, "it never hung");
    }
    assert!(server.ask("GET", "/healthz").is_err());
}

#[test]
fn an_incident_elsewhere_is_none_here() {
    let server = Server::start(&state(Some(json!({"on": ["demo-b"], "what": "crash"}))), NOWHERE);
    server.until("/score", 200);
    assert_eq!(server.get("/healthz").0, 200);
}

#[test]
fn a_state_that_cannot_be_loaded_ends_the_process_at_once() {
    let table = [
        ("fail_load", Some(1), None),
        ("fail_commit", Some(1), None),
        ("crash_at_start", None, Some(6)),
        ("crash", None, Some(6)),
    ];
    for (what, code, signal) in table {
        let status = Server::start(&rehearsing(what), NOWHERE).wait();
        assert_eq!((status.code(), status.signal()), (code, signal), "{what}");
    }
}
