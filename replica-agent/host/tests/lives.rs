//! Lives: replicas outlive their host agent, and are found again whatever it has forgotten.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod rig;

use std::process::Command;
use std::time::{Duration, Instant};

use rig::{Sweep, World, eventually, kill, runs, start};
use rustix::process::Signal;
use watchdog_membership::records::HostRecord;
use watchdog_proto::agent::{Start, StepResult, act_request};

const PROGRAMS: &str = "[programs.sleeper]\nargv = [\"/bin/sleep\", \"300\"]\n\
    [programs.family]\nargv = [\"/bin/sh\", \"-c\", \"sleep 301 & exec sleep 302\"]\n";

#[tokio::test(flavor = "multi_thread")]
async fn replicas_outlive_the_agent_and_are_adopted() {
    let world = World::new().await;
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(PROGRAMS).await;
    let [stays, goes] = [start("demo-a", "sleeper"), start("demo-b", "sleeper")];
    let stays_pid = agent.start_replica("1-1-1", stays.clone()).await;
    let goes_pid = agent.start_replica("1-1-2", goes.clone()).await;
    let instance = agent.instance.clone();
    agent.end(Signal::KILL);
    assert!(runs(stays_pid) && runs(goes_pid));
    kill(goes_pid, Signal::KILL);

    let mut agent = world.agent(PROGRAMS).await;
    assert_eq!(agent.instance, instance);
    let look = agent.look(&[]).await;
    let found: Vec<_> = look.processes.iter().map(|process| process.pid).collect();
    assert_eq!(found, [stays_pid]);
    let obituary = world.obituary(&goes.incarnation).await;
    assert_eq!(obituary.status, "unknown");
    world.process("demo-a", &stays.incarnation, |_| true).await;
    assert_eq!(
        agent.start_replica("1-1-1", stays.clone()).await,
        stays_pid,
        "its first result survives the crash"
    );
    assert_eq!(agent.end(Signal::TERM), Some(0));
    assert!(runs(stays_pid), "SIGTERM to the agent leaves replicas alone");

    let mut agent = world.agent(PROGRAMS).await;
    let killed = agent.kill_replica("1-1-3", &stays, 0).await;
    assert_eq!(killed.obituary.unwrap().status, "unknown", "the exit status went to another parent");
    assert!(!runs(stays_pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_replica_that_dies_is_noticed_at_once() {
    let world = World::new().await;
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(PROGRAMS).await;
    let order = start("demo-a", "sleeper");
    let pid = agent.start_replica("1-1-1", order.clone()).await;
    agent.end(Signal::KILL);
    let agent = world.agent(PROGRAMS).await;
    let killed = Instant::now();
    kill(pid, Signal::KILL);
    world.obituary(&order.incarnation).await;
    println!("death of an adopted replica to its obituary: {:?}", killed.elapsed());
    drop(agent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_directory_is_a_new_instance_that_adopts() {
    let world = World::new().await;
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(PROGRAMS).await;
    let order = start("demo-a", "family");
    let pid = agent.start_replica("1-1-1", order.clone()).await;
    let old = agent.order("1-1-2");
    agent.end(Signal::KILL);
    std::fs::remove_dir_all(world.agent_dir()).unwrap();

    let mut agent = world.agent(PROGRAMS).await;
    assert_ne!(agent.instance, old.target);
    let look = agent.look(&[]).await;
    assert_eq!(look.processes.iter().map(|process| process.pid).collect::<Vec<_>>(), [pid]);
    let refused = agent.act(old, act_request::Act::Start(start("demo-a", "sleeper"))).await.unwrap_err();
    assert!(refused.message().starts_with("wrong_instance"), "{refused}");
    let second = agent.act(agent.order("1-1-3"), act_request::Act::Start(start("demo-a", "sleeper"))).await;
    assert!(second.unwrap_err().message().starts_with("alive"));
    let killed = agent.kill_replica("1-1-4", &order, 0).await;
    assert_eq!(killed.error, "");
    assert!(!runs(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_deleted_under_a_running_agent_stops_it() {
    let world = World::new().await;
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(PROGRAMS).await;
    let pid = agent.start_replica("1-1-1", start("demo-a", "sleeper")).await;
    std::fs::remove_dir_all(world.agent_dir()).unwrap();
    let result = agent.act(agent.order("1-1-2"), act_request::Act::Start(start("demo-b", "sleeper"))).await;
    // It refuses, and it may be gone before it can say so.
    assert!(result.is_err() || !result.unwrap().error.is_empty());
    assert_eq!(agent.process.wait().unwrap().code(), Some(1));
    let mut agent = world.agent(PROGRAMS).await;
    assert_eq!(agent.look(&[]).await.processes.len(), 1);
    assert!(runs(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrupt_ledger_is_set_aside_and_replicas_are_adopted() {
    let world = World::new().await;
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(PROGRAMS).await;
    let pid = agent.start_replica("1-1-1", start("demo-a", "sleeper")).await;
    let instance = agent.instance.clone();
    agent.end(Signal::KILL);
    let ledger = world.agent_dir().join("ledger");
    let mut bytes = std::fs::read(&ledger).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    std::fs::write(&ledger, bytes).unwrap();

    let mut agent = world.agent(PROGRAMS).await;
    assert_ne!(agent.instance, instance);
    assert_eq!(agent.look(&[]).await.processes[0].pid, pid);
    let names = std::fs::read_dir(world.agent_dir()).unwrap().flatten();
    assert!(
        names.into_iter().any(|entry| entry.file_name().to_string_lossy().starts_with("ledger.unreadable-"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_agent_of_the_same_name_takes_nothing_over() {
    let world = World::new().await;
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(PROGRAMS).await;
    agent.start_replica("1-1-1", start("demo-a", "sleeper")).await;
    let elsewhere = world.directory.path().join("elsewhere");
    let mut other = world.agent_in(&elsewhere, PROGRAMS).await;
    assert!(other.look(&[]).await.processes.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_orders_and_still_records_deaths() {
    if !rustix::process::getuid().is_root() {
        return;
    }
    let world = World::new().await;
    let disk = Mounted::new(world.directory.path().join("small"));
    let _sweep = Sweep(disk.0.clone());
    let mut agent = world.agent_in(&disk.0, PROGRAMS).await;
    let order = start("demo-a", "sleeper");
    let pid = agent.start_replica("1-1-1", order.clone()).await;
    let filler = disk.0.join("filler");
    let _ = std::fs::write(&filler, vec![0_u8; 8 * 1024 * 1024]);
    let mut last = StepResult::default();
    // What was allocated ahead is used up first.
    for step in 2..3_000 {
        let late = start("demo-b", "sleeper");
        let result = agent
            .act(agent.order(&format!("1-1-{step}")), act_request::Act::Start(late.clone()))
            .await
            .unwrap();
        if !result.error.is_empty() {
            last = result;
            break;
        }
        agent.kill_replica(&format!("1-2-{step}"), &late, 0).await;
    }
    assert!(last.error.starts_with("no space on host host-a: "), "{last:?}");
    assert_eq!((last.code.as_str(), last.blame.as_str()), ("no_space", "host"));
    assert_eq!(agent.look(&["demo-b"]).await.processes.len(), 0, "nothing half done");
    kill(pid, Signal::KILL);
    assert_eq!(world.obituary(&order.incarnation).await.status, "signal 9 (SIGKILL)");
    std::fs::remove_file(filler).unwrap();
    agent.start_replica("1-3-1", start("demo-a", "sleeper")).await;
    drop(agent);
}

struct Mounted(std::path::PathBuf);

impl Mounted {
    fn new(path: std::path::PathBuf) -> Self {
        std::fs::create_dir_all(&path).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "none"]).arg(&path).status().unwrap();
        assert!(mounted.success());
        Self(path)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reused_number_is_neither_adopted_nor_killed() {
    let world = World::new().await;
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(PROGRAMS).await;
    let order = start("demo-a", "sleeper");
    let pid = agent.start_replica("1-1-1", order.clone()).await;
    agent.end(Signal::KILL);
    kill(pid, Signal::KILL);
    eventually("the number to be free", || !std::path::Path::new(&format!("/proc/{pid}")).exists()).await;
    let Some(mut stranger) = take_number(pid) else {
        println!("the number {pid} can't be had again here");
        return;
    };
    let mut agent = world.agent(PROGRAMS).await;
    assert!(agent.look(&[]).await.processes.is_empty());
    assert_eq!(world.obituary(&order.incarnation).await.status, "unknown");
    agent.kill_replica("1-1-2", &order, 0).await;
    assert!(stranger.try_wait().unwrap().is_none(), "a stranger was killed");
    let _ = stranger.kill();
    let _ = stranger.wait();
}

/// A process with this number, if the kernel lets us choose.
fn take_number(pid: u32) -> Option<std::process::Child> {
    for _ in 0..50 {
        std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).ok()?;
        let mut child = Command::new("/bin/sleep").arg("300").spawn().ok()?;
        if child.id() == pid {
            return Some(child);
        }
        let _ = child.kill();
        let _ = child.wait();
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exclusive_replica_does_not_outlive_its_lease() {
    let world = World::new().await;
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(PROGRAMS).await;
    let order = Start { exclusive: true, lease_ms: 3_000, ..start("demo-a", "family") };
    let pid = agent.start_replica("1-1-1", order.clone()).await;
    // The session is confirmed at a third of its time-out, so the lease is renewed over and over.
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    assert!(runs(pid), "a renewed lease does not end");
    agent.end(Signal::KILL);
    let gone = Instant::now();
    eventually("the guardian to end it", || !runs(pid)).await;
    println!("ended {:?} after its agent", gone.elapsed());
    assert!(gone.elapsed() < Duration::from_secs(5));
    let mut agent = world.agent(PROGRAMS).await;
    assert_eq!(world.obituary(&order.incarnation).await.status, "unknown");
    let second = Start { exclusive: true, lease_ms: 60_000, ..start("demo-a", "sleeper") };
    let pid = agent.start_replica("1-1-2", second.clone()).await;
    let lease = world.agent_dir().join("leases").join(&second.incarnation);
    assert!(lease.exists());
    agent.kill_replica("1-1-3", &second, 0).await;
    assert!(!runs(pid));
    eventually("the lease to be released", || !lease.exists()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_its_leader_gave_up_never_begins_also_after_a_crash() {
    let world = World::new().await;
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(PROGRAMS).await;
    let late = act_request::Act::Start(start("demo-a", "sleeper"));
    let sealed = agent.seal(1, &["1-1-1"]).await.unwrap();
    assert_eq!(sealed.steps[0].fate, "never");
    for crash in [false, true] {
        if crash {
            agent.end(Signal::KILL);
            agent = world.agent(PROGRAMS).await;
        }
        let refused = agent.act(agent.order("1-1-1"), late.clone()).await.unwrap_err();
        assert!(refused.message().starts_with("given_up: step 1-1-1"), "{refused}");
        assert_eq!(agent.seal(1, &["1-1-1"]).await.unwrap().steps[0].fate, "never");
    }
    let mut earlier = agent.order("1-2-1");
    earlier.session = "of long ago".into();
    let refused = agent.act(earlier, late.clone()).await.unwrap_err();
    assert!(refused.message().starts_with("earlier_session: "), "{refused}");
    let host: HostRecord =
        world.node("/demo/hosts/host-a", |host: &HostRecord| !host.session.is_empty()).await;
    let mut now = agent.order("1-2-2");
    now.session = host.session;
    agent.act(now, late).await.unwrap();
}
