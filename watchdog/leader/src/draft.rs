//! Draft: what one check wants to write, tried out on a copy of the history before it is written.
//!
//! ```text
//! reports of agents ─┐
//! new plan ──────────┼─► bodies ─► history as it will be ─► next() ─► more bodies … until nothing follows
//! operator's acts ───┘
//! ```
//!
//! So a plan and its first intents, or a result and the intent that follows
//! from it, are one transaction: one fsync between a conviction and the act.

use watchdog_core::blame::Blame;
use watchdog_core::finding::Subject;
use watchdog_core::goal::GoalStatus;
use watchdog_core::goal::given_up::rejected;
use watchdog_core::history::{History, OpenPlan};
use watchdog_core::ids::{Epoch, GoalId, PlanId, StepId, Time, Version};
use watchdog_core::next::{Command, next};
use watchdog_core::observation::Observation;
use watchdog_core::plan::{Act, Agent, Outcome, PlanStatus, Step};
use watchdog_core::record::{Body, Entry, Mark};
use watchdog_core::shared::Shared;
use watchdog_core::state::Hash;

use crate::destination::destination;

/// A chain of follow-ups longer than this is a mistake in `next`, not a plan.
const ROUNDS_MAX: usize = 64;

/// Entries, and the history as it will be with them.
#[derive(Debug)]
pub struct Draft<'a> {
    history: Shared<History>,
    observation: &'a Observation,
    epoch: Epoch,
    now: Time,
    /// What is to be written, in order.
    bodies: Vec<Body>,
    /// When an open plan wants to be looked at again.
    again_at: Option<Time>,
}

impl<'a> Draft<'a> {
    /// Nothing yet.
    pub fn new(history: Shared<History>, observation: &'a Observation, epoch: Epoch, now: Time) -> Self {
        Self { history, observation, epoch, now, bodies: Vec::new(), again_at: None }
    }

    /// The history as it will be.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// The same, to plan on.
    pub fn shared(&self) -> Shared<History> {
        self.history.clone()
    }

    /// What is seen.
    pub fn observation(&self) -> &'a Observation {
        self.observation
    }

    /// What is to be written, in order, and when an open plan wants to be looked at again.
    pub fn into_parts(self) -> (Vec<Body>, Option<Time>) {
        (self.bodies, self.again_at)
    }

    /// Adds an entry; a death that is recorded already is not told twice.
    pub fn push(&mut self, body: Body) {
        if matches!(&body, Body::Died { obituary } if self.history.knows_death(obituary)) {
            return;
        }
        let entry = Entry {
            sequence: self.history.through.next(),
            at: self.now,
            epoch: self.epoch,
            by: String::new(),
            body: body.clone(),
        };
        self.history.apply(&entry);
        self.bodies.push(body);
    }

    /// Adds whatever follows for the open plans, until nothing does.
    pub fn follow_up(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let before = self.bodies.len();
            self.again_at = None;
            for id in self.history.open_plans.keys().cloned().collect::<Vec<_>>() {
                let Some(open) = self.history.open_plans.get(&id).cloned() else { continue };
                if open.status == PlanStatus::Running {
                    for command in next(&open, self.observation, self.now) {
                        self.obey(&open, command);
                    }
                }
            }
            if self.bodies.len() == before {
                return;
            }
        }
    }

    fn obey(&mut self, open: &OpenPlan, command: Command) {
        let plan = open.plan.id.clone();
        match command {
            Command::Send(step) => {
                if let Some(step) = open.plan.steps.iter().find(|candidate| candidate.id == step) {
                    self.intend(open, step);
                }
            }
            Command::Close { step, outcome, error } => {
                self.push(Body::Closed { plan, step, outcome, error, blame: None });
            }
            Command::Sleep { until } => {
                self.again_at = Some(self.again_at.map_or(until, |at| at.min(until)));
            }
            Command::Finish { status, why } => self.push(Body::PlanStatus { plan, status, why }),
        }
    }

    fn intend(&mut self, open: &OpenPlan, step: &Step) {
        let plan = open.plan.id.clone();
        let agent = step.agent();
        let destination = match &agent {
            Agent::Leader => Ok(None),
            Agent::Host(_) | Agent::Replica(..) => destination(&agent, self.observation).map(Some),
        };
        let instance = match destination {
            Ok(destination) => destination.map(|destination| destination.target),
            Err(absent) => {
                // Nothing was sent, so that nothing can be held against the replica.
                let (outcome, error, blame) =
                    (Outcome::Never, Some(absent.to_string()), Some(Blame::Channel));
                return self.push(Body::Closed { plan, step: step.id.clone(), outcome, error, blame });
            }
        };
        let replica = step.replica.clone();
        self.push(Body::Intended { plan: plan.clone(), step: step.id.clone(), replica, agent, instance });
        self.do_own(open, step);
    }

    /// The leader's own acts are entries of the record, so writing them is doing them.
    fn do_own(&mut self, open: &OpenPlan, step: &Step) {
        match &step.act {
            Act::MarkStable { version, state_hash, goal } => {
                self.mark_stable(open, (*version, *state_hash), goal.as_ref());
            }
            Act::Reject { version, state_hash, goal, .. } => {
                self.reject((&open.plan.id, step), (*version, *state_hash), goal.as_ref());
            }
            Act::Notify { message, quarantine } => self.notify(step, message, *quarantine),
            Act::Snapshot { .. }
            | Act::Drain { .. }
            | Act::Kill { .. }
            | Act::Start { .. }
            | Act::Load { .. }
            | Act::Probe { .. } => return,
        }
        self.close(open, &step.id);
    }

    fn notify(&mut self, step: &Step, why: &str, quarantine: bool) {
        let subject = step.replica.clone().map(Subject::Replica);
        let message = match &step.replica {
            Some(replica) if quarantine => {
                self.push(Body::Quarantined { replica: replica.clone(), why: why.to_owned() });
                format!("{replica} is quarantined: {why}")
            }
            Some(_) | None => why.to_owned(),
        };
        self.push(Body::Escalated { subject, message });
    }

    fn mark_stable(&mut self, open: &OpenPlan, (version, hash): (Version, Hash), goal: Option<&GoalId>) {
        let why = open.plan.reason.clone();
        self.push(Body::Marked { version, mark: Mark::Stable, state_hash: Some(hash), why });
        if let Some(goal) = goal {
            let why = format!("version {version} is stable");
            self.push(Body::GoalEnded { goal: goal.clone(), status: GoalStatus::Achieved, why });
        }
    }

    /// Gives a version up. The log is returned to the stable state by an errand that follows from this.
    fn reject(
        &mut self,
        (plan, step): (&PlanId, &Step),
        (version, hash): (Version, Hash),
        goal: Option<&GoalId>,
    ) {
        for body in rejected(&self.history, (version, hash), goal, (plan, &step.why)) {
            self.push(body);
        }
    }

    fn close(&mut self, open: &OpenPlan, step: &StepId) {
        let (plan, step) = (open.plan.id.clone(), step.clone());
        self.push(Body::Closed { plan, step, outcome: Outcome::Done, error: None, blame: None });
    }
}
