//! Agree: what the planner plans the linter has nothing against.

use watchdog_core::record::Body;
use watchdog_core::refusal::Reason;

use super::{Audit, Truth};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Agree;

impl Audit for Agree {
    fn name(&self) -> &'static str {
        "agree"
    }

    fn hear(&mut self, fact: &Fact<'_>, _: &Truth<'_>) -> Option<String> {
        let Fact::Committed { entry, .. } = fact else { return None };
        let Body::Refused { refusals, .. } = &entry.body else { return None };
        refusals.iter().find_map(|refusal| match &refusal.reason {
            Reason::Vetoed { objection } => Some(format!("a plan was vetoed: {objection}")),
            _ => None,
        })
    }
}
