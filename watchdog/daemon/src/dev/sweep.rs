//! Sweep: ends the processes that were told of our home and of which we are not the parent.
//!
//! Replicas have sessions of their own and outlive their host agents, so only
//! their environment tells whose they are. The handle is opened before the look
//! at it, so that a number that is reused meanwhile is never signalled.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::time::{Instant, sleep};
use watchdog_membership::environment;

/// In the environment of the daemons that `watchdog dev` starts, with its home as value.
pub(super) const VARIABLE: &str = "WATCHDOG_DEV";

/// What the names of all variables begin with by which replicas are told of our home.
const PREFIX: &str = "WATCHDOG_";
/// To leave on SIGTERM.
const GRACE: Duration = Duration::from_millis(800);
/// To be gone after SIGKILL.
const KILL_PATIENCE: Duration = Duration::from_millis(1_500);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Whom to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whom {
    Daemons,
    All,
}

/// Ends the daemons of an earlier run that was killed.
pub(super) async fn end_daemons(home: &Path) -> anyhow::Result<()> {
    end(home, Whom::Daemons).await
}

/// Ends everybody, replicas too.
pub(super) async fn end_all(home: &Path) -> anyhow::Result<()> {
    end(home, Whom::All).await
}

/// Signals one process, if it was told of our home: its number may be another's by now.
///
/// # Errors
///
/// If it is gone, or not ours.
pub(super) fn signal(home: &Path, pid: u32, signal: Signal) -> anyhow::Result<()> {
    let handle = handle(home, Whom::All, pid);
    let handle = handle.with_context(|| format!("process {pid} is gone, or none of ours"))?;
    pidfd_send_signal(&handle, signal).with_context(|| format!("signal process {pid}"))
}

/// Whether a process of ours is there; one that waits to be reaped is not.
pub(super) fn runs(home: &Path, pid: u32) -> bool {
    handle(home, Whom::All, pid).is_some()
}

async fn end(home: &Path, whom: Whom) -> anyhow::Result<()> {
    for (signal, patience) in [(Signal::TERM, GRACE), (Signal::KILL, KILL_PATIENCE)] {
        let deadline = Instant::now() + patience;
        let mut told: Vec<u32> = Vec::new();
        loop {
            let left = found(home, whom);
            if left.is_empty() {
                return Ok(());
            }
            for (pid, handle) in left.iter().filter(|(pid, _)| !told.contains(pid)) {
                // Gone already is as good.
                let _ = pidfd_send_signal(handle, signal);
                tracing::info!(pid, ?signal, "ending a process");
            }
            told = left.iter().map(|(pid, _)| *pid).collect();
            if Instant::now() >= deadline {
                break;
            }
            sleep(LOOK_AGAIN).await;
        }
    }
    let left: Vec<String> = found(home, whom).iter().map(|(pid, _)| pid.to_string()).collect();
    anyhow::ensure!(left.is_empty(), "these processes would not end: {}", left.join(", "));
    Ok(())
}

fn found(home: &Path, whom: Whom) -> Vec<(u32, OwnedFd)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| Some((pid, handle(home, whom, pid)?))).collect()
}

/// A handle of the process `pid`, if it runs and is ours.
fn handle(home: &Path, whom: Whom, pid: u32) -> Option<OwnedFd> {
    let handle = pidfd_open(Pid::from_raw(i32::try_from(pid).ok()?)?, PidfdFlags::empty()).ok()?;
    // Somebody else's can't be read, and one that has ended has none.
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let ours = is_told(&environment, home, whom) && pid != std::process::id();
    ours.then_some(handle)
}

/// Whether an environment says that its process is ours to end.
fn is_told(environment: &[u8], home: &Path, whom: Whom) -> bool {
    let home = home.as_os_str().as_encoded_bytes();
    let variables = || environment.split(|byte| *byte == 0).filter_map(|variable| split(variable));
    let is_daemon = variables().any(|(name, value)| name == VARIABLE.as_bytes() && value == home);
    let is_replica = || {
        let below = |value: &[u8]| value.strip_prefix(home).is_some_and(|rest| rest.starts_with(b"/"));
        variables().any(|(name, _)| name == environment::CLUSTER.as_bytes())
            && variables().any(|(name, value)| name.starts_with(PREFIX.as_bytes()) && below(value))
    };
    is_daemon || (whom == Whom::All && is_replica())
}

fn split(variable: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = variable.iter().position(|byte| *byte == b'=')?;
    Some((&variable[..at], &variable[at + 1..]))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn only_who_was_told_of_our_home_is_ours() {
        let table = [
            ("PATH=/bin\0WATCHDOG_DEV=/tmp/d\0", true, true),
            ("WATCHDOG_DEV=/tmp/d2\0", false, false),
            ("WATCHDOG_CLUSTER=demo\0WATCHDOG_STATE_FILE=/tmp/d/hosts/h1/state\0", false, true),
            ("WATCHDOG_CLUSTER=demo\0WATCHDOG_STATE_FILE=/tmp/d2/state\0", false, false),
            ("WATCHDOG_STATE_FILE=/tmp/d/state\0", false, false),
            ("WATCHDOG_CLUSTER=demo\0HOME=/tmp/d/x\0", false, false),
            ("", false, false),
        ];
        for (environment, daemon, any) in table {
            let told = |whom| is_told(environment.as_bytes(), Path::new("/tmp/d"), whom);
            assert_eq!((told(Whom::Daemons), told(Whom::All)), (daemon, any), "{environment:?}");
        }
    }

    #[tokio::test]
    async fn who_ignores_the_signal_is_killed_and_strangers_are_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let start = |variable: &str, script: &str| {
            std::process::Command::new("sh")
                .args(["-c", script])
                .env("WATCHDOG_CLUSTER", "demo")
                .env(variable, home.path().join("state"))
                .spawn()
                .unwrap()
        };
        let deaf = "trap '' TERM; while :; do sleep 0.1; done";
        let mut ours = start("WATCHDOG_STATE_FILE", deaf);
        let mut stranger = start("STATE_FILE", "exec sleep 60");
        // Reaped by a thread, or it would be there for ever.
        let waiting = std::thread::spawn(move || ours.wait().unwrap());
        end_all(home.path()).await.unwrap();
        assert!(!waiting.join().unwrap().success());
        assert!(stranger.try_wait().unwrap().is_none(), "the stranger lives");
        stranger.kill().unwrap();
        stranger.wait().unwrap();
    }
}
