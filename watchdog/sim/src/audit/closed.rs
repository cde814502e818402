//! Closed: every plan is closed in the record; when a leader plans, none of an older one is open.

use super::{Audit, Truth, begins};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Closed;

impl Audit for Closed {
    fn name(&self) -> &'static str {
        "closed"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        let (plan, _) = begins(fact, truth)?;
        let mut open = truth.journal.folded.open_plans.values();
        let older = open.find(|open| open.plan.epoch < plan.epoch)?;
        Some(format!("plan {} is still open while {} begins", older.plan.id, plan.id))
    }
}
