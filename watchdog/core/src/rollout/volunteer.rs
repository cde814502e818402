//! Volunteer: a replica that does not serve and that only the goal that rolls can bring up, so that it never bars that goal.
//!
//! ```text
//! declared anew by the goal ───────────────► born on the candidate: no older state knows it
//! started on the stable state and not well ─► started on the candidate, which may be what mends it
//! quarantined on another state ─────────────► the same: what it was given up for may have ended
//! ```
//!
//! It does not serve, so that to start it costs no budget and endangers nothing; it is no canary for those that do.

use crate::ids::ReplicaId;
use crate::input::PlanInput;
use crate::planner::case::serves;
use crate::rollout::verdict::held_by;

/// Whether the goal that rolls starts this replica on its candidate, out of turn.
pub fn is_volunteer(replica: &ReplicaId, input: &PlanInput) -> bool {
    let Some(rollout) = &input.history.rollout else { return false };
    let declared = matches!(input.replicas.get(replica), Some(Ok(_)));
    // What founds a cluster is what all replicas are started on anyway.
    if input.target.stable.is_none() || rollout.has_sent(replica) || !declared || serves(input, replica) {
        return false;
    }
    let held = held_by(rollout, input).is_some();
    // What was declared anew is started on the candidate also after it was well on that of a goal before: no older state
    // knows it.
    !held && (rollout.adds.contains(replica) || may_be_mended(replica, input))
}

/// Whether it could not be brought up on the stable state, and the candidate is another one.
fn may_be_mended(replica: &ReplicaId, input: &PlanInput) -> bool {
    let (history, stable) = (&input.history, input.target.state_hash);
    let candidate = history.rollout.as_ref().map(|rollout| rollout.state_hash);
    let differs = candidate.is_some_and(|candidate| candidate != stable);
    differs && (history.fails_to_start(replica, stable) || is_given_up_elsewhere(replica, input))
}

/// Whether it is quarantined for what it did on another state than the candidate.
pub fn is_given_up_elsewhere(replica: &ReplicaId, input: &PlanInput) -> bool {
    let candidate = input.history.rollout.as_ref().map(|rollout| rollout.state_hash);
    let quarantine = input.history.quarantined.get(replica);
    quarantine.and_then(|quarantine| quarantine.on).zip(candidate).is_some_and(|(on, next)| on != next)
}
