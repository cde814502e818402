//! Verify: everything that must hold before a change is merged, part by part, with the time that each part took.
//!
//! ```text
//! install ─► format ─► supply (cargo-deny) ─► lints ─► build ─► tests ─► table of times
//! ```
//! A part that fails does not hide the others, except that nothing is tested that was not built.

use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::machine;
use crate::programs::{cargo, run};
use crate::supply;
use crate::tally::Tally;

/// How many of the slowest suites are named.
const SLOWEST_SHOWN: usize = 8;

/// What has been done so far.
#[derive(Default)]
struct Report {
    parts: Vec<(&'static str, Duration, bool)>,
    tally: Tally,
}

/// Installs what is missing, then checks format, libraries and lints and runs all tests.
pub(crate) fn everything() -> anyhow::Result<()> {
    let mut report = Report::default();
    if report.part("install", |_| machine::install_missing()) {
        report.part("format", |_| run(cargo().args(["fmt", "--all", "--check"])));
        report.part("supply", |_| supply::check());
        report.part("lints", |_| {
            run(cargo().args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"]))
        });
        report.build_and_test();
    }
    report.conclude()
}

/// Installs what is missing, builds and runs all tests.
pub(crate) fn tests_only() -> anyhow::Result<()> {
    let mut report = Report::default();
    if report.part("install", |_| machine::install_missing()) {
        report.build_and_test();
    }
    report.conclude()
}

impl Report {
    /// Does one part, says so, and remembers how long it took. Returns whether it went well.
    fn part(&mut self, name: &'static str, work: impl FnOnce(&mut Self) -> anyhow::Result<()>) -> bool {
        eprintln!("── {name}");
        let started = Instant::now();
        let outcome = work(self);
        if let Err(error) = &outcome {
            eprintln!("{name}: {error:#}");
        }
        self.parts.push((name, started.elapsed(), outcome.is_ok()));
        outcome.is_ok()
    }

    fn build_and_test(&mut self) {
        // All targets at once: the end-to-end tests run our programs, which cargo would not build for them, and with
        // the same features as the tests, so that no library is built twice.
        if self.part("build", |_| run(cargo().args(["build", "--locked", "--workspace", "--all-targets"]))) {
            self.part("tests", Self::test);
        }
    }

    fn test(&mut self) -> anyhow::Result<()> {
        let (reader, writer) = std::io::pipe().context("make a pipe")?;
        // The command holds a writing end until it is dropped, and we would wait for an end that never comes.
        let mut child = {
            let mut command = cargo();
            command.args(["test", "--locked", "--workspace", "--no-fail-fast"]);
            command.stdout(writer.try_clone().context("copy the pipe")?).stderr(writer);
            command.spawn().context("run cargo test")?
        };
        for line in BufReader::new(reader).split(b'\n') {
            let line = String::from_utf8_lossy(&line.context("read the tests' output")?).into_owned();
            println!("{line}");
            self.tally.read(&line);
        }
        let status = child.wait().context("wait for cargo test")?;
        let Tally { passed, failed, skipped, .. } = self.tally;
        anyhow::ensure!(status.success() && failed == 0, "{failed} tests failed");
        anyhow::ensure!(skipped == 0, "{skipped} tests were skipped; a test runs or is deleted");
        anyhow::ensure!(passed > 0, "no test ran");
        Ok(())
    }

    /// Prints the tables and fails if any part did.
    fn conclude(self) -> anyhow::Result<()> {
        println!(
            "\n{} tests passed, {} failed, {} skipped",
            self.tally.passed, self.tally.failed, self.tally.skipped
        );
        for (suite, seconds) in self.tally.slowest().into_iter().take(SLOWEST_SHOWN) {
            println!("{seconds:>9.1} s  {suite}");
        }
        println!();
        for (name, time, good) in &self.parts {
            println!("{:>9.1} s  {name}{}", time.as_secs_f64(), if *good { "" } else { "  FAILED" });
        }
        let total: Duration = self.parts.iter().map(|(_, time, _)| *time).sum();
        println!("{:>9.1} s  in all", total.as_secs_f64());
        let failed: Vec<&str> = self.parts.iter().filter(|part| !part.2).map(|part| part.0).collect();
        anyhow::ensure!(failed.is_empty(), "failed: {}", failed.join(", "));
        Ok(())
    }
}
