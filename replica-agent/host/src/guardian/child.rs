//! Child: the guardian process itself: sleeps until the deadline, looks again, and kills when it has passed.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Signal, pidfd_send_signal, setsid};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use watchdog_core::ids::Incarnation;

use super::lease::{Deadline, LeaseFile};
use crate::clock;
use crate::supervisor::{Tree, proc};

/// A guardian looks at least this often, so that it goes soon after its replica.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait between two killings of what is still there.
const KILL_AGAIN: Duration = Duration::from_millis(20);

/// Whether somebody guards by this lease file.
pub(super) fn is_guarded(path: &Path) -> io::Result<bool> {
    // The lock that we may get here goes with the file that we drop.
    Ok(!LeaseFile::open(path)?.guard()?)
}

/// Ends guardians whose lease file was lost: they would kill at a deadline that nobody renews.
pub(super) fn end_others(incarnation: Incarnation) {
    let word = incarnation.to_string();
    let guards = |pid: u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&[u8]> = line.split(|byte| *byte == 0).collect();
        words.get(1) == Some(&super::WORD.as_bytes()) && words.get(3) == Some(&word.as_bytes())
    };
    for pid in proc::pids().into_iter().filter(|pid| guards(*pid)) {
        if let Some(handle) = proc::open(pid, || guards(pid)) {
            // One that has ended meanwhile is as gone as we want it.
            let _ = pidfd_send_signal(handle, Signal::KILL);
        }
    }
}

/// Guards one incarnation until its lease is released or has run out; then it is dead.
pub(crate) fn guard(path: &Path, incarnation: Incarnation, tree: &Tree) -> ExitCode {
    match stand(path, incarnation, tree) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guardian of {incarnation}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn stand(path: &Path, incarnation: Incarnation, tree: &Tree) -> io::Result<()> {
    // We are the leader of our session already when somebody started us by hand.
    let _ = setsid();
    let lease = LeaseFile::open(path)?;
    let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC)?;
    if lease.guard()? {
        // The host agent may have gone already; we guard all the same.
        let _ = io::stdout().write_all(b"guarding\n").and_then(|()| io::stdout().flush());
    } else {
        return Ok(());
    }
    loop {
        let now = clock::boottime();
        match lease.deadline() {
            Deadline::Released => return Ok(()),
            Deadline::Until(deadline) if deadline > now => {
                sleep_until(&timer, deadline.min(now + LOOK_EVERY))?;
            }
            Deadline::Until(_) => {
                eprintln!("guardian of {incarnation}: the lease has run out; everything of it is killed");
                end_tree(incarnation, tree);
                return Ok(());
            }
        }
    }
}

/// Sleeps by the clock that also runs while the machine is suspended.
fn sleep_until(timer: &std::os::fd::OwnedFd, deadline: Duration) -> io::Result<()> {
    let value = Timespec::try_from(deadline).map_err(io::Error::other)?;
    let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
    timerfd_settime(timer, TimerfdTimerFlags::ABSTIME, &Itimerspec { it_interval: zero, it_value: value })?;
    match rustix::io::read(timer, &mut [0_u8; 8]) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Kills until nothing is left: by the control group if there is one, and by what processes carry.
fn end_tree(incarnation: Incarnation, tree: &Tree) {
    loop {
        tree.kill(incarnation, None);
        if proc::kill_carriers(incarnation, None) == 0 {
            return;
        }
        std::thread::sleep(KILL_AGAIN);
    }
}
