//! Goals: what the record says of goals, their rollouts and what versions were proven to be.

use std::collections::{BTreeMap, BTreeSet};

use crate::blame::Blame;
use crate::finding::{Conviction, FaultKind, Subject};
use crate::goal::GoalStatus;
use crate::history::{History, OpenPlan};
use crate::ids::{GoalId, ReplicaId, Time, Version};
use crate::plan::{Act, Heal, Outcome, Plan, PlanStatus};
use crate::policy::Remedy;
use crate::record::{Body, Entry, Mark};
use crate::render;
use crate::rollout::{Move, PendingGoal, Rollout, Trial, Undoing};
use crate::state::Hash;

impl History {
    pub(super) fn declare_goal(&mut self, entry: &Entry) {
        let Body::GoalDeclared { goal, spec, supersede, may_loosen, .. } = &entry.body else { return };
        self.pending.push_back(PendingGoal {
            goal: goal.clone(),
            spec: spec.clone(),
            by: entry.by.clone(),
            at: entry.at,
            supersede: *supersede,
            may_loosen: *may_loosen,
        });
    }

    /// A goal that begins while another rolls takes over from it: what that one did stays in the log and on replicas.
    pub(super) fn begin_goal(&mut self, entry: &Entry) {
        let Body::GoalBegun { goal, base, to, state_hash, pace, restart, guard, adds, edits } = &entry.body
        else {
            return;
        };
        self.pending.retain(|pending| pending.goal != *goal);
        self.reconsider(None);
        let before = self.rollout.take();
        let mut earlier = before.as_ref().map(|before| before.earlier.clone()).unwrap_or_default();
        let mut moved = BTreeMap::new();
        if let Some(before) = &before {
            earlier.insert(before.state_hash);
            // Whoever holds this very state already is where it should be.
            if before.state_hash == *state_hash {
                moved = before.moved.clone();
                moved.retain(|replica, _| before.expects(replica));
            }
            self.forget_mark(before.to);
            self.forgive(before, entry.at);
        }
        // Declared anew, or in another way, they begin anew.
        for replica in adds.iter().chain(edits) {
            self.absolve(replica, entry.at);
        }
        let mut arrived = before.as_ref().map(|before| before.arrived.clone()).unwrap_or_default();
        arrived.retain(|replica| !adds.contains(replica));
        let (mut adds, mut edits) = (adds.clone(), edits.clone());
        if let Some(before) = &before {
            adds.extend(before.adds.iter().cloned());
            edits.extend(before.edits.iter().cloned());
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
            moved,
            trials: BTreeMap::new(),
            failures: Vec::new(),
            adds,
            edits,
            arrived,
        });
        self.aimed_at = entry.sequence;
    }

    /// Notes that a replica which the goal declares anew was seen well. The next goal inherits that, so that a death of the
    /// replica is a disturbance under it, too.
    pub(super) fn arrive(&mut self, replica: ReplicaId) {
        if let Some(rollout) = self.rollout.as_mut().filter(|rollout| rollout.adds.contains(&replica)) {
            rollout.arrived.insert(replica);
        }
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
        self.undoing = Some(Undoing {
            goal: Some(goal.clone()),
            base: rollout.base,
            why: why.clone(),
            guard: rollout.guard.clone(),
            edits: rollout.edits.clone(),
        });
        let stable = self.stable.and_then(|stable| self.marked_hashes.get(&stable).copied());
        let left = rollout.earlier.iter().chain([&rollout.state_hash]).copied();
        self.abandoned.extend(left.filter(|hash| Some(*hash) != stable));
    }

    pub(super) fn undone(&mut self, goal: Option<&GoalId>, entry: &Entry) {
        if let Some(undoing) = self.undoing.take_if(|undoing| undoing.goal.as_ref() == goal) {
            for replica in &undoing.edits {
                self.absolve(replica, entry.at);
            }
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
        if let Some(hash) = self.marked_hashes.get(&version).copied() {
            self.judge_state(version, hash, mark);
        }
        match mark {
            Mark::Stable => {
                // Only a human goes back to an earlier one, past what is stable now.
                if let Some(before) = self.stable.filter(|before| *before > version) {
                    self.return_to_stable(before, format!("version {version} was declared stable"));
                }
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

    /// The head is to be the stable state again; what an ended goal left behind is taken back on the way.
    fn return_to_stable(&mut self, base: Version, why: String) {
        let edits = BTreeSet::new();
        self.undoing.get_or_insert(Undoing { goal: None, base, why, guard: None, edits });
    }

    /// A state that is proven good or bad is so under whatever number; but where only declarations were at fault the
    /// application's state is the stable one still.
    fn judge_state(&mut self, version: Version, hash: Hash, mark: Mark) {
        let stable = self.stable.filter(|stable| *stable != version);
        let stands = stable.and_then(|stable| self.marked_hashes.get(&stable)) == Some(&hash);
        match mark {
            Mark::Rejected if !stands => {
                self.proven_bad.insert(hash);
                self.abandoned.insert(hash);
            }
            Mark::Stable => drop(self.proven_bad.remove(&hash)),
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
            self.return_to_stable(version, format!("version {version} was stable, and is doubted"));
        }
    }

    /// What the recording of a plan that runs means for the rollout: its intent counts, not its outcome.
    pub(super) fn roll(&mut self, plan: &Plan, entry: &Entry) {
        let Some(rollout) = &mut self.rollout else { return };
        for heal in plan.heals.iter().filter(|heal| heal.remedy.is_of_rollout()) {
            self.aimed_at = entry.sequence;
            let replica = heal.replica.clone();
            if heal.remedy == Remedy::Roll {
                let volunteer = rollout.moved.get(&replica).map_or(!heal.disturbs, |before| before.volunteer);
                let (plan, at) = (plan.id.clone(), entry.at);
                rollout.moved.insert(replica.clone(), Move { plan, at, volunteer });
                // On another state than that on which it was given up it gets another chance.
                self.quarantined.remove(&replica);
                // A trial that did not end where it failed says nothing.
                let lives_on = self.lives.get(&replica).and_then(|lives| lives.back()).map(|life| &life.host);
                let counts = |trial: &Trial| {
                    trial
                        .host
                        .as_ref()
                        .zip(lives_on)
                        .is_none_or(|(failed_on, lives_on)| failed_on == lives_on)
                };
                if rollout.trials.remove(&replica).as_ref().is_some_and(counts) {
                    rollout.failures.push(replica.clone());
                }
                // A version gets its own tries.
                self.forgiven.insert(replica, entry.at);
            } else if rollout.moved.contains_key(&replica) {
                let (plan, at, host) = (plan.id.clone(), entry.at, host_of(plan, heal));
                rollout.trials.insert(replica, Trial { plan, host, at, well_at: None, failed: None });
            }
        }
    }

    /// How the trials of a plan ended, each by its own steps: a plan may hold more than one replica.
    ///
    /// One that a newer leader superseded, or of which nobody knows what became, says nothing, and is ordered again.
    pub(super) fn conclude_trials(&mut self, open: &OpenPlan, (status, why): (PlanStatus, &str), at: Time) {
        let Some(rollout) = &mut self.rollout else { return };
        for (replica, trial) in rollout.trials.iter_mut().filter(|(_, trial)| trial.plan == open.plan.id) {
            let fate = match status {
                PlanStatus::Done => Fate::Well,
                PlanStatus::Failed => fate_of(open, replica, why),
                PlanStatus::AwaitingApproval
                | PlanStatus::Running
                | PlanStatus::Superseded
                | PlanStatus::Cancelled => Fate::Unknown,
            };
            // It may have fallen ill again while others in the plan were waited for.
            let ill =
                self.convictions.values().find(|it| tells_of_illness(it, replica) && it.since > trial.at);
            match (fate, ill) {
                (Fate::Well, None) => trial.well_at = Some(at),
                (Fate::Well, Some(conviction)) => {
                    (trial.well_at, trial.failed) = (Some(at), Some(illness(conviction)));
                }
                (Fate::Ill(why), _) => trial.failed = Some(why),
                (Fate::Unknown, _) => {}
            }
        }
    }

    /// Who falls ill again during its trial puts the blame on its host.
    pub(super) fn doubt_trial(&mut self, conviction: &Conviction) {
        let Some(rollout) = &mut self.rollout else { return };
        for (replica, trial) in rollout.trials.iter_mut().filter(|(_, trial)| trial.well_at.is_some()) {
            if tells_of_illness(conviction, replica) {
                trial.failed.get_or_insert_with(|| illness(conviction));
            }
        }
    }

    /// Drops the failed trials that blame `target`, a replica or a host, so that their replicas are moved again; answers
    /// these.
    pub(super) fn release_trial(&mut self, target: &str, entry: &Entry) -> Vec<ReplicaId> {
        let Some(rollout) = &mut self.rollout else { return Vec::new() };
        let released: Vec<ReplicaId> = rollout.blamed_as(target).cloned().collect();
        for replica in &released {
            rollout.trials.remove(replica);
            rollout.moved.remove(replica);
            self.aimed_at = entry.sequence;
        }
        released
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

/// What a trial came to.
enum Fate {
    Well,
    Ill(String),
    Unknown,
}

/// What became of one replica in a plan that failed.
fn fate_of(open: &OpenPlan, replica: &ReplicaId, why: &str) -> Fate {
    for step in open.plan.steps_of(replica).filter(|step| !step.optional) {
        let progress = open.progress.steps.get(&step.id);
        match progress.and_then(|progress| progress.outcome) {
            Some(Outcome::Done) => {}
            Some(Outcome::Failed) => {
                let told = progress.and_then(|progress| progress.blame);
                if !Blame::of(Outcome::Failed, told).is_some_and(Blame::is_try) {
                    return Fate::Unknown;
                }
                let error = progress.and_then(|progress| progress.error.as_deref());
                return Fate::Ill(format!("{}: {}", render::step(step), error.unwrap_or(why)));
            }
            Some(Outcome::Never | Outcome::Unknown) | None => return Fate::Unknown,
        }
    }
    Fate::Well
}

/// Whether a conviction says that `replica` does not work. Where it runs, and how often, does not; nor does how often it
/// died before, which is the candidate's doing.
fn tells_of_illness(conviction: &Conviction, replica: &ReplicaId) -> bool {
    let theirs = matches!(&conviction.finding.subject, Subject::Replica(subject) if subject == replica);
    theirs
        && match conviction.finding.kind {
            FaultKind::Exited
            | FaultKind::Missing
            | FaultKind::Unresponsive
            | FaultKind::Unhealthy
            | FaultKind::LoadFailed
            | FaultKind::WrongVersion
            | FaultKind::StateMismatch => true,
            FaultKind::HostGone
            | FaultKind::Duplicate
            | FaultKind::WrongSetup
            | FaultKind::Misplaced
            | FaultKind::Undeclared
            | FaultKind::Flapping => false,
        }
}

fn illness(conviction: &Conviction) -> String {
    format!("{}: {}", conviction.finding.kind, conviction.finding.detail)
}

/// Where a plan leaves the replica of one of its heals.
fn host_of(plan: &Plan, heal: &Heal) -> Option<crate::ids::HostId> {
    plan.steps_of(&heal.replica).rev().find_map(|step| match &step.act {
        Act::Start { host, .. } => Some(host.clone()),
        _ => None,
    })
}
