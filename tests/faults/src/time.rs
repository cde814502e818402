//! Time: the one clock by which the suite writes down what it does and sees, which no fault touches.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, as the agents and the record tell time too.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Milliseconds of a duration.
pub fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
