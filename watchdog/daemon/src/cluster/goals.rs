//! Goals: runs the errands that goals ask of the leader: to append what a goal changes, or what takes it back.
//!
//! ```text
//! errand(history) ──► Undo:  head, stable, base ──► undo ──► append ──► Undone
//!                └──► Begin: head, restored ──► compose ──► append ──► GoalBegun
//! ```
//!
//! *On a crash* between an append and the entry that tells of it the next leader finds the changes in the log, by the
//! goal's id or because nothing is left to undo, and only writes the entry.

use std::collections::BTreeSet;

use uuid::Uuid;
use watchdog_core::change::Change;
use watchdog_core::goal::compose::compose;
use watchdog_core::goal::errand::{Errand, errand};
use watchdog_core::goal::undo::undo;
use watchdog_core::goal::{Goal, GoalStatus, Pace, Restore};
use watchdog_core::ids::{GoalId, Version};
use watchdog_core::policy::POLICY_KEY;
use watchdog_core::record::Body;
use watchdog_core::rollout::{PendingGoal, Undoing};
use watchdog_core::state::{Key, State};
use watchdog_ports::journal_error::{JournalError, Remedy};
use watchdog_ports::metadata_log::Append;

use crate::cluster::books::Batches as _;
use crate::cluster::draft::superseded;
use crate::cluster::lead::{Lead, Stop};

/// More errands at once than these are left to the next check.
const ERRANDS_MAX: usize = 8;

impl Lead {
    /// Runs what errands there are; false when the journal did not answer, so that nothing else may be written.
    pub(crate) async fn run_errands(&mut self) -> Result<bool, Stop> {
        for _ in 0..ERRANDS_MAX {
            let Some(errand) = errand(&self.world.lock().history) else { return Ok(true) };
            let begun = match &errand {
                Errand::Undo(_) => None,
                Errand::Begin { goal, .. } => Some(goal.goal.clone()),
            };
            let done = match errand {
                Errand::Undo(undoing) => self.undo(&undoing).await,
                Errand::Begin { goal, over } => self.begin_goal(goal, over).await,
            };
            if let Err(error) = done {
                return self.errand_failed(error, begun).await;
            }
        }
        Ok(true)
    }

    /// A journal that may answer later is asked again. Anything else would stay as it is, and may not stop healing.
    async fn errand_failed(&mut self, error: JournalError, begun: Option<GoalId>) -> Result<bool, Stop> {
        if matches!(error.remedy(), Remedy::Retry | Remedy::StepDown) {
            return self.journal_failed(error).map(|()| false);
        }
        let why = format!("it can't be carried out: {error}");
        let body = match begun {
            Some(goal) => Body::GoalEnded { goal, status: GoalStatus::Withdrawn, why },
            None => Body::Escalated { subject: None, message: format!("what is to be undone: {why}") },
        };
        // Told once, and tried again at each check all the same.
        if self.errand_fault.as_deref() == Some(error.to_string().as_str()) {
            return Ok(true);
        }
        tracing::error!(%error, "a goal's errand failed");
        self.errand_fault = Some(error.to_string());
        Ok(self.record(vec![body]).await?.is_some())
    }

    /// Returns the head to the stable state.
    async fn undo(&mut self, undoing: &Undoing) -> Result<(), JournalError> {
        let (cluster, head, state, stable) = {
            let world = self.world.lock();
            (world.cluster.clone(), world.log.head.version, world.log.state.clone(), world.history.stable)
        };
        let journal = self.books.journal().clone();
        // Without anything stable there is nothing to return to: a founding that is taken back is for a human.
        let changes = match stable {
            None => Vec::new(),
            Some(stable) => {
                let stable = journal.state(&cluster, stable).await?;
                let base = journal.state(&cluster, undoing.base).await?;
                let touched = self.touched_since(undoing.base).await?;
                undo(&state, &stable, &base, &touched)
            }
        };
        let count = changes.len() as u64;
        if count > 0 {
            let author = self.id.to_string();
            self.append((changes, author), undoing.goal.clone(), head).await?;
        }
        let to = self.world.lock().log.head.version;
        self.note(vec![Body::Undone { goal: undoing.goal.clone(), to, changes: count }]).await
    }

