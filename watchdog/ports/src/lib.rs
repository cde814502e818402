//! Ports: what the daemon needs from the outside world, as traits; adapters live in crates of their own.

pub mod contract;
pub mod delays;
pub mod fake;
pub mod healing_log;
pub mod journal_error;
pub mod metadata_log;

/// Any error, as a cause.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
