//! Orders: turns a step of a plan into the request that an agent understands.

use watchdog_core::difference::Difference;
use watchdog_core::ids::{Incarnation, ReplicaId, Version};
use watchdog_core::plan::{Act, Plan, Step};
use watchdog_core::replica::ReplicaSpec;
use watchdog_core::state::{Hash, State};
use watchdog_leader::destination::{Absent, Destination};
use watchdog_proto::agent::act_request::Act as Wire;
use watchdog_proto::agent::{ActRequest, Drain, Kill, Load, Order, Snapshot, Start};

use crate::cluster::world::World;

/// Why a step can't be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OrderError {
    /// Who is to carry it out is not there.
    #[error(transparent)]
    Absent(#[from] Absent),
    /// The log does not declare the replica, or not readably.
    #[error("the log does not declare {0}")]
    NotDeclared(ReplicaId),
    /// The leader carries it out itself.
    #[error("a {0} is no order to an agent")]
    NoOrder(&'static str),
}

/// What a step needs of the log: the way that a load goes, and the state to reach.
#[derive(Debug, Clone, Default)]
pub(crate) struct States {
    /// From the version to leave; `None` when nobody knows what is there, so that all must be loaded.
    pub(crate) way: Option<Way>,
    /// The application's state at the version to reach.
    pub(crate) to: State,
}

/// What a load puts and removes, and the hash of what it does that to.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    /// What to put and to remove.
    pub(crate) difference: Difference,
    /// The hash of the application's state before.
    pub(crate) from_hash: Hash,
}

impl Way {
    /// The way from one state to another.
    pub(crate) fn between(from: &State, to: &State) -> Self {
        Self { difference: from.difference(to), from_hash: from.hash() }
    }
}

/// The versions whose states a step needs.
pub(crate) fn versions(act: &Act, head: Version) -> (Option<Version>, Option<Version>) {
    match act {
        Act::Start { version, .. } => (None, Some(*version)),
        // A replica may claim any number; what the log never held can't be looked up.
        Act::Load { from, to, .. } => (Some(*from).filter(|from| *from <= head), Some(*to)),
        Act::Snapshot { .. }
        | Act::Drain { .. }
        | Act::Kill { .. }
        | Act::Probe { .. }
        | Act::MarkStable { .. }
        | Act::Reject { .. }
        | Act::Notify { .. } => (None, None),
    }
}

/// The request for a step of `plan`.
pub(crate) fn request(
    plan: &Plan,
    step: &Step,
    to: &Destination,
    (world, states): (&World, &States),
) -> Result<ActRequest, OrderError> {
    let order = Order {
        cluster: world.cluster.to_string(),
        epoch: plan.epoch.0,
        plan: plan.id.to_string(),
        step: step.id.to_string(),
        target: to.target.clone(),
        timeout_ms: step.timeout_ms,
        session: to.session.clone(),
    };
    let act = match (&step.act, &step.replica) {
        (Act::Probe { .. } | Act::MarkStable { .. } | Act::Reject { .. } | Act::Notify { .. }, _)
        | (_, None) => {
            return Err(OrderError::NoOrder(step.act.word()));
        }
        (act, Some(replica)) => wire(act, replica, world, states)?,
    };
    Ok(ActRequest { order: Some(order), act: Some(act) })
}

fn wire(act: &Act, id: &ReplicaId, world: &World, states: &States) -> Result<Wire, OrderError> {
    let replica = id.to_string();
    Ok(match act {
        Act::Snapshot { incarnation, budget_ms, .. } => {
            Wire::Snapshot(Snapshot { replica, incarnation: incarnation.to_string(), budget_ms: *budget_ms })
        }
        Act::Drain { incarnation } => Wire::Drain(Drain { replica, incarnation: incarnation.to_string() }),
        Act::Kill { incarnation, grace_ms, .. } => {
            Wire::Kill(Kill { replica, incarnation: incarnation.to_string(), grace_ms: *grace_ms })
        }
        Act::Start { incarnation, version, .. } => {
            let spec = world.log.replicas.get(id).and_then(|spec| spec.as_ref().ok());
            let spec = spec.ok_or_else(|| OrderError::NotDeclared(id.clone()))?;
            Wire::Start(start(replica, *incarnation, *version, (spec, states)))
        }
        Act::Load { incarnation, from, to } => {
            let whole = || Way::between(&State::default(), &states.to);
            let Way { difference, from_hash } = states.way.clone().unwrap_or_else(whole);
            Wire::Load(Load {
                replica,
                incarnation: incarnation.to_string(),
                from_version: from.0,
                to_version: to.0,
                difference_json: json(&difference),
                from_hash: from_hash.to_string(),
                to_hash: states.to.hash().to_string(),
                state_json: json(&states.to),
            })
        }
        Act::Probe { .. } | Act::MarkStable { .. } | Act::Reject { .. } | Act::Notify { .. } => {
            return Err(OrderError::NoOrder(act.word()));
        }
    })
}

fn start(
    replica: String,
    incarnation: Incarnation,
    version: Version,
    (spec, states): (&ReplicaSpec, &States),
) -> Start {
    Start {
        replica,
        incarnation: incarnation.to_string(),
        program: spec.program.clone(),
        parameters: spec.parameters.clone(),
        version: version.0,
        state_json: json(&states.to),
        state_hash: states.to.hash().to_string(),
        exclusive: spec.exclusive,
        lease_ms: spec.lease_ms,
        probes_json: json(&spec.probes),
    }
}

/// Our own types hold nothing that JSON can't.
fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
