//! Runner: the process that runs one program for the host agent, and goes when nothing of it is left.
//!
//! ```text
//! host agent ─order─► replica-agent --job ─► launcher ─exec─► program ─► whatever it starts
//!            ◄─ how it ended, its last words ─┘ deadline, end of the program, or the host agent gone: all is killed
//! ```
//!
//! Everything that the program starts becomes a child of this process when its
//! own parent ends (a subreaper), whatever session or environment it has given
//! itself. So all of it is found and killed, without a control group.

use std::io::{BufRead, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpid, kill_process, pidfd_open, set_child_subreaper, setsid, wait,
};
use serde::{Deserialize, Serialize};

use super::clean;
use super::launch::{self, Launch};
use crate::supervisor::proc;

/// The hidden first argument.
pub(crate) const WORD: &str = "--job";
/// How much of what a program says is kept: its last words.
const WORDS_BYTES_MAX: usize = 2 * 1024;
/// A process that is still there so long after SIGKILL is stuck in the kernel.
pub(super) const KILL_PATIENCE: Duration = Duration::from_secs(2);
/// The launcher waits for nothing but its order.
const SAID_BYTES_MAX: u64 = 4 * 1024;

/// What the runner is told, on one line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    /// What to run.
    pub(super) launch: Launch,
    /// How long it may take.
    pub(super) patience_ms: u64,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum How {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal.
    Signalled(i32),
    /// It never became the program, for this reason.
    NotRun(String),
    /// It was killed, because its time was over.
    Late,
}

/// What the runner answers.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Ended {
    /// How it ended.
    pub(super) how: How,
    /// The last that it said.
    pub(super) words: String,
    /// How many of its processes are stuck in the kernel.
    pub(super) stuck: usize,
}

/// Runs the one program that it is told to.
pub(crate) fn run() -> ExitCode {
    let begun = clean::begin().and_then(|()| {
        // A session of its own: a signal to the host agent's terminal is none to us.
        let alone = setsid().and_then(|_| set_child_subreaper(Some(getpid())));
        alone.map_err(|error| format!("cannot keep a program's processes together: {error}"))
    });
    let mut line = String::new();
    if std::io::stdin().lock().read_line(&mut line).is_err() || line.is_empty() {
        return ExitCode::SUCCESS;
    }
    let order = begun.and_then(|()| serde_json::from_str(&line).map_err(|error| error.to_string()));
    let ended = match order.and_then(|order| carry_out(&order)) {
        Ok(ended) => ended,
        Err(reason) => Ended { how: How::NotRun(reason), words: String::new(), stuck: end_all() },
    };
    // The host agent may be gone.
    let _ = serde_json::to_writer(std::io::stdout(), &ended);
    ExitCode::SUCCESS
}

fn carry_out(order: &Order) -> Result<Ended, String> {
    let deadline = Instant::now() + Duration::from_millis(order.patience_ms);
    let failed = |error: std::io::Error| format!("no launcher: {error}");
    let mut command = Command::new("/proc/self/exe");
    command.arg(launch::WORD).env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        let launch = Launch { parent: std::process::id(), ..order.launch.clone() };
        serde_json::to_writer(&mut input, &launch).map_err(|error| error.to_string())?;
        input.flush().map_err(failed)?;
    }
    let output: OwnedFd = child.stderr.take().ok_or("no pipe")?.into();
    rustix::io::ioctl_fionbio(&output, true).map_err(|error| error.to_string())?;
    let mut words = Words::default();
    let in_time = watch(&child, (&output, &mut words), deadline)?;
    words.take(&output);
    let said = said(&mut child, in_time);
    let status = if in_time { child.wait().ok() } else { None };
    let stuck = end_all();
    let how = match status {
        None => How::Late,
        Some(_) if !said.is_empty() => How::NotRun(said),
        Some(status) => match status.signal() {
            Some(signal) => How::Signalled(signal),
            None => How::Exited(status.code().unwrap_or(-1)),
        },
    };
    Ok(Ended { how, words: words.text(), stuck })
}

/// Why the launcher did not become the program, if it said so: its answer begins with a plus when it has come up.
fn said(child: &mut Child, ended: bool) -> String {
    let mut said = String::new();
    if let Some(answer) = child.stdout.take().filter(|_| ended) {
        // Only the launcher has the other end, and it is gone.
        let _ = answer.take(SAID_BYTES_MAX).read_to_string(&mut said);
    }
    launch::reason(said.trim_start_matches(['+', '-'])).1.to_owned()
}

/// Resolves when the main process has ended, or must; answers whether it has.
fn watch(child: &Child, (output, words): (&OwnedFd, &mut Words), deadline: Instant) -> Result<bool, String> {
    let pidfd = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).map_err(|error| error.to_string())?;
    let lifeline = std::io::stdin();
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        let [ended, gone, spoke] = wait_for([pidfd.as_fd(), lifeline.as_fd(), output.as_fd()], left, words)?;
        if spoke {
            words.take(output);
        }
        if ended {
            return Ok(true);
        }
        // Nothing ever comes on it but its end, when nobody waits for us any more.
        if gone {
            return Ok(false);
        }
    }
}

fn wait_for(on: [BorrowedFd<'_>; 3], left: Duration, words: &Words) -> Result<[bool; 3], String> {
    let mut polled = on.map(|one| PollFd::from_borrowed_fd(one, PollFlags::IN));
    // One that is closed would wake us for ever.
    let count = if words.over { 2 } else { 3 };
    let left = Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(left.subsec_nanos()),
    };
    match poll(&mut polled[..count], Some(&left)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(error.to_string()),
    }
    Ok([0, 1, 2].map(|index| index < count && !polled[index].revents().is_empty()))
}

/// The last words of a program; what was said before is dropped as it comes.
#[derive(Default)]
struct Words {
    bytes: Vec<u8>,
    over: bool,
}

impl Words {
    /// Reads what is there, but no more than a look's worth: one that never stops talking must not keep us.
    fn take(&mut self, output: &OwnedFd) {
        let mut buffer = [0; 8 * 1024];
        for _ in 0..16 {
            match rustix::io::read(output, &mut buffer) {
                Ok(0) => {
                    self.over = true;
                    return;
                }
                Ok(count) => self.bytes.extend_from_slice(&buffer[..count]),
                Err(_) => return,
            }
            let beyond = self.bytes.len().saturating_sub(WORDS_BYTES_MAX);
            self.bytes.drain(..beyond);
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).trim().to_owned()
    }
}

/// Kills all that is left; answers how many are stuck in the kernel.
fn end_all() -> usize {
    let until = Instant::now() + KILL_PATIENCE;
    loop {
        let reaped = loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some(_)) => {}
                other => break other,
            }
        };
        // No child is left.
        if reaped.is_err() {
            return 0;
        }
        let ours = children();
        if Instant::now() > until {
            return ours.len();
        }
        for pid in ours {
            // A child keeps its number until we reap it, so this is it.
            let _ = kill_process(pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn children() -> Vec<Pid> {
    let me = std::process::id();
    let ours =
        proc::pids().into_iter().filter(|pid| proc::Stat::of(*pid).is_some_and(|stat| stat.parent == me));
    ours.filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).collect()
}
