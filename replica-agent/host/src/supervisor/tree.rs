//! Tree: everything that a replica started, held together so that it can be ended together.
//!
//! A control group (v2) proves that a tree is gone; without one we look for
//! processes of the same session or with the incarnation in their environment,
//! which proves nothing about one that left both.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::Instant;
use watchdog_core::ids::Incarnation;

use super::proc;

/// A process that is still there so long after SIGKILL is stuck in the kernel.
const CLEAR_PATIENCE: Duration = Duration::from_secs(5);

/// Where the control groups of replicas are made.
#[derive(Debug, Clone)]
pub(crate) struct Groups {
    base: PathBuf,
}

impl Groups {
    /// A directory below our own control group; `None` where the kernel or our rights do not let us.
    pub(crate) fn find() -> Option<Self> {
        let base = own_group()?.join("watchdog");
        match std::fs::create_dir(&base) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return None,
            _ => {}
        }
        // Whole-tree kill came with Linux 5.14; without it the session is as good.
        let probe = base.join(format!("probe-{}", std::process::id()));
        std::fs::create_dir(&probe).ok()?;
        let kills = probe.join("cgroup.kill").exists();
        std::fs::remove_dir(&probe).ok()?;
        kills.then_some(Self { base })
    }

    /// The group of an incarnation, made if it is not there.
    pub(crate) fn make(&self, incarnation: Incarnation) -> std::io::Result<Tree> {
        let path = self.base.join(incarnation.to_string());
        match std::fs::create_dir(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(Tree::Group(path)),
        }
    }

    /// The group of an incarnation, if it is there.
    pub(crate) fn existing(&self, incarnation: Incarnation) -> Option<Tree> {
        let path = self.base.join(incarnation.to_string());
        path.exists().then_some(Tree::Group(path))
    }
}

fn own_group() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mount = mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        right.starts_with("cgroup2 ").then(|| left.split(' ').nth(4))?
    })?;
    Some(Path::new(mount).join(group_of(std::process::id())?))
}

/// The control group (v2) of a process, relative to the mount.
fn group_of(pid: u32) -> Option<String> {
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?;
    groups.lines().find_map(|line| line.strip_prefix("0::/")).map(str::to_owned)
}

/// How the processes of one incarnation are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tree {
    /// By its control group.
    Group(PathBuf),
    /// By session and environment.
    Session,
}

impl Tree {
    /// The tree of a process that is already there.
    pub(crate) fn adopted(groups: Option<&Groups>, pid: u32, incarnation: Incarnation) -> Self {
        let is_in = |tree: &Tree| match tree {
            Self::Group(path) => {
                let members = std::fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
                members.lines().any(|member| member.parse() == Ok(pid))
            }
            Self::Session => false,
        };
        groups.and_then(|groups| groups.existing(incarnation)).filter(is_in).unwrap_or(Self::Session)
    }

    /// The file by which a process joins.
    pub(crate) fn entrance(&self) -> Option<PathBuf> {
        match self {
            Self::Group(path) => Some(path.join("cgroup.procs")),
            Self::Session => None,
        }
    }

    /// What the kernel says about it; shown in snapshots.
    pub(crate) fn events(&self) -> Option<String> {
        match self {
            Self::Group(path) => std::fs::read_to_string(path.join("cgroup.events")).ok(),
            Self::Session => None,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            // A group that is gone had nobody in it.
            Self::Group(path) => std::fs::read_to_string(path.join("cgroup.events"))
                .map_or_else(|_| !path.exists(), |events| events.lines().any(|line| line == "populated 0")),
            Self::Session => false,
        }
    }

    /// Sends SIGKILL to all of it, once.
    pub(crate) fn kill(&self, incarnation: Incarnation, main: Option<u32>) {
        let by_group = match self {
            Self::Group(path) => std::fs::write(path.join("cgroup.kill"), "1").is_ok(),
            Self::Session => false,
        };
        if !by_group {
            proc::kill_carriers(incarnation, main);
        }
    }

    /// Ends what is left after the main process has ended; answers whether all of it is proven gone.
    pub(crate) async fn clear(&self, incarnation: Incarnation, main: Option<u32>) -> bool {
        if matches!(self, Self::Session) {
            // Twice, for what was born during the first look.
            let _ = (0..2).take_while(|_| proc::kill_carriers(incarnation, main) > 0).count();
            return false;
        }
        let started = Instant::now();
        while !self.is_empty() {
            if started.elapsed() > CLEAR_PATIENCE {
                return false;
            }
            self.kill(incarnation, main);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.remove();
        true
    }

    fn remove(&self) {
        if let Self::Group(path) = self
            && let Err(error) = std::fs::remove_dir(path)
            && path.exists()
        {
            tracing::debug!(path = %path.display(), %error, "an empty control group stays");
        }
    }
}
