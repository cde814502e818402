//! Plans: what the record says of plans and their steps, folded into what may still act and what was tried.

use std::collections::BTreeSet;

use super::starts::started;
use crate::blame::Blame;
use crate::history::{
    Begun, HEALS_KEPT, History, Intent, Miss, OpenPlan, PastHeal, PastLife, Progress, StepProgress,
};
use crate::ids::{HostId, Incarnation, PlanId, ReplicaId, StepId, Time};
use crate::next::failure;
use crate::observation::Obituary;
use crate::plan::{Act, Agent, Outcome, Plan, PlanStatus, Step};
use crate::policy::Remedy;
use crate::record::{Body, Entry};

/// Heals are kept for at least this long, because budgets are per hour.
const HOUR_MS: u64 = 3_600_000;

impl History {
    pub(super) fn record_plan(&mut self, plan: &Plan, status: PlanStatus, entry: &Entry) {
        let at = entry.at;
        if plan.epoch == self.epoch {
            self.plans_in_term += 1;
        }
        for heal in &plan.heals {
            let past = PastHeal {
                plan: plan.id.clone(),
                remedy: heal.remedy,
                since: heal.since,
                host: start_of(plan, &heal.replica).map(|(host, _)| host.clone()),
                life: start_of(plan, &heal.replica).map(|(_, life)| life),
                at,
                ended_at: (!status.is_open()).then_some(at),
                status,
                missed: None,
                begun: if status.is_open() { Begun::Perhaps } else { Begun::Never },
            };
            let heals = self.heals.entry(heal.replica.clone()).or_default();
            heals.push_back(past);
            let is_old = |heal: &PastHeal| !heal.status.is_open() && at.since_ms(heal.at) > HOUR_MS;
            while heals.len() > HEALS_KEPT && heals.front().is_some_and(is_old) {
                heals.pop_front();
            }
        }
        if status.is_open() {
            let open = OpenPlan { plan: plan.clone(), status, progress: Progress::default() };
            self.open_plans.insert(plan.id.clone(), open);
        }
        if status == PlanStatus::Running {
            self.roll(plan, entry);
        }
    }

    /// Intents of a plan that ends stay open until their own fate is recorded.
    pub(super) fn move_plan(&mut self, plan: &PlanId, (status, why): (PlanStatus, &str), entry: &Entry) {
        // What was written about one that is over came too late.
        if !self.open_plans.contains_key(plan) {
            return;
        }
        let at = entry.at;
        let open = self.open_plans.get(plan);
        for (replica, heals) in &mut self.heals {
            for heal in heals.iter_mut().filter(|heal| heal.plan == *plan) {
                heal.status = status;
                heal.ended_at = (!status.is_open()).then_some(at);
                if let Some(open) = open.filter(|_| !status.is_open()) {
                    (heal.missed, heal.begun) = (missed(open, replica), was_begun(open, replica));
                    // What became of others in the plan, and when, says nothing of it.
                    if let Some(done_at) = done_at(open, replica) {
                        (heal.status, heal.ended_at) = (PlanStatus::Done, Some(done_at));
                    }
                }
            }
        }
        if status.is_open() {
            if let Some(open) = self.open_plans.get_mut(plan) {
                let begins = open.status == PlanStatus::AwaitingApproval && status == PlanStatus::Running;
                open.status = status;
                if begins {
                    let plan = open.plan.clone();
                    self.roll(&plan, entry);
                }
            }
            return;
        }
        let Some(open) = self.open_plans.remove(plan) else { return };
        for heal in &open.plan.heals {
            self.settle_starts(&heal.replica);
        }
        self.conclude_trials(&open, (status, why), at);
        if (open.status, status) == (PlanStatus::AwaitingApproval, PlanStatus::Cancelled) {
            self.decline(&open.plan);
        }
        // Done means that each of its replicas was seen without its symptom.
        if status == PlanStatus::Done {
            for replica in touched(&open.plan) {
                self.unsettled.remove(&replica);
            }
        }
    }

    /// A start of unknown fate was begun after all, when its life was seen to die. One that is only gone was perhaps never
    /// launched, or went with its agent or host.
    pub(super) fn settle_starts(&mut self, replica: &ReplicaId) {
        let (Some(heals), Some(lives)) = (self.heals.get_mut(replica), self.lives.get(replica)) else {
            return;
        };
        for heal in heals.iter_mut() {
            let Some(missed) = heal.missed.as_mut().filter(|it| it.outcome == Outcome::Unknown) else {
                continue;
            };
            let mut died = lives.iter().filter(|life| Some(life.incarnation) == heal.life);
            if let Some(obituary) = died.find_map(|life| life.obituary.as_ref().filter(|it| it.was_seen())) {
                let why = format!("{}; it began, and died: {}", missed.why, obituary.status);
                *missed = Miss { outcome: Outcome::Failed, blame: Blame::Replica, why };
                heal.begun = Begun::Surely;
            }
        }
    }

    /// A human said no: it is not asked again until what it was for is over or the replica is released.
    fn decline(&mut self, plan: &Plan) {
        let whole = plan.heals.is_empty().then(|| plan.remedies()).into_iter().flatten();
        let keys = whole.map(|remedy| Self::declined_key(None, remedy));
        let of_heals = plan.heals.iter().map(|heal| Self::declined_key(Some(&heal.replica), heal.remedy));
        let keys: Vec<String> = keys.chain(of_heals).collect();
        self.declined.extend(keys.into_iter().map(|key| (key, plan.id.clone())));
    }

