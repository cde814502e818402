//! Given up: what is written when a version is rejected, and when a human goes back to one that was stable before.
//!
//! The log is returned to the stable state by an errand that follows from these entries.

use crate::goal::GoalStatus;
use crate::goal::obsolete::superseded;
use crate::history::History;
use crate::ids::{GoalId, PlanId, Version};
use crate::record::{Body, Mark};
use crate::state::Hash;

/// A version, and the hash of the application's state there.
pub type Marked = (Version, Hash);

/// The entries that reject a version by the plan `deciding`: the candidate of `goal`, or without one what was stable.
pub fn rejected(
    history: &History,
    (version, hash): Marked,
    goal: Option<&GoalId>,
    (deciding, why): (&PlanId, &str),
) -> Vec<Body> {
    let reject = Body::Marked { version, mark: Mark::Rejected, state_hash: Some(hash), why: why.to_owned() };
    let Some(goal) = goal else {
        let ends = what_rolls_ends(
            history,
            Some(deciding),
            &format!("version {version}, which was stable, is given up"),
        );
        return ends.into_iter().chain([reject]).chain(everybody_released(history)).collect();
    };
    let mut bodies = vec![reject];
    bodies.extend(superseded(history, Some(deciding), &format!("goal {goal} is rejected")));
    bodies.push(Body::GoalEnded { goal: goal.clone(), status: GoalStatus::Rejected, why: why.to_owned() });
    bodies
}

/// The stable version that a human may give up for `to`: one that is older, and was appended at all.
pub fn given_up_for(history: &History, to: Version) -> Option<Version> {
    history.stable.filter(|stable| Version(0) < to && to < *stable)
}

/// The entries by which a human gives up what is stable for an earlier version, `to`, whatever was proven of either.
pub fn restored(history: &History, to: Marked, why: &str) -> Vec<Body> {
    let mark = |(version, hash): (Version, Option<Hash>), mark| Body::Marked {
        version,
        mark,
        state_hash: hash,
        why: why.to_owned(),
    };
    let mut bodies = what_rolls_ends(history, None, why);
    bodies.push(mark((to.0, Some(to.1)), Mark::Stable));
    // After the other, so that nothing else takes its place in between.
    let before = history.stable.filter(|stable| *stable != to.0);
    bodies.extend(before.map(|stable| {
        let hash = history.marked_hashes.get(&stable).copied();
        mark((stable, hash), Mark::Rejected)
    }));
    bodies.extend(everybody_released(history));
    bodies
}

/// What would have been built on the version that is given up is not wanted any more.
fn what_rolls_ends(history: &History, deciding: Option<&PlanId>, why: &str) -> Vec<Body> {
    let mut bodies = superseded(history, deciding, why);
    let rolling = history.rollout.as_ref().map(|rollout| rollout.goal.clone());
    bodies.extend(rolling.map(|goal| {
        let (status, why) = (GoalStatus::Withdrawn, why.to_owned());
        Body::GoalEnded { goal, status, why }
    }));
    bodies
}

/// They were given up on a version that is not stable any more.
fn everybody_released(history: &History) -> impl Iterator<Item = Body> + '_ {
    history.quarantined.keys().map(|replica| Body::Released { target: replica.to_string() })
}
