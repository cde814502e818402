//! Lease: a life on a silent host is replaced only when its host has been silent for longer than a lease.

use watchdog_core::ids::Incarnation;
use watchdog_core::plan::Act;

use super::{Audit, Truth, begins};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Lease;

impl Audit for Lease {
    fn name(&self) -> &'static str {
        "lease"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        let (plan, _) = begins(fact, truth)?;
        let policy = truth.policy();
        let lease_ms = truth.at_least(policy.lease_ms + policy.lease_margin_ms);
        for step in &plan.steps {
            let (Act::Start { .. }, Some(replica)) = (&step.act, &step.replica) else { continue };
            let ended = |life: Incarnation| {
                plan.steps
                    .iter()
                    .any(|step| matches!(step.act, Act::Kill { incarnation, .. } if incarnation == life))
            };
            for other in truth.lives_of(replica).filter(|life| !ended(life.incarnation)) {
                let host = &truth.setup.hosts[other.host];
                let Some(since) = truth.silent_since(host) else { continue };
                let silent_ms = truth.now - since;
                if silent_ms < lease_ms {
                    return Some(format!(
                        "{replica} is replaced while it runs on {host}, which is silent for {silent_ms} ms only"
                    ));
                }
            }
        }
        None
    }
}
