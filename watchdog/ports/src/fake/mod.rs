//! Fake: adapters in memory, with the guarantees of the real ones and switches for their faults.

mod memory_journal;

pub use memory_journal::{MemoryJournal, Outage};
