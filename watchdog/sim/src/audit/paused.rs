//! Paused: no plan begins while the cluster is paused.

use super::{Audit, Truth, begins};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Paused;

impl Audit for Paused {
    fn name(&self) -> &'static str {
        "paused"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        let (plan, entry) = begins(fact, truth)?;
        let pause = truth.journal.folded.pause.as_ref()?;
        pause
            .stands(entry.at.max(plan.created_at))
            .then(|| format!("plan {} begins, and the cluster is paused", plan.id))
    }
}
