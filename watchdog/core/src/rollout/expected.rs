//! Expected: what one replica should hold now, while others may rightly hold something else.

use crate::history::History;
use crate::ids::ReplicaId;
use crate::input::Target;

/// What `replica` should hold: the candidate if it was moved there and is not on trial, else what is stable.
pub fn expected(replica: &ReplicaId, base: &Target, history: &History) -> Target {
    match &history.rollout {
        Some(rollout) if rollout.expects(replica) => rollout.aim(base),
        _ => *base,
    }
}
