//! Tally: what cargo's test output adds up to, so that a skipped test is not mistaken for a passed one.

/// The sum of all suites that have been read.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
    /// Each suite's name and seconds.
    pub(crate) suites: Vec<(String, f64)>,
    current: String,
}

impl Tally {
    /// Reads one line of `cargo test`; lines that say nothing about results are fine.
    pub(crate) fn read(&mut self, line: &str) {
        let line = line.trim();
        if let Some(suite) = line.strip_prefix("Running ") {
            // The binary's name tells the crate: `unittests src/lib.rs (target/debug/deps/watchdog_core-0123)`.
            let binary = suite.rsplit('/').next().unwrap_or(suite);
            let name = binary.rsplit_once('-').map_or(binary, |(name, _)| name);
            let kind = if suite.starts_with("unittests") { " (unit tests)" } else { "" };
            self.current = format!("{name}{kind}");
        } else if let Some(name) = line.strip_prefix("Doc-tests ") {
            self.current = format!("{name} (doc tests)");
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.add(result);
        }
    }

    fn add(&mut self, result: &str) {
        let count = |word: &str| {
            let number = result.split(';').find_map(|part| part.trim().strip_suffix(word))?;
            number.trim().rsplit(' ').next()?.parse::<u32>().ok()
        };
        self.passed += count("passed").unwrap_or(0);
        self.failed += count("failed").unwrap_or(0);
        self.skipped += count("ignored").unwrap_or(0) + count("filtered out").unwrap_or(0);
        let seconds =
            result.rsplit_once("finished in ").and_then(|(_, time)| time.strip_suffix('s')?.parse().ok());
        self.suites.push((self.current.clone(), seconds.unwrap_or(0.0)));
    }

    /// The slowest suites first.
    pub(crate) fn slowest(&self) -> Vec<&(String, f64)> {
        let mut suites: Vec<_> = self.suites.iter().collect();
        suites.sort_by(|one, other| other.1.total_cmp(&one.1));
        suites
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "
   Compiling watchdog-core v0.1.0 (/src/watchdog/core)
     Running unittests src/lib.rs (target/debug/deps/watchdog_core-01ab)
running 2 tests
test a ... ok
test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.25s
     Running tests/rigs.rs (target/debug/deps/rigs-01ab)
test result: FAILED. 7 passed; 1 failed; 2 ignored; 0 measured; 3 filtered out; finished in 14.04s
   Doc-tests watchdog_core
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    #[test]
    fn every_suite_counts_and_skipped_is_not_passed() {
        let mut tally = Tally::default();
        OUTPUT.lines().for_each(|line| tally.read(line));
        assert_eq!((tally.passed, tally.failed, tally.skipped), (9, 1, 5));
        let names: Vec<&str> = tally.slowest().iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["rigs", "watchdog_core (unit tests)", "watchdog_core (doc tests)"]);
    }
}
