//! Cage: namespaces of network, mounts and processes around a run, with which all of it ends.
//!
//! ```text
//! we ─► setpriv (dies with us) ─► unshare ─► sh, process 1 of its own world ─► the run ─► everything that it starts
//! ```
//!
//! When process 1 dies, the kernel kills the others, and with the last of them go the mounts and the networks. So
//! nothing is left, however we end.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use anyhow::Context as _;
use watchdog_tests::{postgres, zookeeper};

/// Process 1 must bury whoever loses their parent, which a shell that waits does.
const FIRST: &str = r#""$@" & wait $!"#;
const TOOLS: [(&str, &str); 6] = [
    ("ip", "iproute2"),
    ("iptables", "iptables"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
    ("timeout", "coreutils"),
];

/// Says why it can't be done here; `Ok` when it can.
///
/// # Errors
///
/// What is missing, and how to get it.
pub fn possible() -> anyhow::Result<()> {
    anyhow::ensure!(
        rustix::process::geteuid().is_root(),
        "only root may make network namespaces and drop packets in them; run this as root"
    );
    let path = std::env::var_os("PATH").unwrap_or_default();
    for (tool, package) in TOOLS {
        let found = std::env::split_paths(&path).any(|directory| directory.join(tool).is_file());
        anyhow::ensure!(found, "{tool} is missing: apt-get install -y {package}, or `cargo xtask install`");
    }
    zookeeper::need_packages()?;
    postgres::find_binaries()?;
    let trial = Command::new("unshare")
        .args(["--net", "--mount", "--pid", "--fork", "--mount-proc", "ip", "link", "add", "name", "trial"])
        .args(["type", "veth"])
        .output()
        .context("run unshare")?;
    let said = String::from_utf8_lossy(&trial.stderr);
    anyhow::ensure!(trial.status.success(), "this kernel gives us no network namespaces: {}", said.trim());
    Ok(())
}

/// Runs `program`, which is this one, with other arguments inside; waits for it.
///
/// # Errors
///
/// If it can't be started.
pub fn enter(program: &Path, arguments: &[OsString], log: &Path) -> anyhow::Result<ExitStatus> {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child"])
        .args(["--mount-proc", "--", "sh", "-c", FIRST, "sh"])
        .arg(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(log).context("make the log of the run")?);
    command.status().context("run setpriv")
}
