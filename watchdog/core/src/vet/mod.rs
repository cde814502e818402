//! Vet: an independent linter of plans, one invariant a file.
//!
//! It is written from the invariants and shares no code with the planner, so
//! that one mistake does not pass both. Any objection blocks the plan and pages.

mod budget;
mod death;
mod facts;
mod fence;
mod forbidden;
mod hosts;
mod identity;
mod innocent;
mod known;
mod objection;
mod overlap;
mod reject;
mod rollout;
mod snapshot;
mod stable;
mod standing;
mod storm;
mod unproven;
mod verified;
mod version;
pub mod witness;

pub use self::objection::Objection;
pub use self::unproven::Unproven;

use crate::input::PlanInput;
use crate::plan::Plan;

/// Everything that is wrong with `plan`; empty when it may be recorded and carried out.
pub fn vet(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let invariants = [
        identity::check,
        forbidden::check,
        standing::check,
        overlap::check,
        fence::check,
        budget::check,
        hosts::check,
        known::check,
        death::check,
        unproven::check,
        storm::check,
        snapshot::check,
        version::check,
        verified::check,
        stable::check,
        rollout::check,
        reject::check,
        innocent::check,
    ];
    invariants.iter().flat_map(|check| check(plan, input)).collect()
}
