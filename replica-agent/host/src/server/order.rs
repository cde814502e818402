//! Order: from a request to an order that can be carried out, or the field that is wrong with it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use watchdog_core::desk::Kind;
use watchdog_core::difference::Difference;
use watchdog_core::ids::{ClusterId, Epoch, Incarnation, ReplicaId, StepId, Version};
use watchdog_core::replica::{Probe, launch_hash};
use watchdog_core::state::{Hash, State};
use watchdog_membership::handover::StateFile;
use watchdog_proto::agent::{self, ActRequest, act_request};

use crate::config::{Config, Program};
use crate::ledger::Life;
use crate::refusal::Refusal;

/// How long a step may take that says nothing else.
const TIMEOUT_DEFAULT: Duration = Duration::from_mins(1);
/// The longest lease of an exclusive replica.
pub(super) const LEASE_MS_MAX: u64 = 24 * 3600 * 1000;

/// Who orders, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// Of which cluster.
    pub(crate) cluster: ClusterId,
    /// Under which epoch.
    pub(crate) epoch: Epoch,
    /// Which step.
    pub(crate) step: StepId,
    /// For which instance.
    pub(crate) target: String,
    /// For which session of it; empty when whoever orders does not know of any.
    pub(crate) session: String,
    /// How long it may take.
    pub(crate) timeout: Duration,
}

/// What is to be done.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// Start a process.
    Start(Box<(Life, Program, StateFile)>),
    /// End one, with this grace.
    Kill(ReplicaId, Incarnation, Duration),
    /// Look at one closely, within this budget.
    Snapshot(ReplicaId, Incarnation, Duration),
    /// Load a version on behalf of one.
    Load(Box<Load>),
}

/// A version to load.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    /// For which replica.
    pub(crate) replica: ReplicaId,
    /// Which life of it.
    pub(crate) incarnation: Incarnation,
    /// What it should have now.
    pub(crate) from_hash: Option<Hash>,
    /// What to change.
    pub(crate) difference: Difference,
    /// Or everything, when it has something else.
    pub(crate) state: Option<State>,
    /// Which version that is.
    pub(crate) to_version: Version,
    /// What it must hash to.
    pub(crate) to_hash: Hash,
}

impl Act {
    /// Which replica and which life of it.
    pub(crate) fn whom(&self) -> (&ReplicaId, Incarnation) {
        match self {
            Self::Start(start) => (&start.0.replica, start.0.incarnation),
            Self::Kill(replica, incarnation, _) | Self::Snapshot(replica, incarnation, _) => {
                (replica, *incarnation)
            }
            Self::Load(load) => (&load.replica, load.incarnation),
        }
    }

    /// What kind of act it is.
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Start(_) => Kind::Start,
            Self::Kill(..) => Kind::Kill,
            Self::Snapshot(..) => Kind::Snapshot,
            Self::Load(_) => Kind::Load,
        }
    }
}

fn parse<T: FromStr<Err: Display>>(field: &str, text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|error| Refusal::field(field, error))
}

fn json<T: serde::de::DeserializeOwned>(field: &str, text: &str) -> Result<T, Refusal> {
    serde_json::from_str(text).map_err(|error| Refusal::field(field, error))
}

/// The cluster of a request, if it is one of ours.
pub(super) fn cluster(config: &Config, field: &str, name: &str) -> Result<ClusterId, Refusal> {
    let cluster: ClusterId = parse(field, name)?;
    if config.clusters.contains(&cluster) {
        return Ok(cluster);
    }
    let ours: Vec<&str> = config.clusters.iter().map(ClusterId::as_str).collect();
    Err(Refusal::field(
        field,
        format!("this host keeps no replicas of {cluster}, only of: {}", ours.join(", ")),
    ))
}

/// An epoch that somebody can lead under.
fn epoch(field: &str, epoch: u64) -> Result<Epoch, Refusal> {
    if epoch == 0 { Err(Refusal::field(field, "nobody leads under epoch 0")) } else { Ok(Epoch(epoch)) }
}

/// Understands a request.
///
/// # Errors
///
/// The first field that can't be used.
pub(crate) fn understand(config: &Config, request: ActRequest) -> Result<(Order, Act), Refusal> {
    let order = request.order.ok_or_else(|| Refusal::field("order", "is missing"))?;
    let timeout = Some(order.timeout_ms).filter(|ms| *ms > 0).map_or(TIMEOUT_DEFAULT, Duration::from_millis);
    let order = Order {
        cluster: cluster(config, "order.cluster", &order.cluster)?,
        epoch: epoch("order.epoch", order.epoch)?,
        step: parse("order.step", &order.step)?,
        target: order.target,
        session: order.session,
        timeout,
    };
    let act = match request.act.ok_or_else(|| Refusal::field("act", "is missing"))? {
        act_request::Act::Start(start) => understand_start(config, &order, start)?,
        act_request::Act::Kill(kill) => {
            let grace = Duration::from_millis(kill.grace_ms.min(config.grace_max_ms));
            Act::Kill(
                parse("kill.replica", &kill.replica)?,
                parse("kill.incarnation", &kill.incarnation)?,
                grace,
            )
        }
        act_request::Act::Snapshot(snapshot) => {
            let replica = parse("snapshot.replica", &snapshot.replica)?;
            let budget = Some(snapshot.budget_ms).filter(|ms| *ms > 0).unwrap_or(50).min(5_000);
            let incarnation = parse("snapshot.incarnation", &snapshot.incarnation)?;
            Act::Snapshot(replica, incarnation, Duration::from_millis(budget))
        }
        act_request::Act::Load(load) => understand_load(load)?,
        act_request::Act::Drain(_) | act_request::Act::Undrain(_) => {
            let reason = "a host agent does not drain; the replica's embedded agent does".to_owned();
            return Err(Refusal::NotOurs { reason });
        }
    };
    Ok((order, act))
}

