//! Blind: a step is sent only by who surely leads, by the last fenced write of its term that truly committed.

use super::{Audit, Truth};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Blind;

impl Audit for Blind {
    fn name(&self) -> &'static str {
        "blind"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        let Fact::Sent { dog, epoch, step } = fact else { return None };
        let confirmed = truth.zoo.epoch.confirmed.get(epoch).copied().unwrap_or_default();
        let age = truth.now - confirmed;
        let name = &truth.setup.dogs[*dog];
        (age >= truth.setup.session_ms / 2)
            .then(|| format!("{name} sends step {step}, and its last fenced write committed {age} ms ago"))
    }
}
