//! Aborts: a reader that takes its whole process with it, to see that even that is found.

use super::{target, texts};
use crate::target::{Flavour, Target, Verdict};

/// Not one of all; only whoever names it gets it.
pub const TARGET: Target = Target { fuzz, samples, ..target("aborts", Flavour::Text) };

/// What it can't bear.
pub const POISON: &[u8] = b"\"\"\"";

fn fuzz(bytes: &[u8]) -> Verdict {
    if bytes.windows(POISON.len()).any(|window| window == POISON) {
        std::process::abort();
    }
    Verdict::Taken(String::new())
}

fn samples() -> Vec<Vec<u8>> {
    texts(&["harmless"])
}
