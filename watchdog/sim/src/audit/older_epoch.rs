//! Older epoch: after an agent has acted under an epoch, or has taken it, nothing older takes effect there.

use std::collections::{BTreeMap, BTreeSet};

use watchdog_core::ids::{Epoch, StepId};
use watchdog_core::plan::Agent;

use super::{Audit, Truth};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct OlderEpoch {
    taken: BTreeMap<Agent, Epoch>,
    /// Steps that were under way when a newer epoch was taken, and which the new leader was told of.
    told: BTreeSet<StepId>,
}

impl Audit for OlderEpoch {
    fn name(&self) -> &'static str {
        "older-epoch"
    }

    fn hear(&mut self, fact: &Fact<'_>, _: &Truth<'_>) -> Option<String> {
        let (agent, epoch) = match fact {
            Fact::Acts(effect) if self.told.contains(effect.step) => return None,
            Fact::Acts(effect) => (effect.agent, effect.epoch),
            Fact::Sealed { agent, epoch, running, .. } => {
                self.told.extend(running.iter().cloned());
                (*agent, *epoch)
            }
            _ => return None,
        };
        let highest = self.taken.entry(agent.clone()).or_default();
        if epoch < *highest {
            return Some(format!("{agent} acts under epoch {epoch}, and had taken epoch {highest}"));
        }
        *highest = epoch;
        None
    }
}
