//! Programs: builds what the stage runs, in the profile of this program, and finds it beside it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

/// The host agent with its fence open, for the positive control.
pub const UNFENCED: &str = "replica-agent-unfenced";
const PACKAGES: [&str; 4] = ["watchdog", "watchdogctl", "replica-agent", "scoring-server"];

/// Builds them all beside `this` program, which takes no time when they are; answers their directory.
///
/// # Errors
///
/// If cargo is not there, or they don't compile.
pub fn build(this: &Path) -> anyhow::Result<PathBuf> {
    let directory = this.parent().context("find this program's directory")?.to_owned();
    let optimised = directory.ends_with("release");
    cargo(optimised, &["--bins"])?;
    // Only this one program gets the feature: it is named, and all others stay as they are.
    cargo(optimised, &["--features", "replica-agent/unfenced", "--bin", UNFENCED])?;
    Ok(directory)
}

/// The same packages each time, so that libraries get the same features as elsewhere and are built once.
fn cargo(optimised: bool, words: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    command.args(["build", "--quiet"]);
    if optimised {
        command.arg("--release");
        command.args(PACKAGES.into_iter().chain(["watchdog-tests"]).flat_map(|name| ["--package", name]));
    } else {
        command.arg("--workspace");
    }
    let status = command.args(words).status().context("run cargo")?;
    anyhow::ensure!(status.success(), "{command:?}: {status}");
    Ok(())
}
