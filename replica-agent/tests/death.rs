//! Death: what a replica does that is declared dead while it lives, and that is told to end, as a real process.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use replica_agent::{Agent, DECLARED_DEAD, Environment, StateFile, Version};
use rustix::process::{Pid, Signal, kill_process};
use support::{Toy, environment, eventually, first};
use tempfile::TempDir;
use tokio::net::TcpListener;
use watchdog_membership::embedded::serve;
use watchdog_membership::obituary::declare_dead;
use watchdog_membership::records::{FORMAT, ObituaryRecord, Paths};
use watchdog_membership::wire::{Options, connector};

/// Where the hook tells that it was called.
const HOOKED: &str = "hooked";

/// The replica itself: this test, started again by the others with the environment of a replica.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn plays_the_replica() {
    // Among the other tests it has no part to play.
    let Ok(environment) = Environment::of_this_process() else { return };
    let hooked = environment.state_file.with_file_name(HOOKED);
    let agent = Agent::new(environment).on_declared_dead(move || std::fs::write(hooked, "").unwrap());
    agent.run(Toy::new()).await.unwrap();
}

/// The replica's process; killed with this.
struct Replica {
    child: Child,
    directory: TempDir,
}

impl Drop for Replica {
    fn drop(&mut self) {
        // It may have ended already, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Replica {
    fn start(coordination: String) -> Self {
        let directory = TempDir::new().unwrap();
        let environment = environment(&directory, Some(coordination));
        let file = StateFile { version: Version(1), state_hash: first().hash(), state: first() };
        file.write(&environment.state_file).unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "plays_the_replica"])
            .env_clear()
            .envs(environment.variables())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, directory }
    }

    async fn ended(&mut self) -> ExitStatus {
        eventually(async || self.child.try_wait().unwrap()).await
    }
}

fn obituary() -> ObituaryRecord {
    ObituaryRecord {
        format: FORMAT,
        replica: "demo-a".parse().unwrap(),
        incarnation: support::INCARNATION.parse().unwrap(),
        host: "host-1".parse().unwrap(),
        status: "unknown".into(),
        tree_gone: false,
        at_ms: 1,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_was_declared_dead_ends_and_whoever_is_told_to_leave_leaves() {
    for declared_dead in [true, false] {
        let directory = TempDir::new().unwrap();
        let coordination = serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), directory.path()).unwrap();
        let options = Options { session_timeout: Duration::from_secs(30), ..Options::default() };
        let tree = connector(&coordination.url(), options).unwrap().open().await.unwrap();
        let (paths, obituary) = (Paths::new(&"demo".parse().unwrap()), obituary());
        let member = [paths.member(&obituary.replica, obituary.incarnation)];

        let mut replica = Replica::start(coordination.url());
        eventually(async || tree.read(&member).await.unwrap().remove(0)).await;
        if declared_dead {
            declare_dead(tree.as_ref(), &paths, &obituary).await.unwrap();
        } else {
            kill_process(Pid::from_child(&replica.child), Signal::TERM).unwrap();
        }
        let code = if declared_dead { DECLARED_DEAD } else { 0 };
        assert_eq!(replica.ended().await.code(), Some(code));
        assert_eq!(replica.directory.path().join(HOOKED).exists(), declared_dead);
        assert_eq!(tree.read(&member).await.unwrap(), [None], "gone at once, not when the session times out");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_declared_dead_before_it_joins_never_joins() {
    let directory = TempDir::new().unwrap();
    let coordination = serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), directory.path()).unwrap();
    let tree = connector(&coordination.url(), Options::default()).unwrap().open().await.unwrap();
    let paths = Paths::new(&"demo".parse().unwrap());
    declare_dead(tree.as_ref(), &paths, &obituary()).await.unwrap();
    let mut replica = Replica::start(coordination.url());
    assert_eq!(replica.ended().await.code(), Some(DECLARED_DEAD));
}
