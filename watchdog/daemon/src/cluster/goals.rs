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
use watchdog_core::change::{Change, Head};
use watchdog_core::goal::compose::compose;
use watchdog_core::goal::errand::{Errand, errand};
use watchdog_core::goal::obsolete::superseded;
use watchdog_core::goal::redeclared::{Declarations, Redeclared, declarations, redeclared};
use watchdog_core::goal::undo::{touch, undo};
use watchdog_core::goal::{Goal, GoalStatus, Pace, Restore};
use watchdog_core::ids::{ClusterId, GoalId, Version};
use watchdog_core::policy::{POLICY_KEY, Policy, loosened};
use watchdog_core::record::Body;
use watchdog_core::refusal::{Reason, Refusal};
use watchdog_core::rollout::{PendingGoal, Undoing};
use watchdog_core::state::{Key, State};
use watchdog_ports::journal_error::{JournalError, Remedy};
use watchdog_ports::metadata_log::Append;

use crate::cluster::books::Batches as _;
use crate::cluster::lead::{Lead, Stop};
use crate::cluster::operator::{MAY_LOOSEN, told};

/// More errands at once than these are left to the next check.
const ERRANDS_MAX: usize = 8;

impl Lead {
    /// Runs what errands there are; false when the journal must be asked again before anything else is written.
    pub(crate) async fn run_errands(&mut self) -> Result<bool, Stop> {
        for _ in 0..ERRANDS_MAX {
            let Some(errand) = errand(&self.world.lock().history) else { break };
            let done = match &errand {
                Errand::Undo(undoing) => self.undo(undoing).await,
                Errand::Begin { goal, over } => self.begin_goal(goal, over.as_ref()).await,
            };
            if let Err(error) = done {
                return self.errand_failed(error, errand).await;
            }
        }
        self.world.lock().errand_fault = None;
        Ok(true)
    }

    /// What may pass is asked again. A goal of which nothing stands in the log yet ends. What else can't be done is told
    /// once and tried again at each check, and does not stop healing.
    async fn errand_failed(&mut self, error: JournalError, errand: Errand) -> Result<bool, Stop> {
        if matches!(error, JournalError::HeadMoved { .. }) {
            tracing::info!(%error, "somebody else has written; looking again");
            return Ok(false);
        }
        if matches!(error.remedy(), Remedy::Retry | Remedy::StepDown) {
            return self.journal_failed(error).map(|()| false);
        }
        tracing::error!(%error, "a goal's errand failed");
        let (goal, begins) = match errand {
            Errand::Undo(undoing) => (undoing.goal, false),
            Errand::Begin { goal, .. } => (Some(goal.goal), true),
        };
        let stands = goal.as_ref().is_some_and(|goal| self.world.lock().log.span_of(goal).is_some());
        let body = match goal {
            Some(goal) if begins && !stands => {
                let why = format!("it can't be carried out: {error}");
                Body::GoalEnded { goal, status: GoalStatus::Withdrawn, why }
            }
            goal => {
                let reason = Reason::ErrandFailed { goal, why: error.to_string() };
                let fault = Refusal { subject: None, reason };
                let message = fault.to_string();
                let before = self.world.lock().errand_fault.replace(fault.clone());
                if before == Some(fault) {
                    return Ok(true);
                }
                Body::Escalated { subject: None, message }
            }
        };
        Ok(self.record(vec![body]).await?.is_some())
    }

    /// What returns the head to the stable state, over all that goals did after `base`.
    async fn undoing(&self, base: Version) -> Result<Vec<Change>, JournalError> {
        let (cluster, state, stable) = {
            let world = self.world.lock();
            (world.cluster.clone(), world.log.state.clone(), world.history.stable)
        };
        // Without anything stable there is nothing to return to: a founding that is taken back is for a human.
        let Some(stable) = stable else { return Ok(Vec::new()) };
        let journal = self.books.journal().clone();
        let stable = journal.state(&cluster, stable).await?;
        let touched = self.touched_since(base).await?;
        Ok(undo(&state, &stable, &journal.state(&cluster, base).await?, &touched))
    }

    /// What taking back the goal that rolls would change.
    pub(super) async fn undo_of_rolling(&self) -> Result<Vec<Change>, JournalError> {
        let base = self.world.lock().history.rollout.as_ref().map(|rollout| rollout.base);
        match base {
            None => Ok(Vec::new()),
            Some(base) => self.undoing(base).await,
        }
    }

    /// Returns the head to the stable state.
    async fn undo(&mut self, undoing: &Undoing) -> Result<(), JournalError> {
        let changes = self.undoing(undoing.base).await?;
        let (cluster, head) = {
            let world = self.world.lock();
            (world.cluster.clone(), world.log.head.version)
        };
        let count = changes.len() as u64;
        if count > 0 {
            let request = request(&cluster, "undo", undoing.goal.as_ref(), head);
            let (author, goal) = (self.id.to_string(), undoing.goal.clone());
            self.append(request, Draft { expected: head, author, goal, changes }).await?;
            watchdog_crash_points::crash_point!("daemon.undo.appended");
        }
        let to = self.world.lock().log.head.version;
        self.note(vec![Body::Undone { goal: undoing.goal.clone(), to, changes: count }]).await
    }

    /// The keys that goals have changed after `base` and nobody else has since: what an operator decided stands.
    async fn touched_since(&self, base: Version) -> Result<BTreeSet<Key>, JournalError> {
        let cluster = self.world.lock().cluster.clone();
        let mut touched = BTreeSet::new();
        let mut from = base.next();
        loop {
            let entries = self.books.journal().log_from(&cluster, from).await?;
            let Some(last) = entries.last() else { return Ok(touched) };
            from = last.version.next();
            for entry in &entries {
                touch(&mut touched, entry);
            }
        }
    }

