//! Sim: a whole cluster in memory, driven by a seed: watchdogs on the real core, and everything around them.
//!
//! ```text
//! seed ─► setup ─► world (zoo, journal, hosts, lives, dogs, net, clocks) ◄─ nemesis
//!                    │ facts
//!                    └─► audits (one an invariant) ─► violation ─► shrink ─► story
//! ```
//!
//! *Guarantees.* One thread, no clock, no order but that of events: the same seed gives the same run, to the last bit.

pub mod ailing;
pub mod audit;
mod bot;
pub mod command;
mod cover;
pub mod dog;
pub mod event;
pub mod fact;
pub mod figures;
pub mod host;
pub mod journal;
pub mod life;
pub mod mutant;
pub mod nemesis;
pub mod net;
pub mod order;
mod rest;
pub mod rng;
pub mod run;
pub mod setup;
pub mod shrink;
pub mod story;
pub mod world;
pub mod zoo;
