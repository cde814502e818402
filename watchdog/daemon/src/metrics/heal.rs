//! Heal: how long a replica was ill, as the record tells it.

use watchdog_core::finding::{FaultKind, Subject};
use watchdog_core::history::History;
use watchdog_core::ids::{ReplicaId, Time};
use watchdog_core::plan::{Plan, PlanStatus};
use watchdog_core::policy::Remedy;

/// What was healed, and when it was first seen to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Healed {
    /// The fault that the plan answered.
    pub(super) fault: FaultKind,
    /// When the first of the tries for it began to be called for.
    pub(super) since: Time,
}

/// What a plan that is done has healed; `history` is that of before its end. Moves of a rollout answer no fault, and a
/// quarantine heals nobody.
pub(super) fn healed(plan: &Plan, history: &History) -> Vec<Healed> {
    let heals = plan.heals.iter().filter(|heal| !matches!(heal.remedy, Remedy::Roll | Remedy::Quarantine));
    heals.filter_map(|heal| of_replica(plan, &heal.replica, history)).collect()
}

fn of_replica(plan: &Plan, replica: &ReplicaId, history: &History) -> Option<Healed> {
    let subject = Subject::Replica(replica.clone());
    let mut answered = plan.convictions.iter().filter(|conviction| conviction.finding.subject == subject);
    let conviction = answered.next()?;
    let mut since = answered.map(|other| other.since).fold(conviction.since, Time::min);
    // The tries before it that did not help belong to the same illness.
    let earlier = history.heals.get(replica).into_iter().flatten().rev();
    for heal in earlier.filter(|heal| heal.plan != plan.id) {
        if heal.status == PlanStatus::Done || heal.remedy.is_of_rollout() {
            break;
        }
        since = since.min(heal.since);
    }
    Some(Healed { fault: conviction.finding.kind, since })
}
