//! Fresh: an incarnation is one process life, once.

use std::collections::BTreeSet;

use watchdog_core::ids::Incarnation;
use watchdog_core::plan::Act;
use watchdog_core::record::Body;

use super::{Audit, Truth};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Fresh(BTreeSet<Incarnation>);

impl Audit for Fresh {
    fn name(&self) -> &'static str {
        "fresh"
    }

    fn hear(&mut self, fact: &Fact<'_>, _: &Truth<'_>) -> Option<String> {
        if let Fact::Committed { entry, .. } = fact
            && let Body::PlanRecorded { plan, .. } = &entry.body
        {
            for step in &plan.steps {
                if let Act::Start { incarnation, .. } = step.act
                    && !self.0.insert(incarnation)
                {
                    return Some(format!(
                        "step {} would start {incarnation}, which was used before",
                        step.id
                    ));
                }
            }
        }
        None
    }
}
