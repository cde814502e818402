//! Loops: no replica is healed more often within an hour than policy says.

use std::collections::BTreeMap;

use watchdog_core::ids::{ReplicaId, Time};
use watchdog_core::policy::Remedy;
use watchdog_core::record::Body;

use super::{Audit, Truth};
use crate::fact::Fact;

const HOUR_MS: u64 = 3_600_000;

/// See the module.
#[derive(Default)]
pub(super) struct Loops(BTreeMap<ReplicaId, Vec<Time>>);

impl Audit for Loops {
    fn name(&self) -> &'static str {
        "loops"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        let Fact::Committed { entry, .. } = fact else { return None };
        match &entry.body {
            // Whoever released it from quarantine allowed as many again.
            Body::Released { target } => {
                self.0.retain(|replica, _| replica.as_str() != target);
                None
            }
            Body::PlanRecorded { plan, .. } => {
                let max = truth.policy().heals_per_hour as usize;
                let mut broken = None;
                // Who is moved by a goal is not ill.
                for heal in plan.heals.iter().filter(|heal| heal.remedy != Remedy::Roll) {
                    let heals = self.0.entry(heal.replica.clone()).or_default();
                    if heal.remedy == Remedy::Quarantine {
                        heals.clear();
                        continue;
                    }
                    heals.retain(|at| plan.created_at.since_ms(*at) < HOUR_MS);
                    heals.push(plan.created_at);
                    if heals.len() > max {
                        let count = heals.len();
                        broken = Some(format!("{} is healed {count} times within an hour", heal.replica));
                    }
                }
                broken
            }
            _ => None,
        }
    }
}
