//! Budget: a serving replica is touched only if no more than policy allows are, or are being, disturbed.

use std::collections::{BTreeMap, BTreeSet};

use watchdog_core::ids::ReplicaId;
use watchdog_core::plan::{Plan, PlanStatus};
use watchdog_core::policy::Remedy;
use watchdog_core::record::Body;
use watchdog_core::state::Hash;

use super::{Audit, JUDGED_AFTER_MS, Truth, begins};
use crate::fact::Fact;

/// Who is dead for so long, on top of two sessions, must have been seen to be.
const SEEN_MS: u64 = 10_000;

/// See the module.
#[derive(Default)]
pub(super) struct Budget {
    dead_since: BTreeMap<ReplicaId, u64>,
}

impl Audit for Budget {
    fn name(&self) -> &'static str {
        "budget"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        match fact {
            Fact::Born { life } => drop(self.dead_since.remove(&life.replica)),
            Fact::Died { life } if truth.lives_of(&life.replica).next().is_none() => {
                self.dead_since.insert(life.replica.clone(), truth.now);
            }
            _ => {}
        }
        // By what is known when it is decided; whether it still holds when it is sent, `sent` says.
        let (plan, history, seen_at) = match fact {
            Fact::Judged(judged) => (judged.plan?, judged.history, judged.seen_at),
            Fact::Committed { entry, .. } if matches!(entry.body, Body::PlanStatus { .. }) => {
                (begins(fact, truth)?.0, &truth.journal.folded, truth.now)
            }
            _ => return None,
        };
        if !plan.heals.iter().any(|heal| heal.disturbs) {
            return None;
        }
        let declared = truth.declared();
        let mut disturbed: BTreeSet<&ReplicaId> =
            plan.heals.iter().filter(|it| it.disturbs).map(|it| &it.replica).collect();
        let spares = spares(plan, truth);
        let max = truth.policy().max_disturbed.of(declared.len());
        let others = history.open_plans.values().filter(|open| open.plan.id != plan.id);
        for open in others.filter(|open| open.status == PlanStatus::Running) {
            let heals = open.plan.heals.iter().filter(|heal| heal.remedy != Remedy::Quarantine);
            disturbed.extend(heals.map(|heal| &heal.replica));
        }
        let seen_ms = 2 * truth.setup.session_ms + SEEN_MS;
        if !spares {
            // While nobody could look, nobody saw it.
            let dead = self
                .dead_since
                .iter()
                .filter(|(_, since)| seen_at.saturating_sub(truth.zoo.back_at.max(**since)) > seen_ms);
            disturbed.extend(dead.map(|(replica, _)| replica));
        }
        // What a goal adds was never among those who served.
        disturbed.retain(|replica| declared.contains(replica) && !truth.journal.folded.is_newborn(replica));
        if spares {
            let own = |replica: &ReplicaId| plan.heals.iter().any(|it| it.disturbs && it.replica == *replica);
            disturbed.retain(|replica| own(replica) || !is_lost(replica, seen_at, truth));
        }
        (disturbed.len() > max).then(|| {
            let names: Vec<&str> = disturbed.iter().map(|it| it.as_str()).collect();
            format!("plan {} begins, and disturbed are {}; {max} may be", plan.id, names.join(", "))
        })
    }
}

/// Whether a replica is left to a human, or no life of it runs on a host whose agent is there.
fn is_lost(replica: &ReplicaId, seen_at: u64, truth: &Truth<'_>) -> bool {
    let quarantined = truth.journal.folded.quarantined.contains_key(replica);
    // What a check saw is judged a moment later.
    let there = |host: usize| {
        let host = &truth.setup.hosts[host];
        let came = truth.zoo.came.get(host).copied().unwrap_or_default();
        truth.silent_since(host).is_none() && came + JUDGED_AFTER_MS < seen_at
    };
    quarantined || !truth.lives_of(replica).any(|life| there(life.host))
}

/// Whether a plan leads replicas away from a version that was given up: whom nobody can help then stops nobody.
fn spares(plan: &Plan, truth: &Truth<'_>) -> bool {
    let touched = plan.heals.iter().filter(|heal| heal.disturbs);
    let gave_up = |held: &Hash| truth.journal.folded.abandoned.contains(held);
    let leaves = |replica: &ReplicaId| {
        let mut lives = truth.lives_of(replica).peekable();
        // One that has just died holds nothing any more, and nobody knows it; so with one that has just changed.
        lives.peek().is_none()
            || lives.any(|life| gave_up(&life.hash))
            || says(replica, truth).any(|it| gave_up(&it))
    };
    touched.map(|heal| &heal.replica).all(leaves)
}

/// What the group is told that a replica holds.
fn says<'a>(replica: &ReplicaId, truth: &'a Truth<'_>) -> impl Iterator<Item = Hash> + use<'a> {
    let members =
        truth.zoo.lives.get(replica).into_iter().flatten().filter_map(|(_, nodes)| nodes.member.as_ref());
    members.map(|member| member.record.loaded.state_hash)
}
