//! Delay: growing pauses between tries to reach the coordination service.

use std::time::Duration;

/// The first pause; short, because most losses are over at once.
const FIRST: Duration = Duration::from_millis(50);
/// The longest pause; an agent is back in the group this soon after the service.
const LONGEST: Duration = Duration::from_secs(2);

/// Pauses that double, with jitter, so that a thousand agents do not knock at the same moment.
#[derive(Debug, Default)]
pub(crate) struct Delay {
    tries: u32,
}

impl Delay {
    /// Starts again with short pauses.
    pub(crate) fn reset(&mut self) {
        self.tries = 0;
    }

    /// Whether nothing has failed since the last reset, so that a failure is news.
    pub(crate) fn is_fresh(&self) -> bool {
        self.tries == 0
    }

    /// Waits; longer with each call since the last reset.
    pub(crate) async fn pause(&mut self) {
        let pause = self.next();
        tokio::time::sleep(pause).await;
    }

    fn next(&mut self) -> Duration {
        let full = FIRST.saturating_mul(1 << self.tries.min(10)).min(LONGEST);
        self.tries = self.tries.saturating_add(1);
        let (chance, _) = uuid::Uuid::new_v4().as_u64_pair();
        let percent = u32::try_from(50 + chance % 51).unwrap_or(100);
        full * percent / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        let mut delay = Delay::default();
        let pauses: Vec<Duration> = (0..40).map(|_| delay.next()).collect();
        assert!(pauses[0] <= FIRST);
        assert!(pauses.iter().all(|pause| *pause <= LONGEST));
        assert!(pauses[39] >= LONGEST / 2);
        delay.reset();
        assert!(delay.next() <= FIRST);
    }
}
