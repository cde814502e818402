//! Written once: what a leader writes stands in the record once, however often it had to ask.

use std::collections::BTreeSet;

use watchdog_core::record::Body;

use super::{Audit, Truth};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct WrittenOnce {
    last: u64,
    over: BTreeSet<u64>,
    plans: BTreeSet<String>,
}

impl Audit for WrittenOnce {
    fn name(&self) -> &'static str {
        "written-once"
    }

    fn hear(&mut self, fact: &Fact<'_>, _: &Truth<'_>) -> Option<String> {
        let Fact::Committed { entry, ticket } = fact else { return None };
        if *ticket != self.last {
            self.over.insert(self.last);
            self.last = *ticket;
        }
        let again = *ticket > 0 && self.over.contains(ticket);
        let once = match &entry.body {
            Body::PlanRecorded { plan, .. } => self.plans.insert(format!("plan {}", plan.id)),
            Body::Intended { step, .. } => self.plans.insert(format!("step {step}")),
            _ => true,
        };
        (again || !once).then(|| format!("entry {} was written before", entry.sequence))
    }
}
