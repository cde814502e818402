//! Plan book: the plans of the record, as operators ask for them.

use std::collections::{BTreeMap, VecDeque};

use watchdog_core::history::{Progress, StepProgress};
use watchdog_core::ids::{PlanId, StepId, Time};
use watchdog_core::plan::{Outcome, Plan, PlanStatus};
use watchdog_core::record::{Body, Entry};

/// How many plans are remembered, and all that are not over; older ones are in the record.
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

impl PlanStory {
    /// Whether nothing more will come of it: also of a plan that has ended a step may still be under way.
    fn is_over(&self) -> bool {
        !self.status.is_open() && self.progress.steps.values().all(|step| step.outcome.is_some())
    }
}

/// The newest plans and the open ones, oldest first.
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
            Body::Closed { plan, step, outcome, error } => {
                if let Some(progress) = self.step(plan, step, entry.at) {
                    progress.finished_at = Some(entry.at);
                    progress.outcome = Some(*outcome);
                    progress.error.clone_from(error);
                }
            }
            _ => {}
        }
    }

    /// The story of one plan.
    pub(crate) fn get(&self, id: &PlanId) -> Option<&PlanStory> {
        self.stories.get(id)
    }

    /// The newest plans, newest first; whatever is older and still open comes with them.
    pub(crate) fn newest(&self, count: usize) -> impl Iterator<Item = &PlanStory> {
        let all = self.order.iter().rev().filter_map(|id| self.stories.get(id)).enumerate();
        all.filter(move |(index, story)| *index < count || story.status.is_open()).map(|(_, story)| story)
    }

    fn add(&mut self, plan: &Plan, status: PlanStatus) {
        let story =
            PlanStory { plan: plan.clone(), status, why: String::new(), progress: Progress::default() };
        if self.stories.insert(plan.id.clone(), story).is_none() {
            self.order.push_back(plan.id.clone());
        }
        while self.order.len() > PLANS_KEPT {
            let over = |id: &PlanId| self.stories.get(id).is_none_or(PlanStory::is_over);
            let Some(at) = self.order.iter().position(over) else { return };
            if let Some(oldest) = self.order.remove(at) {
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use watchdog_core::ids::{Epoch, Sequence};
    use watchdog_core::plan::Agent;

    use super::*;

    fn tell(book: &mut PlanBook, body: Body) {
        book.apply(&Entry {
            sequence: Sequence(1),
            at: Time(1),
            epoch: Epoch(1),
            by: "one".to_owned(),
            body,
        });
    }

    fn record(book: &mut PlanBook, number: u64, status: PlanStatus) -> PlanId {
        let id = PlanId::numbered(Epoch(1), number);
        let plan = Plan {
            id: id.clone(),
            epoch: Epoch(1),
            created_at: Time(1),
            reason: String::new(),
            convictions: Vec::new(),
            heals: Vec::new(),
            steps: Vec::new(),
        };
        tell(book, Body::PlanRecorded { plan, status });
        id
    }

    #[test]
    fn what_is_open_is_never_forgotten() {
        let mut book = PlanBook::default();
        let awaiting = record(&mut book, 1, PlanStatus::AwaitingApproval);
        let ended = record(&mut book, 2, PlanStatus::Failed);
        let under_way = record(&mut book, 3, PlanStatus::Cancelled);
        let step: StepId = under_way.step(0);
        let (plan, agent) = (under_way.clone(), Agent::Host("h1".parse().unwrap()));
        tell(&mut book, Body::Intended { plan, step: step.clone(), replica: None, agent, instance: None });
        for number in 4..2_000 {
            record(&mut book, number, PlanStatus::Done);
        }
        assert!(book.get(&ended).is_none());
        assert!(book.get(&under_way).is_some());
        assert_eq!(book.get(&awaiting).unwrap().status, PlanStatus::AwaitingApproval);
        // It is told of among the newest, or nobody would find it.
        let told: Vec<&PlanId> = book.newest(2).map(|story| &story.plan.id).collect();
        assert_eq!(told.last(), Some(&&awaiting));
        assert_eq!(told.len(), 3);
        assert!(book.stories.len() <= PLANS_KEPT);
        let (plan, why) = (awaiting.clone(), String::new());
        tell(&mut book, Body::PlanStatus { plan, status: PlanStatus::Superseded, why });
        tell(&mut book, Body::Closed { plan: under_way, step, outcome: Outcome::Unknown, error: None });
        record(&mut book, 2_000, PlanStatus::Done);
        assert_eq!(book.stories.len(), PLANS_KEPT);
        for number in 2_001..2_010 {
            record(&mut book, number, PlanStatus::Done);
        }
        assert!(book.get(&awaiting).is_none(), "what is over goes like all others");
    }

    #[test]
    fn all_that_is_open_is_kept_however_much_it_is() {
        let mut book = PlanBook::default();
        let all: Vec<PlanId> =
            (1..1_000).map(|number| record(&mut book, number, PlanStatus::AwaitingApproval)).collect();
        assert!(all.iter().all(|id| book.get(id).is_some()));
        assert_eq!(book.newest(1).count(), all.len());
    }
}
