//! Child: the guardian process itself: sleeps until the deadline, looks again, and kills when it has passed.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use rustix::process::{Signal, pidfd_send_signal, setsid};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use watchdog_core::ids::Incarnation;

use super::lease::{Deadline, LeaseFile};
use crate::clock;
use crate::ledger::Body;
use crate::supervisor::family::{self, Member};
use crate::supervisor::{Tree, proc};

/// A guardian looks at least this often, so that it goes soon after its replica.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long to wait between two killings of what is still there.
const KILL_AGAIN: Duration = Duration::from_millis(20);
/// A process that is still there so long after SIGKILL can't be killed by anybody.
const STUCK_AFTER: Duration = Duration::from_mins(1);

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

/// Guards one life until its lease is released or has run out; then it is dead.
pub(crate) fn guard(path: &Path, body: &Body) -> ExitCode {
    match stand(path, body) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("guardian of {}: {error}", body.incarnation);
            ExitCode::FAILURE
        }
    }
}

fn stand(path: &Path, body: &Body) -> io::Result<()> {
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
    let mut known = BTreeSet::new();
    loop {
        // What descends from it is found as long as its parents live, so it is looked for before anything happens.
        if body.group.is_none() {
            known = family::of(body, &family::look(), (None, &known));
        }
        let now = clock::boottime();
        match lease.deadline() {
            Deadline::Released => return Ok(()),
            Deadline::Until(deadline) if deadline > now => {
                sleep_until(&timer, deadline.min(now + LOOK_EVERY))?;
            }
            Deadline::Until(_) => {
                let told = end_body(body, known);
                eprintln!("guardian of {}: the lease has run out; {told}", body.incarnation);
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

/// Kills until nothing is left that can be found; answers what was killed, and what that proves.
fn end_body(body: &Body, mut known: BTreeSet<Member>) -> String {
    let mut killed = BTreeSet::new();
    let tree = Tree::recorded(body.group.clone());
    let began = Instant::now();
    loop {
        let in_group = tree.members();
        tree.kill();
        killed.extend(in_group);
        known = family::of(body, &family::look(), (None, &known));
        killed.extend(known.iter().map(|(pid, _)| *pid));
        if family::kill(&known) == 0 && (body.group.is_none() || tree.is_empty()) {
            break;
        }
        if began.elapsed() > STUCK_AFTER {
            return format!("killed {killed:?}, and some of them hang in the kernel");
        }
        std::thread::sleep(KILL_AGAIN);
    }
    match (&body.group, killed.is_empty()) {
        (Some(_), true) => "nothing of it was left".to_owned(),
        (Some(_), false) => format!("all of it was killed: {killed:?}"),
        (None, true) => "nothing of it was found; without a control group that proves nothing".to_owned(),
        (None, false) => format!("killed {killed:?}; without a control group more of it may be left"),
    }
}
