//! Test rigs: real ZooKeeper, PostgreSQL and `watchdog dev`, started fresh and always stopped.
//!
//! Used by the end-to-end tests beside this library, by the contract tests of the adapters and by the benches.
//! Everything here is blocking and plain: a test in an async runtime calls it from a multi-threaded runtime or
//! through `spawn_blocking`, because a rig that waits would starve the client under test.
//!
//! ```text
//! Drop of a rig ─────────────► its process group is killed, its directory removed
//! death of the test process ─► the reaper does the same (also for rigs shared by a whole process)
//! ```

pub mod admin;
pub mod agent;
pub mod browser;
pub mod collector;
pub mod customer;
pub mod dev;
pub mod door;
pub mod extras;
pub mod http;
pub mod ports;
pub mod postgres;
pub mod process;
pub mod prometheus;
mod reaper;
pub mod scenario;
pub mod scrape;
pub mod story;
pub mod terminal;
pub mod visitor;
pub mod zookeeper;

pub use process::{Guarded, wait_for};
pub use reaper::Directory;
