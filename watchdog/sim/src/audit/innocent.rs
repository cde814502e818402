//! Innocent: no version is rejected and no replica is quarantined unless an act on it was begun.

use std::collections::BTreeSet;

use watchdog_core::history::PastHeal;
use watchdog_core::ids::{PlanId, ReplicaId};
use watchdog_core::plan::{Act, PlanStatus};
use watchdog_core::policy::Remedy;
use watchdog_core::record::{Body, Mark};
use watchdog_core::state::Hash;

use super::{Audit, Truth};
use crate::fact::{Effect, Fact};

/// The audit `innocent`: what was really begun, by state and by plan.
#[derive(Default)]
pub(super) struct Innocent {
    /// The states that somebody was really brought to.
    tried: BTreeSet<Hash>,
    /// The plans of which something was really begun, and on whom.
    begun: BTreeSet<(ReplicaId, PlanId)>,
}

impl Audit for Innocent {
    fn name(&self) -> &'static str {
        "innocent"
    }

    /// Tries that were never begun are counted.
    fn known(&self) -> Option<&'static str> {
        KNOWN
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        match fact {
            Fact::Acts(effect) => {
                self.act(effect, truth);
                None
            }
            Fact::Committed { entry, .. } => self.judge(&entry.body, truth),
            _ => None,
        }
    }
}

impl Innocent {
    fn act(&mut self, effect: &Effect<'_>, truth: &Truth<'_>) {
        let to = match effect.act {
            Act::Start { version, .. } => Some(*version),
            Act::Load { to, .. } => Some(*to),
            Act::Kill { .. } | Act::Drain { .. } => None,
            Act::Snapshot { .. }
            | Act::Probe { .. }
            | Act::MarkStable { .. }
            | Act::Reject { .. }
            | Act::Notify { .. } => return,
        };
        self.tried.extend(to.and_then(|version| truth.journal.hash(version)));
        self.begun.insert((effect.replica.clone(), effect.plan.clone()));
    }

    fn judge(&self, body: &Body, truth: &Truth<'_>) -> Option<String> {
        match body {
            Body::Marked { version, mark: Mark::Rejected, state_hash: Some(hash), .. } => {
                let tried = self.tried.contains(hash);
                (!tried).then(|| format!("version {version} is rejected, and nobody was ever brought to it"))
            }
            Body::Quarantined { replica, .. } => {
                let begun = |heal: &&PastHeal| self.begun.contains(&(replica.clone(), heal.plan.clone()));
                let tried = tries(replica, truth);
                let none = !tried.iter().any(begun);
                let count = tried.len();
                none.then(|| format!("{replica} is quarantined after {count} tries, of which none was begun"))
            }
            _ => None,
        }
    }
}

/// What is held against a replica: its tries since the last quiet, or all of them when that is not why.
fn tries<'a>(replica: &ReplicaId, truth: &'a Truth<'_>) -> Vec<&'a PastHeal> {
    let history = &truth.journal.folded;
    let heals: Vec<&PastHeal> = history.heals.get(replica).into_iter().flatten().collect();
    // The last is the one that is judged here, and the one before it ended what was held against it then.
    let quarantine = |heal: &&PastHeal| heal.remedy == Remedy::Quarantine;
    let until = heals.iter().rposition(quarantine).unwrap_or(heals.len());
    let from = heals[..until].iter().rposition(quarantine).map_or(0, |at| at + 1);
    let counts = |heal: &&PastHeal| {
        matches!(heal.status, PlanStatus::Done | PlanStatus::Failed)
            && !matches!(heal.remedy, Remedy::Roll | Remedy::Quarantine)
            && history.counts(replica, heal.at)
    };
    let all: Vec<&PastHeal> = heals[from..until].iter().copied().filter(counts).collect();
    let quiet_ms = truth.policy().quiet_ms;
    let is_quiet = |pair: &[&PastHeal]| {
        let ended_at = pair[0].ended_at.unwrap_or(pair[0].at);
        pair[0].status == PlanStatus::Done && pair[1].since.since_ms(ended_at) >= quiet_ms
    };
    let quiet = all.windows(2).rposition(is_quiet).map_or(0, |at| at + 1);
    all[quiet..].to_vec()
}

/// The mistake that it finds and that is not mended yet.
const KNOWN: Option<&str> = Some("tries that were never begun are counted");
