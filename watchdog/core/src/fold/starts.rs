//! Starts: which states a replica was started on and seen well, and on which it was not.
//!
//! A load that reports success proves nothing about the next start, so only a start that was begun and looked at counts.

use std::collections::BTreeSet;

use crate::blame::Blame;
use crate::history::{History, OpenPlan, Starts};
use crate::ids::{ReplicaId, StepId};
use crate::plan::{Act, Outcome};
use crate::state::Hash;

impl History {
    /// Whether a replica was ever started on this state and seen well.
    pub fn is_start_proven(&self, hash: Hash) -> bool {
        self.starts.get(&hash).is_some_and(|starts| starts.proven)
    }

    /// Whether the replica was started on this state, was not well on it, and was not since.
    pub fn fails_to_start(&self, replica: &ReplicaId, hash: Hash) -> bool {
        self.starts.get(&hash).is_some_and(|starts| starts.failed.contains(replica))
    }

    /// Remembers what a start came to.
    pub(super) fn file_start(&mut self, start: Started) {
        let Started { replica, hash, well } = start;
        let starts = self.starts.entry(hash).or_default();
        if well {
            starts.proven = true;
            starts.failed.remove(&replica);
        } else {
            starts.failed.insert(replica);
        }
        // Of a state that nothing refers to any more nobody asks whether it can be started from.
        let rolling = self.rollout.as_ref().map(|rollout| rollout.state_hash);
        let marked: BTreeSet<Hash> =
            self.marked_hashes.values().copied().chain(rolling).chain([hash]).collect();
        self.starts.retain(|hash, _| marked.contains(hash));
    }

    /// What a replica failed on does not count any more: it was released, or declared anew.
    pub(super) fn forget_failed_starts(&mut self, replica: &ReplicaId) {
        for starts in self.starts.values_mut() {
            starts.failed.remove(replica);
        }
        self.starts.retain(|_, starts| *starts != Starts::default());
    }
}

/// What a start that was begun came to.
pub(super) struct Started {
    replica: ReplicaId,
    /// On which state.
    hash: Hash,
    /// Whether the replica was seen well there.
    well: bool,
}

/// What the end of the step `id` of `open`, which knows of that end, says of a start.
pub(super) fn started(open: &OpenPlan, id: &StepId) -> Option<Started> {
    let step = open.plan.steps.iter().find(|step| step.id == *id)?;
    let replica = step.replica.clone()?;
    match (&step.act, outcome_of(open, id)?) {
        (Act::Probe { incarnation, state_hash, .. }, outcome @ (Outcome::Done | Outcome::Failed)) => {
            let mut before = open.plan.steps.iter();
            let was_started = before.any(|before| {
                let starts = matches!(before.act, Act::Start { incarnation: it, .. } if it == *incarnation);
                starts && outcome_of(open, &before.id) == Some(Outcome::Done)
            });
            was_started.then(|| Started { replica, hash: *state_hash, well: outcome == Outcome::Done })
        }
        (Act::Start { incarnation, .. }, Outcome::Failed) if is_its_own(open, id) => {
            let hash = open.plan.steps.iter().find_map(|later| match later.act {
                Act::Probe { incarnation: it, state_hash, .. } if it == *incarnation => Some(state_hash),
                _ => None,
            })?;
            Some(Started { replica, hash, well: false })
        }
        _ => None,
    }
}

fn outcome_of(open: &OpenPlan, step: &StepId) -> Option<Outcome> {
    open.progress.steps.get(step).and_then(|progress| progress.outcome)
}

/// Whether what went wrong with a step that was begun is the replica's or the version's.
fn is_its_own(open: &OpenPlan, step: &StepId) -> bool {
    let blame = open.progress.steps.get(step).and_then(|progress| progress.blame);
    Blame::of(Outcome::Failed, blame).is_some_and(Blame::is_try)
}
