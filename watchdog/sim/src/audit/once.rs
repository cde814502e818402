//! Once: a step has effect at most once.

use std::collections::BTreeSet;

use watchdog_core::ids::StepId;

use super::{Audit, Truth};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Once(BTreeSet<StepId>);

impl Audit for Once {
    fn name(&self) -> &'static str {
        "once"
    }

    fn hear(&mut self, fact: &Fact<'_>, _: &Truth<'_>) -> Option<String> {
        let Fact::Acts(effect) = fact else { return None };
        let again = !self.0.insert(effect.step.clone());
        again.then(|| format!("step {} takes effect again, at {}", effect.step, effect.agent))
    }
}
