//! Storm: replicas that vanished silently are not started in numbers by an observer that may be the one cut off.

use std::collections::BTreeSet;

use crate::ids::{HostId, Incarnation, ReplicaId, Time};
use crate::input::PlanInput;
use crate::observation::{HostSeen, Presence};
use crate::plan::{Act, Plan};

use super::Objection;
use super::facts::{is_present, places, seen, serves};

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let starts = plan.steps.iter().filter(|step| matches!(step.act, Act::Start { .. }));
    let started: BTreeSet<&ReplicaId> = starts.filter_map(|step| step.replica.as_ref()).collect();
    let silent: Vec<Time> = started.into_iter().filter_map(|replica| silent_since(replica, input)).collect();
    let Some(last) = silent.iter().max() else { return Vec::new() };
    let replicas = silent.len();
    #[expect(clippy::cast_precision_loss, reason = "numbers of replicas are far below 2^52")]
    let many = replicas >= 2 && replicas as f64 >= input.policy.storm_share * input.replicas.len() as f64;
    if many && !is_trusted(*last, input) { vec![Objection::MassSilence { replicas }] } else { Vec::new() }
}

/// Whether the observer has shown that it is not the one that was cut off.
fn is_trusted(last: Time, input: &PlanInput) -> bool {
    let observation = &input.observation;
    let hosts: BTreeSet<&HostId> = input.history.hosts.keys().chain(observation.hosts.keys()).collect();
    let present = observation.hosts.values().filter(|host| HostSeen::is_present(host)).count();
    observation.fenced_write_at.is_some_and(|written| written > last) && 2 * present >= hosts.len()
}

/// Since when a life may be only out of sight: nobody says what became of it, and no operator said to go on.
fn silent_since(replica: &ReplicaId, input: &PlanInput) -> Option<Time> {
    if serves(input, replica) {
        return None;
    }
    let known = |incarnation: &Incarnation| {
        let life = seen(input, replica).and_then(|lives| lives.get(incarnation));
        let mut past = input.history.lives.get(replica).into_iter().flatten();
        life.is_some_and(|life| life.is_alive() || life.obituary.is_some())
            || past.any(|past| past.incarnation == *incarnation && past.obituary.is_some())
    };
    let silent =
        |(incarnation, host): (&Incarnation, &&HostId)| !known(incarnation) && !is_present(input, host);
    let lives = places(input, replica);
    let unseen: Vec<_> = lives.iter().filter(|life| silent(*life)).collect();
    let ordered = input.history.lives.get(replica).and_then(|lives| lives.back());
    let newest = ordered.map(|past| &past.incarnation).or(lives.keys().next_back())?;
    let absent = input.observation.replicas.get(replica).and_then(|seen| seen.absent_since);
    let since = |(incarnation, host): (&Incarnation, &&HostId)| {
        let gone = match input.observation.hosts.get(*host).map(|host| host.presence) {
            Some(Presence::Gone { since }) => Some(since),
            _ => None,
        };
        absent.filter(|_| incarnation == newest).or(gone).unwrap_or(input.now)
    };
    let since = unseen.into_iter().map(since).max()?;
    input.history.storm_released_at.is_none_or(|released| released <= since).then_some(since)
}