/// A newer epoch, and the steps whose fate its leader asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seal {
    /// Of which cluster.
    pub(crate) cluster: ClusterId,
    /// The epoch.
    pub(crate) epoch: Epoch,
    /// The steps.
    pub(crate) steps: Vec<StepId>,
}

/// Understands a seal.
///
/// # Errors
///
/// The first field that can't be used.
pub(crate) fn understand_seal(config: &Config, request: &agent::SealRequest) -> Result<Seal, Refusal> {
    let steps = request.steps.iter().map(|step| parse("steps", step));
    Ok(Seal {
        cluster: cluster(config, "cluster", &request.cluster)?,
        epoch: epoch("epoch", request.epoch)?,
        steps: steps.collect::<Result<_, _>>()?,
    })
}

/// Understands a look: of which cluster, and at whom; at everybody when nobody is named.
///
/// # Errors
///
/// The first field that can't be used.
pub(crate) fn understand_look(
    config: &Config,
    request: &agent::LookRequest,
) -> Result<(ClusterId, BTreeSet<ReplicaId>), Refusal> {
    let replicas = request.replicas.iter().map(|replica| parse("replicas", replica));
    Ok((cluster(config, "cluster", &request.cluster)?, replicas.collect::<Result<_, _>>()?))
}

/// That a program is none that this host allows.
pub(super) fn no_program(config: &Config, name: &str) -> String {
    let known: Vec<&str> = config.programs.keys().map(String::as_str).collect();
    format!("this host allows no program {name:?}, only: {}", known.join(", "))
}

fn understand_start(config: &Config, order: &Order, start: agent::Start) -> Result<Act, Refusal> {
    let program = config.programs.get(&start.program).ok_or_else(|| Refusal::NotFound {
        field: "start.program",
        reason: no_program(config, &start.program),
    })?;
    let given: BTreeMap<String, String> = start.parameters.into_iter().collect();
    let parameters = program
        .fill(&given)
        .map_err(|error| Refusal::field(format!("start.parameters.{}", error.name()), error))?;
    let state: State = json("start.state_json", &start.state_json)?;
    let state_hash: Hash = parse("start.state_hash", &start.state_hash)?;
    if state.hash() != state_hash {
        return Err(Refusal::field(
            "start.state_json",
            format!("hashes to {}, not to state_hash", state.hash()),
        ));
    }
    let probes: Vec<Probe> = match start.probes_json.as_str() {
        "" => Vec::new(),
        text => json("start.probes_json", text)?,
    };
    if start.exclusive && !(1..=LEASE_MS_MAX).contains(&start.lease_ms) {
        return Err(Refusal::field(
            "start.lease_ms",
            format!("an exclusive replica needs one of 1 to {LEASE_MS_MAX}"),
        ));
    }
    let started_with = Some(launch_hash(&start.program, &given, &probes));
    let life = Life {
        cluster: order.cluster.clone(),
        replica: parse("start.replica", &start.replica)?,
        incarnation: parse("start.incarnation", &start.incarnation)?,
        program: start.program,
        parameters,
        epoch: order.epoch,
        version: Version(start.version),
        state_hash,
        lease_ms: start.exclusive.then_some(start.lease_ms),
        probes,
        started_with,
    };
    let state = StateFile { version: life.version, state_hash, state };
    Ok(Act::Start(Box::new((life, program.clone(), state))))
}

fn understand_load(load: agent::Load) -> Result<Act, Refusal> {
    let optional = |text: String| Some(text).filter(|text| !text.is_empty());
    let hash = |text: String| parse("load.from_hash", &text);
    Ok(Act::Load(Box::new(Load {
        replica: parse("load.replica", &load.replica)?,
        incarnation: parse("load.incarnation", &load.incarnation)?,
        from_hash: optional(load.from_hash).map(hash).transpose()?,
        difference: match load.difference_json.as_str() {
            "" => Difference::default(),
            text => json("load.difference_json", text)?,
        },
        state: optional(load.state_json).map(|text| json("load.state_json", &text)).transpose()?,
        to_version: Version(load.to_version),
        to_hash: parse("load.to_hash", &load.to_hash)?,
    })))
}
