//! Figures: how long detection, decision and healing took, as read from the record, and who was healed without need.

use std::collections::BTreeMap;

use watchdog_core::finding::{Conviction, FaultKind, Subject};
use watchdog_core::ids::{Incarnation, PlanId};
use watchdog_core::plan::{Act, Plan, PlanStatus};
use watchdog_core::policy::Remedy;
use watchdog_core::record::{Body, Entry};

use crate::history::History;

/// What is longer than this is the jump of a clock.
const JUMP_MS: u64 = 120_000;
/// Who answered a customer so shortly before being killed was well, as far as anybody can tell.
const WELL_MS: u64 = 500;

/// Times in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Times {
    /// From the death, or the first bad check, to the conviction.
    pub detection: Vec<u64>,
    /// From the conviction to the plan.
    pub decision: Vec<u64>,
    /// From the plan to its end with the symptom gone.
    pub heal: Vec<u64>,
}

/// Reads the times from the record. A time counts only when one clock told both of its ends.
pub fn times(history: &History) -> Times {
    let mut times = Times::default();
    let mut died: BTreeMap<Incarnation, &Entry> = BTreeMap::new();
    let mut convicted: BTreeMap<(String, FaultKind), &Entry> = BTreeMap::new();
    let mut plans: BTreeMap<&PlanId, &Entry> = BTreeMap::new();
    for entry in &history.entries {
        match &entry.body {
            Body::Died { obituary } => drop(died.insert(obituary.incarnation, entry)),
            Body::Convicted { conviction } => {
                let dead = conviction.finding.incarnation.and_then(|incarnation| died.get(&incarnation));
                let first = dead.map_or(conviction.since, |death| match &death.body {
                    Body::Died { obituary } => obituary.at,
                    _ => conviction.since,
                });
                // Agents tell when somebody died, and their clocks are right.
                if dead.is_none() || !history.clock_was_stepped(&entry.by) {
                    note(&mut times.detection, first.0, entry.at.0);
                }
                convicted.insert(key(conviction), entry);
            }
            Body::PlanRecorded { plan, status: PlanStatus::Running } if heals(plan) => {
                let last = plan
                    .convictions
                    .iter()
                    .filter_map(|it| convicted.get(&key(it)))
                    .max_by_key(|it| it.sequence);
                if let Some(last) = last.filter(|last| last.by == entry.by) {
                    note(&mut times.decision, last.at.0, entry.at.0);
                }
                plans.insert(&plan.id, entry);
            }
            Body::PlanStatus { plan, status: PlanStatus::Done, .. } => {
                if let Some(begun) = plans.get(plan).filter(|begun| begun.by == entry.by) {
                    note(&mut times.heal, begun.at.0, entry.at.0);
                }
            }
            _ => {}
        }
    }
    times
}

fn key(conviction: &Conviction) -> (String, FaultKind) {
    (conviction.finding.subject.to_string(), conviction.finding.kind)
}

fn heals(plan: &Plan) -> bool {
    let replica = |it: &Conviction| matches!(it.finding.subject, Subject::Replica(_));
    plan.convictions.iter().any(replica) && plan.heals.iter().any(|heal| !heal.remedy.is_of_rollout())
}

fn note(samples: &mut Vec<u64>, from: u64, to: u64) {
    samples.extend(to.checked_sub(from).filter(|took| *took < JUMP_MS));
}

/// How many plans ended with the symptom gone.
pub fn heals_done(history: &History) -> usize {
    let plans: BTreeMap<&PlanId, &Plan> = history.plans().map(|(_, plan)| (&plan.id, plan)).collect();
    let done = history.entries.iter().filter_map(|entry| match &entry.body {
        Body::PlanStatus { plan, status: PlanStatus::Done, .. } => plans.get(plan),
        _ => None,
    });
    done.filter(|plan| heals(plan)).count()
}

/// Lives that were ended to heal them although they answered customers to the end, and nothing had been done to them:
/// neither by the nemesis nor by a plan that told them to drain and was cut short.
pub fn false_heals(history: &History) -> Vec<String> {
    let hit =
        |incarnation: &str| history.acts.iter().any(|act| act.incarnation.as_deref() == Some(incarnation));
    let steps: BTreeMap<&str, &Plan> = history
        .plans()
        .flat_map(|(_, plan)| plan.steps.iter().map(move |step| (step.id.as_str(), plan)))
        .collect();
    let drains: Vec<(&PlanId, String)> = history
        .plans()
        .flat_map(|(_, plan)| plan.steps.iter().map(move |step| (&plan.id, &step.act)))
        .filter_map(|(plan, act)| match act {
            Act::Drain { incarnation } => Some((plan, incarnation.to_string())),
            _ => None,
        })
        .collect();
    let mut found = Vec::new();
    for begun in history.ledgers.values().flat_map(|ledger| &ledger.begun).filter(|begun| begun.act == "kill")
    {
        let Some(plan) = steps.get(begun.step.as_str()) else { continue };
        let heal = plan.heals.iter().find(|heal| heal.replica.as_str() == begun.replica);
        let ends_well = heal.is_some_and(|heal| matches!(heal.remedy, Remedy::Restart | Remedy::Relocate));
        let rolls = plan.convictions.is_empty();
        let life = history.lives.iter().find(|life| life.incarnation == begun.incarnation);
        let answered = history.customer.heard.get(&begun.incarnation).map(|heard| heard.last_ms);
        let well = life.and_then(|life| life.died_ms).zip(answered);
        let drained = drains.iter().any(|(other, whom)| *other != &plan.id && *whom == begun.incarnation);
        if ends_well
            && !drained
            && !rolls
            && !hit(&begun.incarnation)
            && well.is_some_and(|(died, last)| last + WELL_MS > died)
        {
            found.push(format!("{} ({}) by step {}", begun.replica, begun.incarnation, begun.step));
        }
    }
    found
}
