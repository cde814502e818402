//! Core: the decisions of Watchdog, as functions of what they are told.
//!
//! No clock, no randomness, no IO, no logging: time, policy and observation
//! are arguments, plans are values. The same input gives the same plan.

pub mod ids;
pub mod replica;
pub mod state;
