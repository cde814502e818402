//! Story: what happened, in plain words: when, who, what.

use std::fmt::Write as _;

use crate::nemesis::millis;

/// See the module.
#[derive(Debug, Default)]
pub struct Story {
    /// Whether it is told at all; it costs time.
    pub is_told: bool,
    /// When, and what.
    pub lines: Vec<(u64, String)>,
}

impl Story {
    /// The last lines of it, and how many came before.
    pub fn told(&self, last: usize) -> String {
        let skipped = self.lines.len().saturating_sub(last);
        let mut text = String::new();
        if skipped > 0 {
            let _ = writeln!(text, "… {skipped} lines before");
        }
        for (at, line) in self.lines.iter().skip(skipped) {
            let _ = writeln!(text, "{:>9.3} s  {line}", millis(*at));
        }
        text
    }
}
