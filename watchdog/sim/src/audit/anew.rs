//! Anew: a new leader plans anew; no step of an older leader's plan is begun by it.

use watchdog_core::record::Body;

use super::{Audit, Truth};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Anew;

impl Audit for Anew {
    fn name(&self) -> &'static str {
        "anew"
    }

    fn hear(&mut self, fact: &Fact<'_>, _: &Truth<'_>) -> Option<String> {
        let Fact::Committed { entry, .. } = fact else { return None };
        let Body::Intended { plan, step, .. } = &entry.body else { return None };
        let of = plan.as_str().split('-').next().and_then(|epoch| epoch.parse::<u64>().ok());
        (of != Some(entry.epoch.0))
            .then(|| format!("epoch {} intends step {step}, which it did not plan", entry.epoch))
    }
}
