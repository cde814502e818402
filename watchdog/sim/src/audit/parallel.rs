//! Parallel: no more replicas that are down are healed at once than policy says.

use watchdog_core::plan::PlanStatus;
use watchdog_core::policy::Remedy;

use super::{Audit, Truth, begins};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Parallel;

impl Audit for Parallel {
    fn name(&self) -> &'static str {
        "parallel"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        let (plan, _) = begins(fact, truth)?;
        let open = truth.journal.folded.open_plans.values().filter(|open| open.status == PlanStatus::Running);
        let heals = open.flat_map(|open| &open.plan.heals);
        let down = heals.filter(|heal| !heal.disturbs && heal.remedy != Remedy::Quarantine).count();
        let max = truth.policy().heals_parallel as usize;
        let adds = plan.heals.iter().any(|heal| !heal.disturbs && heal.remedy != Remedy::Quarantine);
        (adds && down > max).then(|| format!("{down} replicas are healed at once, and {max} may be"))
    }
}
