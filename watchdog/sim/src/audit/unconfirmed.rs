//! Unconfirmed: a host agent that nobody has told for longer than a lease who leads carries nothing out.

use watchdog_core::plan::{Act, Agent};

use super::{Audit, Truth};
use crate::fact::Fact;

/// From the taking of an order to its effect.
const ACTS_AFTER_MS: u64 = 1_000;

/// See the module.
#[derive(Default)]
pub(super) struct Unconfirmed;

impl Audit for Unconfirmed {
    fn name(&self) -> &'static str {
        "unconfirmed"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        let Fact::Acts(effect) = fact else { return None };
        let (Agent::Host(host), Act::Start { .. } | Act::Kill { .. }) = (effect.agent, effect.act) else {
            return None;
        };
        let index = truth.setup.hosts.iter().position(|it| it == host)?;
        let silent_ms = truth.now - truth.hosts[index].unconfirmed_since?;
        let lease_ms = truth.journal.policy.lease_ms;
        (silent_ms > lease_ms + ACTS_AFTER_MS)
            .then(|| format!("{host} acts on step {}, and has heard nothing for {silent_ms} ms", effect.step))
    }
}
