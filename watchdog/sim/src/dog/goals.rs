//! Goals: runs the errands that goals ask of the leader: to append what a goal changes, or what takes it back.

use std::collections::BTreeSet;

use watchdog_core::change::Change;
use watchdog_core::goal::compose::compose;
use watchdog_core::goal::errand::{Errand, errand};
use watchdog_core::goal::obsolete::superseded;
use watchdog_core::goal::redeclared::{Redeclared, declarations, redeclared};
use watchdog_core::goal::undo::{touch, undo};
use watchdog_core::goal::{Goal, GoalStatus, Pace, Restore};
use watchdog_core::ids::{GoalId, Version};
use watchdog_core::policy::{POLICY_KEY, Policy};
use watchdog_core::record::Body;
use watchdog_core::refusal::{Reason, Refusal};
use watchdog_core::rollout::{PendingGoal, Undoing};
use watchdog_core::state::Key;

use crate::journal::{Append, Fault};
use crate::mutant::Safeguard;
use crate::world::World;

/// More errands at once than these are left to the next check.
const ERRANDS_MAX: usize = 8;

impl World {
    /// Runs what errands there are.
    pub(super) fn run_errands(&mut self, dog: usize) -> Result<(), Fault> {
        for _ in 0..ERRANDS_MAX {
            let Some(errand) = self.history_of(dog).and_then(errand) else { break };
            let failed = match &errand {
                Errand::Undo(undoing) => (undoing.goal.clone(), false),
                Errand::Begin { goal, .. } => (Some(goal.goal.clone()), true),
            };
            let done = match errand {
                Errand::Undo(_) if self.lacks(Safeguard::Undo) => return Ok(()),
                Errand::Undo(undoing) => self.undo(dog, &undoing),
                Errand::Begin { goal, over } => self.begin_goal(dog, goal, over),
            };
            match done {
                // Somebody appended meanwhile; what is there is read at the next check.
                Err(Fault::HeadMoved) => {
                    self.catch_up(dog);
                    return Ok(());
                }
                Err(Fault::Refused) => return self.errand_failed(dog, failed),
                done => done?,
            }
        }
        if let Some(lead) = self.dogs[dog].lead.as_mut() {
            lead.errand_fault = None;
        }
        Ok(())
    }

    /// A goal of which nothing stands in the log yet ends. What else can't be done is told once and tried again at each
    /// check, and does not stop healing.
    fn errand_failed(&mut self, dog: usize, (goal, begins): (Option<GoalId>, bool)) -> Result<(), Fault> {
        let why = "the journal refuses it".to_owned();
        let stands = goal.as_ref().is_some_and(|goal| self.journal.span(goal).is_some());
        let body = match goal {
            Some(goal) if begins && !stands => {
                let why = format!("it can't be carried out: {why}");
                Body::GoalEnded { goal, status: GoalStatus::Withdrawn, why }
            }
            goal => {
                let fault = Refusal { subject: None, reason: Reason::ErrandFailed { goal, why } };
                let message = fault.to_string();
                let Some(lead) = self.dogs[dog].lead.as_mut() else { return Ok(()) };
                if lead.errand_fault.replace(fault.clone()) == Some(fault) {
                    return Ok(());
                }
                Body::Escalated { subject: None, message }
            }
        };
        self.note_down(dog, vec![body])
    }

    fn undo(&mut self, dog: usize, undoing: &Undoing) -> Result<(), Fault> {
        let Some(mind) = self.dogs[dog].mind.as_ref() else { return Err(Fault::Silent) };
        let head = mind.log.head.version;
        let changes = match mind.history.stable {
            None => Vec::new(),
            Some(stable) => {
                let (stable, base) = (self.journal.state(stable), self.journal.state(undoing.base));
                undo(&self.journal.state(head), &stable, &base, &self.touched_since(undoing.base))
            }
        };
        let count = changes.len() as u64;
        if count > 0 {
            let author = self.id_of(dog).to_string();
            self.append(dog, (changes, author), (undoing.goal.clone(), head))?;
        }
        let to = self.journal.head().version;
        self.note_down(dog, vec![Body::Undone { goal: undoing.goal.clone(), to, changes: count }])
    }

