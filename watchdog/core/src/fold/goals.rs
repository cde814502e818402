//! Goals: what the record says of goals, their rollouts and what versions were proven to be.

use crate::finding::{Conviction, FaultKind, Subject};
use crate::goal::GoalStatus;
use crate::history::History;
use crate::ids::{GoalId, ReplicaId, Time, Version};
use crate::plan::{Act, Heal, Plan, PlanStatus};
use crate::policy::Remedy;
use crate::record::{Body, Entry, Mark};
use crate::rollout::{Move, PendingGoal, Rollout, Trial, Undoing};
use crate::state::Hash;

impl History {
    pub(super) fn declare_goal(&mut self, entry: &Entry) {
        let Body::GoalDeclared { goal, spec, supersede, .. } = &entry.body else { return };
        self.pending.push_back(PendingGoal {
            goal: goal.clone(),
            spec: spec.clone(),
            by: entry.by.clone(),
            at: entry.at,
            supersede: *supersede,
        });
    }

    /// A goal that begins while another rolls takes over from it: what that one did stays in the log and on replicas.
    pub(super) fn begin_goal(&mut self, entry: &Entry) {
        let Body::GoalBegun { goal, base, to, state_hash, pace, restart, guard } = &entry.body else {
            return;
        };
        self.pending.retain(|pending| pending.goal != *goal);
        self.reconsider(None);
        let before = self.rollout.take();
        let mut earlier = before.as_ref().map(|before| before.earlier.clone()).unwrap_or_default();
        if let Some(before) = &before {
            earlier.insert(before.state_hash);
            self.forget_mark(before.to);
            self.forgive(before, entry.at);
        }
        earlier.remove(state_hash);
        self.abandoned.remove(state_hash);
        self.marks.entry(*to).or_insert(Mark::Candidate);
        self.marked_hashes.entry(*to).or_insert(*state_hash);
        self.rollout = Some(Rollout {
            goal: goal.clone(),
            base: before.as_ref().map_or(*base, |before| before.base),
            to: *to,
            state_hash: *state_hash,
            pace: pace.clone(),
            restart: *restart,
            started_at: entry.at,
            guard: guard.clone().or_else(|| before.and_then(|before| before.guard)),
            earlier,
            moved: Default::default(),
            trials: Default::default(),
            failures: Vec::new(),
        });
        self.aimed_at = entry.sequence;
    }

    pub(super) fn end_goal(&mut self, entry: &Entry) {
        let Body::GoalEnded { goal, status, why } = &entry.body else { return };
        self.pending.retain(|pending| pending.goal != *goal);
        if *status == GoalStatus::Superseded
            || self.rollout.as_ref().is_none_or(|rollout| rollout.goal != *goal)
        {
            return;
        }
        let Some(rollout) = self.rollout.take() else { return };
        self.reconsider(None);
        self.aimed_at = entry.sequence;
        if *status == GoalStatus::Achieved {
            return;
        }
        self.forget_mark(rollout.to);
        self.forgive(&rollout, entry.at);
        self.undoing = Some(Undoing { goal: Some(goal.clone()), base: rollout.base, why: why.clone() });
        let stable = self.stable.and_then(|stable| self.marked_hashes.get(&stable).copied());
        let left = rollout.earlier.iter().chain([&rollout.state_hash]).copied();
        self.abandoned.extend(left.filter(|hash| Some(*hash) != stable));
    }

    pub(super) fn undone(&mut self, goal: Option<&GoalId>, entry: &Entry) {
        if self.undoing.as_ref().is_some_and(|undoing| undoing.goal.as_ref() == goal) {
            self.undoing = None;
            self.aimed_at = entry.sequence;
        }
    }

    /// A stable version that is doubted gives way to the newest one that still stands and is another state.
    pub(super) fn mark(&mut self, (version, mark): (Version, Mark), hash: Option<Hash>, entry: &Entry) {
        let before = if self.stable == Some(version) { self.stable_before() } else { None };
        self.marks.insert(version, mark);
        if let Some(hash) = hash {
            self.marked_hashes.insert(version, hash);
        }
        self.aimed_at = entry.sequence;
        match mark {
            Mark::Stable => {
                self.stable = Some(version);
                self.stable_at = entry.at;
                if let Some(hash) = hash {
                    self.abandoned.remove(&hash);
                }
            }
            Mark::Candidate | Mark::Rejected if self.stable == Some(version) => {
                self.doubt(version, before.map(|(version, _)| version), entry);
            }
            Mark::Candidate | Mark::Rejected => {}
        }
    }