    /// The keys that goals have changed after `base`.
    async fn touched_since(&self, base: Version) -> Result<BTreeSet<Key>, JournalError> {
        let cluster = self.world.lock().cluster.clone();
        let mut touched = BTreeSet::new();
        let mut from = base.next();
        loop {
            let entries = self.books.journal().log_from(&cluster, from).await?;
            let Some(last) = entries.last() else { return Ok(touched) };
            from = last.version.next();
            touched.extend(entries.into_iter().filter(|it| it.goal.is_some()).map(|it| it.change.key));
        }
    }

    /// Composes a goal's changes, appends them, and begins its rollout.
    async fn begin_goal(&mut self, pending: PendingGoal, over: Option<GoalId>) -> Result<(), JournalError> {
        let PendingGoal { goal, spec, by, .. } = pending;
        let appended = self.world.lock().log.span_of(&goal);
        let base = match appended {
            // By a leader that died before it could tell.
            Some((first, _)) => Version(first.0 - 1),
            None => self.world.lock().log.head.version,
        };
        let policy_before = self.world.lock().log.policy.clone();
        if appended.is_none() {
            let changes = self.compose(&spec).await?;
            if changes.is_empty() && !spec.restart {
                // What another goal brings is not proven yet, and goes on under that one's name.
                let (status, why) = match over {
                    None => (GoalStatus::Achieved, "all that it asks for holds already".to_owned()),
                    Some(over) => (
                        GoalStatus::Withdrawn,
                        format!("all that it asks for is what goal {over} brings already"),
                    ),
                };
                return self.note(vec![Body::GoalEnded { goal, status, why }]).await;
            }
            if !changes.is_empty() {
                self.append((changes, by), Some(goal.clone()), base).await?;
            }
        }
        let begun = {
            let world = self.world.lock();
            let to = world.log.span_of(&goal).map_or(world.log.head.version, |(_, last)| last);
            let touches_policy = spec.set.keys().chain(&spec.remove).any(|key| key.as_str() == POLICY_KEY);
            Body::GoalBegun {
                goal: goal.clone(),
                base,
                to,
                state_hash: world.log.hash_at(to).unwrap_or(world.log.target.empty_hash),
                pace: Pace::resolve(&spec.rollout, &policy_before),
                restart: spec.restart,
                guard: touches_policy.then(|| Box::new(policy_before)),
            }
        };
        let mut bodies = Vec::new();
        if let Some(over) = over {
            let why = format!("goal {goal} took over");
            bodies.extend(superseded(&self.world.lock().history, &why));
            bodies.push(Body::GoalEnded { goal: over, status: GoalStatus::Superseded, why });
        }
        bodies.push(begun);
        self.note(bodies).await
    }

    async fn compose(&self, spec: &Goal) -> Result<Vec<Change>, JournalError> {
        let (cluster, head, stable) = {
            let world = self.world.lock();
            (world.cluster.clone(), world.log.state.clone(), world.history.stable)
        };
        let restored = match spec.restore {
            None => None,
            Some(Restore::Version(version)) => Some(version),
            Some(Restore::Named(_)) => stable,
        };
        let restored: Option<State> = match restored {
            None => None,
            Some(version) => Some(self.books.journal().state(&cluster, version).await?),
        };
        Ok(compose(spec, &head, restored.as_ref()))
    }

    /// Appends changes to the metadata log and reads them back.
    pub(crate) async fn append(
        &mut self,
        (changes, author): (Vec<Change>, String),
        goal: Option<GoalId>,
        expected: Version,
    ) -> Result<(), JournalError> {
        // By itself, because a guard within an expression lives as long as all of it.
        let cluster = self.world.lock().cluster.clone();
        let append = Append {
            cluster,
            epoch: self.term.epoch(),
            request: Uuid::now_v7(),
            expected,
            at: self.books.now(),
            author,
            goal,
            changes,
        };
        self.books.journal().append(append).await?;
        // What is not there any more is noticed by the next check, which holds then.
        self.books.catch_up().await.map(drop)
    }

    /// Writes entries of the leader's own.
    async fn note(&mut self, bodies: Vec<Body>) -> Result<(), JournalError> {
        self.books.write(self.term.epoch(), self.id.as_str(), bodies).await.map(drop)
    }
}
