//! Right process: a kill reaches the process of the life that it names, and no other.

use super::{Audit, Truth};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct RightProcess;

impl Audit for RightProcess {
    fn name(&self) -> &'static str {
        "right-process"
    }

    fn hear(&mut self, fact: &Fact<'_>, _: &Truth<'_>) -> Option<String> {
        let Fact::Kills { wanted, hit } = fact else { return None };
        (wanted != hit).then(|| format!("a kill of {wanted} reaches {hit}"))
    }
}
