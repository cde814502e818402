//! Exclusive: of one whose program hides its workers, nothing is told as gone that may be there, and its lease ends all.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod rig;

use std::path::Path;

use rig::{Sweep, World, eventually, kill, runs, sleepers, start};
use rustix::process::Signal;
use tonic::Code;
use watchdog_proto::agent::{Start, act_request};

/// As PostgreSQL does: a worker in a session of its own, whose environment tells nothing.
fn hiding(worker: &str) -> String {
    format!(
        "[programs.hides]\nargv = [\"/bin/sh\", \"-c\", \"setsid env -i /bin/sleep {worker} & exec env -i /bin/sleep 300\"]\n"
    )
}

const WITHOUT: &str = "cgroups = false\n";
const ALLOWED: &str = "cgroups = false\nexclusive_without_cgroups = true\n";

fn exclusive(lease_ms: u64) -> Start {
    Start { exclusive: true, lease_ms, ..start("demo-a", "hides") }
}

async fn the_worker(seconds: &str) -> u32 {
    eventually("the worker", || !sleepers(seconds).is_empty()).await;
    sleepers(seconds)[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_control_group_it_is_refused_with_what_to_write() {
    let world = World::new().await;
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(&format!("{WITHOUT}{}", hiding("66001"))).await;
    let order = act_request::Act::Start(exclusive(60_000));
    let refused = agent.act(agent.order("1-1-1"), order).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(refused.message().starts_with("no_cgroup: demo-a is exclusive"), "{refused}");
    assert!(refused.message().contains("exclusive_without_cgroups = true"), "{refused}");
    assert!(agent.look(&[]).await.processes.is_empty());
    agent.start_replica("1-1-2", start("demo-a", "hides")).await;
    kill(the_worker("66001").await, Signal::KILL);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_that_proves_nothing_is_told_as_that() {
    let world = World::new().await;
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(&format!("{ALLOWED}{}", hiding("66002"))).await;
    let order = exclusive(60_000);
    let pid = agent.start_replica("1-1-1", order.clone()).await;
    let worker = the_worker("66002").await;
    kill(pid, Signal::KILL);
    let obituary = world.obituary(&order.incarnation).await;
    assert!(!obituary.tree_gone, "{obituary:?}");
    kill(worker, Signal::KILL);

    // While its main process lives its workers are found by descent, and ended with it; it is still no proof.
    let order = exclusive(60_000);
    let pid = agent.start_replica("1-1-2", order.clone()).await;
    eventually("the worker", || sleepers("66002").iter().any(|pid| *pid != worker)).await;
    let killed = agent.kill_replica("1-1-3", &order, 0).await;
    assert!(killed.error.contains("nothing proves"), "{killed:?}");
    assert!(!killed.obituary.unwrap().tree_gone);
    assert!(!runs(pid));
    eventually("the worker to end", || sleepers("66002").is_empty()).await;
}

/// Whether this machine lets an agent make control groups.
fn has_groups() -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mount =
        mounts.lines().find(|line| line.contains(" - cgroup2 ")).and_then(|line| line.split(' ').nth(4));
    mount.is_some_and(|mount| {
        let probe = Path::new(mount).join(format!("watchdog-test-{}", std::process::id()));
        let made = std::fs::create_dir(&probe).is_ok() && probe.join("cgroup.kill").exists();
        let _ = std::fs::remove_dir(&probe);
        made
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_control_group_the_worker_is_dead_before_the_obituary_stands() {
    let world = World::new().await;
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(&hiding("66003")).await;
    let order = exclusive(60_000);
    let started = agent.act(agent.order("1-1-1"), act_request::Act::Start(order.clone())).await;
    if !has_groups() {
        assert!(started.unwrap_err().message().starts_with("no_cgroup"));
        return;
    }
    let worker = the_worker("66003").await;
    kill(started.unwrap().process.unwrap().pid, Signal::KILL);
    let obituary = world.obituary(&order.incarnation).await;
    assert!(obituary.tree_gone, "{obituary:?}");
    assert!(!runs(worker));
}

#[tokio::test(flavor = "multi_thread")]
async fn its_guardian_ends_also_what_has_cleared_its_environment() {
    let world = World::new().await;
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(&format!("{ALLOWED}{}", hiding("66004"))).await;
    let order = exclusive(3_000);
    let pid = agent.start_replica("1-1-1", order).await;
    let worker = the_worker("66004").await;
    agent.end(Signal::KILL);
    eventually("the guardian to end the main process", || !runs(pid)).await;
    eventually("the guardian to end the worker", || !runs(worker)).await;
}
