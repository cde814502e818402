//! Seeing: stories of what is wrong, how it is counted, and what the record remembers of it.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
#![expect(clippy::too_many_lines, reason = "a table is as long as its stories are many")]

#[path = "seeing/absent.rs"]
mod absent;
#[path = "seeing/assess.rs"]
mod assess;
#[path = "seeing/clocks.rs"]
mod clocks;
#[path = "seeing/condition.rs"]
mod condition;
#[path = "seeing/fold.rs"]
mod fold;
#[path = "seeing/fold_goals.rs"]
mod fold_goals;
#[path = "seeing/fold_takeover.rs"]
mod fold_takeover;
#[path = "seeing/fold_trials.rs"]
mod fold_trials;
#[path = "seeing/goals.rs"]
mod goals;
#[path = "seeing/lives.rs"]
mod lives;
#[path = "seeing/present.rs"]
mod present;
#[path = "seeing/replay.rs"]
mod replay;
#[path = "seeing/steady.rs"]
mod steady;
#[path = "seeing/strikes.rs"]
mod strikes;
#[path = "seeing/tried.rs"]
mod tried;
#[path = "seeing/world.rs"]
mod world;
