//! Exclusive: two lives of an exclusive replica never run at the same time, also not during a partition.

use super::{Audit, Truth};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Exclusive;

impl Audit for Exclusive {
    fn name(&self) -> &'static str {
        "exclusive"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        let Fact::Born { life } = fact else { return None };
        let other = truth.lives_of(&life.replica).next().filter(|_| life.exclusive)?;
        let host = &truth.setup.hosts[other.host];
        Some(format!("{} is exclusive, and begins while another life of it runs on {host}", life.replica))
    }
}
