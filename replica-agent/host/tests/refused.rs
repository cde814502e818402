//! Refused: the disk says no at each of the first writes of the ledger; what was answered is remembered all the same.
//!
//! ```text
//! agent under strace ─► start, kill, start … each answered, until one is refused ─► agent again, on a disk that works
//!                                                    ─► the same instance, the first answers, the same processes
//! ```
//! `WATCHDOG_WRITES` says at how many writes.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod rig;

use std::path::Path;
use std::process::Command;

use rig::{HostAgent, Sweep, World, runs, start};
use rustix::process::Signal;
use watchdog_proto::agent::act_request::Act;
use watchdog_proto::agent::{Kill, Start};

const PROGRAMS: &str = "[programs.sleeper]\nargv = [\"/bin/sleep\", \"300\"]\n";
/// So many rounds reach further than the writes that are refused.
const ROUNDS: u64 = 12;

/// Has the kernel answer the calls on the ledger as `injected` says; the agent itself is our child.
fn strace(directory: &Path, injected: &str) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-q", "-o", "/dev/null", "-e", injected]);
    for file in ["ledger", "ledger.new"] {
        strace.arg("-P").arg(directory.join(file));
    }
    strace
}

/// What was answered without an error: the steps of starts and kills, and who runs after the last.
#[derive(Default)]
struct Answered {
    acts: Vec<(String, Act)>,
    runs: Option<u32>,
    refused: bool,
}

/// Gives orders until one is refused. A single failure may hit a fact that no order waits for.
async fn order_on(agent: &mut HostAgent) -> Answered {
    let mut answered = Answered::default();
    for round in 0..ROUNDS {
        let life = start("demo-a", "sleeper");
        for act in [Act::Start(life.clone()), Act::Kill(kill(&life))] {
            let step = format!("1-{round}-{}", if matches!(act, Act::Start(_)) { 1 } else { 2 });
            match agent.act(agent.order(&step), act.clone()).await {
                Ok(result) if result.error.is_empty() => {
                    answered.acts.push((step, act));
                    answered.runs = result.process.map(|process| process.pid);
                }
                _ => {
                    answered.refused = true;
                    return answered;
                }
            }
        }
    }
    answered
}

fn kill(life: &Start) -> Kill {
    Kill { replica: life.replica.clone(), incarnation: life.incarnation.clone(), grace_ms: 0 }
}

/// An agent on the same directory. A launcher that was being made when the last one died holds the lock for a moment.
async fn again(world: &World, dir: &Path) -> HostAgent {
    for _ in 0..100 {
        if let Some(agent) = world.agent_under(Command::new("env"), (dir, PROGRAMS)).await {
            return agent;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("no agent starts in {}", dir.display());
}

/// An agent on the same directory, and a disk that works, knows all that was answered.
async fn remembers(world: &World, dir: &Path, (instance, answered): (&str, &Answered), story: &str) {
    let mut agent = again(world, dir).await;
    assert_eq!(agent.instance, instance, "{story}: {} answers are forgotten", answered.acts.len());
    for (step, act) in &answered.acts {
        match agent.act(agent.order(step), act.clone()).await {
            Ok(again) => assert_eq!(again.error, "", "{story}: {step}"),
            // That it was begun is never forgotten, its result may be, and it is not begun again.
            Err(status) => assert!(status.message().starts_with("lost"), "{story}: {step}: {status}"),
        }
    }
    let look = agent.look(&[]).await;
    assert!(look.processes.iter().all(|process| runs(process.pid)), "{story}: {look:?}");
    if let Some(pid) = answered.runs.filter(|pid| runs(*pid)) {
        assert!(look.processes.iter().any(|process| process.pid == pid), "{story}: {pid} is not kept");
    }
    assert!(look.processes.len() <= 1, "{story}: {look:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_write_of_the_ledger_is_refused_what_was_answered_is_remembered() {
    let writes: u64 = std::env::var("WATCHDOG_WRITES").map_or(5, |said| said.parse().unwrap());
    let world = World::new().await;
    let (mut answers, mut refusals) = (0, 0);
    for number in 1..=writes {
        for injected in [
            format!("inject=write:error=ENOSPC:when={number}+"),
            format!("inject=write:error=EIO:when={number}"),
            format!("inject=fsync,fdatasync:error=EIO:when={number}"),
        ] {
            let dir =
                world.directory.path().join(format!("agent-{}", injected.replace([':', '=', ','], "-")));
            let _sweep = Sweep(dir.clone());
            let Some(mut agent) = world.agent_under(strace(&dir, &injected), (&dir, PROGRAMS)).await else {
                // It could not even begin; nothing was answered.
                drop(again(&world, &dir).await);
                continue;
            };
            let answered = order_on(&mut agent).await;
            let instance = agent.instance.clone();
            agent.end(Signal::KILL);
            remembers(&world, &dir, (&instance, &answered), &injected).await;
            answers += answered.acts.len();
            refusals += usize::from(answered.refused);
        }
    }
    println!("figure ledger {writes}");
    assert!(answers > 0 && refusals > 0, "{answers} answers, {refusals} refusals: nothing is proven");
}
