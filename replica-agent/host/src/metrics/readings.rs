//! Readings: the gauges of `GET /metrics`, computed from the supervisor, the ledger and the desks at each request.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use watchdog_core::ids::ClusterId;
use watchdog_membership::records::{Phase, ProbeState};
use watchdog_telemetry::metrics::{Labels, Reading, number};

use super::PREFIX;
use crate::desk::Desk;

/// What a process can be.
const STATES: [&str; 4] = ["starting", "passing", "failing", "stopping"];

/// Computes the gauges at each request.
pub(super) struct Readings {
    desk: Arc<Desk>,
    began: Instant,
}

impl fmt::Debug for Readings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readings").finish_non_exhaustive()
    }
}

impl Readings {
    /// Reads from now on.
    pub(super) fn of(desk: &Arc<Desk>) -> Self {
        Self { desk: desk.clone(), began: Instant::now() }
    }

    fn processes(&self, cluster: &ClusterId) -> Vec<(Labels, f64)> {
        let mut counts = STATES.map(|state| (state, 0_u32));
        for kept in self.desk.supervisor.of_cluster(cluster) {
            let standing = kept.standing();
            let word = match (standing.phase, standing.probe) {
                (Phase::Stopping, _) => "stopping",
                (Phase::Running, ProbeState::None) => "starting",
                (Phase::Running, ProbeState::Passing) => "passing",
                (Phase::Running, ProbeState::Failing) => "failing",
            };
            counts.iter_mut().filter(|(state, _)| *state == word).for_each(|(_, count)| *count += 1);
        }
        let labels = |state: &str| vec![("cluster", cluster.to_string()), ("state", state.to_owned())];
        counts.into_iter().map(|(state, count)| (labels(state), f64::from(count))).collect()
    }

    fn all(&self) -> Vec<Reading<'static>> {
        let Desk { supervisor, floor } = self.desk.as_ref();
        let clusters = &supervisor.config.clusters;
        let each = |read: &dyn Fn(&ClusterId) -> f64| {
            let one = |cluster: &ClusterId| (vec![("cluster", cluster.to_string())], read(cluster));
            clusters.iter().map(one).collect::<Vec<_>>()
        };
        let age = |cluster: &ClusterId| {
            floor.confirmed_ago(cluster).unwrap_or_else(|| self.began.elapsed()).as_secs_f64()
        };
        let lease = floor.lease().as_secs_f64();
        let may = |cluster: &ClusterId| {
            let ago = floor.confirmed_ago(cluster);
            f64::from(u8::from(ago.is_some_and(|ago| ago.as_secs_f64() <= lease)))
        };
        let untold = |cluster: &ClusterId| {
            number(supervisor.board(cluster).map_or(0, |board| board.borrow().obituaries.len() as u64))
        };
        let epoch = |cluster: &ClusterId| number(supervisor.ledger.read(|book| book.epoch(cluster)).0);
        let gauge = |name, help, values| Reading { name, help, is_counter: false, values };
        let processes = clusters.iter().flat_map(|cluster| self.processes(cluster)).collect();
        vec![
            gauge("processes", "Processes of replicas in our care, by what their probes say", processes),
            gauge("epoch", "The highest epoch that is on disk here", each(&epoch)),
            gauge(
                "accepts_orders",
                "Whether the session was confirmed within the lease, so that orders are carried out",
                each(&may),
            ),
            gauge(
                "session_confirmed_age_seconds",
                "Time since the coordination service confirmed our session, or since our start",
                each(&age),
            ),
            gauge(
                "lease_seconds",
                "After how long without a confirmed session all orders are refused",
                vec![(Labels::new(), lease)],
            ),
            gauge(
                "obituaries_unpublished",
                "Deaths that the coordination service has not been told of yet",
                each(&untold),
            ),
        ]
    }
}

impl Collector for Readings {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for reading in self.all() {
            let name = format!("{PREFIX}_{}", reading.name);
            Reading { name: &name, ..reading }.encode(&mut encoder)?;
        }
        Ok(())
    }
}
