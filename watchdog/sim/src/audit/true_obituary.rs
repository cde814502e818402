//! True obituary: who is declared dead is dead.

use super::{Audit, Truth};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct TrueObituary;

impl Audit for TrueObituary {
    fn name(&self) -> &'static str {
        "true-obituary"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        let Fact::Buried { incarnation } = fact else { return None };
        let life = truth.lives.get(incarnation)?;
        Some(format!("{} is declared dead, and runs", life.replica))
    }
}
