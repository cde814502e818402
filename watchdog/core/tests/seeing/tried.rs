//! Tried: what the record tells of heals, in the world of these stories.

use watchdog_core::blame::Blame;
use watchdog_core::history::{Begun, Miss, PastHeal};
use watchdog_core::ids::{Epoch, PlanId};
use watchdog_core::plan::{Outcome, PlanStatus};
use watchdog_core::policy::Remedy;

use crate::world::{World, ago, replica};

impl World {
    /// A load of it was tried `ms` ago.
    pub(crate) fn loaded_in_vain(&mut self, name: &str, ms: u64, status: PlanStatus) {
        let heal = PastHeal {
            plan: PlanId::numbered(Epoch(1), 1),
            remedy: Remedy::Load,
            since: ago(ms),
            host: None,
            life: None,
            at: ago(ms),
            ended_at: Some(ago(ms)),
            status,
            missed: (status == PlanStatus::Failed).then(|| Miss {
                outcome: Outcome::Failed,
                blame: Blame::Replica,
                why: "no luck".to_owned(),
            }),
            begun: Begun::Surely,
        };
        self.history.heals.entry(replica(name)).or_default().push_back(heal);
    }
}
