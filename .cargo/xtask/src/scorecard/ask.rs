//! Ask: builds and runs the rows' programs, and reads what they print.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::Context as _;
use serde_json::Value;

use crate::programs::{cargo, run};

/// How much of what a program said is shown when it fails.
const TAIL_LINES: usize = 40;

/// What a program said, and whether it ended well.
pub(super) struct Said {
    pub(super) text: String,
    pub(super) fine: bool,
}

/// Builds everything that the rows run: the whole workspace with its crash points, and what must be quick in the
/// profile `release`.
pub(super) fn build() -> anyhow::Result<()> {
    run(cargo().args(["build", "--locked", "--workspace", "--bins"]))?;
    run(cargo().args([
        "build",
        "--locked",
        "--release",
        "--package",
        "watchdog-sim",
        "--package",
        "watchdog-fuzz",
        "--bins",
        "--examples",
    ]))
}

/// Runs a program from a directory of `target`.
pub(super) fn program(path: &str, arguments: &[&str]) -> anyhow::Result<Said> {
    let target = target()?;
    let mut command = Command::new(target.join(path));
    command.args(arguments).current_dir(target.join(".."));
    listen(&mut command)
}

/// Runs one of the workspace's tests, with variables set.
pub(super) fn test(target: &str, filter: &str, variables: &[(&str, u64)]) -> anyhow::Result<Said> {
    let mut command = cargo();
    // The whole workspace, so that libraries have the features with which they are built already.
    command.args(["test", "--locked", "--quiet", "--workspace", "--test", target]);
    command.args([filter, "--", "--nocapture"]);
    command.envs(variables.iter().map(|(name, value)| (*name, value.to_string())));
    listen(&mut command)
}

/// Errors go to the terminal, because they tell how it goes.
fn listen(command: &mut Command) -> anyhow::Result<Said> {
    let name = format!("{command:?}");
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("run {name}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let fine = output.status.success();
    if !fine {
        let lines: Vec<&str> = text.lines().collect();
        eprintln!(
            "{name}: {}\n{}",
            output.status,
            lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
        );
    }
    Ok(Said { text, fine })
}

/// The directory of our programs' profiles.
fn target() -> anyhow::Result<PathBuf> {
    let this = std::env::current_exe().context("find the directory of our programs")?;
    let target = this.parent().and_then(std::path::Path::parent).context("find the target directory")?;
    Ok(target.to_owned())
}

impl Said {
    /// All of it, as JSON.
    pub(super) fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.text).context("it printed no JSON")
    }

    /// The number behind `figure NAME`, the last one if there are many.
    pub(super) fn figure(&self, name: &str) -> anyhow::Result<u64> {
        let lines = self.text.lines().rev();
        // The harness may have begun the line with the name of the test.
        let mut found =
            lines.filter_map(|line| line.split_once("figure ")?.1.strip_prefix(name)?.strip_prefix(' '));
        let number = found.find_map(|rest| rest.split_whitespace().next()?.parse().ok());
        number.with_context(|| format!("it did not print the figure {name}"))
    }
}

/// A number of a JSON object; 0 would look like one that was measured.
pub(super) fn number(value: &Value, name: &str) -> anyhow::Result<u64> {
    value[name].as_u64().with_context(|| format!("its JSON has no number {name}"))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_figure_is_found_wherever_the_harness_puts_it() {
        let text = "running 1 test\ntest a ... figure kills 3\nfigure lost 0 of them\nfigure kills 7\nok\n"
            .to_owned();
        let said = Said { text, fine: true };
        assert_eq!((said.figure("kills").unwrap(), said.figure("lost").unwrap()), (7, 0));
        assert!(said.figure("kill").is_err() && said.figure("none").is_err());
    }

    #[test]
    fn a_number_that_is_not_there_is_not_zero() {
        assert!(number(&serde_json::json!({ "a": 1 }), "b").is_err());
    }
}
