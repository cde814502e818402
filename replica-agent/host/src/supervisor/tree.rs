//! Tree: everything that a replica started, held together so that it can be ended together.
//!
//! A control group (v2) proves that a tree is gone; without one its members are
//! found as [`family`](super::family) says, which proves nothing.

use std::path::{Path, PathBuf};

use uuid::Uuid;
use watchdog_core::state::Hash;

/// Where the control groups of this host agent's replicas are made.
#[derive(Debug, Clone)]
pub(crate) struct Groups {
    base: PathBuf,
}

impl Groups {
    /// A group of the agent that uses `directory`; `None` where the kernel or our rights do not let us.
    pub(crate) fn find(directory: &Path) -> Option<Self> {
        let name = Hash::of(directory.as_os_str().as_encoded_bytes()).short();
        let base = mount()?.join(group_of(std::process::id())?).join(format!("replica-agent-{name}"));
        match std::fs::create_dir(&base) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return None,
            _ => {}
        }
        // Whole-tree kill came with Linux 5.14; without it the session is as good.
        base.join("cgroup.kill").exists().then_some(Self { base })
    }

    /// A fresh group.
    pub(crate) fn make(&self) -> std::io::Result<Tree> {
        let path = self.base.join(Uuid::now_v7().to_string());
        std::fs::create_dir(&path)?;
        Ok(Tree::Group(path))
    }

    /// Removes groups in which nobody is; only one host agent uses this base.
    pub(crate) fn sweep(&self) {
        let Ok(entries) = std::fs::read_dir(&self.base) else { return };
        for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
            // The kernel refuses while anybody is in it.
            let _ = std::fs::remove_dir(entry.path());
        }
    }

    /// Removes the base itself, once the last group is gone.
    pub(crate) fn leave(&self) {
        self.sweep();
        // The kernel refuses while replicas go on in it.
        let _ = std::fs::remove_dir(&self.base);
    }

    /// The group that a process is in, if it is one of ours.
    fn of(&self, pid: u32) -> Option<PathBuf> {
        let path = mount()?.join(group_of(pid)?);
        (path.parent() == Some(&self.base)).then_some(path)
    }
}

/// Where control groups (v2) are mounted.
fn mount() -> Option<PathBuf> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mount = mounts.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        right.starts_with("cgroup2 ").then(|| left.split(' ').nth(4))?
    })?;
    Some(mount.into())
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
    pub(crate) fn of_process(groups: Option<&Groups>, pid: u32) -> Self {
        groups.and_then(|groups| groups.of(pid)).map_or(Self::Session, Self::Group)
    }

    /// The tree that was recorded.
    pub(crate) fn recorded(group: Option<PathBuf>) -> Self {
        group.map_or(Self::Session, Self::Group)
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

    /// Whether it is proven that nobody is in it.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            // A group that is gone had nobody in it.
            Self::Group(path) => std::fs::read_to_string(path.join("cgroup.events"))
                .map_or_else(|_| !path.exists(), |events| events.lines().any(|line| line == "populated 0")),
            Self::Session => false,
        }
    }

    /// Sends SIGKILL to all of a group, once; false where there is none.
    pub(crate) fn kill(&self) -> bool {
        match self {
            Self::Group(path) => std::fs::write(path.join("cgroup.kill"), "1").is_ok(),
            Self::Session => false,
        }
    }

    /// Who is in the group.
    pub(crate) fn members(&self) -> Vec<u32> {
        let Self::Group(path) = self else { return Vec::new() };
        let listed = std::fs::read_to_string(path.join("cgroup.procs")).unwrap_or_default();
        listed.lines().filter_map(|line| line.parse().ok()).collect()
    }

    /// The path of its group.
    pub(crate) fn group(&self) -> Option<PathBuf> {
        match self {
            Self::Group(path) => Some(path.clone()),
            Self::Session => None,
        }
    }

    /// Removes an empty one.
    pub(crate) fn remove(&self) {
        if let Self::Group(path) = self
            && let Err(error) = std::fs::remove_dir(path)
            && path.exists()
        {
            tracing::debug!(path = %path.display(), %error, "an empty control group stays");
        }
    }
}
