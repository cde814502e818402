//! Errand: what goals ask of the leader next: to take back an ended one, or to begin the next.
//!
//! ```text
//! an ended goal's changes stand in the log? ──yes──► Undo
//!          │ no
//! one waits, and nothing rolls or it may take over? ──yes──► Begin
//! ```
//!
//! Derived from the record alone, so that a new leader runs the errand that an old one died on.

use crate::history::History;
use crate::ids::GoalId;
use crate::rollout::{PendingGoal, Undoing};

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub enum Errand {
    /// Append what returns the head to the stable state.
    Undo(Undoing),
    /// Compose this goal's changes, append them and begin its rollout.
    Begin {
        /// Which.
        goal: PendingGoal,
        /// The goal that it takes over from.
        over: Option<GoalId>,
    },
}

/// The next errand, if there is one.
pub fn errand(history: &History) -> Option<Errand> {
    if let Some(undoing) = &history.undoing {
        return Some(Errand::Undo(undoing.clone()));
    }
    let Some(rolling) = &history.rollout else {
        let goal = history.pending.front()?.clone();
        return Some(Errand::Begin { goal, over: None });
    };
    let goal = history.pending.iter().find(|goal| goal.supersede)?.clone();
    Some(Errand::Begin { goal, over: Some(rolling.goal.clone()) })
}
