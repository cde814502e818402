//! Fence: refuses the orders of leaders that are no more, and all orders while we can't know who leads.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;
use watchdog_core::ids::{ClusterId, Epoch};

use crate::refusal::Refusal;

/// What is known of the leaders of each cluster.
pub(crate) struct Fence {
    lease: Duration,
    clusters: Mutex<BTreeMap<ClusterId, Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    /// The highest epoch that was seen, in orders or in the coordination service.
    epoch: Epoch,
    /// The highest that is on disk.
    recorded: Epoch,
    /// When the epoch was last read from the coordination service.
    confirmed: Option<Instant>,
    /// Another one after each lapse: what was ordered in an earlier one may have been given to others since.
    session: Uuid,
}

impl Default for Known {
    fn default() -> Self {
        let (epoch, recorded) = (Epoch::default(), Epoch::default());
        Self { epoch, recorded, confirmed: None, session: Uuid::new_v4() }
    }
}

impl Fence {
    /// Starts from what is on disk.
    pub(crate) fn new(lease: Duration, recorded: impl IntoIterator<Item = (ClusterId, Epoch)>) -> Self {
        let known = |epoch| Known { epoch, recorded: epoch, ..Known::default() };
        let clusters = recorded.into_iter().map(|(cluster, epoch)| (cluster, known(epoch)));
        Self { lease, clusters: Mutex::new(clusters.collect()) }
    }

    fn with<T>(&self, cluster: &ClusterId, act: impl FnOnce(&mut Known) -> T) -> T {
        let mut clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        act(clusters.entry(cluster.clone()).or_default())
    }

    /// The epoch was read from the coordination service; it was true at this instant at least.
    ///
    /// One that knows less than we do, because it was set up anew or is behind, says nothing of who leads.
    /// Answers whether another session begins with it.
    pub(crate) fn confirm(&self, cluster: &ClusterId, epoch: Option<Epoch>, at: Instant) -> bool {
        self.with(cluster, |known| {
            let epoch = epoch.unwrap_or_default();
            if epoch < known.epoch {
                return false;
            }
            known.epoch = epoch;
            let lapsed =
                known.confirmed.is_some_and(|before| at.saturating_duration_since(before) > self.lease);
            if lapsed {
                known.session = Uuid::new_v4();
            }
            known.confirmed = known.confirmed.max(Some(at));
            lapsed
        })
    }

    /// When the epoch was last read from the coordination service.
    pub(crate) fn confirmed(&self, cluster: &ClusterId) -> Option<Instant> {
        self.with(cluster, |known| known.confirmed)
    }

    /// How old that may be.
    pub(crate) fn lease(&self) -> Duration {
        self.lease
    }

    /// What orders of now must name.
    pub(crate) fn session(&self, cluster: &ClusterId) -> String {
        self.with(cluster, |known| known.session.to_string())
    }

    /// The epoch is on disk.
    pub(crate) fn recorded(&self, cluster: &ClusterId, epoch: Epoch) {
        self.with(cluster, |known| known.recorded = known.recorded.max(epoch));
    }

    /// Takes an epoch to the fence; answers whether it must be recorded before anything is done under it.
    ///
    /// # Errors
    ///
    /// [`Refusal::OlderEpoch`]
    pub(crate) fn raise(&self, cluster: &ClusterId, epoch: Epoch) -> Result<bool, Refusal> {
        self.with(cluster, |known| {
            if epoch < known.epoch && !cfg!(feature = "unfenced") {
                return Err(Refusal::OlderEpoch { theirs: epoch, seen: known.epoch });
            }
            known.epoch = epoch.max(known.epoch);
            Ok(epoch > known.recorded)
        })
    }

    /// Whether an order may be acted on; the same as [`Fence::raise`], and refuses while nobody has told us lately who leads.
    ///
    /// # Errors
    ///
    /// [`Refusal::OlderEpoch`], [`Refusal::Unconfirmed`], [`Refusal::EarlierSession`]
    pub(crate) fn admit(&self, cluster: &ClusterId, epoch: Epoch, session: &str) -> Result<bool, Refusal> {
        let (confirmed, ours) = self.with(cluster, |known| (known.confirmed, known.session));
        let age = confirmed.map(|at| at.elapsed());
        if age.is_none_or(|age| age > self.lease) {
            return Err(Refusal::Unconfirmed {
                lease_ms: self.lease.as_millis(),
                age_ms: age.map(|age| age.as_millis()),
            });
        }
        let newer = self.raise(cluster, epoch)?;
        if !session.is_empty() && *session != ours.to_string() {
            return Err(Refusal::EarlierSession { lease_ms: self.lease.as_millis() });
        }
        Ok(newer)
    }
}

#[cfg(all(test, not(feature = "unfenced")))]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    #[test]
    fn older_epochs_and_unconfirmed_sessions_are_refused() {
        let cluster = ClusterId::new("demo").unwrap();
        let fence = Fence::new(Duration::from_hours(1), [(cluster.clone(), Epoch(4))]);
        assert!(matches!(
            fence.admit(&cluster, Epoch(4), ""),
            Err(Refusal::Unconfirmed { age_ms: None, .. })
        ));
        fence.confirm(&cluster, Some(Epoch(5)), Instant::now());
        assert!(matches!(
            fence.admit(&cluster, Epoch(4), ""),
            Err(Refusal::OlderEpoch { seen: Epoch(5), .. })
        ));
        assert!(fence.admit(&cluster, Epoch(5), "").unwrap(), "5 is not on disk yet");
        fence.recorded(&cluster, Epoch(5));
        assert!(!fence.admit(&cluster, Epoch(5), "").unwrap());
        assert!(fence.raise(&cluster, Epoch(6)).unwrap());
        assert!(matches!(fence.admit(&cluster, Epoch(5), ""), Err(Refusal::OlderEpoch { .. })));

        let lapsed = Fence::new(Duration::from_hours(1), [(cluster.clone(), Epoch(4))]);
        for behind in [None, Some(Epoch(3))] {
            lapsed.confirm(&cluster, behind, Instant::now());
            assert!(
                matches!(lapsed.admit(&cluster, Epoch(4), ""), Err(Refusal::Unconfirmed { .. })),
                "{behind:?}"
            );
        }
        lapsed.confirm(&cluster, Some(Epoch(4)), Instant::now());
        assert!(!lapsed.admit(&cluster, Epoch(4), "").unwrap());

        let strict = Fence::new(Duration::ZERO, []);
        strict.confirm(&cluster, None, Instant::now());
        std::thread::yield_now();
        assert!(matches!(
            strict.admit(&cluster, Epoch(1), ""),
            Err(Refusal::Unconfirmed { age_ms: Some(_), .. })
        ));
    }
    #[test]
    fn what_was_ordered_before_a_lapse_is_refused_after_it() {
        let cluster = ClusterId::new("demo").unwrap();
        let lease = Duration::from_hours(1);
        let fence = Fence::new(lease, []);
        let begun = Instant::now();
        fence.confirm(&cluster, Some(Epoch(1)), begun);
        let first = fence.session(&cluster);
        assert!(fence.admit(&cluster, Epoch(1), &first).is_ok());
        fence.confirm(&cluster, Some(Epoch(1)), begun + lease);
        assert_eq!(fence.session(&cluster), first, "a lease was not over");
        fence.confirm(&cluster, Some(Epoch(1)), begun + lease * 2 + Duration::from_millis(1));
        assert!(matches!(fence.admit(&cluster, Epoch(1), &first), Err(Refusal::EarlierSession { .. })));
        assert!(fence.admit(&cluster, Epoch(1), &fence.session(&cluster)).is_ok());
    }
}
