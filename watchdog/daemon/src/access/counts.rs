//! Counts: what was let in and what was not, for metrics to read at any time.

use std::sync::atomic::{AtomicU64, Ordering};

/// Each only grows; see [`Counts::snapshot`].
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Requests that were let in.
    pub(super) admitted: AtomicU64,
    /// Who they are was not shown, or not believed.
    pub(super) strangers: AtomicU64,
    /// Known, and not allowed what they asked for.
    pub(super) forbidden: AtomicU64,
    /// Sent by a browser on behalf of another site.
    pub(super) cross_site: AtomicU64,
    /// Acts in too quick a succession.
    pub(super) hasty: AtomicU64,
    /// Too many requests or streams were open.
    pub(super) crowded: AtomicU64,
    /// Requests that took too long.
    pub(super) slow: AtomicU64,
    /// For what is not served here, or not so.
    pub(super) unknown: AtomicU64,
}

/// The counts of one moment: a word for each, and how many.
pub(crate) type Snapshot = [(&'static str, u64); 8];

impl Counts {
    /// The counts now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        [
            ("admitted", read(&self.admitted)),
            ("stranger", read(&self.strangers)),
            ("forbidden", read(&self.forbidden)),
            ("cross_site", read(&self.cross_site)),
            ("hasty", read(&self.hasty)),
            ("crowded", read(&self.crowded)),
            ("slow", read(&self.slow)),
            ("unknown", read(&self.unknown)),
        ]
    }

    /// One more.
    pub(super) fn add(count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}
