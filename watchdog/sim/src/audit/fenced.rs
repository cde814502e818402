//! Fenced: once a term is open, the journal takes nothing of an older one.

use watchdog_core::ids::Epoch;

use super::{Audit, Truth};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Fenced(Epoch);

impl Audit for Fenced {
    fn name(&self) -> &'static str {
        "fenced"
    }

    fn hear(&mut self, fact: &Fact<'_>, _: &Truth<'_>) -> Option<String> {
        let Fact::Committed { entry, .. } = fact else { return None };
        if entry.epoch < self.0 {
            return Some(format!(
                "entry {} of epoch {} stands after epoch {}",
                entry.sequence, entry.epoch, self.0
            ));
        }
        self.0 = entry.epoch;
        None
    }
}
