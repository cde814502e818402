//! Supply: what we build on, checked by cargo-deny against `.deny.toml`: bans, licences, sources.

use anyhow::Context as _;

use crate::programs::{cargo, run};

/// The oldest cargo-deny that will do; an older one, or none, is replaced by it. As a debug build it is there in a
/// minute, and the check takes no longer.
const CARGO_DENY: (u32, u32, u32) = (0, 20, 2);

/// Checks all of Cargo.lock; installs cargo-deny first where it is missing.
pub(crate) fn check() -> anyhow::Result<()> {
    if installed().is_none_or(|version| version < CARGO_DENY) {
        let (major, minor, patch) = CARGO_DENY;
        let version = format!("{major}.{minor}.{patch}");
        run(cargo().args([
            "install",
            "cargo-deny",
            "--version",
            &version,
            "--locked",
            "--debug",
            "--quiet",
        ]))?;
    }
    // Two versions of one library are told as warnings, and there are always some.
    let checks = ["bans", "licenses", "sources"];
    run(cargo()
        .args(["deny", "--locked", "--log-level", "error", "--config", ".deny.toml", "check"])
        .args(["--hide-inclusion-graph", "--show-stats"])
        .args(checks))
    .context("cargo-deny; an exception stands in .deny.toml with its reason")
}

/// The version that is found.
fn installed() -> Option<(u32, u32, u32)> {
    let output = cargo().args(["deny", "--version"]).output().ok()?;
    version(&String::from_utf8_lossy(&output.stdout))
}

/// Of `cargo-deny 0.20.2`.
fn version(said: &str) -> Option<(u32, u32, u32)> {
    let mut numbers = said.split_whitespace().nth(1)?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert_eq!(version("cargo-deny 0.20.2\n"), Some((0, 20, 2)));
        assert!(version("cargo-deny 0.9.0").is_some_and(|version| version < CARGO_DENY));
        assert_eq!(version("error: no such command"), None);
        assert_eq!(version(""), None);
    }
}
