//! Core: the decisions of Watchdog, as functions of what they are told.
//!
//! No randomness, no IO, no logging, and nothing that asks what time it is:
//! time, policy and observation are arguments, plans are values. The same
//! input gives the same plan.
//!
//! ```text
//! observation ─► assess ─► strikes ─► planner ─► vet ─► (record) ─► next ─► Send | Sleep | Finish
//!                  ▲           history ──┘ └── policy, declarations
//! goal ─► compose ─► changes ─► rollout ──┘
//! ```

/// The version of this core: another one may decide otherwise from the same input.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

pub mod assess;
pub mod blame;
pub mod change;
pub mod clock;
pub mod condition;
pub mod delays;
pub mod desk;
pub mod difference;
mod fate;
pub mod finding;
mod fold;
pub mod goal;
pub mod history;
pub mod hosts;
pub mod ids;
pub mod input;
pub mod ladder;
pub mod next;
pub mod observation;
pub mod offers;
pub mod plan;
pub mod planner;
pub mod policy;
pub mod record;
pub mod refusal;
pub mod render;
pub mod replica;
pub mod rollout;
pub mod safety;
mod scene;
pub mod seal;
pub mod shared;
pub mod state;
pub mod storm;
pub mod strikes;
pub mod tell;
pub mod trace;
pub mod vet;
