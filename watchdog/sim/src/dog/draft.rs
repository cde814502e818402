//! Draft: what one check wants to write, tried out on a copy of the history before it is written.
//!
//! The same as the daemon's, so that a plan and its first intents are one transaction here too.

use watchdog_core::blame::Blame;
use watchdog_core::finding::Subject;
use watchdog_core::goal::GoalStatus;
use watchdog_core::goal::given_up::rejected;
use watchdog_core::history::{History, OpenPlan};
use watchdog_core::ids::{Epoch, GoalId, HostId, PlanId, Time, Version};
use watchdog_core::next::{Command, next};
use watchdog_core::observation::{HostSeen, Observation};
use watchdog_core::plan::{Act, Agent, Outcome, PlanStatus, Step};
use watchdog_core::record::{Body, Entry, Mark};
use watchdog_core::state::Hash;

/// A chain of follow-ups longer than this is a mistake in `next`, not a plan.
const ROUNDS_MAX: usize = 64;

/// See the module.
pub(super) struct Draft {
    /// The history as it is.
    before: History,
    /// The history as it will be, once that is another.
    after: Option<History>,
    observation: Observation,
    epoch: Epoch,
    now: Time,
    /// What is to be written, in order.
    pub(super) bodies: Vec<Body>,
    /// When an open plan wants to be looked at again.
    pub(super) again_at: Option<Time>,
}

impl Draft {
    /// Nothing yet.
    pub(super) fn new((before, observation): (History, Observation), epoch: Epoch, now: Time) -> Self {
        Self { before, after: None, observation, epoch, now, bodies: Vec::new(), again_at: None }
    }

    /// What it was made of.
    pub(super) fn into_parts(self) -> (History, Observation) {
        (self.before, self.observation)
    }

    /// The history as it will be.
    pub(super) fn history(&self) -> &History {
        self.after.as_ref().unwrap_or(&self.before)
    }

    /// What is seen.
    pub(super) fn observation(&self) -> &Observation {
        &self.observation
    }

    /// The history as it will be, and what is seen, to plan with; they are to be given back.
    pub(super) fn lend(&mut self) -> (History, Observation) {
        let history = self.after.take().unwrap_or_else(|| std::mem::take(&mut self.before));
        let nothing = Observation::unseen(self.now);
        (history, std::mem::replace(&mut self.observation, nothing))
    }

    /// Takes back what was lent.
    pub(super) fn give_back(&mut self, history: History, observation: Observation) {
        self.observation = observation;
        if self.bodies.is_empty() {
            self.before = history;
        } else {
            self.after = Some(history);
        }
    }

    /// Adds an entry; a death that is recorded already is not told twice.
    pub(super) fn push(&mut self, body: Body) {
        if matches!(&body, Body::Died { obituary } if self.history().knows_death(obituary)) {
            return;
        }
        let entry = Entry {
            sequence: self.history().through.next(),
            at: self.now,
            epoch: self.epoch,
            by: String::new(),
            body: body.clone(),
        };
        self.after.get_or_insert_with(|| self.before.clone()).apply(&entry);
        self.bodies.push(body);
    }

    /// Adds whatever follows for the open plans, until nothing does.
    pub(super) fn follow_up(&mut self) {
        for _ in 0..ROUNDS_MAX {
            let before = self.bodies.len();
            self.again_at = None;
            for id in self.history().open_plans.keys().cloned().collect::<Vec<_>>() {
                let Some(open) = self.history().open_plans.get(&id).cloned() else { continue };
                if open.status == PlanStatus::Running {
                    for command in next(&open, &self.observation, self.now) {
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
        let instance = match &agent {
            Agent::Leader => None,
            Agent::Host(_) | Agent::Replica(..) => match destination(&agent, &self.observation) {
                Ok(instance) => Some(instance),
                Err(absent) => {
                    let (outcome, error, blame) = (Outcome::Never, Some(absent), Some(Blame::Channel));
                    return self.push(Body::Closed { plan, step: step.id.clone(), outcome, error, blame });
                }
            },
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
        let (plan, step) = (open.plan.id.clone(), step.id.clone());
        self.push(Body::Closed { plan, step, outcome: Outcome::Done, error: None, blame: None });
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

    fn reject(
        &mut self,
        (plan, step): (&PlanId, &Step),
        (version, hash): (Version, Hash),
        goal: Option<&GoalId>,
    ) {
        for body in rejected(self.history(), (version, hash), goal, (plan, &step.why)) {
            self.push(body);
        }
    }
}

/// The host whose agent carries out what `agent` is told; `None` when it is one that a replica embeds.
pub(super) fn host_behind<'a>(agent: &'a Agent, observation: &'a Observation) -> Option<&'a HostId> {
    match agent {
        Agent::Host(host) => Some(host),
        Agent::Replica(replica, incarnation) => {
            let life = observation.replicas.get(replica)?.lives.get(incarnation)?;
            life.member.is_none().then_some(&life.host)
        }
        Agent::Leader => None,
    }
}

/// The instance of the agent of a step, where it is seen.
///
/// # Errors
///
/// Why it can't be sent.
pub(super) fn destination(agent: &Agent, observation: &Observation) -> Result<String, String> {
    let host_agent = |host| {
        let seen = observation.hosts.get(host).filter(|seen: &&HostSeen| seen.is_present());
        let absent = || format!("the agent of host {host} is not there");
        seen.map(|seen| seen.instance.clone()).ok_or_else(absent)
    };
    match agent {
        Agent::Host(host) => host_agent(host),
        Agent::Replica(replica, incarnation) => {
            let seen = observation.replicas.get(replica);
            let life = seen.and_then(|seen| seen.lives.get(incarnation));
            let life = life.ok_or_else(|| format!("incarnation {incarnation} is not there any more"))?;
            match &life.member {
                Some(_) => Ok(incarnation.to_string()),
                // A program that embeds no agent is reached through its host's.
                None => host_agent(&life.host),
            }
        }
        Agent::Leader => Err("a leader's own step is no order".to_owned()),
    }
}
