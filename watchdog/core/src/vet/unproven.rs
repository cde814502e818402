//! Unproven: the linter's own count of lives that were ordered and are not proven dead, and nothing is started beside one.
//!
//! ```text
//! plan recorded ─► its starts and kills ─► intended ─► a life that may run
//!                                          closed as never, killed, obituary, another boot of its host ─► over
//! ```
//!
//! It is folded from the record alone, and shares nothing with the history that the planner reads, so that what is
//! forgotten or put in the wrong order there is found here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{HostId, Incarnation, PlanId, ReplicaId, StepId};
use crate::input::PlanInput;
use crate::observation::{Life, Presence};
use crate::plan::{Act, Outcome, Plan};
use crate::record::{Body, Entry};

use super::Objection;
use super::facts::{is_present, life};

/// Lives without proof of death, as the record tells of them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Unproven {
    /// Starts and kills of plans that may still act, or that were ordered and not answered.
    deeds: BTreeMap<StepId, Deed>,
    /// The boot in which each host was seen last.
    boots: BTreeMap<HostId, String>,
    /// Lives that may run, in the order in which they were ordered.
    standing: BTreeMap<ReplicaId, Vec<Birth>>,
    /// How many lives of each replica were ordered.
    ordered: BTreeMap<ReplicaId, u64>,
}

/// What a step begins or ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Deed {
    plan: PlanId,
    replica: ReplicaId,
    incarnation: Incarnation,
    /// Where it begins; `None` when it is ended.
    begins_on: Option<HostId>,
    is_intended: bool,
}

/// A life that may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Birth {
    incarnation: Incarnation,
    host: HostId,
    /// It was the so manieth that was ordered of its replica.
    number: u64,
    /// Its start is not answered, so that it may begin after a boot.
    is_open: bool,
}

impl Unproven {
    /// Takes in the next entry of the record.
    pub(crate) fn apply(&mut self, entry: &Entry) {
        match &entry.body {
            Body::PlanRecorded { plan, .. } => self.deeds.extend(deeds(plan)),
            Body::PlanStatus { plan, status, .. } if !status.is_open() => {
                self.deeds.retain(|_, deed| deed.plan != *plan || deed.is_intended);
            }
            Body::Intended { step, .. } => self.intend(step),
            Body::Closed { step, outcome, .. } => self.close(step, *outcome),
            Body::Died { obituary } => self.end(&obituary.replica, obituary.incarnation),
            Body::HostSeen { host, boot_id, .. } => {
                let before = self.boots.insert(host.clone(), boot_id.clone());
                if before.is_some_and(|before| before != *boot_id) {
                    self.retain(|birth| birth.host != *host || birth.is_open);
                }
            }
            _ => {}
        }
    }

    fn intend(&mut self, step: &StepId) {
        let Some(deed) = self.deeds.get_mut(step) else { return };
        deed.is_intended = true;
        let Some(host) = deed.begins_on.clone() else { return };
        let number = self.ordered.entry(deed.replica.clone()).or_default();
        *number += 1;
        let birth = Birth { incarnation: deed.incarnation, host, number: *number, is_open: true };
        let births = self.standing.entry(deed.replica.clone()).or_default();
        if births.iter().all(|other| other.incarnation != birth.incarnation) {
            births.push(birth);
        }
    }

    fn close(&mut self, step: &StepId, outcome: Outcome) {
        let Some(Deed { replica, incarnation, begins_on, .. }) = self.deeds.remove(step) else { return };
        match (begins_on, outcome) {
            (Some(_), Outcome::Never) | (None, Outcome::Done) => self.end(&replica, incarnation),
            (Some(_), _) => {
                let mut births = self.standing.get_mut(&replica).into_iter().flatten();
                if let Some(birth) = births.find(|birth| birth.incarnation == incarnation) {
                    birth.is_open = false;
                }
            }
            (None, _) => {}
        }
    }

    fn end(&mut self, replica: &ReplicaId, incarnation: Incarnation) {
        let Some(births) = self.standing.get_mut(replica) else { return };
        births.retain(|birth| birth.incarnation != incarnation);
        if births.is_empty() {
            self.standing.remove(replica);
        }
    }

