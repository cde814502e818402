//! Execute: sends the steps whose intents are written, and brings their results back.

use std::sync::Arc;

use tokio::sync::mpsc;
use tracing::{Instrument as _, Span};
use watchdog_core::blame::Blame;
use watchdog_core::change::Change;
use watchdog_core::difference::Difference;
use watchdog_core::history::History;
use watchdog_core::ids::{ClusterId, PlanId, StepId, Version};
use watchdog_core::plan::{Agent, Outcome, Plan, Step};
use watchdog_core::record::Body;
use watchdog_core::state::State;
use watchdog_core::trace::{TARGET, TraceParent};
use watchdog_leader::begin::Intent;
use watchdog_leader::destination::{Destination, destination};
use watchdog_leader::report::Report;
use watchdog_membership::term::Term;
use watchdog_ports::journal_error::JournalError;
use watchdog_proto::agent::ActRequest;
use watchdog_telemetry::spans;

use crate::agents::{Agents, report};
use crate::cluster::books::{BATCH, Batches as _, Journal};
use crate::cluster::orders::{self, States, Way};
use crate::cluster::sighting;
use crate::cluster::world::SharedWorld;

/// A result on its way to the record.
#[derive(Debug)]
pub(crate) struct Finished {
    plan: PlanId,
    step: Step,
    report: Report,
}

impl Finished {
    /// Whose result it is.
    pub(crate) fn step(&self) -> &StepId {
        &self.step.id
    }

    /// What is to be written about it, or why its agent is to be asked what became of it.
    pub(crate) fn settle(self, history: &History) -> Result<Vec<Body>, String> {
        let Self { plan, step, report } = self;
        sighting::warn_of_unbelieved(&step.agent(), &report, history);
        report.settle(plan, &step, history)
    }
}

/// See the module.
pub(crate) struct Executor {
    /// Whose steps they are.
    pub(crate) cluster: ClusterId,
    /// What is known.
    pub(crate) world: SharedWorld,
    /// Where states are read.
    pub(crate) journal: Arc<dyn Journal>,
    /// How agents are reached.
    pub(crate) agents: Arc<Agents>,
    /// Under which term.
    pub(crate) term: Arc<Term>,
    /// Where results go.
    pub(crate) finished: mpsc::UnboundedSender<Finished>,
}

impl Executor {
    /// Sends every step that is intended; each runs by itself.
    pub(crate) fn execute(self: &Arc<Self>, intents: Vec<Intent>) {
        for intent in intents {
            let Some((plan, step)) = self.find(&intent.plan, &intent.step) else { continue };
            let executor = Arc::clone(self);
            let span = self.span(&plan, &step);
            let carrying = async move {
                let report = executor.carry_out(&plan, &step, (&intent.agent, &intent.instance)).await;
                watchdog_crash_points::crash_point!("daemon.answer.received");
                tracing::info!(
                    plan = %plan.id, step = %step.id, act = step.act.word(), outcome = ?report.outcome,
                    error = report.error, "step ended"
                );
                // Nobody listens any more when the term is over; the next leader seals the step.
                let _ = executor.finished.send(Finished { plan: plan.id.clone(), step, report });
            };
            tokio::spawn(carrying.instrument(span));
        }
    }

    /// A step in the trace of its plan, whichever leader sends it.
    fn span(&self, plan: &Plan, step: &Step) -> Span {
        let replica = step.replica.as_ref().map(tracing::field::display);
        let index = plan.steps.iter().position(|candidate| candidate.id == step.id);
        let act = step.act.word();
        let span = tracing::info_span!(target: TARGET, "step", plan = %plan.id, index, replica, act);
        spans::hang(&span, TraceParent::of_plan(&self.cluster, plan));
        span
    }

    fn find(&self, plan: &PlanId, step: &StepId) -> Option<(Plan, Step)> {
        let world = self.world.lock();
        let open = world.history.open_plans.get(plan)?;
        let step = open.plan.steps.iter().find(|candidate| candidate.id == *step)?;
        Some((open.plan.clone(), step.clone()))
    }

    async fn carry_out(&self, plan: &Plan, step: &Step, (agent, instance): (&Agent, &str)) -> Report {
        let never = |blame, why: String| report(Outcome::Never, &why).blaming(blame);
        let states = match self.states(step).await {
            Ok(states) => states,
            Err(error) => return never(Blame::Ours, format!("the state to load can't be read: {error}")),
        };
        let (destination, request) = match self.order(plan, step, (agent, &states)) {
            Ok(order) => order,
            Err(error) => return never(Blame::Channel, error.to_string()),
        };
        if destination.target != instance {
            let why = format!("{agent} is not the one any more that the step was planned for");
            return never(Blame::Channel, why);
        }
        let (term, world, id) = (Arc::clone(&self.term), self.world.clone(), step.id.clone());
        let may_act = move || term.surely_alive() && world.lock().history.open_intents.contains_key(&id);
        let (world, id) = (self.world.clone(), step.id.clone());
        let tell = move |milestone| world.tell(&id, milestone);
        watchdog_crash_points::crash_point!("daemon.order.composed");
        let traced =
            spans::place(&Span::current()).unwrap_or_else(|| TraceParent::of_plan(&self.cluster, plan));
        self.agents.act((&destination.address, request, traced), may_act, tell).await
    }

    fn order(
        &self,
        plan: &Plan,
        step: &Step,
        (agent, states): (&Agent, &States),
    ) -> Result<(Destination, ActRequest), orders::OrderError> {
        let world = self.world.lock();
        let destination = destination(agent, &world.observation)?;
        let request = orders::request(plan, step, &destination, (&world, states))?;
        Ok((destination, request))
    }

    async fn states(&self, step: &Step) -> Result<States, JournalError> {
        let (from, to) = orders::versions(&step.act, self.world.lock().log.head.version);
        let Some(to) = to else { return Ok(States::default()) };
        let state = self.application(to).await?;
        let way = match from {
            Some(from) => Some(match self.way_by_changes(from, to).await? {
                Some(way) => way,
                None => Way::between(&self.application(from).await?, &state),
            }),
            None => None,
        };
        Ok(States { way, to: state })
    }

    /// The way between two versions by the changes between them, when these are few and the hash to leave is known.
    async fn way_by_changes(&self, from: Version, to: Version) -> Result<Option<Way>, JournalError> {
        let Some(from_hash) = self.world.lock().log.hash_at(from) else { return Ok(None) };
        let (first, last) = (from.min(to).next(), from.max(to));
        if last.0 - from.min(to).0 >= u64::from(BATCH) {
            return Ok(None);
        }
        let entries = self.journal.log_from(&self.cluster, first).await?;
        let between = entries.into_iter().filter(|entry| entry.version <= last).map(|entry| entry.change);
        let mut changes: Vec<Change> = between.collect();
        if changes.len() as u64 != last.0 - from.min(to).0 {
            // A log that lacks some of them says nothing; the states are asked, and say why.
            return Ok(None);
        }
        if from > to {
            changes = changes.iter().rev().map(Change::undo).collect();
        }
        let difference = Difference::of_changes(&changes).application();
        Ok(Some(Way { difference, from_hash }))
    }

    async fn application(&self, version: Version) -> Result<State, JournalError> {
        if let Some(state) = self.world.lock().log.application_at(version) {
            return Ok(state);
        }
        Ok(self.journal.state(&self.cluster, version).await?.application())
    }
}
