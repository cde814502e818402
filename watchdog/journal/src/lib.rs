//! Journal: the metadata log and the healing log in one database, SQLite or PostgreSQL.
//!
//! ```text
//! Journal ─ healing.rs, metadata.rs (writes) ─ reading.rs, states.rs (old states, proof)
//!    │                       └ inputs.rs (what plans were computed from)
//!    └► Session: one lent connection; a time-out around every statement ─► SQLite | PostgreSQL
//! ```
//!
//! *Guarantees.* Those of [`HealingLog`](watchdog_ports::healing_log::HealingLog) and
//! [`MetadataLog`](watchdog_ports::metadata_log::MetadataLog). Every fenced transaction begins with the
//! conditional UPDATE of the cluster's term row: it locks the row, so that the opening of a newer term
//! either waits for the commit or is seen. Under READ COMMITTED a SELECT would do neither.
//!
//! A commit during which PostgreSQL warns (its wait for a standby was cancelled) is of unknown fate, and so is
//! what is found when it is asked again, until a commit that waited covers it.
//!
//! *Cancellation safety.* A dropped call may or may not have been committed, as after a lost answer: ask
//! again with the same request id. Its connection is thrown away, and with it an open transaction.
//!
//! *On connection loss.* The call fails with `Unavailable`; the next one connects anew. PostgreSQL ends a
//! transaction whose client was silent for the time-out, so a frozen leader does not keep the term row.
//! SQLite can't: whoever is stopped inside a transaction keeps the others waiting until it runs or dies.

pub mod brake;
mod database;
mod failure;
mod healing;
mod inputs;
mod journal;
mod lender;
mod metadata;
mod migrate;
mod notices;
#[doc(hidden)]
pub mod outside;
mod reading;
mod rows;
mod session;
mod sql;
mod states;

pub use database::Options;
pub use journal::Journal;
