//! Telemetry: what a process tells of itself to logs, to Prometheus and to tracing systems.
//!
//! ```text
//! spans and events of `tracing` ─┬─► standard error, for people or as JSON
//!                                └─► those of plans ─► bounded queue ─► thread ─► OTLP collector
//! registry ─► text that Prometheus reads
//! ```
//!
//! *Guarantees.* Nobody who opens or closes a span ever waits for a collector: a full queue drops, and counts.

mod connections;
mod endpoint;
pub mod logging;
pub mod metrics;
mod queue;
pub mod spans;

pub use connections::Connections;
pub use endpoint::{Endpoint, EndpointError, VARIABLE};
