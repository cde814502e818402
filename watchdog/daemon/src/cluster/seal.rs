//! Seal: takes our epoch to every agent that an earlier leader may still have orders with.
//!
//! ```text
//! open intents of older epochs, by agent ──► there? ──► Seal rpc ──► done │ never │ lost │ running (asked again)
//!                                              │ no
//!                                              ├─ its life is proven dead ──► unknown, sealed
//!                                              └─ unseen for lease + margin ──► unknown
//! ```
//!
//! Until it is sealed nothing that the agent has is touched; other agents'
//! replicas are not waited for. Intents are settled here, never resumed. So
//! are our own that a host agent did not answer: it gives up what it has not
//! begun, on disk, so that nothing that we gave up happens later.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tonic::Request;
use tracing::{Instrument as _, Span};
use watchdog_core::history::History;
use watchdog_core::ids::{Epoch, PlanId, StepId};
use watchdog_core::plan::{Agent, Outcome};
use watchdog_core::record::Body;
use watchdog_core::seal::{Unasked, lease_ms, unasked};
use watchdog_core::trace::{TARGET, TraceParent};
use watchdog_leader::destination::destination;
use watchdog_proto::agent::{SealReply, SealRequest, SealedStep};
use watchdog_telemetry::spans;

use crate::agents::{Agents, Report, within};
use crate::cluster::sighting;
use crate::cluster::world::World;

/// From one try at an agent to the next.
const AGAIN: Duration = Duration::from_millis(500);

/// An agent's answer.
#[derive(Debug)]
pub(crate) struct Sealed {
    told: Told,
    steps: BTreeMap<StepId, PlanId>,
    reply: Option<SealReply>,
}

/// An agent, and the instance of it that was told: another one knows nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    agent: Agent,
    instance: String,
}

/// See the module.
pub(crate) struct Sealing {
    epoch: Epoch,
    agents: Arc<Agents>,
    answers: mpsc::UnboundedSender<Sealed>,
    /// When each agent is to be asked again; in flight ones wait here too.
    not_before: BTreeMap<Told, Instant>,
    /// Steps of our own that a host agent did not answer, and why: it may still come upon them, unless it gives them up.
    doubts: BTreeMap<StepId, String>,
}

impl Sealing {
    /// Nothing asked yet.
    pub(crate) fn new(epoch: Epoch, agents: Arc<Agents>, answers: mpsc::UnboundedSender<Sealed>) -> Self {
        Self { epoch, agents, answers, not_before: BTreeMap::new(), doubts: BTreeMap::new() }
    }

    /// Asks the agent of a step of ours what became of it, as of a step of an older epoch.
    pub(crate) fn doubt(&mut self, step: StepId, why: String) {
        self.doubts.insert(step, why);
    }

    /// Asks every agent that is due; answers what can be said about the others without asking.
    pub(crate) fn advance(&mut self, world: &World) -> Vec<Body> {
        let mut bodies = Vec::new();
        self.doubts.retain(|step, _| world.history.open_intents.contains_key(step));
        for (told, steps) in self.unsealed(world) {
            if let Some(said) = settled_without_asking(world, &told.agent, &steps) {
                bodies.extend(said);
                continue;
            }
            let due = self.not_before.get(&told).is_none_or(|at| *at <= Instant::now());
            if let (true, Some(address)) = (due, address_of(&told, world)) {
                self.ask(world, told, (address, steps));
            }
        }
        bodies
    }

    /// Open intents of older epochs and those in doubt, by the agent that was told.
    fn unsealed(&self, world: &World) -> BTreeMap<Told, Steps> {
        let mut agents: BTreeMap<Told, Steps> = BTreeMap::new();
        for (step, intent) in &world.history.open_intents {
            if intent.epoch >= self.epoch && !self.doubts.contains_key(step) {
                continue;
            }
            let told =
                Told { agent: intent.agent.clone(), instance: intent.instance.clone().unwrap_or_default() };
            agents.entry(told).or_default().insert(step.clone(), intent.plan.clone());
        }
        agents
    }

    fn ask(&mut self, world: &World, told: Told, (address, steps): (String, Steps)) {
        let patience = Duration::from_millis(world.log.policy.timeouts.seal_ms);
        self.not_before.insert(told.clone(), Instant::now() + patience + AGAIN);
        let request = SealRequest {
            cluster: world.cluster.to_string(),
            epoch: self.epoch.0,
            target: told.instance.clone(),
            steps: steps.keys().map(ToString::to_string).collect(),
        };
        let (agents, answers) = (Arc::clone(&self.agents), self.answers.clone());
        let (span, traced) = traced(world, &told.agent, &steps);
        let request = match traced {
            Some(traced) => within(spans::place(&span).unwrap_or(traced), request),
            None => Request::new(request),
        };
        let asking = async move {
            watchdog_crash_points::crash_point!("daemon.seal.sending");
            let reply = agents.seal(&address, request, patience).await;
            watchdog_crash_points::crash_point!("daemon.seal.answered");
            if let Err(error) = &reply {
                tracing::warn!(agent = %told.agent, %error, "agent not sealed; asking again");
            }
            // Nobody listens any more when the term is over.
            let _ = answers.send(Sealed { told, steps, reply: reply.ok() });
        };
        tokio::spawn(asking.instrument(span));
    }

