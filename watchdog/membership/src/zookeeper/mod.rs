//! `ZooKeeper`: the tree on a real ensemble.
//!
//! ```text
//! ZooKeeper (Connect) ──► session: Tree ──► zookeeper_client ══► ensemble
//!                           ├ state      Disconnected ──► Suspended, at 0.35 T
//!                           ├ watching   watches again after each reconnect, then Resync
//!                           └ faults     what each of the client's errors means for us
//! ```
//!
//! *On connection loss.* The client keeps writes that were asked while disconnected and sends them later, also when
//! their caller has given up. So none is handed to it while it is known to be disconnected, every request has a
//! time-out, and a write that runs into it is [`crate::tree::TreeError::Unknown`]: it may still happen. Whoever writes
//! what matters puts a check in front of it.

mod batches;
mod connect;
mod faults;
mod session;
mod watching;

pub use connect::{ZooKeeper, ZooKeeperConfig};
