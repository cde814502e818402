//! Delays: exponential back-off, the only place that names the library behind it.
//!
//! `backoff` is no longer maintained (RUSTSEC-2025-0012); to replace it, change this file.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;
use watchdog_core::policy::Backoff;

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
