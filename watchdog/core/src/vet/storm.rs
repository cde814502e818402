//! Storm: replicas that vanished silently are not started in numbers by an observer that may be the one cut off.

use std::collections::BTreeSet;

use crate::ids::{HostId, Incarnation, ReplicaId, Time};
use crate::input::PlanInput;
use crate::observation::Presence;
use crate::plan::{Act, Plan};

use super::Objection;
use super::facts::{is_present, places, seen, serves};

const HOUR_MS: u64 = 3_600_000;

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
    let counted = counted(input);
    let present = counted.iter().filter(|host| is_present(input, host)).count();
    let written = input.observation.fenced_write_at.is_some_and(|written| written > last);
    written && 2 * present >= counted.len()
}

/// The hosts by which it is measured how much is seen: where declared replicas run or ran last, and those that are named
/// and are there or were within the hour. Replaced machines are not waited for.
fn counted(input: &PlanInput) -> BTreeSet<&HostId> {
    let homes = input.replicas.keys().flat_map(|replica| {
        let alive = seen(input, replica).into_iter().flatten().filter(|(_, life)| life.is_alive());
        let last = input.history.lives.get(replica).and_then(|lives| lives.back());
        alive.map(|(_, life)| &life.host).chain(last.map(|past| &past.host)).collect::<Vec<_>>()
    });
    let specs = input.replicas.values().filter_map(|spec| spec.as_ref().ok());
    let is_recent = |host: &&HostId| match input.observation.hosts.get(*host).map(|host| host.presence) {
        Some(Presence::Gone { since }) => input.now.since_ms(since) < HOUR_MS,
        Some(Presence::Present) => true,
        None => false,
    };
    homes.chain(specs.flat_map(|spec| &spec.hosts).filter(is_recent)).collect()
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
    // Of those that nobody ordered, none is known to be the newest.
    let newest = ordered.map(|past| &past.incarnation);
    let absent = input.observation.replicas.get(replica).and_then(|seen| seen.absent_since);
    let since = |(incarnation, host): (&Incarnation, &&HostId)| {
        let gone = match input.observation.hosts.get(*host).map(|host| host.presence) {
            Some(Presence::Gone { since }) => Some(since),
            _ => None,
        };
        absent.filter(|_| newest.is_none_or(|newest| incarnation == newest)).or(gone).unwrap_or(input.now)
    };
    let since = unseen.into_iter().map(since).max()?;
    input.history.storm_released_at.is_none_or(|released| released <= since).then_some(since)
}
