//! Clock: the one place where the daemon asks what time it is.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use watchdog_core::clock::Clock;
use watchdog_core::ids::Time;

/// A clock that goes on from what the wall clock shows now; each cluster has its own, because its record moves it.
pub(crate) fn start() -> Clock {
    Clock::new(wall(), since_boot_ms())
}

/// What such a clock shows: the wall clock's time, but never in a jump that would end a lease too early.
pub(crate) fn tell(clock: &mut Clock) -> Time {
    clock.tell(wall(), since_boot_ms())
}

fn wall() -> Time {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Goes on also while the machine sleeps.
fn since_boot_ms() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let ms = time.tv_sec.saturating_mul(1_000).saturating_add(time.tv_nsec / 1_000_000);
    u64::try_from(ms).unwrap_or_default()
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
