//! Clock: the two clocks that we tell time by.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

/// Milliseconds since 1970, for people and records.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Time since boot, also while suspended: the clock of leases.
pub(crate) fn boottime() -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or_default())
}

/// What the kernel counts in to programs on every architecture that we run on.
const TICKS_PER_SECOND: u64 = 100;

/// Clock ticks since boot, as /proc counts them.
pub(crate) fn boot_ticks() -> u64 {
    u64::try_from(boottime().as_millis()).unwrap_or(u64::MAX) / (1000 / TICKS_PER_SECOND)
}

/// How old a process is that started at this many clock ticks since boot.
pub(crate) fn age(start_ticks: u64) -> Duration {
    boottime().saturating_sub(Duration::from_millis(start_ticks.saturating_mul(1000) / TICKS_PER_SECOND))
}
