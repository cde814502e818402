//! Starts: which states a replica was started on and seen well, and on which it was not.
//!
//! A load that reports success proves nothing about the next start, so only a start that was begun and looked at counts.

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

    /// Draws from the end of a look what it says of the start before it.
    ///
    /// `open` is the plan as it stands with that end.
    pub(super) fn learn_of_start(&mut self, open: &OpenPlan, id: &StepId) {
        let Some(step) = open.plan.steps.iter().find(|step| step.id == *id) else { return };
        let (Some(replica), Some(outcome)) = (&step.replica, outcome_of(open, id)) else { return };
        let (hash, well) = match (&step.act, outcome) {
            (Act::Probe { incarnation, state_hash, .. }, Outcome::Done | Outcome::Failed) => {
                let started = open.plan.steps.iter().any(|before| {
                    let starts =
                        matches!(before.act, Act::Start { incarnation: it, .. } if it == *incarnation);
                    starts && outcome_of(open, &before.id) == Some(Outcome::Done)
                });
                if !started {
                    return;
                }
                (*state_hash, outcome == Outcome::Done)
            }
            (Act::Start { incarnation, .. }, Outcome::Failed) if is_its_own(open, id) => {
                let aim = open.plan.steps.iter().find_map(|later| match later.act {
                    Act::Probe { incarnation: it, state_hash, .. } if it == *incarnation => Some(state_hash),
                    _ => None,
                });
                let Some(aim) = aim else { return };
                (aim, false)
            }
            _ => return,
        };
        self.file_start(replica, hash, well);
    }

    fn file_start(&mut self, replica: &ReplicaId, hash: Hash, well: bool) {
        let starts = self.starts.entry(hash).or_default();
        if well {
            starts.proven = true;
            starts.failed.remove(replica);
        } else {
            starts.failed.insert(replica.clone());
        }
        // Of a state that nothing refers to any more nobody asks whether it can be started from.
        let rolling = self.rollout.as_ref().map(|rollout| rollout.state_hash);
        let marked: Vec<Hash> = self.marked_hashes.values().copied().chain(rolling).chain([hash]).collect();
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

fn outcome_of(open: &OpenPlan, step: &StepId) -> Option<Outcome> {
    open.progress.steps.get(step).and_then(|progress| progress.outcome)
}

/// Whether what went wrong with a step that was begun is the replica's or the version's.
fn is_its_own(open: &OpenPlan, step: &StepId) -> bool {
    let blame = open.progress.steps.get(step).and_then(|progress| progress.blame);
    crate::blame::Blame::of(Outcome::Failed, blame).is_some_and(crate::blame::Blame::is_try)
}
