//! Loops: no replica is healed more often within an hour than policy says.

use std::collections::BTreeMap;

use watchdog_core::ids::{PlanId, ReplicaId, Time};
use watchdog_core::policy::Remedy;
use watchdog_core::record::Body;

use super::{Audit, Truth};
use crate::fact::{Effect, Fact};

const HOUR_MS: u64 = 3_600_000;

/// See the module.
#[derive(Default)]
pub(super) struct Loops {
    /// Heals that were recorded and of which nothing was begun yet, and whether they only end the replica.
    planned: BTreeMap<(ReplicaId, PlanId), (Time, bool)>,
    /// When heals were recorded of which something was begun; those that only end a replica are counted by themselves.
    begun: BTreeMap<(ReplicaId, bool), Vec<Time>>,
}

impl Audit for Loops {
    fn name(&self) -> &'static str {
        "loops"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        if let Fact::Acts(effect) = fact {
            return self.begin(effect, truth);
        }
        let Fact::Committed { entry, .. } = fact else { return None };
        match &entry.body {
            // Whoever looked after it allowed as many again.
            Body::Released { .. } => {
                self.begun.retain(|(replica, _), _| !truth.looked_after(replica, entry.at));
                None
            }
            Body::PlanRecorded { plan, .. } => {
                // Who is moved by a goal is not ill.
                for heal in plan.heals.iter().filter(|heal| heal.remedy != Remedy::Roll) {
                    if heal.remedy == Remedy::Quarantine {
                        self.begun.retain(|(replica, _), _| *replica != heal.replica);
                    } else {
                        let key = (heal.replica.clone(), plan.id.clone());
                        self.planned.insert(key, (plan.created_at, heal.remedy == Remedy::Stop));
                    }
                }
                None
            }
            _ => None,
        }
    }
}

impl Loops {
    /// The first act of a heal; what was never begun did nothing to its replica.
    fn begin(&mut self, effect: &Effect<'_>, truth: &Truth<'_>) -> Option<String> {
        let key = (effect.replica.clone(), effect.plan.clone());
        let (at, stops) = self.planned.remove(&key)?;
        let max = truth.policy().heals_per_hour as usize;
        let heals = self.begun.entry((key.0, stops)).or_default();
        heals.retain(|before| at.since_ms(*before) < HOUR_MS);
        heals.push(at);
        let count = heals.len();
        (count > max).then(|| format!("{} is healed {count} times within an hour", effect.replica))
    }
}
