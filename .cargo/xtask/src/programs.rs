//! Programs: builds our binaries and finds them beside this one.

use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::Context as _;

/// What `watchdog dev` and the end-to-end tests start.
const PACKAGES: [&str; 4] = ["watchdog", "watchdogctl", "replica-agent", "scoring-server"];

/// The cargo that runs us, at the root of the workspace.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    cargo
}

/// Runs `command` and fails unless it exits with 0.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = format!("{command:?}");
    let status = command.status().with_context(|| format!("run {name}"))?;
    anyhow::ensure!(status.success(), "{name}: {status}");
    Ok(())
}

/// Builds the programs in the profile `dev`, showing cargo's progress.
///
/// The whole workspace at once, because then libraries get the same features as in the tests and are built once.
pub(crate) fn build() -> anyhow::Result<()> {
    run(cargo().args(["build", "--workspace", "--bins"]))
}

/// Builds the programs, and those that measure them, in the profile `release`.
pub(crate) fn build_optimised() -> anyhow::Result<()> {
    let mut build = cargo();
    build.args(["build", "--release", "--bins", "--package", "watchdog-tests"]);
    for package in PACKAGES {
        build.args(["--package", package]);
    }
    run(&mut build)
}

/// Replaces this process by the optimised `name arguments`. Returns only when that fails.
pub(crate) fn become_optimised(name: &str, arguments: &[OsString]) -> anyhow::Result<()> {
    let this = std::env::current_exe().context("find the directory of our programs")?;
    let target = this.parent().and_then(std::path::Path::parent).context("find the target directory")?;
    let program = target.join("release").join(name);
    let error = Command::new(&program).args(arguments).exec();
    Err(error).with_context(|| format!("run {}", program.display()))
}

/// Replaces this process by `name subcommand arguments`. Returns only when that fails.
pub(crate) fn become_program(name: &str, subcommand: &str, arguments: &[OsString]) -> anyhow::Result<()> {
    let this = std::env::current_exe().context("find the directory of our programs")?;
    let program = this.with_file_name(name);
    let error = Command::new(&program).arg(subcommand).args(arguments).exec();
    Err(error).with_context(|| format!("run {}", program.display()))
}
