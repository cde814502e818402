//! Innocent: no version is rejected and no replica is quarantined unless an act on it was begun.

use std::collections::BTreeSet;

use watchdog_core::history::{Begun, PastHeal};
use watchdog_core::ids::{PlanId, ReplicaId};
use watchdog_core::plan::{Act, PlanStatus};
use watchdog_core::policy::Remedy;
use watchdog_core::record::{Body, Mark};
use watchdog_core::state::Hash;

use super::{Audit, Truth};
use crate::fact::{Effect, Fact};

/// The budget of heals is counted over this much time.
const HOUR_MS: u64 = 3_600_000;

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
                let tried = held_against(replica, truth);
                let none = !tried.iter().any(begun);
                let count = tried.len();
                none.then(|| format!("{replica} is quarantined after {count} heals, of which none was begun"))
            }
            _ => None,
        }
    }
}

/// What is held against a replica: as many heals within the hour as policy allows, or else its tries since the last quiet.
fn held_against<'a>(replica: &ReplicaId, truth: &'a Truth<'_>) -> Vec<&'a PastHeal> {
    let history = &truth.journal.folded;
    let heals: Vec<&PastHeal> = history.heals.get(replica).into_iter().flatten().collect();
    // The last is the one that is judged here, and the one before it ended what was held against it then.
    let quarantine = |heal: &&PastHeal| heal.remedy == Remedy::Quarantine;
    let until = heals.iter().rposition(quarantine).unwrap_or(heals.len());
    let from = heals[..until].iter().rposition(quarantine).map_or(0, |at| at + 1);
    let is_heal =
        |heal: &&PastHeal| heal.remedy != Remedy::Roll && !history.was_released_since(replica, heal.at);
    let all: Vec<&PastHeal> = heals[from..until].iter().copied().filter(is_heal).collect();
    let judged_at = heals.get(until).map_or(history.last_at, |heal| heal.at);
    let recent = |heal: &&PastHeal| judged_at.since_ms(heal.at) < HOUR_MS && heal.begun != Begun::Never;
    // To be ended is to be healed only of not being declared, and is counted by itself.
    let (stops, heals): (Vec<&PastHeal>, Vec<&PastHeal>) =
        all.iter().copied().filter(recent).partition(|heal| heal.remedy == Remedy::Stop);
    let enough = truth.policy().heals_per_hour as usize;
    if let Some(used_up) = [heals, stops].into_iter().find(|recent| recent.len() >= enough) {
        return used_up;
    }
    since_quiet((replica, &all), truth)
}

/// The tries after the last that worked and was followed by quiet, up to whatever was planned next, came something of it or
/// not.
fn since_quiet<'a>((replica, heals): (&ReplicaId, &[&'a PastHeal]), truth: &Truth<'_>) -> Vec<&'a PastHeal> {
    let history = &truth.journal.folded;
    // On a candidate a quiet lasts for a soak at least, and who flaps has none.
    let flaps = history.convictions.contains_key(&format!("{replica}/flapping"));
    let soak_ms = history.rollout.as_ref().map_or(0, |rollout| rollout.pace.soak_ms);
    let quiet_ms = truth.policy().quiet_ms.max(soak_ms);
    let heals: Vec<&PastHeal> =
        heals.iter().copied().filter(|heal| history.counts(replica, heal.at)).collect();
    let is_quiet = |pair: &[&PastHeal]| {
        let ended_at = pair[0].ended_at.unwrap_or(pair[0].at);
        pair[0].status == PlanStatus::Done && pair[1].since.since_ms(ended_at) >= quiet_ms
    };
    let quiet = heals.windows(2).rposition(is_quiet).filter(|_| !flaps).map_or(0, |at| at + 1);
    let is_over = |heal: &PastHeal| matches!(heal.status, PlanStatus::Done | PlanStatus::Failed);
    heals[quiet..].iter().copied().filter(|heal| is_over(heal)).collect()
}
