//! Process: a guard around a child that kills its whole group on drop and tells what it said when the test failed.

use std::fmt;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

use crate::reaper;

/// How much of a log a failed test prints.
const TAIL_BYTES: usize = 6_000;
/// A child that was sent SIGKILL and is not gone after this long is stuck in the kernel.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// A child process in its own process group, killed with all of it on drop.
pub struct Guarded {
    name: String,
    child: Child,
    group: Pid,
    pidfd: OwnedFd,
    log: PathBuf,
    reaped: bool,
}

impl Guarded {
    /// Starts `command` with its output appended to the file `log`; `name` is what failures call it.
    ///
    /// # Errors
    ///
    /// If the program cannot be started or the log cannot be opened.
    pub fn spawn(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let file = append(log)?;
        let copy = file.try_clone().context("copy the log's descriptor")?;
        command.stdout(file).stderr(copy);
        Self::spawn_with_output_set(name, command, log)
    }

    /// Like [`Guarded::spawn`], but standard output is a pipe for the caller to read; only errors go to `log`.
    pub(crate) fn spawn_piped(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        command.stdout(Stdio::piped()).stderr(append(log)?);
        Self::spawn_with_output_set(name, command, log)
    }

    fn spawn_with_output_set(name: &str, command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {name}: {}", command.get_program().display()))?;
        let group = Pid::from_child(&child);
        let watched = reaper::watch(child.id());
        let pidfd = pidfd_open(group, PidfdFlags::empty()).context("open the child's pidfd");
        match (watched, pidfd) {
            (Ok(()), Ok(pidfd)) => {
                Ok(Self { name: name.to_owned(), child, group, pidfd, log: log.to_owned(), reaped: false })
            }
            (watched, pidfd) => {
                let _ = kill_process_group(group, Signal::KILL);
                Err(watched
                    .err()
                    .or(pidfd.err())
                    .unwrap_or_else(|| anyhow::anyhow!("{name} cannot be guarded")))
            }
        }
    }

    /// The child's process id, which is its group's too.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The pipe from the child's standard output, once, if it was started with one.
    pub(crate) fn take_output(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Signals the whole group; a group that is gone already is fine.
    pub fn signal(&self, signal: Signal) {
        if !self.reaped {
            let _ = kill_process_group(self.group, signal);
        }
    }

    /// Whether the child itself still runs (a stopped one does).
    pub fn is_running(&mut self) -> bool {
        self.wait(Duration::ZERO).is_none()
    }

    /// Waits for the child to end; `None` if it still runs after `patience`.
    pub fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        if !self.reaped {
            let started = Instant::now();
            let mut watched = [PollFd::new(&self.pidfd, PollFlags::IN)];
            loop {
                let left = patience.saturating_sub(started.elapsed());
                // An interrupting signal only means to look again.
                match poll(&mut watched, Timespec::try_from(left).ok().as_ref()) {
                    Ok(0) => return None,
                    Ok(_) => break,
                    Err(_) if left.is_zero() => return None,
                    Err(_) => {}
                }
            }
            // What is left of the group goes before its number can be reused.
            let _ = kill_process_group(self.group, Signal::KILL);
            reaper::forget(self.child.id());
            self.reaped = true;
        }
        self.child.wait().ok()
    }

    /// Kills the whole group at once and waits until the child is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::KILL);
        if self.wait(KILL_PATIENCE).is_none() {
            eprintln!("{} (pid {}) did not die within {KILL_PATIENCE:?} of SIGKILL", self.name, self.pid());
        }
    }

    /// Asks the child to end with `signal`, and kills the group if it has not after `grace`. Says whether it obeyed.
    pub fn stop(&mut self, signal: Signal, grace: Duration) -> bool {
        if self.reaped {
            return true;
        }
        let _ = rustix::process::pidfd_send_signal(&self.pidfd, signal);
        let obeyed = self.wait(grace).is_some();
        if !obeyed {
            self.kill();
        }
        obeyed
    }

    /// What the child has written to its log so far.
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// The last part of the log, for messages.
    pub(crate) fn log_tail(&self) -> String {
        let log = self.log();
        let start = log.len().saturating_sub(TAIL_BYTES);
        let start = (start..log.len()).find(|at| log.is_char_boundary(*at)).unwrap_or(log.len());
        log[start..].to_owned()
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded")
            .field("name", &self.name)
            .field("pid", &self.child.id())
            .finish_non_exhaustive()
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("---- {} (pid {}) said:\n{}\n----", self.name, self.pid(), self.log_tail());
        }
    }
}

/// Opens `log` so that several writers can share it.
pub(crate) fn append(log: &Path) -> anyhow::Result<File> {
    File::options().create(true).append(true).open(log).with_context(|| format!("open {}", log.display()))
}

/// Whether `name` is found on the path.
pub(crate) fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// The processes whose parent is `pid`.
pub fn children_of(pid: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|child| parent_of(*child) == Some(pid)).collect()
}

