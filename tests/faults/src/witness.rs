//! Witness: which replicas really ran, from when to when, as the kernel has it and nobody else.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::time::now_ms;

/// From one look at all processes to the next; what lives shorter may be missed.
const ROUND: Duration = Duration::from_millis(25);

/// One process life of a replica.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Which replica it was started as.
    pub replica: String,
    /// Which life of it.
    pub incarnation: String,
    /// On which host.
    pub host: String,
    /// Its process.
    pub pid: u32,
    /// When it was first seen, up to a round after it began.
    pub born_ms: u64,
    /// When it was last seen alive; `None` while it is.
    pub died_ms: Option<u64>,
}

/// Looks until it is dropped.
pub struct Witness {
    stop: Arc<AtomicBool>,
    lives: Arc<Mutex<Lives>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Lives {
    /// By process id and start time.
    living: BTreeMap<(u32, u64), Life>,
    seen_at: u64,
    over: Vec<Life>,
}

impl Witness {
    /// Begins to look.
    pub fn begin() -> Self {
        let (stop, lives) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Lives::default())));
        let (stopped, seen) = (stop.clone(), lives.clone());
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                let now = processes();
                seen.lock().unwrap_or_else(PoisonError::into_inner).look(now);
                std::thread::sleep(ROUND);
            }
        });
        Self { stop, lives, thread: Some(thread) }
    }

    /// Who lives now.
    pub fn living(&self) -> Vec<Life> {
        self.lives.lock().unwrap_or_else(PoisonError::into_inner).living.values().cloned().collect()
    }

    /// Everybody who lived until now.
    pub fn all(&self) -> Vec<Life> {
        let lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        lives.over.iter().chain(lives.living.values()).cloned().collect()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Lives {
    fn look(&mut self, processes: Vec<(u32, u64)>) {
        let now = now_ms();
        let gone = |key: &(u32, u64)| !processes.contains(key);
        let over: Vec<(u32, u64)> = self.living.keys().filter(|key| gone(key)).copied().collect();
        for key in over {
            if let Some(life) = self.living.remove(&key) {
                self.over.push(Life { died_ms: Some(self.seen_at), ..life });
            }
        }
        for (pid, start) in processes {
            if let std::collections::btree_map::Entry::Vacant(place) = self.living.entry((pid, start))
                && let Some(life) = life_of(pid, now)
            {
                place.insert(life);
            }
        }
        self.seen_at = now;
    }
}

impl Life {
    /// Sends a signal to this very process, and to none that was given its number.
    pub fn signal(&self, signal: Signal) -> bool {
        let sent = self.handle().map(|handle| pidfd_send_signal(&handle, signal));
        sent.is_some_and(|sent| sent.is_ok())
    }

    fn handle(&self) -> Option<OwnedFd> {
        let handle = pidfd_open(Pid::from_raw(i32::try_from(self.pid).ok()?)?, PidfdFlags::empty()).ok()?;
        // Only now: the handle is of whoever has the number since before the look.
        life_of(self.pid, 0).is_some_and(|life| life.incarnation == self.incarnation).then_some(handle)
    }
}

/// All processes that are no zombies, with their start times.
fn processes() -> Vec<(u32, u64)> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        (!matches!(state, "Z" | "X")).then_some(())?;
        Some((pid, fields.nth(18)?.parse().ok()?))
    })
    .collect()
}

/// What a process was told to be, if it is a replica by now.
fn life_of(pid: u32, now: u64) -> Option<Life> {
    let program = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    // Before it becomes the replica's program, a launcher may carry the same environment.
    program.split(|byte| *byte == 0).next()?.ends_with(b"scoring-server").then_some(())?;
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let variable = |name: &str| {
        let named = |entry: &[u8]| Some(entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?.to_vec());
        String::from_utf8(environment.split(|byte| *byte == 0).find_map(named)?).ok()
    };
    Some(Life {
        replica: variable("WATCHDOG_REPLICA")?,
        incarnation: variable("WATCHDOG_INCARNATION")?,
        host: variable("WATCHDOG_HOST")?,
        pid,
        born_ms: now,
        died_ms: None,
    })
}
