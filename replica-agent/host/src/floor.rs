//! Floor: the desks of all clusters, behind one lock, and the clock by which they are told the time.
//!
//! ```text
//! orders, seals ──────────────► desk of the cluster ◄── confirmations of its epoch
//! ```

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use uuid::Uuid;
use watchdog_core::desk::{self, Fence};
use watchdog_core::ids::{ClusterId, Epoch};

use crate::desk::Following;
use crate::ledger::Outcome;

/// The desk of one cluster.
pub(crate) type ClusterDesk = desk::Desk<Outcome, Following>;

/// The desks of all clusters.
pub(crate) struct Floor {
    lease: Duration,
    /// What the time of the desks counts from.
    origin: Instant,
    /// Tells this run of ours from all others: what was ordered in another one may have been given to others since.
    run: String,
    clusters: Mutex<BTreeMap<ClusterId, ClusterDesk>>,
}

impl Floor {
    /// Starts from the epochs that are on disk.
    pub(crate) fn new(lease: Duration, recorded: BTreeMap<ClusterId, Epoch>) -> Self {
        let run = Uuid::new_v4().to_string();
        let mut floor = Self { lease, origin: Instant::now(), run, clusters: Mutex::default() };
        let desks = recorded.into_iter().map(|(cluster, epoch)| (cluster, floor.desk(epoch)));
        floor.clusters = Mutex::new(desks.collect());
        floor
    }

    fn desk(&self, recorded: Epoch) -> ClusterDesk {
        desk::Desk::new(Fence::leased(self.lease, recorded, self.run.clone()))
    }

    /// Does something at the desk of a cluster, now.
    pub(crate) fn at<T>(&self, cluster: &ClusterId, act: impl FnOnce(&mut ClusterDesk, Duration) -> T) -> T {
        let mut clusters = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
        let desk = clusters.entry(cluster.clone()).or_insert_with(|| self.desk(Epoch::default()));
        act(desk, self.origin.elapsed())
    }

    /// What orders of now must name.
    pub(crate) fn session(&self, cluster: &ClusterId) -> String {
        self.at(cluster, |desk, _| desk.fence.session())
    }

    /// The epoch was read from the coordination service; it was true at this instant at least. Answers whether another
    /// session begins with it.
    pub(crate) fn confirm(&self, cluster: &ClusterId, epoch: Option<Epoch>, at: Instant) -> bool {
        let at = at.saturating_duration_since(self.origin);
        self.at(cluster, |desk, _| desk.fence.confirm(epoch.unwrap_or_default(), at))
    }

    /// How long ago the epoch was last read from the coordination service.
    pub(crate) fn confirmed_ago(&self, cluster: &ClusterId) -> Option<Duration> {
        self.at(cluster, |desk, now| Some(now.saturating_sub(desk.fence.confirmed()?)))
    }

    /// How old that may be.
    pub(crate) fn lease(&self) -> Duration {
        self.lease
    }

    /// The epoch is on disk.
    pub(crate) fn recorded(&self, cluster: &ClusterId, epoch: Epoch) {
        self.at(cluster, |desk, _| desk.fence.recorded(epoch));
    }
}
