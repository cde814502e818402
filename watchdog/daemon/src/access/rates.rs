//! Rates: how often somebody may do something: so many at once, and then one in so long.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Beyond so many names, those that have not come lately are forgotten, and if that is not enough the others share.
const NAMES_MAX: usize = 4_096;

/// See the module.
#[derive(Debug)]
pub(super) struct Rates {
    /// How far ahead of time somebody may be.
    ahead: Duration,
    every: Duration,
    /// When what each has taken is made up for.
    paid: Mutex<BTreeMap<String, Instant>>,
}

impl Rates {
    /// `at_once`, and then one in `every`.
    pub(super) fn new(at_once: u32, every: Duration) -> Self {
        Self { ahead: every * at_once.saturating_sub(1), every, paid: Mutex::default() }
    }

    /// Takes one for `who`, or answers how long to wait for it.
    pub(super) fn take(&self, who: &str, now: Instant) -> Result<(), Duration> {
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        if paid.len() >= NAMES_MAX && !paid.contains_key(who) {
            paid.retain(|_, until| *until > now);
        }
        let who = if paid.len() >= NAMES_MAX && !paid.contains_key(who) { "" } else { who };
        let until = paid.get(who).copied().unwrap_or(now).max(now);
        match (until - now).checked_sub(self.ahead) {
            Some(wait) if !wait.is_zero() => Err(wait),
            _ => {
                paid.insert(who.to_owned(), until + self.every);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once_and_then_one_in_so_long() {
        let (rates, start) = (Rates::new(3, Duration::from_secs(1)), Instant::now());
        let table = [
            // who | milliseconds since the start | milliseconds to wait
            ("ann", 0, 0),
            ("ann", 0, 0),
            ("ann", 0, 0),
            ("ann", 0, 1_000),
            ("bob", 0, 0),
            ("ann", 400, 600),
            ("ann", 1_000, 0),
            ("ann", 1_000, 1_000),
            ("ann", 60_000, 0),
            ("ann", 60_000, 0),
            ("ann", 60_000, 0),
            ("ann", 60_000, 1_000),
        ];
        for (index, (who, at, wait)) in table.into_iter().enumerate() {
            let found = rates.take(who, start + Duration::from_millis(at));
            let found = found.map_or_else(|wait| wait.as_millis(), |()| 0);
            assert_eq!(found, wait, "row {index}: {who} at {at}");
        }
    }

    #[test]
    fn many_names_take_no_more_room() {
        let (rates, start) = (Rates::new(1, Duration::from_secs(1)), Instant::now());
        for number in 0..2 * NAMES_MAX {
            let _ = rates.take(&format!("n{number}"), start);
        }
        assert!(rates.take("one more", start).is_err(), "it shares with the others");
        assert!(rates.take("one more", start + Duration::from_secs(2)).is_ok());
        assert!(rates.paid.lock().is_ok_and(|paid| paid.len() <= NAMES_MAX + 1));
    }
}
