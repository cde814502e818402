//! Delays: exponential back-off, the only place that names the library behind it.
//!
//! `backoff` is no longer maintained (RUSTSEC-2025-0012); to replace it, change this file.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;
use watchdog_core::policy::Backoff;

/// Delays before the 2nd, 3rd, … try, without jitter because a plan must be reproducible.
///
/// Ends with the first delay that reaches the maximum, which goes on for ever.
pub fn delays_ms(policy: Backoff) -> Vec<u64> {
    let mut delays = Delays::new(policy, 0.0);
    let mut all = Vec::new();
    loop {
        let delay = delays.next_delay();
        let ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX).min(policy.max_ms);
        all.push(ms);
        // A factor of 1 or less never grows; one delay then says it all.
        if ms >= policy.max_ms || policy.factor <= 1.0 || all.len() == DELAYS_MAX {
            return all;
        }
    }
}

/// More tries than these wait for the last delay.
const DELAYS_MAX: usize = 32;

/// A growing delay between tries of something outside, with jitter, reset on success.
#[derive(Debug)]
pub struct Delays(ExponentialBackoff);

impl Delays {
    /// Delays by `policy`, each off by at most the share `jitter` (0 to 1).
    pub fn new(policy: Backoff, jitter: f64) -> Self {
        let mut inner = ExponentialBackoff {
            initial_interval: Duration::from_millis(policy.initial_ms),
            multiplier: policy.factor.max(1.0),
            max_interval: Duration::from_millis(policy.max_ms.max(policy.initial_ms)),
            randomization_factor: jitter.clamp(0.0, 1.0),
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        inner.reset();
        Self(inner)
    }

    /// For reaching a service again: 50 ms, doubling up to 2 s, with jitter.
    pub fn reconnecting() -> Self {
        Self::new(Backoff { initial_ms: 50, factor: 2.0, max_ms: 2_000 }, 0.3)
    }

    /// How long to wait now; the next wait is longer.
    pub fn next_delay(&mut self) -> Duration {
        self.0.next_backoff().unwrap_or(self.0.max_interval)
    }

    /// Starts again from the first delay.
    pub fn reset(&mut self) {
        self.0.reset();
    }
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
        ];
        for ((initial_ms, factor, max_ms), expected) in table {
            assert_eq!(delays_ms(Backoff { initial_ms, factor, max_ms }), expected, "{initial_ms} {factor}");
        }
    }
}
