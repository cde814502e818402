//! Replica agent: what an application server links so that Watchdog keeps it alive and on the right version.
//!
//! The server implements [`Application`]; an [`Agent`] runs beside it in the same process. The agent loads the state that
//! the process was started with, joins the cluster's group, records there the version and the state hash of what is *in
//! memory* whenever they change, and does what the leading watchdog orders: drain, load the difference to another version,
//! prove it.
//!
//! ```no_run
//! use std::collections::BTreeMap;
//! use std::sync::{Arc, RwLock};
//! use replica_agent::{Agent, Application, Cancelled, Hash, Key, LoadError, LoadRequest, Progress, State, digest};
//!
//! #[derive(Default)]
//! struct Prices(RwLock<State>);
//!
//! #[replica_agent::async_trait]
//! impl Application for Prices {
//!     type Prepared = State;
//!
//!     async fn prepare(&self, load: LoadRequest, progress: Progress, _: Cancelled) -> Result<State, LoadError> {
//!         let mut next = self.0.read().map_err(|_| "poisoned")?.clone();
//!         for (key, value) in &load.difference.0 {
//!             if value.as_ref().is_some_and(|value| !value["price"].is_number()) {
//!                 return Err(format!("{key} has no price").into());
//!             }
//!             next.apply(key, value.as_ref());
//!             progress.report(50, format!("checked {key}"));
//!         }
//!         Ok(next)
//!     }
//!
//!     async fn commit(&self, next: State) -> Result<(), LoadError> {
//!         *self.0.write().map_err(|_| "poisoned")? = next;
//!         Ok(())
//!     }
//!
//!     fn loaded(&self) -> BTreeMap<Key, Hash> {
//!         self.0.read().map(|state| state.digests()).unwrap_or_default()
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let prices = Arc::new(Prices::default());
//!     // … serve customers from `prices` in a task of your own, then:
//!     Agent::from_environment()?.service("http://127.0.0.1:8080").run(prices).await?;
//!     Ok(())
//! }
//! ```
//!
//! # Guarantees
//!
//! - A step has effect once: asked again with the same id, the agent answers the first result, or joins the running step.
//!   One act runs at a time.
//! - An order under an older epoch than any that was seen (at the start, in an order or a seal, in the group) is refused,
//!   as is one for another cluster, replica or incarnation. The error names the field.
//! - A load that fails before its commit leaves the old version in place and reported. One that was committed is proven:
//!   what [`Application::loaded`] says must hash to what was ordered, or the step fails.
//! - A replica that was declared dead while it lives (cut off, or stopped for long) calls
//!   [`Agent::on_declared_dead`]'s hook and exits with [`DECLARED_DEAD`], because somebody may already run in its place.
//! - Losing the group, or never reaching it, stops nothing: the replica serves, and goes on trying to join.
//!
//! # Tracing
//!
//! Orders run in a span `order` of the target `watchdog::plan`, with the W3C `traceparent` of the leader's step as a field.
//! With the feature `opentelemetry` it is the span's parent too: an application whose subscriber has a layer of
//! `tracing-opentelemetry` then sends it, and whatever [`Application::prepare`] opens in it, as a part of the plan's trace.
//! `examples/scoring-server` does.
//!
//! # Assumptions
//!
//! - It runs in tokio's multi-threaded runtime, and was started by a host agent (or with the same environment, see
//!   [`Environment`]). It listens on loopback only.

mod agent;
mod application;
mod checks;
mod desk;
mod error;
mod group;
mod held;
mod identity;
mod load;
mod order;
#[doc(hidden)]
pub mod outside;
mod refusal;
mod report;
mod server;
mod status;
mod tasks;
mod trace;

pub use agent::Agent;
pub use application::{Application, Cancelled, Condition, LoadError, LoadRequest, Progress};
pub use async_trait::async_trait;
pub use error::AgentError;
pub use group::DECLARED_DEAD;
pub use status::READY_SERVICE;
pub use watchdog_core::difference::Difference;
pub use watchdog_core::ids::{ClusterId, Epoch, HostId, Incarnation, ReplicaId, Version};
pub use watchdog_core::state::{Hash, Key, State, digest};
pub use watchdog_membership::environment::{Environment, EnvironmentError};
pub use watchdog_membership::handover::{Addresses, StateFile};
