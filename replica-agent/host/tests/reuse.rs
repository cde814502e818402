//! Reuse: process numbers are given again to strangers, on purpose, and no stranger is ever signalled.
//!
//! ```text
//! replica runs as N ─► dies ─► a stranger gets N ─► order to kill the replica ─► the stranger lives
//!                         └─► or first its agent, which is back when the stranger has N
//! ```
//! In a process namespace of its own, where nobody else takes numbers: the test runs itself there. `WATCHDOG_REUSED`
//! says how many numbers. Only root can make the namespace.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod rig;

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command};

use rig::{HostAgent, Sweep, World, eventually, kill, runs, start};
use rustix::process::Signal;

const PROGRAMS: &str = "[programs.sleeper]\nargv = [\"/bin/sleep\", \"300\"]\n";
const INSIDE: &str = "WATCHDOG_REUSE_INSIDE";
/// Every so many numbers the agent dies before its replica, and finds the stranger when it takes stock.
const AGENT_DIES_EVERY: u64 = 3;
/// Nobody takes so many numbers while one is being freed and taken.
const AHEAD: u32 = 400;

#[test]
fn no_stranger_is_signalled_for_the_sake_of_a_reused_number() {
    if !rustix::process::getuid().is_root() {
        eprintln!("not root, so without a process namespace: nothing tested");
        return;
    }
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child"]);
    // The namespace's first process is the parent of orphans, and a shell buries them.
    command.args(["sh", "-c", r#""$0" "$@" & wait $!"#]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", "inside", "--nocapture"]).env(INSIDE, "1");
    // Its summary is not to be counted among those of the tests.
    let output = command.output().unwrap();
    let (said, complaints) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    println!("{said}\n{complaints}");
    assert!(output.status.success());
}

/// Not a test of its own: what runs in the namespace.
#[tokio::test(flavor = "multi_thread")]
async fn inside() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    let wanted: u64 = std::env::var("WATCHDOG_REUSED").map_or(20, |said| said.parse().unwrap());
    let world = World::new().await;
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(PROGRAMS).await;
    let (mut reused, mut strangers_killed, mut control_killed) = (0, 0, 0);
    for round in 0..wanted * 2 {
        if reused == wanted {
            break;
        }
        let order = start("demo-a", "sleeper");
        let number = agent.start_replica(&format!("1-{round}-1"), order.clone()).await;
        // Threads and launchers take the numbers behind this one, and leave it alone once it is free.
        give_next(number + AHEAD);
        let alive = if round % AGENT_DIES_EVERY == 0 {
            agent.end(Signal::KILL);
            None
        } else {
            Some(agent)
        };
        kill(number, Signal::KILL);
        let process = format!("/proc/{number}");
        eventually("the number to be free", || !std::path::Path::new(&process).exists()).await;
        let stranger = take(number);
        agent = match alive {
            Some(agent) => agent,
            None => world.agent(PROGRAMS).await,
        };
        order_the_kill(&mut agent, round, &order, &world).await;
        let Some(mut stranger) = stranger else { continue };
        reused += 1;
        strangers_killed += u64::from(stranger.try_wait().unwrap().is_some());
        // What a plain kill by number would have done.
        kill(number, Signal::KILL);
        control_killed += u64::from(stranger.wait().unwrap().signal() == Some(Signal::KILL.as_raw()));
    }
    println!("figure reused {reused}\nfigure strangers_killed {strangers_killed}");
    println!("figure control_killed {control_killed}");
    assert_eq!((reused, strangers_killed, control_killed), (wanted, 0, wanted));
}

async fn order_the_kill(
    agent: &mut HostAgent,
    round: u64,
    order: &watchdog_proto::agent::Start,
    world: &World,
) {
    let ended = agent.kill_replica(&format!("1-{round}-2"), order, 0).await;
    assert_eq!(ended.error, "");
    assert!(ended.obituary.is_some_and(|obituary| obituary.incarnation == order.incarnation));
    world.obituary(&order.incarnation).await;
    assert!(agent.look(&[]).await.processes.is_empty(), "the stranger is not adopted");
}

/// A process with this number, unless a thread was quicker.
fn take(number: u32) -> Option<Child> {
    give_next(number);
    let mut child = Command::new("/bin/sleep").arg("300").spawn().unwrap();
    give_next(number + AHEAD);
    if child.id() == number {
        assert!(runs(number));
        return Some(child);
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

/// Has the kernel give this number next, or the first free one behind it.
fn give_next(number: u32) {
    std::fs::write("/proc/sys/kernel/ns_last_pid", (number - 1).to_string()).unwrap();
}
