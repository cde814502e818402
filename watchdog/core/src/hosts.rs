//! Hosts: which of those that were ever seen are still of any concern.
//!
//! Machines are replaced, and the record remembers each for ever. Whatever counts hosts, or lists them, asks here, so that
//! one that is gone for good is forgotten as soon as nothing depends on it.

use std::collections::BTreeSet;

use crate::history::History;
use crate::ids::HostId;
use crate::input::Declarations;
use crate::observation::{Life, Observation};
use crate::plan::Agent;

/// The hosts that a declaration names.
pub fn named(replicas: &Declarations) -> BTreeSet<&HostId> {
    replicas.values().flatten().flat_map(|spec| &spec.hosts).collect()
}

/// The hosts on which a declared replica runs, or ran last.
pub fn inhabited<'a>(
    replicas: &Declarations,
    (history, observation): (&'a History, &'a Observation),
) -> BTreeSet<&'a HostId> {
    let mut inhabited = BTreeSet::new();
    for replica in replicas.keys() {
        let last = history.lives.get(replica).and_then(|lives| lives.back());
        inhabited.extend(last.map(|past| &past.host));
        let seen = observation.replicas.get(replica).into_iter().flat_map(|seen| seen.lives.values());
        inhabited.extend(seen.filter(|life| life.is_alive()).map(|life: &Life| &life.host));
    }
    inhabited
}

/// The hosts whose silence still matters: those that are named, those with a life that is the last of its replica or is not
/// proven dead, and those whose agent may be at an order.
pub fn of_concern<'a>(
    replicas: &'a Declarations,
    history: &'a History,
    observation: &'a Observation,
) -> BTreeSet<&'a HostId> {
    let mut all = named(replicas);
    for lives in history.lives.values() {
        let unproven = lives.iter().filter(|past| past.obituary.is_none());
        all.extend(unproven.chain(lives.back()).map(|past| &past.host));
    }
    let seen = observation.replicas.values().flat_map(|seen| seen.lives.values());
    all.extend(seen.map(|life| &life.host));
    all.extend(history.open_intents.values().filter_map(|intent| match &intent.agent {
        Agent::Host(host) => Some(host),
        Agent::Replica(..) | Agent::Leader => None,
    }));
    all
}
