//! Seal: asks the agents that the leader wants sealed, and brings their answers back.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tonic::Request;
use tracing::{Instrument as _, Span};
use watchdog_core::history::History;
use watchdog_core::ids::PlanId;
use watchdog_core::trace::{TARGET, TraceParent};
use watchdog_leader::report::Report;
use watchdog_leader::seal::{SealCall, SealReply, StepFate};
use watchdog_proto::agent::{SealReply as Told, SealRequest, SealedStep};
use watchdog_telemetry::spans;

use crate::agents::{Agents, result, within};
use crate::cluster::sighting;
use crate::cluster::world::World;

/// What was asked, and the answer, if there was one.
pub(crate) type Sealed = (SealCall, Option<SealReply>);

/// See the module.
pub(crate) struct Sealer {
    /// How agents are reached.
    pub(crate) agents: Arc<Agents>,
    /// Where answers go.
    pub(crate) answers: mpsc::UnboundedSender<Sealed>,
}

impl Sealer {
    /// Asks an agent; its answer comes by itself.
    pub(crate) fn ask(&self, world: &World, call: SealCall) {
        let request = SealRequest {
            cluster: world.cluster.to_string(),
            epoch: call.epoch.0,
            target: call.to.instance.clone(),
            steps: call.steps.keys().map(ToString::to_string).collect(),
        };
        let (agents, answers) = (Arc::clone(&self.agents), self.answers.clone());
        let (span, traced) = traced(world, &call);
        let request = match traced {
            Some(traced) => within(spans::place(&span).unwrap_or(traced), request),
            None => Request::new(request),
        };
        let asking = async move {
            watchdog_crash_points::crash_point!("daemon.seal.sending");
            let patience = Duration::from_millis(call.patience_ms);
            let reply = agents.seal(&call.address, request, patience).await;
            watchdog_crash_points::crash_point!("daemon.seal.answered");
            if let Err(error) = &reply {
                tracing::warn!(agent = %call.to.agent, %error, "agent not sealed; asking again");
            }
            // Nobody listens any more when the term is over.
            let _ = answers.send((call, reply.ok().map(read)));
        };
        tokio::spawn(asking.instrument(span));
    }
}

/// A seal in the trace of the plan whose steps it settles, so that what an earlier leader began goes on there; it
/// names the others.
fn traced(world: &World, call: &SealCall) -> (Span, Option<TraceParent>) {
    let plans: BTreeSet<&PlanId> = call.steps.values().collect();
    let stories = plans.into_iter().filter_map(|plan| world.plans.get(plan));
    let mut plans = stories.map(|story| TraceParent::of_plan(&world.cluster, &story.plan));
    let span = tracing::info_span!(target: TARGET, "seal", agent = %call.to.agent, steps = call.steps.len());
    let first = plans.next();
    if let Some(first) = first {
        spans::hang(&span, first);
    }
    plans.for_each(|other| spans::link(&span, other));
    (span, first)
}

/// Warns of obituaries in an answer that are not its agent's to bring.
pub(crate) fn warn_of_unbelieved((call, reply): &Sealed, past: &History) {
    for fate in reply.iter().flat_map(|reply| reply.fates.values()) {
        if let StepFate::Ended(report) = fate {
            sighting::warn_of_unbelieved(&call.to.agent, report, past);
        }
    }
}

fn read(told: Told) -> SealReply {
    // What is no name of a step is none that was asked for.
    let fates = told.steps.into_iter().filter_map(|said| Some((said.step.parse().ok()?, fate(said))));
    SealReply { instance: told.instance, fates: fates.collect() }
}

fn fate(said: SealedStep) -> StepFate {
    match said.fate.as_str() {
        "done" => StepFate::Ended(Box::new(said.result.map_or_else(Report::done, result))),
        "never" => StepFate::Never,
        "running" => StepFate::Running,
        _ => StepFate::Lost,
    }
}
