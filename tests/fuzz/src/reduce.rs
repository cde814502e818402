//! Reduce: the shortest input that still shows the same finding, as far as a second of trying goes.

use std::time::{Duration, Instant};

use crate::run::{Outcome, kind, run};
use crate::target::Target;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Cuts pieces out of `input` as long as the same kind of finding shows.
pub fn reduce(target: &Target, input: &[u8]) -> Vec<u8> {
    let (outcome, _) = run(target, input);
    let Some(wanted) = kind(&outcome) else { return input.to_vec() };
    // What is slow shows its shape by its length.
    if matches!(outcome, Outcome::Slow(_)) {
        return input.to_vec();
    }
    let deadline = Instant::now() + PATIENCE;
    let mut best = input.to_vec();
    let mut piece = best.len().div_ceil(2).max(1);
    while Instant::now() < deadline {
        let mut at = 0;
        let mut shorter = false;
        while at < best.len() && Instant::now() < deadline {
            let mut candidate = best.clone();
            candidate.drain(at..(at + piece).min(best.len()));
            if kind(&run(target, &candidate).0).as_ref() == Some(&wanted) {
                best = candidate;
                shorter = true;
            } else {
                at += piece;
            }
        }
        if piece == 1 && !shorter {
            break;
        }
        piece = if shorter { piece } else { piece.div_ceil(2).max(1) };
    }
    best
}
