//! Core: the decisions of Watchdog, as functions of what they are told.
//!
//! No clock, no randomness, no IO, no logging: time, policy and observation
//! are arguments, plans are values. The same input gives the same plan.
//!
//! ```text
//! observation ─► assess ─► strikes ─► planner ─► vet ─► (record) ─► next ─► Send | Sleep | Finish
//!                  ▲           history ──┘ └── policy, declarations
//! ```

pub mod assess;
pub mod change;
pub mod condition;
mod fate;
pub mod finding;
mod fold;
pub mod history;
pub mod ids;
pub mod input;
pub mod observation;
pub mod plan;
pub mod policy;
pub mod record;
pub mod refusal;
pub mod replica;
mod scene;
pub mod state;
pub mod strikes;