    /// What an answer means for the record.
    pub(crate) fn conclude(&mut self, sealed: Sealed, history: &History) -> Vec<Body> {
        let Sealed { told, steps, reply } = sealed;
        let Some(reply) = reply else {
            self.not_before.insert(told, Instant::now() + AGAIN);
            return Vec::new();
        };
        let mut bodies = Vec::new();
        if !history.sealed.contains(&told.agent) {
            bodies.push(Body::Sealed { agent: told.agent.clone() });
        }
        let fates: BTreeMap<&str, &SealedStep> =
            reply.steps.iter().map(|fate| (fate.step.as_str(), fate)).collect();
        // What became of some may have been seen meanwhile.
        for (step, plan) in steps.into_iter().filter(|(step, _)| history.open_intents.contains_key(step)) {
            let report = if reply.instance == told.instance {
                fate(fates.get(step.as_str()).copied())
            } else {
                // A new instance refuses what its predecessor was told; what became of it is seen by looking.
                Some(Report::of(Outcome::Unknown, "the agent's state directory is new"))
            };
            match report {
                Some(Report { outcome, error, obituary, blame, .. }) => {
                    // Why it was asked at all is the better half of the story.
                    let doubt = self.doubts.get(&step).filter(|_| outcome != Outcome::Done);
                    let error = match (doubt, error) {
                        (Some(doubt), Some(error)) => Some(format!("{doubt}; {error}")),
                        (_, error) => error,
                    };
                    let obituary = obituary.as_ref();
                    let obituary = obituary.and_then(|one| sighting::brought(one, &told.agent, history));
                    bodies.extend(obituary.map(|obituary| Body::Died { obituary }));
                    bodies.push(Body::Closed { plan, step, outcome, error, blame });
                }
                None => {
                    self.not_before.insert(told.clone(), Instant::now() + AGAIN);
                }
            }
        }
        bodies
    }
}

type Steps = BTreeMap<StepId, PlanId>;

/// A seal in the trace of the plan whose steps it settles, so that what an earlier leader began goes on there; it
/// names the others.
fn traced(world: &World, agent: &Agent, steps: &Steps) -> (Span, Option<TraceParent>) {
    let plans: BTreeSet<&PlanId> = steps.values().collect();
    let stories = plans.into_iter().filter_map(|plan| world.plans.get(plan));
    let mut plans = stories.map(|story| TraceParent::of_plan(&world.cluster, &story.plan));
    let span = tracing::info_span!(target: TARGET, "seal", %agent, steps = steps.len());
    let first = plans.next();
    if let Some(first) = first {
        spans::hang(&span, first);
    }
    plans.for_each(|other| spans::link(&span, other));
    (span, first)
}

/// Where an agent is asked. An embedded agent that is not in the group can't be, and its host's knows nothing of it.
fn address_of(told: &Told, world: &World) -> Option<String> {
    let to = destination(&told.agent, &world.observation).ok()?;
    let embedded = matches!(&told.agent, Agent::Replica(_, life) if told.instance == life.to_string());
    (!embedded || to.target == told.instance).then_some(to.address)
}

/// What an agent said of a step; `None` when it is still at it.
fn fate(said: Option<&SealedStep>) -> Option<Report> {
    let Some(said) = said else {
        return Some(Report::of(Outcome::Unknown, "the agent did not say what became of it"));
    };
    match said.fate.as_str() {
        "done" => Some(match &said.result {
            Some(result) => Report::from_result(result.clone()),
            None => {
                Report { outcome: Outcome::Done, error: None, snapshot: None, obituary: None, blame: None }
            }
        }),
        "never" => Some(Report::of(Outcome::Never, "the agent never began it, and never will")),
        "running" => None,
        _ => Some(Report::of(Outcome::Unknown, "begun before the agent's own crash; settled by looking")),
    }
}

/// What is said of the steps of an agent that can't be asked, or need not be.
fn settled_without_asking(world: &World, agent: &Agent, steps: &Steps) -> Option<Vec<Body>> {
    let lease_ms = lease_ms(&world.log.replicas, &world.log.policy);
    let Unasked { why, is_sealed } = unasked(agent, (&world.history, &world.observation), lease_ms)?;
    let closed = steps.iter().map(|(step, plan)| Body::Closed {
        plan: plan.clone(),
        step: step.clone(),
        outcome: Outcome::Unknown,
        error: Some(why.to_owned()),
        blame: None,
    });
    Some(closed.chain(is_sealed.then(|| Body::Sealed { agent: agent.clone() })).collect())
}