    /// What was stable is not any more; whoever was given up on it gets a fresh start on what was stable before.
    fn doubt(&mut self, version: Version, before: Option<Version>, entry: &Entry) {
        let standing = self.marks.iter().rev().find(|(_, mark)| **mark == Mark::Stable);
        self.stable = before.or(standing.map(|(version, _)| *version));
        self.stable_at = entry.at;
        self.abandoned.extend(self.marked_hashes.get(&version));
        if self.stable.is_some() {
            let why = format!("version {version} was stable, and is doubted");
            self.undoing = Some(Undoing { goal: None, base: version, why });
        }
    }

    /// What the recording of a plan that runs means for the rollout: its intent counts, not its outcome.
    pub(super) fn roll(&mut self, plan: &Plan, entry: &Entry) {
        let Some(rollout) = &mut self.rollout else { return };
        for heal in plan.heals.iter().filter(|heal| heal.remedy.is_of_rollout()) {
            self.aimed_at = entry.sequence;
            let replica = heal.replica.clone();
            if heal.remedy == Remedy::Roll {
                rollout.moved.insert(replica.clone(), Move { plan: plan.id.clone(), at: entry.at });
                if rollout.trials.remove(&replica).is_some() {
                    rollout.failures.push(replica.clone());
                }
                // A version gets its own tries.
                self.forgiven.insert(replica, entry.at);
            } else {
                let (plan, at, host) = (plan.id.clone(), entry.at, host_of(plan, heal));
                rollout.trials.insert(replica, Trial { plan, host, at, well_at: None, failed: None });
            }
        }
    }

    /// How a trial's plan ended. One that a newer leader superseded says nothing, and is ordered again.
    pub(super) fn conclude_trial(&mut self, (plan, status): (&Plan, PlanStatus), why: &str, at: Time) {
        let Some(rollout) = &mut self.rollout else { return };
        for trial in rollout.trials.values_mut().filter(|trial| trial.plan == plan.id) {
            match status {
                PlanStatus::Done => trial.well_at = Some(at),
                PlanStatus::Failed => trial.failed = Some(why.to_owned()),
                PlanStatus::AwaitingApproval
                | PlanStatus::Running
                | PlanStatus::Superseded
                | PlanStatus::Cancelled => {}
            }
        }
    }

    /// Who falls ill again during its trial puts the blame on its host.
    pub(super) fn doubt_trial(&mut self, conviction: &Conviction) {
        let (Some(rollout), Subject::Replica(replica)) = (&mut self.rollout, &conviction.finding.subject)
        else {
            return;
        };
        // How often it died before is the candidate's doing.
        if conviction.finding.kind == FaultKind::Flapping {
            return;
        }
        if let Some(trial) = rollout.trials.get_mut(replica).filter(|trial| trial.well_at.is_some()) {
            let why = || format!("{}: {}", conviction.finding.kind, conviction.finding.detail);
            trial.failed.get_or_insert_with(why);
        }
    }

    /// An operator has looked after the replica or host that a failed trial blames: it is moved again.
    pub(super) fn release_trial(&mut self, target: &str, entry: &Entry) {
        let Some(rollout) = &mut self.rollout else { return };
        let blamed = |replica: &ReplicaId, trial: &Trial| {
            let named =
                replica.as_str() == target || trial.host.as_ref().is_some_and(|host| host.as_str() == target);
            trial.failed.is_some() && named
        };
        let released: Vec<ReplicaId> = rollout
            .trials
            .iter()
            .filter(|(replica, trial)| blamed(replica, trial))
            .map(|it| it.0.clone())
            .collect();
        for replica in released {
            rollout.trials.remove(&replica);
            rollout.moved.remove(&replica);
            self.forgiven.insert(replica, entry.at);
            self.aimed_at = entry.sequence;
        }
    }

    /// What replicas tried on a version that is gone does not count against them.
    fn forgive(&mut self, rollout: &Rollout, at: Time) {
        for replica in rollout.moved.keys() {
            self.forgiven.insert(replica.clone(), at);
        }
    }

    /// A candidate that is not on trial any more; a version that was proven one way or the other stays marked.
    fn forget_mark(&mut self, version: Version) {
        if self.marks.get(&version) == Some(&Mark::Candidate) {
            self.marks.remove(&version);
            self.marked_hashes.remove(&version);
        }
    }
}

/// Where a plan leaves the replica of one of its heals.
fn host_of(plan: &Plan, heal: &Heal) -> Option<crate::ids::HostId> {
    let steps = plan.steps.iter().filter(|step| step.replica.as_ref() == Some(&heal.replica));
    steps.rev().find_map(|step| match &step.act {
        Act::Start { host, .. } => Some(host.clone()),
        _ => None,
    })
}
