//! Sent: when the first step of a heal that disturbs is sent, no more are disturbed than policy allows.

use std::collections::{BTreeMap, BTreeSet};

use watchdog_core::ids::{PlanId, ReplicaId};
use watchdog_core::plan::Plan;
use watchdog_core::state::Hash;

use super::{Audit, Truth, sent};
use crate::fact::Fact;

/// Who is proven dead for so long must have been seen to be.
const SEEN_MS: u64 = 5_000;

/// The audit `sent`: what was begun to be sent, and which replicas are dead.
#[derive(Default)]
pub(super) struct Sent {
    dead_since: BTreeMap<ReplicaId, u64>,
    begun: BTreeSet<(PlanId, ReplicaId)>,
}

impl Audit for Sent {
    fn name(&self) -> &'static str {
        "sent"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        match fact {
            Fact::Born { life } => drop(self.dead_since.remove(&life.replica)),
            Fact::Died { life } if truth.lives_of(&life.replica).next().is_none() => {
                self.dead_since.insert(life.replica.clone(), truth.now);
            }
            _ => {}
        }
        let (plan, step) = sent(fact, truth)?;
        let replica = step.replica.as_ref()?;
        let disturbs = plan.heals.iter().any(|heal| heal.disturbs && heal.replica == *replica);
        if !disturbs || !self.begun.insert((plan.id.clone(), replica.clone())) || leaves(plan, truth) {
            return None;
        }
        let declared = truth.declared();
        let long = |since: u64| truth.now.saturating_sub(truth.zoo.back_at.max(since)) > SEEN_MS;
        let dead = self
            .dead_since
            .iter()
            .filter(|(replica, since)| long(**since) && is_proven(replica, truth))
            .map(|(replica, _)| replica);
        let touched = self.begun.iter().filter(|(id, _)| *id == plan.id).map(|(_, replica)| replica);
        let disturbed: BTreeSet<&ReplicaId> = dead
            .chain(touched)
            .filter(|it| declared.contains(it) && !truth.journal.folded.is_newborn(it))
            .collect();
        let max = truth.policy().max_disturbed.of(declared.len());
        (disturbed.len() > max).then(|| {
            let names: Vec<&str> = disturbed.iter().map(|it| it.as_str()).collect();
            format!("step {} is sent, and disturbed are {}; {max} may be", step.id, names.join(", "))
        })
    }
}

/// Whether the group or the record proves each of its lives dead. A life on a host that was lost has no obituary until a
/// session times out, and counts as serving until then.
fn is_proven(replica: &ReplicaId, truth: &Truth<'_>) -> bool {
    let mut lives = truth.journal.folded.lives.get(replica).into_iter().flatten();
    lives.all(|past| past.obituary.is_some() || truth.zoo.obituary(replica, past.incarnation).is_some())
}

/// Whether somebody whom it touches holds what was given up, in truth or by what the group still shows of the dead: then
/// those whom nobody can help stop nobody.
fn leaves(plan: &Plan, truth: &Truth<'_>) -> bool {
    let gave_up = |held: Hash| truth.journal.folded.abandoned.contains(&held);
    let leaves = |replica: &ReplicaId| {
        let shown = truth.zoo.lives.get(replica).into_iter().flatten().flat_map(|(_, nodes)| nodes.loaded());
        truth.lives_of(replica).map(|life| life.hash).chain(shown.map(|it| it.state_hash)).any(gave_up)
    };
    plan.heals.iter().any(|heal| leaves(&heal.replica))
}
