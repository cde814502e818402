//! Metrics: what Prometheus is told of this watchdog and of the clusters that it guards.
//!
//! ```text
//! each entry of the record that is ours ─► tally ─┐
//! the world, when it is asked for ───────► readings ─► GET /metrics
//! each call of the journal ──────────────► timed ─┘
//! ```
//!
//! Counters are folded from the record, and gauges read from the world that decisions are made of, so that neither can
//! say anything else than they do. Each entry is counted by the watchdog under whose term it was written, so that the
//! sum over all watchdogs is true and a new leader counts nothing again. No label names a replica: their number has no bound.

mod door;
mod heal;
mod page;
mod readings;
mod tally;
#[cfg(test)]
mod tests;
mod timed;

use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::registry::Registry;
use watchdog_telemetry::Connections;
use watchdog_telemetry::metrics::registry;
use watchdog_telemetry::spans::Spans;
use watchdog_trust::Gate;

use crate::access::Access;
use crate::cluster::Handle;
use crate::cluster::books::Journal;

pub(crate) use page::router;
pub(crate) use tally::Tally;

use door::Requests;
use readings::Readings;
use tally::Counters;
use timed::{Timed, Times};

/// What all names begin with.
const PREFIX: &str = "watchdog";

/// See the module.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    counters: Counters,
    times: Times,
    spans: Spans,
    clusters: Arc<Mutex<Vec<Handle>>>,
}

impl Metrics {
    /// The metrics of a watchdog that guards nothing yet, and sends its spans where `spans` says.
    pub(crate) fn new(spans: Spans) -> Self {
        let mut registry = registry(PREFIX, spans.clone());
        let clusters = Arc::<Mutex<Vec<Handle>>>::default();
        let counters = Counters::registered(&mut registry);
        let times = Times::registered(&mut registry);
        registry.register_collector(Box::new(Readings(clusters.clone())));
        Self { registry, counters, times, spans, clusters }
    }

    /// Tells also of the listener behind `gate`, and of those who were let in by `access`.
    pub(crate) fn tell_of_door(&mut self, gate: &Gate, access: &Arc<Access>) {
        self.registry.register_collector(Box::new(Connections::of(gate, PREFIX)));
        self.registry.register_collector(Box::new(Requests(Arc::clone(access))));
    }

    /// Tells of a cluster from now on.
    pub(crate) fn tell_of(&self, handle: &Handle) {
        {
            let mut world = handle.world.lock();
            world.tally = Tally::new(&world.cluster, self.counters.clone(), self.spans.clone());
        }
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner).push(handle.clone());
    }

    /// The same journal, whose calls are timed.
    pub(crate) fn timed(&self, journal: Arc<dyn Journal>) -> Arc<dyn Journal> {
        Arc::new(Timed { journal, times: self.times.clone() })
    }

    /// All of them, as text.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        watchdog_telemetry::metrics::text(&self.registry)
    }
}
