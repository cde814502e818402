//! Figure: what was measured for a row, and whether that is enough.

/// Whether a figure is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is.
    Pass,
    /// It is not.
    Short,
    /// It could not be measured here, and the reason stands in its place.
    Open,
}

/// One row's.
#[derive(Debug, Clone)]
pub(super) struct Figure {
    pub(super) row: u8,
    pub(super) text: String,
    pub(super) verdict: Verdict,
}

impl Figure {
    /// Enough if `holds`.
    pub(super) fn of(row: u8, holds: bool, text: String) -> Self {
        Self { row, text, verdict: if holds { Verdict::Pass } else { Verdict::Short } }
    }

    /// Not enough.
    pub(super) fn short(row: u8, text: String) -> Self {
        Self::of(row, false, text)
    }

    /// Not measured, for this reason.
    pub(super) fn open(row: u8, why: &str) -> Self {
        Self { row, text: why.to_owned(), verdict: Verdict::Open }
    }

    pub(super) fn falls_short(&self, strict: bool) -> bool {
        self.verdict == Verdict::Short || strict && self.verdict == Verdict::Open
    }

    /// For whoever watches.
    pub(super) fn told(&self) -> String {
        let mark = match self.verdict {
            Verdict::Pass => "",
            Verdict::Short => "FALLS SHORT: ",
            Verdict::Open => "open: ",
        };
        format!("{mark}{}", self.text)
    }
}

/// A number with its thousands apart.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How long something took, of what programs say of it.
pub(super) fn spread(times: &serde_json::Value) -> String {
    format!("p50 {} ms p99 {} ms", times["p50_ms"], times["p99_ms"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345_678, "12,345,678")] {
            assert_eq!(thousands(number), text);
        }
    }

    #[test]
    fn what_could_not_be_measured_fails_only_the_strict() {
        let open = Figure::open(22, "not built yet");
        assert!(!open.falls_short(false) && open.falls_short(true));
        assert!(Figure::of(1, false, String::new()).falls_short(false));
        assert!(!Figure::of(1, true, String::new()).falls_short(true));
    }
}
