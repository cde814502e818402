//! Embedded: the contract of ZooKeeper for one machine, served over gRPC by one process.
//!
//! ```text
//! Embedded (Connect) ──► client: Tree ══gRPC══► server ──► keeper ──► store   plain data
//!                           │ heartbeats           │          └─────► disk    what outlives sessions
//!                           └ watches              └ any router of tonic's
//! ```
//!
//! *Guarantees.* Persistent nodes are on the disk before a commit that changes
//! them is acknowledged; versions and transactions go on growing across
//! restarts. After a restart every old session is unknown, so its clients see
//! [`crate::tree::Session::Expired`] and join again.

mod client;
pub(crate) mod convert;
pub(crate) mod disk;
mod heart;
mod keeper;
mod server;
pub(crate) mod store;
mod watching;

pub use client::Embedded;
pub use server::{Service, Serving, serve, service};