    /// What was declined for a replica, or with `None` for the cluster as a whole and all that rolls, may be asked again.
    pub(super) fn reconsider(&mut self, replica: Option<&str>) {
        let rolls = [Remedy::Roll, Remedy::Trial].map(|remedy| Self::declined_key(None, remedy));
        self.declined.retain(|key, _| match replica {
            Some(replica) => !key.strip_prefix(replica).is_some_and(|rest| rest.starts_with('/')),
            None => !key.starts_with('/') && !rolls.iter().any(|roll| key.ends_with(roll.as_str())),
        });
    }

    pub(super) fn intend(&mut self, entry: &Entry) {
        let Body::Intended { plan, step, replica, agent, instance } = &entry.body else {
            return;
        };
        let planned = self.open_plans.get_mut(plan).and_then(|open| {
            open.progress.steps.entry(step.clone()).or_insert(begun(entry.at));
            find_step(&open.plan, step).cloned()
        });
        // What the leader does itself touches nobody, so that no successor need wonder about it.
        if *agent != Agent::Leader {
            let intent = Intent {
                plan: plan.clone(),
                epoch: entry.epoch,
                replica: replica.clone(),
                agent: agent.clone(),
                instance: instance.clone(),
                at: entry.at,
            };
            self.open_intents.insert(step.clone(), intent);
        }
        if let Some(Step { replica: Some(replica), act: Act::Start { host, incarnation, .. }, .. }) = planned
        {
            let life = PastLife { incarnation, host, at: entry.at, obituary: None, buried_at: None };
            self.expect_life(&replica, life);
            self.open_starts.insert(step.clone(), (replica, incarnation));
        }
    }

    pub(super) fn close_step(&mut self, entry: &Entry) {
        let Body::Closed { plan, step, outcome, error, blame } = &entry.body else {
            return;
        };
        let intent = self.open_intents.remove(step);
        let planned = self.open_plans.get_mut(plan).and_then(|open| {
            let progress = open.progress.steps.entry(step.clone()).or_insert(begun(entry.at));
            progress.finished_at = Some(entry.at);
            progress.outcome = Some(*outcome);
            progress.error.clone_from(error);
            progress.blame = *blame;
            find_step(&open.plan, step).cloned()
        });
        if let Some(start) = self.open_plans.get(plan).and_then(|open| started(open, step)) {
            self.file_start(start);
        }
        let replica = intent.and_then(|intent| intent.replica);
        let replica = replica.or_else(|| planned.as_ref().and_then(|step| step.replica.clone()));
        let start = self.open_starts.remove(step);
        match outcome {
            Outcome::Unknown => self.unsettled.extend(replica),
            Outcome::Never => {
                if let Some((replica, incarnation)) = start {
                    self.forget_life(&replica, incarnation);
                }
            }
            Outcome::Done => match (replica, planned.map(|step| step.act)) {
                (Some(replica), Some(Act::Kill { host, incarnation, .. })) => {
                    let status = "killed".to_owned();
                    let at = entry.at;
                    self.confirm_kill(Obituary { replica, incarnation, host, status, tree_gone: false, at });
                }
                (Some(replica), Some(Act::Probe { .. })) => self.arrive(replica),
                _ => {}
            },
            Outcome::Failed => {}
        }
    }
}

/// A step of which nothing is known but when it was meant to be done.
fn begun(started_at: Time) -> StepProgress {
    StepProgress { started_at, finished_at: None, outcome: None, error: None, blame: None }
}

/// The first of a replica's steps that did not go as it should, when that stopped its part of the plan.
fn missed(open: &OpenPlan, replica: &ReplicaId) -> Option<Miss> {
    open.plan.steps_of(replica).filter(|step| !step.optional).find_map(|step| {
        let progress = open.progress.steps.get(&step.id)?;
        let outcome = progress.outcome?;
        let blame = Blame::of(outcome, progress.blame)?;
        Some(Miss { outcome, blame, why: failure(step, outcome, progress) })
    })
}

/// When all of a replica's steps were done, when they were.
fn done_at(open: &OpenPlan, replica: &ReplicaId) -> Option<Time> {
    let ends = open.plan.steps_of(replica).filter(|step| !step.optional).map(|step| {
        let progress = open.progress.steps.get(&step.id)?;
        progress.finished_at.filter(|_| progress.outcome == Some(Outcome::Done))
    });
    ends.collect::<Option<Vec<Time>>>()?.into_iter().max()
}

fn find_step<'a>(plan: &'a Plan, id: &StepId) -> Option<&'a Step> {
    plan.steps.iter().find(|step| step.id == *id)
}

/// Whether anything of a plan was done to a replica. What is still under way when the plan ends may have been.
fn was_begun(open: &OpenPlan, replica: &ReplicaId) -> Begun {
    let acts = open
        .plan
        .steps_of(replica)
        .filter(|step| !matches!(step.act, Act::Snapshot { .. } | Act::Probe { .. }));
    let told = acts.filter_map(|step| open.progress.steps.get(&step.id)).map(|progress| progress.outcome);
    told.fold(Begun::Never, |begun, outcome| match (begun, outcome) {
        (_, Some(Outcome::Done | Outcome::Failed)) | (Begun::Surely, _) => Begun::Surely,
        (_, Some(Outcome::Unknown) | None) => Begun::Perhaps,
        (begun, Some(Outcome::Never)) => begun,
    })
}

/// Where a plan starts a replica, and which life.
fn start_of<'a>(plan: &'a Plan, replica: &ReplicaId) -> Option<(&'a HostId, Incarnation)> {
    plan.steps_of(replica).find_map(|step| match &step.act {
        Act::Start { host, incarnation, .. } => Some((host, *incarnation)),
        _ => None,
    })
}

fn touched(plan: &Plan) -> BTreeSet<ReplicaId> {
    let of_steps = plan.steps.iter().filter_map(|step| step.replica.clone());
    plan.heals.iter().map(|heal| heal.replica.clone()).chain(of_steps).collect()
}
