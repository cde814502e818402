//! Forbidden: nothing happens while blind or paused, nor to what is held or quarantined.

use std::collections::BTreeSet;

use crate::finding::Subject;
use crate::history::Quarantine;
use crate::ids::{HostId, ReplicaId};
use crate::input::PlanInput;
use crate::observation::Sight;
use crate::plan::{Agent, Plan};
use crate::policy::Remedy;

use super::Objection;
use super::facts::{last_place, seen, serves, touched};

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    let mut objections = Vec::new();
    if let Sight::Blind { why, .. } = &input.observation.sight {
        objections.push(Objection::Blind { why: why.clone() });
    }
    if let Some(pause) = input.history.pause.as_ref().filter(|pause| pause.stands(input.now)) {
        objections.push(Objection::Paused { why: pause.reason.clone() });
    }
    let named: BTreeSet<_> = plan.heals.iter().map(|heal| &heal.replica).chain(touched(plan)).collect();
    for obstacle in &input.obstacles {
        let concerns = match &obstacle.subject {
            None => true,
            Some(Subject::Replica(replica)) => named.contains(replica),
            Some(Subject::Host(host)) => hosts(plan, input).contains(host.as_str()),
        };
        if concerns {
            objections.push(Objection::Obstacle { obstacle: obstacle.to_string() });
        }
    }
    let targets = named.iter().map(|replica| replica.as_str()).chain(hosts(plan, input));
    for target in targets.collect::<BTreeSet<_>>() {
        if let Some(hold) = input.history.holds.get(target).filter(|hold| hold.stands(input.now)) {
            objections.push(Objection::Held { target: target.to_owned(), why: hold.reason.clone() });
        }
    }
    let quarantined = named.into_iter().filter(|replica| {
        let quarantine = input.history.quarantined.get(*replica);
        quarantine.is_some_and(|it| counts(it, replica, plan, input))
    });
    objections.extend(quarantined.map(|replica| Objection::Quarantined { replica: replica.clone() }));
    objections
}

/// Whether a quarantine holds for what the plan does: nobody is held by one that is not declared, and who does not serve
/// may be started on another state than the one that it was given up on.
fn counts(quarantine: &Quarantine, replica: &ReplicaId, plan: &Plan, input: &PlanInput) -> bool {
    let rolls = plan.heals.iter().any(|heal| heal.replica == *replica && heal.remedy == Remedy::Roll);
    let candidate = input.history.rollout.as_ref().map(|rollout| rollout.state_hash);
    let another = quarantine.on.zip(candidate).is_some_and(|(on, candidate)| on != candidate);
    input.replicas.contains_key(replica) && !(rolls && another && !serves(input, replica))
}

/// The hosts that act, and those on which a replica that is touched runs or ran last.
fn hosts<'a>(plan: &'a Plan, input: &'a PlanInput) -> BTreeSet<&'a str> {
    let agents = plan.steps.iter().map(crate::plan::Step::agent).filter_map(|agent| match agent {
        Agent::Host(host) => input.observation.hosts.get_key_value(&host).map(|(host, _)| host.as_str()),
        Agent::Replica(..) | Agent::Leader => None,
    });
    let homes = touched(plan).into_iter().flat_map(|replica| {
        let running = seen(input, replica).into_iter().flatten().filter(|(_, life)| life.is_alive());
        let running: Vec<&str> = running.map(|(_, life)| life.host.as_str()).collect();
        let last = last_place(input, replica).map(HostId::as_str);
        if running.is_empty() { last.into_iter().collect() } else { running }
    });
    agents.chain(homes).collect()
}
