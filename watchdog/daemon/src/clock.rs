//! Clock: the one place where the daemon asks what time it is.

use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};
use watchdog_core::clock::Clock;
use watchdog_core::ids::Time;

/// One for the whole process, which measures leases with it.
static CLOCK: LazyLock<Mutex<Clock>> = LazyLock::new(|| Mutex::new(Clock::new(wall(), since_boot_ms())));

/// The time: the wall clock's, but never in a jump that would end a lease too early.
pub(crate) fn now() -> Time {
    ask().0
}

/// How often time had to jump all the same, because somebody set the wall clock.
pub(crate) fn steps() -> u64 {
    ask().1
}

fn ask() -> (Time, u64) {
    let mut clock = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    let now = clock.tell(wall(), since_boot_ms());
    (now, clock.steps())
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
