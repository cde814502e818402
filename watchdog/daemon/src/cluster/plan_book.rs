//! Plan book: the plans of the record, as operators ask for them.

use std::collections::{BTreeMap, VecDeque};

use watchdog_core::history::{Progress, StepProgress};
use watchdog_core::ids::{PlanId, StepId, Time};
use watchdog_core::plan::{Outcome, Plan, PlanStatus};
use watchdog_core::record::{Body, Entry};

/// How many plans are remembered; older ones are in the record.
const PLANS_KEPT: usize = 500;

/// A plan with all that became of it.
#[derive(Debug, Clone)]
pub(crate) struct PlanStory {
    /// The plan.
    pub(crate) plan: Plan,
    /// How it ended, or that it has not.
    pub(crate) status: PlanStatus,
    /// Why it ended so.
    pub(crate) why: String,
    /// Its steps so far.
    pub(crate) progress: Progress,
}

/// The newest plans, oldest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct PlanBook {
    order: VecDeque<PlanId>,
    stories: BTreeMap<PlanId, PlanStory>,
}

impl PlanBook {
    /// Takes in one entry of the record.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        match &entry.body {
            Body::PlanRecorded { plan, status } => self.add(plan, *status),
            Body::PlanStatus { plan, status, why } => {
                if let Some(story) = self.stories.get_mut(plan) {
                    story.status = *status;
                    story.why.clone_from(why);
                }
            }
            Body::Intended { plan, step, .. } => {
                self.step(plan, step, entry.at);
            }
            Body::Closed { plan, step, outcome, error, blame } => {
                if let Some(progress) = self.step(plan, step, entry.at) {
                    progress.finished_at = Some(entry.at);
                    progress.outcome = Some(*outcome);
                    progress.error.clone_from(error);
                    progress.blame = *blame;
                }
            }
            _ => {}
        }
    }

    /// The story of one plan.
    pub(crate) fn get(&self, id: &PlanId) -> Option<&PlanStory> {
        self.stories.get(id)
    }

    /// The newest plans, newest first.
    pub(crate) fn newest(&self) -> impl Iterator<Item = &PlanStory> {
        self.order.iter().rev().filter_map(|id| self.stories.get(id))
    }

    fn add(&mut self, plan: &Plan, status: PlanStatus) {
        let story =
            PlanStory { plan: plan.clone(), status, why: String::new(), progress: Progress::default() };
        if self.stories.insert(plan.id.clone(), story).is_none() {
            self.order.push_back(plan.id.clone());
        }
        while self.order.len() > PLANS_KEPT {
            if let Some(oldest) = self.order.pop_front() {
                self.stories.remove(&oldest);
            }
        }
    }

    fn step(&mut self, plan: &PlanId, step: &StepId, at: Time) -> Option<&mut StepProgress> {
        let story = self.stories.get_mut(plan)?;
        Some(story.progress.steps.entry(step.clone()).or_insert(StepProgress {
            started_at: at,
            finished_at: None,
            outcome: None,
            error: None,
            blame: None,
        }))
    }
}

/// The word of a step's status, as in JSON.
pub(crate) fn status_word(progress: Option<&StepProgress>, plan: PlanStatus) -> &'static str {
    match progress.map(|progress| progress.outcome) {
        Some(Some(Outcome::Done)) => "done",
        Some(Some(Outcome::Failed)) => "failed",
        Some(Some(Outcome::Unknown)) => "unknown",
        Some(None) => "running",
        None if plan.is_open() => "pending",
        Some(Some(Outcome::Never)) | None => "cancelled",
    }
}
