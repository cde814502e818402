//! Delays: how long each try waits for, from the policy alone, so that a plan can be computed again.

use crate::policy::Backoff;

/// More tries than these wait for the last delay.
const DELAYS_MAX: usize = 32;

/// The delays before the 2nd, 3rd, … try, in milliseconds, without jitter.
///
/// Ends with the first delay that reaches the maximum, which goes on for ever.
pub fn delays_ms(policy: Backoff) -> Vec<u64> {
    let mut all = Vec::new();
    let mut delay = as_float(policy.initial_ms);
    loop {
        let ms = as_whole(delay).min(policy.max_ms);
        all.push(ms);
        // A factor of 1 or less never grows; one delay then says it all.
        if ms >= policy.max_ms || policy.factor <= 1.0 || all.len() == DELAYS_MAX {
            return all;
        }
        delay = (delay * policy.factor).min(as_float(policy.max_ms));
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "no delay is so long that a double can't tell its milliseconds"
)]
fn as_float(ms: u64) -> f64 {
    ms as f64
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float saturates, and none is negative"
)]
fn as_whole(ms: f64) -> u64 {
    ms as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_their_maximum_and_stay() {
        let table = [
            ((1_000, 2.0, 8_000), vec![1_000, 2_000, 4_000, 8_000]),
            ((500, 1.0, 8_000), vec![500]),
            ((0, 2.0, 0), vec![0]),
            ((1_000, 1.5, 4_000), vec![1_000, 1_500, 2_250, 3_375, 4_000]),
            ((9_000, 2.0, 8_000), vec![8_000]),
        ];
        for ((initial_ms, factor, max_ms), expected) in table {
            assert_eq!(delays_ms(Backoff { initial_ms, factor, max_ms }), expected, "{initial_ms} {factor}");
        }
        assert_eq!(delays_ms(Backoff { initial_ms: 0, factor: 2.0, max_ms: 1 }).len(), DELAYS_MAX);
    }
}
