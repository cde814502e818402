//! Leader: what a leader makes of what it is told, as functions of it alone.
//!
//! No clock, no chance, no IO and no lock: the daemon drives it with a real cluster, the simulator with one of its own,
//! so that what is proven is what ships.
//!
//! ```text
//! log, record, sight ─► judge: assess ─► strikes ─► draft ─► plan ─► vet ─► draft ─► entries to write
//! ```

pub mod begin;
pub mod destination;
pub mod draft;
pub mod glance;
pub mod judge;
pub mod log_view;
pub mod looked;
pub mod obituaries;
pub mod report;
pub mod rounds;
pub mod seal;
