//! Held: no plan begins that touches a replica or uses a host that is held.

use super::{Audit, Truth, begins, hosts_of};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Held;

impl Audit for Held {
    fn name(&self) -> &'static str {
        "held"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        let (plan, entry) = begins(fact, truth)?;
        let replicas = plan.heals.iter().map(|heal| heal.replica.to_string());
        let mut touched = replicas.chain(hosts_of(plan).map(|host| host.to_string()));
        let stands = |target: &String| {
            let hold = truth.journal.folded.holds.get(target);
            // What was decided while the hold still stood, to the millisecond, is decided by the same clock.
            hold.is_some_and(|hold| hold.stands(entry.at.max(plan.created_at)))
        };
        touched.find(stands).map(|target| format!("plan {} begins, and {target} is held", plan.id))
    }
}