    /// Composes a goal's changes, appends them, and begins its rollout.
    async fn begin_goal(&mut self, pending: &PendingGoal, over: Option<&GoalId>) -> Result<(), JournalError> {
        let PendingGoal { goal, spec, by, .. } = pending;
        let appended = self.world.lock().log.span_of(goal);
        let before = if let Some((first, _)) = appended {
            // By a leader that died before it could tell.
            self.before(first).await?
        } else {
            let world = self.world.lock();
            let (base, policy) = (world.log.head.version, world.log.policy.clone());
            Before { base, policy, declared: declarations(&world.log.state) }
        };
        if appended.is_none() {
            let changes = self.compose(spec).await?;
            let loosened = if pending.may_loosen { Vec::new() } else { loosened(&changes) };
            if !loosened.is_empty() {
                // It did not when it was declared.
                let what = told(&loosened);
                let why =
                    format!("it would loosen by now what {by} may not, which takes {MAY_LOOSEN}: {what}");
                let (goal, status) = (goal.clone(), GoalStatus::Withdrawn);
                return self.note(vec![Body::GoalEnded { goal, status, why }]).await;
            }
            if changes.is_empty() && !spec.restart {
                // What another goal brings is not proven yet, and goes on under that one's name.
                let (status, why) = match over {
                    None => (GoalStatus::Achieved, "all that it asks for holds already".to_owned()),
                    Some(over) => (
                        GoalStatus::Withdrawn,
                        format!("all that it asks for is what goal {over} brings already"),
                    ),
                };
                return self.note(vec![Body::GoalEnded { goal: goal.clone(), status, why }]).await;
            }
            if !changes.is_empty() {
                let request = request(&self.world.lock().cluster, "begin", Some(goal), before.base);
                let draft =
                    Draft { expected: before.base, author: by.clone(), goal: Some(goal.clone()), changes };
                self.append(request, draft).await?;
                watchdog_crash_points::crash_point!("daemon.goal.appended");
            }
        }
        let bodies = self.beginning(pending, over, before);
        self.note(bodies).await
    }

    /// The entries that begin a rollout, and end the one before it.
    fn beginning(
        &self,
        PendingGoal { goal, spec, .. }: &PendingGoal,
        over: Option<&GoalId>,
        Before { base, policy, declared }: Before,
    ) -> Vec<Body> {
        let world = self.world.lock();
        let to = world.log.span_of(goal).map_or(world.log.head.version, |(_, last)| last);
        let touches_policy = spec.set.keys().chain(&spec.remove).any(|key| key.as_str() == POLICY_KEY);
        let Redeclared { adds, edits } = redeclared(&declared, &declarations(&world.log.state));
        let begun = Body::GoalBegun {
            goal: goal.clone(),
            base,
            to,
            state_hash: world.log.hash_at(to).unwrap_or(world.log.target.empty_hash),
            pace: Pace::resolve(&spec.rollout, &policy),
            restart: spec.restart,
            guard: touches_policy.then(|| Box::new(policy)),
            adds,
            edits,
        };
        let why = format!("goal {goal} took over");
        let mut bodies = superseded(&world.history, None, &why);
        bodies.extend(over.map(|over| Body::GoalEnded {
            goal: over.clone(),
            status: GoalStatus::Superseded,
            why,
        }));
        bodies.push(begun);
        bodies
    }

    /// What stood in the log before `first`.
    async fn before(&self, first: Version) -> Result<Before, JournalError> {
        let base = Version(first.0.saturating_sub(1));
        let cluster = self.world.lock().cluster.clone();
        let state = self.books.journal().state(&cluster, base).await?;
        let world = self.world.lock();
        let policy = Policy::in_force(&state, world.history.guard(), world.log.replicas.len());
        Ok(Before { base, policy, declared: declarations(&state) })
    }

    pub(super) async fn compose(&self, spec: &Goal) -> Result<Vec<Change>, JournalError> {
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

    /// Appends to the metadata log and reads it back.
    pub(crate) async fn append(&mut self, request: Uuid, draft: Draft) -> Result<Head, JournalError> {
        let Draft { expected, author, goal, changes } = draft;
        // By itself, because a guard within an expression lives as long as all of it.
        let cluster = self.world.lock().cluster.clone();
        let (epoch, at) = (self.term.epoch(), self.books.now());
        let append = Append { cluster, epoch, request, expected, at, author, goal, changes };
        let head = self.books.journal().append(append).await?;
        match self.books.catch_up().await? {
            None => Ok(head),
            Some(behind) => {
                let source = behind.to_string().into();
                self.world.lock().hold(behind);
                Err(JournalError::Unavailable { operation: "read back what was appended", source })
            }
        }
    }

    /// Writes entries of the leader's own.
    async fn note(&mut self, bodies: Vec<Body>) -> Result<(), JournalError> {
        self.books.write(self.term.epoch(), self.id.as_str(), bodies).await.map(drop)
    }
}

/// What stood in the log before a goal's changes.
struct Before {
    base: Version,
    /// The bounds that were in force.
    policy: Policy,
    /// The replicas that were declared.
    declared: Declarations,
}

/// What to append, for whom.
pub(crate) struct Draft {
    pub(crate) expected: Version,
    pub(crate) author: String,
    pub(crate) goal: Option<GoalId>,
    pub(crate) changes: Vec<Change>,
}

/// The id of an append, the same whoever leads: one of unknown fate is recognised when it is asked for again.
fn request(cluster: &ClusterId, errand: &str, goal: Option<&GoalId>, on: Version) -> Uuid {
    let goal = goal.map_or("", GoalId::as_str);
    Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("watchdog:{cluster}/{goal}/{errand}/{on}").as_bytes())
}
