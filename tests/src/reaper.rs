//! Reaper: a tiny shell that cleans up after this process, however it dies.
//!
//! Rust never drops statics, and nothing runs after SIGKILL. So a shell holds the reading end of a pipe of which only
//! this process has the writing end; end of file is our death. Parent-death signals would not do: they follow the
//! *thread* that started the child, and the test harness ends its threads early.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

use anyhow::Context as _;

/// Terminates what is still registered, and kills what is left after a grace: the groups, their direct children (a
/// PostgreSQL backend leaves the group of its postmaster), and whoever was told of one of the directories, which are
/// ours alone (a replica has a session of its own). Then removes the directories.
const SCRIPT: &str = r#"
groups= dirs=
while read -r verb arg; do
    case $verb in
        watch) groups="$groups $arg" ;;
        forget) kept=; for g in $groups; do [ "$g" = "$arg" ] || kept="$kept $g"; done; groups=$kept ;;
        remove) dirs="$dirs $arg" ;;
        removed) kept=; for d in $dirs; do [ "$d" = "$arg" ] || kept="$kept $d"; done; dirs=$kept ;;
    esac
done
for g in $groups; do kill -s TERM -- "-$g" 2>/dev/null; done
tries=150
for g in $groups; do
    while [ $tries -gt 0 ] && kill -s 0 -- "-$g" 2>/dev/null; do tries=$((tries - 1)); sleep 0.1; done
done
for g in $groups; do
    children=$(cat "/proc/$g/task/$g/children" 2>/dev/null)
    kill -s KILL -- "-$g" $children 2>/dev/null
done
tries=20
for d in $dirs; do
    for file in $(grep -lsF -- "$d" /proc/[0-9]*/cmdline /proc/[0-9]*/environ); do
        pid=${file#/proc/}
        kill -s KILL "${pid%%/*}" 2>/dev/null
    done
    until rm -rf "$d" 2>/dev/null || [ $tries -eq 0 ]; do tries=$((tries - 1)); sleep 0.1; done
done
"#;

/// The pipe to the shell; `None` if it could not be started, which the first call reports.
static REAPER: LazyLock<Mutex<std::io::Result<ChildStdin>>> = LazyLock::new(|| Mutex::new(start()));

fn start() -> std::io::Result<ChildStdin> {
    let mut shell = Command::new("sh")
        .args(["-c", SCRIPT])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    shell.stdin.take().ok_or_else(|| std::io::ErrorKind::BrokenPipe.into())
}

fn tell(line: &str) -> anyhow::Result<()> {
    let mut reaper = REAPER.lock().unwrap_or_else(PoisonError::into_inner);
    match reaper.as_mut() {
        Ok(pipe) => writeln!(pipe, "{line}").context("the reaper shell is gone"),
        Err(error) => anyhow::bail!("the reaper shell did not start: {error}"),
    }
}

/// Has the process group `group` killed when this process dies.
pub(crate) fn watch(group: u32) -> anyhow::Result<()> {
    tell(&format!("watch {group}"))
}

/// Takes back [`watch`]: the group is gone, and its number may soon be someone else's.
pub(crate) fn forget(group: u32) {
    // A reaper that is gone has nothing to forget.
    let _ = tell(&format!("forget {group}"));
}

/// A fresh directory, removed on drop, or by the reaper if this process dies before.
#[derive(Debug)]
pub struct Directory(Option<tempfile::TempDir>);

impl Directory {
    /// Makes a directory whose name starts with `prefix`.
    ///
    /// # Errors
    ///
    /// If it can't be made, or the shell that would remove it is gone.
    pub fn fresh(prefix: &str) -> anyhow::Result<Self> {
        let directory =
            tempfile::Builder::new().prefix(prefix).tempdir().context("make a fresh directory")?;
        anyhow::ensure!(
            !directory.path().to_string_lossy().contains(char::is_whitespace),
            "TMPDIR may not contain blanks"
        );
        tell(&format!("remove {}", directory.path().display()))?;
        Ok(Self(Some(directory)))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.as_ref().map_or(Path::new(""), tempfile::TempDir::path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let Some(directory) = self.0.take() else { return };
        let path = directory.path().to_owned();
        // A process that dies right now may still write; the reaper then removes the rest at our end.
        if directory.close().is_ok() {
            let _ = tell(&format!("removed {}", path.display()));
        }
    }
}
