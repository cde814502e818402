//! Counters: who was turned away at our listeners, by cause, and a line in the log for it now and then.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How often one cause is told of; a flood of strangers may not become a flood of lines.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Why somebody was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// Showed no certificate where one is needed.
    NoCertificate,
    /// Showed one that our authority has not signed.
    UnknownAuthority,
    /// Showed one that is over, or not begun.
    Expired,
    /// Showed one that is wrong in another way.
    BadCertificate,
    /// Speaks a TLS older than 1.3.
    OldProtocol,
    /// Does not speak TLS: plain HTTP, or noise.
    NotTls,
    /// Was not done with the handshake, or had not said a word, when its time was over.
    TimedOut,
    /// Had to make room for somebody newer.
    TooMany,
    /// Went away in the midst of the handshake.
    Broken,
    /// Has a good certificate, and none that may ask this.
    WrongRole,
}

impl Cause {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::NoCertificate,
        Self::UnknownAuthority,
        Self::Expired,
        Self::BadCertificate,
        Self::OldProtocol,
        Self::NotTls,
        Self::TimedOut,
        Self::TooMany,
        Self::Broken,
        Self::WrongRole,
    ];

    /// As it is called in metrics and logs.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoCertificate => "no_certificate",
            Self::UnknownAuthority => "unknown_authority",
            Self::Expired => "expired",
            Self::BadCertificate => "bad_certificate",
            Self::OldProtocol => "old_protocol",
            Self::NotTls => "not_tls",
            Self::TimedOut => "timed_out",
            Self::TooMany => "too_many",
            Self::Broken => "broken",
            Self::WrongRole => "wrong_role",
        }
    }
}

/// What happened at one listener since it began.
#[derive(Debug)]
pub struct Counters {
    since: Instant,
    admitted: AtomicU64,
    open: AtomicU64,
    refused: [Tally; Cause::ALL.len()],
}

#[derive(Debug, Default)]
struct Tally {
    count: AtomicU64,
    /// How many there were when it was last told of, and when that was, in milliseconds; 0 for never.
    told: AtomicU64,
    told_at_ms: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// Connections that were let in.
    pub admitted: u64,
    /// Those of them that are still open.
    pub open: u64,
    /// Those that were not, by cause; every cause is there.
    pub refused: BTreeMap<Cause, u64>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            admitted: AtomicU64::default(),
            open: AtomicU64::default(),
            refused: std::array::from_fn(|_| Tally::default()),
        }
    }
}

impl Counters {
    /// What they say now.
    pub fn snapshot(&self) -> Snapshot {
        let refused = Cause::ALL.into_iter().zip(&self.refused);
        Snapshot {
            admitted: self.admitted.load(Ordering::Relaxed),
            open: self.open.load(Ordering::Relaxed),
            refused: refused.map(|(cause, tally)| (cause, tally.count.load(Ordering::Relaxed))).collect(),
        }
    }

    pub(crate) fn opened(&self) {
        self.admitted.fetch_add(1, Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn closed(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts somebody who was turned away, and tells of it unless that has been told of just now.
    pub(crate) fn refuse(&self, cause: Cause, from: SocketAddr, detail: &str) {
        let Some(tally) = self.refused.get(cause as usize) else { return };
        let count = tally.count.fetch_add(1, Ordering::Relaxed) + 1;
        let now_ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX).max(1);
        let told_at_ms = tally.told_at_ms.load(Ordering::Relaxed);
        let is_due =
            told_at_ms == 0 || Duration::from_millis(now_ms.saturating_sub(told_at_ms)) >= TOLD_EVERY;
        let ours = is_due
            && tally
                .told_at_ms
                .compare_exchange(told_at_ms, now_ms, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if ours {
            let told = tally.told.swap(count, Ordering::Relaxed);
            let since_told = count.saturating_sub(told);
            tracing::warn!(%from, cause = cause.word(), detail, since_told, "turned somebody away");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_counted_as_itself() {
        let counters = Counters::default();
        for (index, cause) in Cause::ALL.into_iter().enumerate() {
            for _ in 0..=index {
                counters.refuse(cause, SocketAddr::from(([127, 0, 0, 1], 1)), "why");
            }
        }
        let expected = Cause::ALL.into_iter().zip(1..).collect();
        assert_eq!(counters.snapshot(), Snapshot { admitted: 0, open: 0, refused: expected });
        let words: std::collections::BTreeSet<_> = Cause::ALL.into_iter().map(Cause::word).collect();
        assert_eq!(words.len(), Cause::ALL.len());
    }
}
