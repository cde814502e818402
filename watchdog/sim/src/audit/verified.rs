//! Verified: a plan that is done left each replica that it healed well, at least for a moment.

use std::collections::BTreeMap;

use watchdog_core::ids::{PlanId, ReplicaId};
use watchdog_core::plan::{Plan, PlanStatus};
use watchdog_core::policy::Remedy;
use watchdog_core::record::Body;

use super::{Audit, Truth, begins};
use crate::fact::Fact;

/// How long the coordination service is away at most, in one go.
const AWAY_MS: u64 = 60_000;

/// See the module.
#[derive(Default)]
pub(super) struct Verified {
    begun: BTreeMap<PlanId, (Plan, u64)>,
    dead: BTreeMap<ReplicaId, u64>,
}

impl Audit for Verified {
    fn name(&self) -> &'static str {
        "verified"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        if let Fact::Died { life } = fact
            && let Some((_, until, _)) = life.last_well
        {
            let last = self.dead.entry(life.replica.clone()).or_default();
            *last = until.max(*last);
        }
        if let Some((plan, _)) = begins(fact, truth) {
            self.begun.insert(plan.id.clone(), (plan.clone(), truth.now));
            return None;
        }
        let Fact::Committed { entry, .. } = fact else { return None };
        let Body::PlanStatus { plan, status, .. } = &entry.body else { return None };
        let (plan, at) = self.begun.remove(plan)?;
        if *status != PlanStatus::Done {
            return None;
        }
        let mut healed =
            plan.heals.iter().filter(|it| !matches!(it.remedy, Remedy::Quarantine | Remedy::Stop));
        let ill = healed.find(|heal| !self.was_well(&heal.replica, at, truth))?;
        Some(format!("plan {} is done, and {} was never well since", plan.id, ill.replica))
    }
}

impl Verified {
    fn was_well(&self, replica: &ReplicaId, since: u64, truth: &Truth<'_>) -> bool {
        // What a life said last stands in the group for as long as its session.
        let mut since = since.saturating_sub(2 * truth.setup.session_ms);
        if truth.zoo.back_at > since {
            // While it was away nothing new could be said.
            since = since.min(truth.zoo.back_at.saturating_sub(AWAY_MS));
        }
        let now = truth.lives_of(replica).any(|life| {
            life.well_since.is_some() || life.last_well.is_some_and(|(_, until, _)| until >= since)
        });
        now || self.dead.get(replica).is_some_and(|until| *until >= since)
    }
}
