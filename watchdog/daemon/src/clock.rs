//! Clock: the one place where the daemon asks what time it is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use watchdog_core::ids::Time;

/// The wall clock's time.
pub(crate) fn now() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A moment as RFC 3339, in UTC, to the millisecond.
pub(crate) fn rfc3339(time: Time) -> String {
    // The farthest that the format can say; a row that claims more is shown as that.
    let last = Duration::from_secs(253_402_300_799);
    humantime::format_rfc3339_millis(UNIX_EPOCH + Duration::from_millis(time.0).min(last)).to_string()
}

/// Reads RFC 3339.
pub(crate) fn parse(text: &str) -> Result<Time, humantime::TimestampError> {
    let time = humantime::parse_rfc3339_weak(text)?;
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX)))
}
