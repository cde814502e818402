//! Faults: a real cluster in network namespaces, a seeded nemesis, and a checker over what everybody wrote down.
//!
//! ```text
//! cage (namespaces of network, mounts, processes) ─► stage: ZooKeeper × 3, PostgreSQL, watchdogs × 3, host agents × 3
//!   seed ─► schedule ─► nemesis ─┐
//!                     operator ──┼─► the stage ─► record, ledgers, logs, processes ─► history ─► checks ─► violations
//!                     customer ──┘                                                          └─► figures
//! ```
//!
//! Nothing here asks the product whether it did well: the checks read the record from the database, the ledgers and
//! logs of the agents from their disks, and which processes ran from the kernel.

pub mod arguments;
pub mod cage;
pub mod checks;
pub mod control;
pub mod customer;
pub mod fault;
pub mod figures;
pub mod history;
pub mod ledger;
pub mod nemesis;
pub mod net;
pub mod operator;
pub mod programs;
pub mod report;
pub mod run;
pub mod severed;
pub mod site;
pub mod stage;
pub mod stale;
pub mod tally;
pub mod time;
pub mod unit;
pub mod witness;
