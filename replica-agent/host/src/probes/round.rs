//! Round: what answers in a row add up to.

use std::sync::Mutex;

use watchdog_membership::records::ProbeState;

/// One probe's answers so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Count {
    has_passed: bool,
    failed_in_row: u32,
    failing: Option<String>,
}

impl Count {
    /// Takes one more answer. A probe that never passed fails only when the replica should be up by now.
    pub(super) fn take(&mut self, answer: Result<(), String>, failures: u32, is_up: bool) {
        match answer {
            Ok(()) => *self = Self { has_passed: true, failed_in_row: 0, failing: None },
            Err(why) => {
                self.failed_in_row = self.failed_in_row.saturating_add(1);
                if self.failing.is_none() && self.failed_in_row >= failures && (self.has_passed || is_up) {
                    self.failing = Some(why);
                }
            }
        }
    }
}

/// All probes of one process.
#[derive(Debug)]
pub(super) struct Counts(pub(super) Mutex<Vec<Count>>);

impl Counts {
    /// None has answered yet.
    pub(super) fn new(probes: usize) -> Self {
        Self(Mutex::new(vec![Count::default(); probes]))
    }
}

/// One failing probe is a failing replica; only all passing make a passing one.
pub(super) fn overall(counts: &[Count]) -> (ProbeState, String) {
    if let Some(why) = counts.iter().find_map(|count| count.failing.as_ref()) {
        return (ProbeState::Failing, why.clone());
    }
    let passing = !counts.is_empty() && counts.iter().all(|count| count.has_passed);
    (if passing { ProbeState::Passing } else { ProbeState::None }, String::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_in_a_row_fail_and_only_what_was_up() {
        let table = [
            // answers of a young replica, then of an old one | state
            ("", "", "none"),
            ("xxxx", "", "none"),
            ("xxxx", "x", "failing"),
            (".", "", "passing"),
            (".xx", "", "passing"),
            (".xx.xx", "", "passing"),
            (".xxx", "", "failing"),
            (".xxx.", "", "passing"),
        ];
        for (young, old, expected) in table {
            let mut count = Count::default();
            for (answers, is_up) in [(young, false), (old, true)] {
                for answer in answers.chars() {
                    count.take(if answer == '.' { Ok(()) } else { Err("why".into()) }, 3, is_up);
                }
            }
            let (state, why) = overall(&[count]);
            let expected = match expected {
                "failing" => (ProbeState::Failing, "why"),
                "passing" => (ProbeState::Passing, ""),
                _ => (ProbeState::None, ""),
            };
            assert_eq!((state, why.as_str()), expected, "{young} {old}");
        }
    }
}
