//! Lease: a life on a silent host is replaced only when its host has been silent for longer than a lease.

use watchdog_core::ids::Incarnation;
use watchdog_core::plan::Act;

use super::{Audit, Truth, sent};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Lease;

impl Audit for Lease {
    fn name(&self) -> &'static str {
        "lease"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        // At the sending: what was written down late is not begun any more.
        let (plan, step) = sent(fact, truth)?;
        let (Act::Start { incarnation, .. }, Some(replica)) = (&step.act, &step.replica) else { return None };
        let ended = |life: Incarnation| {
            let mut acts = plan.steps.iter().map(|step| &step.act);
            acts.any(|act| matches!(act, Act::Kill { incarnation, .. } if *incarnation == life))
        };
        let policy = truth.policy();
        let lease_ms = truth.at_least(policy.lease_ms + policy.lease_margin_ms);
        // What is sent again may have begun.
        let others = truth.lives_of(replica).filter(|life| life.incarnation != *incarnation);
        for other in others.filter(|life| !ended(life.incarnation)) {
            let host = &truth.setup.hosts[other.host];
            let Some(since) = truth.silent_since(host) else { continue };
            let silent_ms = truth.now - since;
            if silent_ms < lease_ms {
                return Some(format!(
                    "{replica} is replaced while it runs on {host}, which is silent for {silent_ms} ms only"
                ));
            }
        }
        None
    }
}