/// Handles of all processes whose command line or environment names `path`, except this one.
///
/// Finds the descendants of a rig that have left its process group, by the rig's own fresh directory. The handle is
/// opened before the look, so that a number that is reused meanwhile is not mistaken.
pub fn told_of(path: &Path) -> Vec<(u32, OwnedFd)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let needle = path.as_os_str().as_encoded_bytes();
    let names = |file: PathBuf| std::fs::read(file).is_ok_and(|bytes| contains(&bytes, needle));
    let told = |entry: std::fs::DirEntry| {
        let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
        let handle = handle_of(pid)?;
        let told = names(entry.path().join("cmdline")) || names(entry.path().join("environ"));
        (told && pid != std::process::id()).then_some((pid, handle))
    };
    entries.flatten().filter_map(told).collect()
}

/// Ends at its drop whoever was told of a rig's directory and has left its processes' groups.
#[derive(Debug)]
pub struct Swept<'a>(pub &'a Path);

impl Drop for Swept<'_> {
    fn drop(&mut self) {
        for (_, handle) in told_of(self.0) {
            // Who has ended by itself needs no signal.
            let _ = pidfd_send_signal(&handle, Signal::KILL);
        }
    }
}

/// A handle of the process `pid`, unless it is gone.
pub(crate) fn handle_of(pid: u32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(i32::try_from(pid).ok()?)?, PidfdFlags::empty()).ok()
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

fn parent_of(pid: u32) -> Option<u32> {
    family_of(pid, 1)
}

/// A number of the `stat` line of `pid`: parent 1, group 2, session 3; 0 for one outside our pid namespace.
fn family_of(pid: u32, field: usize) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name stands in parentheses and may hold anything; the state and the family follow the last one.
    stat.rsplit_once(')')?.1.split_whitespace().nth(field)?.parse().ok()
}

/// Polls the outside world until `look` finds what it looks for, at most for `patience`.
///
/// For things that give no event (another program's port, its status command). Where there is an event, wait for it.
///
/// # Errors
///
/// After `patience`, with `what` in the message.
pub fn wait_for<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        anyhow::ensure!(started.elapsed() < patience, "waited {patience:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::reaper::Directory;

    fn shell(script: &str, directory: &Directory) -> Guarded {
        Guarded::spawn("shell", Command::new("sh").args(["-c", script]), &directory.path().join("log"))
            .unwrap()
    }

    fn is_session_leader(pid: u32) -> bool {
        // Not getsid(): the session of a process may be led from outside our pid namespace, and rustix panics on its 0.
        family_of(pid, 3) == Some(pid)
    }

    #[test]
    fn output_is_kept_and_the_end_is_an_event() {
        let directory = Directory::fresh("process-").unwrap();
        let mut child = shell("echo said; exit 7", &directory);
        assert_eq!(child.wait(Duration::from_secs(10)).and_then(|status| status.code()), Some(7));
        assert_eq!(child.log(), "said\n");
        assert!(!child.is_running());
    }

    #[test]
    fn drop_kills_the_whole_group() {
        let directory = Directory::fresh("process-").unwrap();
        let child = shell("sleep 600 & echo $!; wait", &directory);
        let said = wait_for("the grandchild's pid", Duration::from_secs(10), || {
            child.log().lines().next().map(str::to_owned)
        });
        let grandchild = Pid::from_raw(said.unwrap().parse().unwrap()).unwrap();
        let pidfd = pidfd_open(grandchild, PidfdFlags::empty()).unwrap();
        drop(child);
        let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
        assert_eq!(
            poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&patience)),
            Ok(1),
            "it should be dead"
        );
    }

    #[test]
    fn who_left_the_group_is_found_by_the_directory() {
        let directory = Directory::fresh("process-").unwrap();
        let home = directory.path().display();
        let child = shell(&format!("TOLD={home} setsid sleep 600 & wait"), &directory);
        let away = || told_of(directory.path()).into_iter().find(|(pid, _)| is_session_leader(*pid));
        wait_for("the runaway", Duration::from_secs(10), away).unwrap();
        drop(child);
        let found = told_of(directory.path());
        assert_eq!(found.len(), 1, "{found:?}");
        rustix::process::pidfd_send_signal(&found[0].1, Signal::KILL).unwrap();
    }

    #[test]
    fn who_ignores_the_signal_is_killed() {
        let directory = Directory::fresh("process-").unwrap();
        let mut child = shell("trap '' TERM; echo deaf; while :; do sleep 1; done", &directory);
        wait_for("the trap", Duration::from_secs(10), || child.log().contains("deaf").then_some(())).unwrap();
        assert!(!child.stop(Signal::TERM, Duration::from_millis(100)));
        assert!(!child.is_running());
    }

    #[test]
    fn waiting_in_vain_says_for_what() {
        let error = wait_for("godot", Duration::ZERO, || None::<()>).unwrap_err();
        assert!(error.to_string().contains("godot"), "{error}");
    }
}
