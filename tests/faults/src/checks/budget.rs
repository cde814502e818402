//! Budget: never more serving replicas are touched at once than policy allows, across all plans and leaders.
//!
//! A replica counts from when a plan that disturbs it is recorded until that plan is closed, and for as long as the
//! fate of an order of it is open. Who has no process at all, for so long that everybody must know, counts too.

use std::collections::{BTreeMap, BTreeSet};

use watchdog_core::ids::{PlanId, StepId};
use watchdog_core::plan::{Agent, Plan, PlanStatus};
use watchdog_core::record::{Body, Entry};

use crate::history::History;
use crate::site::{DISTURBED_MAX, EXCLUSIVE, PLAIN, SESSION_MS};

/// Who is dead for so long, on top of two sessions, must have been seen to be.
const SEEN_MS: u64 = 10_000;
/// A rejected version may be left whoever else is down, so nothing is said so soon after a goal was undone.
const UNDOING_MS: u64 = 60_000;

#[derive(Default)]
struct Book<'a> {
    plans: BTreeMap<&'a PlanId, &'a Plan>,
    open: BTreeSet<&'a PlanId>,
    orders: BTreeMap<&'a StepId, (&'a PlanId, &'a str)>,
    undone_at: Option<u64>,
}

/// See the module.
pub(super) fn check(history: &History) -> Vec<String> {
    let mut book = Book::default();
    let mut complaints = Vec::new();
    for entry in &history.entries {
        let Some(begins) = book.hear(entry) else { continue };
        let mut disturbed = book.disturbed();
        let disturbs = begins.heals.iter().any(|heal| heal.disturbs);
        if disturbs && book.undone_at.is_none_or(|at| entry.at.0 > at + UNDOING_MS) {
            disturbed.extend(long_dead(history, entry));
        }
        if disturbs && disturbed.len() > DISTURBED_MAX {
            let names: Vec<&str> = disturbed.into_iter().collect();
            complaints.push(format!(
                "plan {} begins (entry {}), and disturbed are {}; {DISTURBED_MAX} may be",
                begins.id,
                entry.sequence,
                names.join(", ")
            ));
        }
    }
    complaints
}

impl<'a> Book<'a> {
    /// Takes one more entry; answers the plan that begins to act with it.
    fn hear(&mut self, entry: &'a Entry) -> Option<&'a Plan> {
        match &entry.body {
            Body::PlanRecorded { plan, status } => {
                self.plans.insert(&plan.id, plan);
                (*status == PlanStatus::Running && self.open.insert(&plan.id)).then_some(plan)
            }
            Body::PlanStatus { plan, status: PlanStatus::Running, .. } => {
                let known = *self.plans.get(plan)?;
                self.open.insert(&known.id).then_some(known)
            }
            Body::PlanStatus { plan, status, .. } if !status.is_open() => {
                self.open.remove(plan);
                None
            }
            Body::Intended { plan, step, replica: Some(replica), agent, .. } if *agent != Agent::Leader => {
                self.orders.insert(step, (plan, replica.as_str()));
                None
            }
            Body::Closed { step, .. } => {
                self.orders.remove(step);
                None
            }
            Body::Undone { .. } | Body::GoalEnded { .. } => {
                self.undone_at = Some(entry.at.0);
                None
            }
            _ => None,
        }
    }

    fn disturbed(&self) -> BTreeSet<&'a str> {
        let disturbs = |plan: &'a Plan| plan.heals.iter().filter(|heal| heal.disturbs);
        let open = self.open.iter().filter_map(|id| self.plans.get(*id).copied());
        let planned = open.flat_map(disturbs).map(|heal| heal.replica.as_str());
        let ordered = self.orders.values().filter(|(plan, replica)| {
            let plan = self.plans.get(*plan).copied();
            plan.is_some_and(|plan| disturbs(plan).any(|heal| heal.replica.as_str() == *replica))
        });
        planned.chain(ordered.map(|(_, replica)| *replica)).collect()
    }
}

/// Replicas of which no process has run for so long that whoever wrote the entry must have known.
fn long_dead(history: &History, entry: &Entry) -> Vec<&'static str> {
    if history.clock_was_stepped(&entry.by) {
        return Vec::new();
    }
    let (now, since) = (entry.at.0, entry.at.0.saturating_sub(SEEN_MS + 2 * SESSION_MS));
    let lived = |name: &&str| {
        let mut lives = history.lives.iter().filter(|life| life.replica == **name);
        lives.any(|life| life.born_ms <= now && life.died_ms.is_none_or(|died| died >= since))
    };
    let begun = history.lives.iter().map(|life| life.born_ms).min().is_none_or(|first| first > since);
    let all = PLAIN.into_iter().chain([EXCLUSIVE]);
    if begun { Vec::new() } else { all.filter(|name| !lived(name)).collect() }
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    #[test]
    fn two_serving_replicas_at_once_are_seen() {
        let mut history = scene::quiet();
        assert_eq!(check(&history), [""; 0]);
        scene::disturb(&mut history, ("2-2", "demo-b"));
        assert_eq!(check(&history), [""; 0], "one may be");
        scene::disturb(&mut history, ("2-3", "demo-c"));
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_closed_plan_frees_its_place_unless_an_order_is_open() {
        let mut history = scene::quiet();
        scene::disturb(&mut history, ("2-2", "demo-b"));
        scene::close(&mut history, "2-2");
        scene::disturb(&mut history, ("2-3", "demo-c"));
        assert_eq!(check(&history), [""; 0]);
        let mut history = scene::quiet();
        scene::disturb(&mut history, ("2-2", "demo-b"));
        scene::intend(&mut history, ("2-2-1", "demo-b"));
        scene::close(&mut history, "2-2");
        scene::disturb(&mut history, ("2-3", "demo-c"));
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn a_replica_that_is_long_dead_counts() {
        let mut history = scene::quiet();
        history.lives.retain(|life| life.replica != "demo-d");
        scene::disturb(&mut history, ("2-2", "demo-b"));
        assert_eq!(check(&history).len(), 1);
    }
}
