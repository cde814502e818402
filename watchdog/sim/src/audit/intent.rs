//! Intent: what takes effect was in the record before.

use std::collections::BTreeSet;

use watchdog_core::ids::StepId;
use watchdog_core::record::Body;

use super::{Audit, Truth};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Intent(BTreeSet<StepId>);

impl Audit for Intent {
    fn name(&self) -> &'static str {
        "intent"
    }

    fn hear(&mut self, fact: &Fact<'_>, _: &Truth<'_>) -> Option<String> {
        match fact {
            Fact::Committed { entry, .. } => {
                if let Body::Intended { step, .. } = &entry.body {
                    self.0.insert(step.clone());
                }
                None
            }
            Fact::Acts(effect) if !self.0.contains(effect.step) => Some(format!(
                "step {} takes effect at {}, and no intent of it is on record",
                effect.step, effect.agent
            )),
            _ => None,
        }
    }
}
