//! Fold: the record, entry by entry, into history.
//!
//! *Guarantees.* Folding all at once and folding bit by bit come to the same. An entry that was folded
//! in already changes nothing. Nothing here asks for the time: it is that of the entries.

mod goals;
mod lives;
mod plans;
mod starts;

use crate::finding::Subject;
use crate::history::{History, Pause, Quarantine};
use crate::ids::{ReplicaId, Time};
use crate::policy::Remedy;
use crate::record::{Body, Entry};

impl History {
    /// The history of these entries, oldest first.
    pub fn replay<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut history = Self::default();
        for entry in entries {
            history.apply(entry);
        }
        history
    }

    /// Folds in the next entry.
    pub fn apply(&mut self, entry: &Entry) {
        if entry.sequence <= self.through {
            return;
        }
        self.through = entry.sequence;
        self.unproven.apply(entry);
        self.last_at = self.last_at.max(entry.at);
        self.witness.hear(entry);
        match &entry.body {
            Body::TermOpened { .. } => self.open_term(entry),
            Body::Convicted { conviction } => {
                let key = Self::conviction_key(&conviction.finding.subject, conviction.finding.kind);
                self.convictions.insert(key, conviction.clone());
                self.doubt_trial(conviction);
            }
            Body::Cleared { subject, fault } => {
                self.convictions.remove(&Self::conviction_key(subject, *fault));
                if let Subject::Replica(replica) = subject {
                    self.reconsider(Some(replica.as_str()));
                }
            }
            Body::PlanRecorded { plan, status } => self.record_plan(plan, *status, entry),
            Body::PlanStatus { plan, status, why } => self.move_plan(plan, (*status, why), entry),
            Body::Intended { .. } => self.intend(entry),
            Body::Closed { .. } => self.close_step(entry),
            Body::Died { obituary } => self.bury(obituary, entry.at),
            Body::HostSeen { .. } => self.see_host(entry),
            Body::Sealed { agent } => {
                if entry.epoch == self.epoch {
                    self.sealed.insert(agent.clone());
                }
            }
            Body::Marked { version, mark, state_hash, .. } => {
                self.mark((*version, *mark), *state_hash, entry);
            }
            Body::GoalDeclared { .. } => self.declare_goal(entry),
            Body::GoalBegun { .. } => self.begin_goal(entry),
            Body::GoalEnded { .. } => self.end_goal(entry),
            Body::Undone { goal, .. } => self.undone(goal.as_ref(), entry),
            Body::Quarantined { replica, why } => self.quarantine(replica, why),
            Body::Paused { reason, until } => self.pause = Some(pause(entry, reason, *until)),
            Body::Resumed => self.pause = None,
            Body::Held { target, reason, until } => {
                self.holds.insert(target.clone(), pause(entry, reason, *until));
            }
            Body::Released { target } => self.release(target, entry),
            Body::StormReleased { .. } => self.storm_released_at = Some(entry.at),
            // Told to people; no decision depends on them.
            Body::Asked { .. }
            | Body::Resigned { .. }
            | Body::SnapshotFiled { .. }
            | Body::Refused { .. }
            | Body::Escalated { .. }
            | Body::Appended { .. } => {}
        }
    }

    /// Open intents stay: the new leader seals their agents, and their own entries say what became of them.
    fn open_term(&mut self, entry: &Entry) {
        self.epoch = self.epoch.max(entry.epoch);
        self.plans_in_term = 0;
        self.sealed.clear();
    }

    /// Ends a hold, a quarantine, or the blame of a failed trial; after the latter two a human has looked, so that what was
    /// tried before is forgiven.
    fn release(&mut self, target: &str, entry: &Entry) {
        self.holds.remove(target);
        let mut looked_after = self.release_trial(target, entry);
        self.reconsider(Some(target));
        // Whether the stable version is to blame is asked anew when somebody has looked after one that was given up.
        self.declined.remove(&Self::declined_key(None, Remedy::FallBack));
        if let Ok(replica) = ReplicaId::new(target)
            && self.quarantined.remove(&replica).is_some()
        {
            self.heals.remove(&replica);
            self.unsettled.remove(&replica);
            self.forget_failed_starts(&replica);
            looked_after.push(replica);
        }
        for replica in looked_after {
            self.witness.release(&replica);
            self.released.insert(replica.clone(), entry.at);
            self.forgiven.insert(replica, entry.at);
        }
    }

    fn quarantine(&mut self, replica: &ReplicaId, why: &str) {
        let rollout = self.rollout.as_ref().filter(|rollout| rollout.expects(replica));
        let stable = self.stable.and_then(|stable| self.marked_hashes.get(&stable).copied());
        let on = rollout.map(|rollout| rollout.state_hash).or(stable);
        self.quarantined.insert(replica.clone(), Quarantine { why: why.to_owned(), on });
    }

    /// Gives a replica that is declared in another way a fresh start: what it did as it was declared before says nothing.
    pub(crate) fn absolve(&mut self, replica: &ReplicaId, at: Time) {
        self.quarantined.remove(replica);
        self.forget_failed_starts(replica);
        self.forgiven.insert(replica.clone(), at);
    }
}

fn pause(entry: &Entry, reason: &str, until: Option<Time>) -> Pause {
    Pause { by: entry.by.clone(), reason: reason.to_owned(), until }
}
