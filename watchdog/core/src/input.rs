//! Input: everything that a plan is computed from, as one value that can be kept and replayed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::finding::Conviction;
use crate::history::History;
use crate::ids::{ClusterId, Epoch, Incarnation, ReplicaId, Time, Version};
use crate::observation::Observation;
use crate::plan::Plan;
use crate::policy::Policy;
use crate::refusal::Refusal;
use crate::replica::ReplicaSpec;
use crate::shared::Shared;
use crate::state::Hash;

/// What the log declares; a declaration that can't be read is an `Err` with the reason.
pub type Declarations = BTreeMap<ReplicaId, Result<ReplicaSpec, String>>;

/// What a plan is computed from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanInput {
    /// Which cluster.
    pub cluster: ClusterId,
    /// Under which leader.
    pub epoch: Epoch,
    /// Now: the later of the wall clock and the last entry of the record.
    pub now: Time,
    /// The bounds.
    pub policy: Policy,
    /// The delay before the 2nd, 3rd, … try of a rung, in milliseconds; the last one goes on for ever.
    pub delays_ms: Vec<u64>,
    /// What the replicas should hold that no rollout has moved; [`crate::rollout::expected`] says it of one.
    pub target: Target,
    /// What the log declares, at its head.
    pub replicas: Shared<Declarations>,
    /// What is seen.
    pub observation: Shared<Observation>,
    /// What is wrong for sure.
    pub convictions: Vec<Conviction>,
    /// What was done.
    pub history: Shared<History>,
    /// Unused incarnations, as many as there may be starts.
    pub fresh: Vec<Incarnation>,
    /// What else stands in the way, found by the caller (such as a journal from an old backup).
    pub obstacles: Vec<Refusal>,
}

/// What the replicas should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The head of the log.
    pub head: Version,
    /// The last stable version; `None` until the cluster is founded.
    pub stable: Option<Version>,
    /// The version that replicas should hold that no rollout has moved: the newest whose state equals the stable one's, or the head until something is stable.
    pub version: Version,
    /// The hash of the application's state at that version.
    pub state_hash: Hash,
    /// The hash of the empty application state, for replicas that hold nothing.
    pub empty_hash: Hash,
}

/// What planning came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// What to do; `None`: nothing.
    pub plan: Option<Plan>,
    /// What is not done, and why. With neither plan nor refusals the cluster is as it should be.
    pub refusals: Vec<Refusal>,
    /// When to look again because of time alone, such as the end of a back-off.
    pub again_at: Option<Time>,
}

/// So many unused incarnations, each named later than every life that is on record or seen, and than the one before it:
/// whoever minted those may have had a clock that was ahead of ours.
pub fn fresh_names(
    (history, observation): (&History, &Observation),
    count: usize,
    mut mint: impl FnMut() -> Incarnation,
) -> Vec<Incarnation> {
    let seen = observation.replicas.values().filter_map(|seen| seen.lives.keys().next_back().copied());
    let mut latest = if count > 0 { seen.chain(history.newest_name).max() } else { None };
    let mut next = || {
        let minted = mint();
        let name = latest.map_or(minted, |latest| minted.later_than(latest));
        latest = latest.max(Some(name));
        name
    };
    (0..count).map(|_| next()).collect()
}
