//! Metrics: what Prometheus is told of this host agent and of the processes that it keeps.
//!
//! ```text
//! each entry that the ledger has taken ─► counters ─┐
//! supervisor, desks, when they are asked ─► readings ─► GET /metrics
//! orders refused, probes, syncs ─────────► counters ─┘
//! ```
//!
//! No label names a replica: their number has no bound.

mod counters;
mod readings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;
use watchdog_telemetry::Connections;
use watchdog_telemetry::metrics::registry;
use watchdog_telemetry::spans::Spans;
use watchdog_trust::Gate;

use crate::desk::Desk;

pub(crate) use counters::Counters;
use readings::Readings;

/// What all names begin with.
const PREFIX: &str = "watchdog_agent";

/// What is read over HTTP beside gRPC: `/metrics`, and `/healthz` for whoever only wants to know that we answer.
pub(crate) fn router(desk: &Arc<Desk>, (spans, gate): (Spans, &Gate)) -> Router {
    let mut registry = registry(PREFIX, spans);
    desk.supervisor.ledger.counters.register(&mut registry);
    registry.register_collector(Box::new(Readings::of(desk)));
    registry.register_collector(Box::new(Connections::of(gate, PREFIX)));
    let page = Router::new().route("/metrics", get(page)).with_state(Arc::new(registry));
    page.route("/healthz", get(async || "ok\n"))
}

async fn page(State(registry): State<Arc<Registry>>) -> Response {
    match watchdog_telemetry::metrics::text(&registry) {
        Ok(text) => ([(CONTENT_TYPE, watchdog_telemetry::metrics::CONTENT_TYPE)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("metrics can't be written: {error}\n"))
            .into_response(),
    }
}
