//! Quarantined: no plan begins that touches a replica that was left to a human.

use watchdog_core::policy::Remedy;

use super::{Audit, Truth, begins};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Quarantined;

impl Audit for Quarantined {
    fn name(&self) -> &'static str {
        "quarantined"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        let (plan, _) = begins(fact, truth)?;
        let quarantined = &truth.journal.folded.quarantined;
        let touched = plan.heals.iter().filter(|heal| heal.remedy != Remedy::Quarantine);
        let first = touched.map(|heal| &heal.replica).find(|replica| quarantined.contains_key(*replica))?;
        Some(format!("plan {} touches {first}, which is quarantined", plan.id))
    }
}
