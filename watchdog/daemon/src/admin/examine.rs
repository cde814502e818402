//! Examine: asks the hosts what they would refuse of the replicas that a goal declares, before anybody depends on it.
//!
//! ```text
//! changes ─► questions ─► each host agent that is there ─► objections ─► refused, by key and field
//!                └─► hosts that are gone, silent or unknown ─► notes
//! ```
//!
//! *On silence.* An agent that does not answer within three seconds refuses nothing; a note names its host.

use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use tonic::Status;
use watchdog_core::change::Change;
use watchdog_core::ids::{HostId, ReplicaId};
use watchdog_core::observation::{HostSeen, Presence, Sight};
use watchdog_core::replica::ReplicaSpec;
use watchdog_proto::agent::{ExamineRequest, Objection};

use crate::cluster::Handle;
use crate::cluster::world::World;

/// How long a host may take to answer; its own look at users and programs takes a moment.
const PATIENCE: Duration = Duration::from_secs(3);
/// So many hosts are asked at once.
const ASKED_AT_ONCE: usize = 16;
/// So many objections and notes are told.
const TOLD_MAX: usize = 8;

/// One host, asked about one declaration.
struct Question {
    host: HostId,
    address: String,
    request: ExamineRequest,
}

/// What came of a question.
enum Heard {
    Objects(HostId, ReplicaId, Vec<Objection>),
    Silent(HostId, String),
}

/// Asks about what is declared anew or otherwise in `changes`; answers what is worth knowing, a sentence each.
///
/// # Errors
///
/// What a host would refuse, by key and field; and a declaration none of whose hosts anybody knows.
pub(super) async fn examine(handle: &Handle, changes: &[Change]) -> Result<Vec<String>, Status> {
    let declared: Vec<(ReplicaId, ReplicaSpec)> = changes.iter().filter_map(declaration).collect();
    let mut notes = Vec::new();
    let mut questions = Vec::new();
    {
        let world = handle.world.lock();
        for (replica, spec) in &declared {
            let strangers: Vec<&HostId> = spec.hosts.iter().filter(|host| !is_known(&world, host)).collect();
            // Who sees nobody can't tell who is unknown.
            let sees = matches!(world.observation.sight, Sight::Clear);
            if sees && strangers.len() == spec.hosts.len() {
                return Err(homeless(&world, replica, &strangers));
            }
            notes.extend(strangers.iter().map(|host| {
                format!("replica/{replica} may run on {host}, which nobody has seen yet: a misspelt name?")
            }));
            questions.extend(asked(&world, replica, spec));
        }
    }
    let heard: Vec<Heard> = stream::iter(questions)
        .map(|question| ask(handle, question))
        .buffer_unordered(ASKED_AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    let mut objections = Vec::new();
    for one in heard {
        match one {
            Heard::Objects(host, replica, all) => objections.extend(all.into_iter().map(|it| {
                let Objection { field, reason } = it;
                format!("replica/{replica}: {field}: host {host} would refuse it: {reason}")
            })),
            Heard::Silent(host, why) => notes.push(format!("{host} could not be asked about it: {why}")),
        }
    }
    if objections.is_empty() {
        return Ok(some_of(notes));
    }
    Err(Status::invalid_argument(some_of(objections).join("\n")))
}

/// What a change declares, when it can be read; what can't is refused elsewhere.
fn declaration(change: &Change) -> Option<(ReplicaId, ReplicaSpec)> {
    let value = change.after.as_ref().filter(|_| change.key.kind() == "replica")?;
    Some((change.key.name().parse().ok()?, serde_json::from_value(value.clone()).ok()?))
}

fn is_known(world: &World, host: &HostId) -> bool {
    world.observation.hosts.contains_key(host) || world.history.hosts.contains_key(host)
}

fn homeless(world: &World, replica: &ReplicaId, strangers: &[&HostId]) -> Status {
    let named: Vec<&str> = strangers.iter().map(|host| host.as_str()).collect();
    let known: Vec<&str> = world.observation.hosts.keys().map(HostId::as_str).take(TOLD_MAX).collect();
    let known = if known.is_empty() { "nobody".to_owned() } else { known.join(", ") };
    Status::invalid_argument(format!(
        "replica/{replica}: hosts: no host agent called {} was ever seen; there are: {known}. Start its agent first, \
         or name another host",
        named.join(" or ")
    ))
}

fn asked(world: &World, replica: &ReplicaId, spec: &ReplicaSpec) -> Vec<Question> {
    let there = spec.hosts.iter().filter_map(|host| {
        let seen = world.observation.hosts.get(host)?;
        matches!(seen.presence, Presence::Present).then_some((host, seen))
    });
    let request = ExamineRequest {
        cluster: world.cluster.to_string(),
        replica: replica.to_string(),
        program: spec.program.clone(),
        parameters: spec.parameters.clone().into_iter().collect(),
        probes_json: serde_json::to_string(&spec.probes).unwrap_or_default(),
        exclusive: spec.exclusive,
        lease_ms: spec.lease_ms,
    };
    let question = |(host, seen): (&HostId, &HostSeen)| Question {
        host: host.clone(),
        address: seen.address.clone(),
        request: request.clone(),
    };
    there.map(question).collect()
}

/// Nothing, where the host has no objection.
async fn ask(handle: &Handle, Question { host, address, request }: Question) -> Option<Heard> {
    let replica = request.replica.parse().ok()?;
    match handle.agents.examine(&address, request, PATIENCE).await {
        Ok(reply) if reply.objections.is_empty() => None,
        Ok(reply) => Some(Heard::Objects(host, replica, reply.objections)),
        Err(status) => Some(Heard::Silent(host, status.message().to_owned())),
    }
}

/// In order and as many as people read.
fn some_of(mut sentences: Vec<String>) -> Vec<String> {
    sentences.sort();
    sentences.dedup();
    let more = sentences.len().saturating_sub(TOLD_MAX);
    sentences.truncate(TOLD_MAX);
    if more > 0 {
        sentences.push(format!("and {more} more"));
    }
    sentences
}