    /// The keys that goals have changed after `base` and nobody else has since.
    fn touched_since(&self, base: Version) -> BTreeSet<Key> {
        let mut touched = BTreeSet::new();
        let entries = self.journal.log.iter().filter(|entry| entry.version > base);
        entries.for_each(|entry| touch(&mut touched, entry));
        touched
    }

    fn begin_goal(&mut self, dog: usize, pending: PendingGoal, over: Option<GoalId>) -> Result<(), Fault> {
        let PendingGoal { goal, spec, by, .. } = pending;
        let appended = self.journal.span(&goal);
        let head = self.journal.head().version;
        let base = appended.map_or(head, |(first, _)| Version(first.0 - 1));
        let Some(mind) = self.dogs[dog].mind.as_ref() else { return Err(Fault::Silent) };
        let empty = mind.log.target.empty_hash;
        // By a leader that died before it could tell, or now.
        let policy_before = match appended {
            Some(_) => {
                let guard = mind.history.guard();
                Policy::in_force(&self.journal.state(base), guard, mind.log.replicas.len())
            }
            None => mind.log.policy.clone(),
        };
        if appended.is_none() {
            let changes = self.compose(dog, &spec);
            if changes.is_empty() && !spec.restart {
                // What another goal brings is not proven yet, and goes on under that one's name.
                let (status, why) = match over {
                    None => (GoalStatus::Achieved, "all that it asks for holds already".to_owned()),
                    Some(over) => (
                        GoalStatus::Withdrawn,
                        format!("all that it asks for is what goal {over} brings already"),
                    ),
                };
                return self.note_down(dog, vec![Body::GoalEnded { goal, status, why }]);
            }
            if !changes.is_empty() {
                self.append(dog, (changes, by), (Some(goal.clone()), base))?;
            }
        }
        let to = self.journal.span(&goal).map_or(self.journal.head().version, |(_, last)| last);
        let touches_policy = spec.set.keys().chain(&spec.remove).any(|key| key.as_str() == POLICY_KEY);
        let before = declarations(&self.journal.state(base));
        let Redeclared { adds, edits } = redeclared(&before, &declarations(&self.journal.state(to)));
        let begun = Body::GoalBegun {
            goal: goal.clone(),
            base,
            to,
            state_hash: self.journal.hash(to).unwrap_or(empty),
            pace: self.pace(&Pace::resolve(&spec.rollout, &policy_before)),
            restart: spec.restart,
            guard: touches_policy.then(|| Box::new(policy_before)),
            adds,
            edits,
        };
        let why = format!("goal {goal} took over");
        let mut bodies = self.history_of(dog).map(|it| superseded(it, None, &why)).unwrap_or_default();
        bodies.extend(over.map(|over| Body::GoalEnded { goal: over, status: GoalStatus::Superseded, why }));
        bodies.push(begun);
        self.note_down(dog, bodies)
    }

    fn compose(&self, dog: usize, spec: &Goal) -> Vec<Change> {
        let stable = self.history_of(dog).and_then(|history| history.stable);
        let restored = match spec.restore {
            None => None,
            Some(Restore::Version(version)) => Some(version),
            Some(Restore::Named(_)) => stable,
        };
        let restored = restored.map(|version| self.journal.state(version));
        compose(spec, &self.journal.state(self.journal.head().version), restored.as_deref())
    }

    /// Appends changes to the log and reads them back.
    pub(super) fn append(
        &mut self,
        dog: usize,
        (changes, author): (Vec<Change>, String),
        (goal, expected): (Option<GoalId>, Version),
    ) -> Result<(), Fault> {
        let Some(epoch) = self.dogs[dog].lead.as_ref().map(|lead| lead.epoch) else {
            return Err(Fault::Silent);
        };
        let append = Append { epoch, expected, at: self.now_of(dog), author, goal, changes };
        self.try_append(dog, &append)?;
        self.catch_up(dog);
        Ok(())
    }

    fn note_down(&mut self, dog: usize, bodies: Vec<Body>) -> Result<(), Fault> {
        let by = self.id_of(dog).to_string();
        self.write_now(dog, by, bodies)
    }
}
