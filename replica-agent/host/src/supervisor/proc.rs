//! Proc: the few things about processes that only /proc tells.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use watchdog_core::ids::Incarnation;
use watchdog_membership::environment;

use crate::clock;

/// Some fields of /proc/PID/stat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// `R`, `S`, `T`, `Z` …
    pub(crate) state: char,
    /// Its parent.
    pub(crate) parent: u32,
    /// Its session.
    pub(crate) session: u32,
    /// Clock ticks since boot at which it started.
    pub(crate) start_ticks: u64,
}

impl Stat {
    /// Reads it; `None` when there is no such process.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// Understands the text.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        // The command's name stands in parentheses and may hold anything, also parentheses and blanks.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        Some(Self {
            state: fields.first()?.chars().next()?,
            parent: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            start_ticks: fields.get(19)?.parse().ok()?,
        })
    }

    /// Whether the process has ended and only waits to be reaped.
    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state, 'Z' | 'X')
    }
}

/// Which boot of this machine it is.
pub(crate) fn boot_id() -> std::io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Every process.
pub(crate) fn pids() -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The environment that a process was started with; `None` if it is gone or not ours to see.
pub(crate) fn environment(pid: u32) -> Option<BTreeMap<String, String>> {
    let bytes = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let variables = bytes.split(|byte| *byte == 0).filter_map(|variable| {
        let (name, value) = std::str::from_utf8(variable).ok()?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    Some(variables.collect())
}

/// Whether a process was started as part of this incarnation.
pub(crate) fn carries(pid: u32, incarnation: Incarnation) -> bool {
    let needle = format!("{}={incarnation}", environment::INCARNATION);
    std::fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|bytes| bytes.split(|byte| *byte == 0).any(|variable| variable == needle.as_bytes()))
}

/// A handle on the process that has this number *and* passes the check, so that a reused number is never touched.
pub(crate) fn open(pid: u32, check: impl Fn() -> bool) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    // The handle pins the process: what passes the check now is what the handle names.
    check().then_some(pidfd)
}

/// The session of a main process, as far as it can be told from one that gets the same number later.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session {
    leader: u32,
    until_ticks: u64,
}

impl Session {
    /// Everything that is in it by now.
    pub(crate) fn of(leader: u32) -> Self {
        Self { leader, until_ticks: clock::boot_ticks() }
    }

    /// Whether such a process is in it.
    pub(crate) fn holds(self, stat: &Stat) -> bool {
        stat.session == self.leader && stat.start_ticks <= self.until_ticks
    }
}

/// Kills every process that carries the incarnation; answers how many there were.
pub(crate) fn kill_carriers(incarnation: Incarnation) -> usize {
    let carries = |pid: u32| Stat::of(pid).is_some_and(|stat| !stat.is_dead()) && carries(pid, incarnation);
    let kill = |pid: u32| {
        if let Some(handle) = open(pid, || carries(pid)) {
            // One that ends between the look and the signal is as dead as we want it.
            let _ = pidfd_send_signal(handle, Signal::KILL);
        }
    };
    pids().into_iter().filter(|pid| carries(*pid)).map(kill).count()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_does_not_shift_the_fields() {
        let text = "42 (a) (b c)) T 1 42 40 0 -1 4194304 0 0 0 0 0 0 0 0 20 0 1 0 12345 0 0";
        let stat = Stat::parse(text).unwrap();
        assert_eq!(stat, Stat { state: 'T', parent: 1, session: 40, start_ticks: 12345 });
    }

    #[test]
    fn we_see_ourselves() {
        let stat = Stat::of(std::process::id()).unwrap();
        assert!(!stat.is_dead() && stat.start_ticks > 0);
        assert!(environment(std::process::id()).unwrap().contains_key("PATH"));
        assert!(pids().contains(&std::process::id()));
    }
}