    fn retain(&mut self, stands: impl Fn(&Birth) -> bool) {
        self.standing.retain(|_, births| {
            births.retain(|birth| stands(birth));
            !births.is_empty()
        });
    }

    fn of(&self, replica: &ReplicaId) -> impl DoubleEndedIterator<Item = &Birth> {
        self.standing.get(replica).into_iter().flatten()
    }

    /// When a life was ordered, among those of its replica that may run; `None` when it is not one of them.
    pub(super) fn number(&self, replica: &ReplicaId, incarnation: Incarnation) -> Option<u64> {
        self.of(replica).find(|birth| birth.incarnation == incarnation).map(|birth| birth.number)
    }
}

fn deeds(plan: &Plan) -> impl Iterator<Item = (StepId, Deed)> {
    plan.steps.iter().filter_map(|step| {
        let (incarnation, begins_on) = match &step.act {
            Act::Start { host, incarnation, .. } => (*incarnation, Some(host.clone())),
            Act::Kill { incarnation, .. } => (*incarnation, None),
            _ => return None,
        };
        let (plan, replica) = (plan.id.clone(), step.replica.clone()?);
        Some((step.id.clone(), Deed { plan, replica, incarnation, begins_on, is_intended: false }))
    })
}

/// Objections to a start of a replica while a life of it that was ordered may run.
pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let mut objections = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let (Act::Start { incarnation: started, .. }, Some(replica)) = (&step.act, &step.replica) else {
            continue;
        };
        let is_killed = |birth: &&Birth| {
            plan.steps[..index].iter().any(|before| {
                let named =
                    matches!(&before.act, Act::Kill { incarnation, .. } if *incarnation == birth.incarnation);
                named && !before.optional && before.replica.as_ref() == Some(replica)
            })
        };
        let others = input.history.unproven.of(replica).filter(|birth| birth.incarnation != *started);
        let standing =
            others.filter(|birth| !is_killed(birth)).filter(|birth| !is_over(birth, replica, input));
        objections.extend(standing.map(|birth| Objection::NotProvenDead {
            replica: replica.clone(),
            incarnation: birth.incarnation,
            host: birth.host.clone(),
        }));
    }
    objections
}

/// Whether what is seen says that it is over; of an exclusive one a silence says nothing.
fn is_over(birth: &Birth, replica: &ReplicaId, input: &PlanInput) -> bool {
    let seen = life(input, replica, birth.incarnation);
    if seen.is_some_and(|life| life.obituary.is_some()) {
        return true;
    }
    let host = input.observation.hosts.get(&birth.host).filter(|host| host.is_present());
    let unproven = &input.history.unproven;
    let boot = unproven.boots.get(&birth.host);
    let rebooted = host.zip(boot).is_some_and(|(host, boot)| host.boot_id != *boot);
    if rebooted && seen.is_none_or(|life| life.process.is_none()) {
        return true;
    }
    let spec = input.replicas.get(replica).and_then(|spec| spec.as_ref().ok());
    if seen.is_some_and(Life::is_alive) || spec.is_none_or(|spec| spec.exclusive) {
        return false;
    }
    let replaced = unproven.ordered.get(replica).is_some_and(|ordered| birth.number < *ordered);
    if is_present(input, &birth.host) {
        return replaced && host.is_some_and(|host| host.inventory_complete);
    }
    let gone = match input.observation.hosts.get(&birth.host).map(|host| host.presence) {
        Some(Presence::Gone { since }) => Some(since),
        Some(Presence::Present) | None => None,
    };
    let absent = input.observation.replicas.get(replica).and_then(|seen| seen.absent_since);
    let silent_since = if replaced && gone.is_some() { gone } else { gone.max(absent) };
    let lease_ms = input.policy.lease_ms.saturating_add(input.policy.lease_margin_ms);
    silent_since.is_some_and(|since| input.now.since_ms(since) >= lease_ms)
}
