//! Stable: what becomes stable was held by every replica, in truth and well, for the whole soak.

use std::collections::BTreeMap;

use watchdog_core::ids::ReplicaId;
use watchdog_core::plan::Act;
use watchdog_core::policy::Policy;
use watchdog_core::record::Body;
use watchdog_core::state::Hash;

use super::{Audit, Truth};
use crate::fact::Fact;
use crate::life::Life;

/// What has ended for no longer than a session's time-out and this is not known yet; and no session ends while the
/// service that ends them is down.
const UNSEEN_MS: u64 = 3_000;
/// Clocks are read at other moments than things happen.
const SLACK_MS: u64 = 500;

/// See the module.
#[derive(Default)]
pub(super) struct Stable {
    dead: BTreeMap<ReplicaId, Vec<(u64, u64, Hash)>>,
    soak_ms: u64,
}

impl Audit for Stable {
    fn name(&self) -> &'static str {
        "stable"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        match fact {
            Fact::Died { life } => {
                if let Some(well) = life.last_well {
                    self.dead.entry(life.replica.clone()).or_default().push(well);
                }
                None
            }
            Fact::Committed { entry, .. } => {
                match &entry.body {
                    // What it begins with is what stood before it.
                    Body::GoalBegun { base, .. } => {
                        let before = Policy::in_force(&truth.journal.state(*base), None, 1);
                        self.soak_ms = before.soak_ms.min(truth.journal.policy.soak_ms);
                    }
                    Body::TermOpened { .. } if truth.journal.folded.rollout.is_none() => {
                        self.soak_ms = truth.journal.policy.soak_ms;
                    }
                    _ => {}
                }
                None
            }
            // What is decided may be written much later.
            Fact::Judged(judged) => {
                let mut marks = judged.plan?.steps.iter().filter_map(|step| match &step.act {
                    Act::MarkStable { version, state_hash, .. } => Some((*version, *state_hash)),
                    _ => None,
                });
                let (version, hash) = marks.next()?;
                let mut declared = truth.declared().iter().cloned();
                let replica = declared.find(|it| !self.has_soaked(it, (hash, judged.seen_at), truth))?;
                let soak_ms = self.soak_ms;
                Some(format!(
                    "version {version} becomes stable, and {replica} has not held it, well, for {soak_ms} ms"
                ))
            }
            _ => None,
        }
    }
}

impl Stable {
    fn has_soaked(&self, replica: &ReplicaId, (hash, now): (Hash, u64), truth: &Truth<'_>) -> bool {
        let unseen_ms = 2 * truth.setup.session_ms + UNSEEN_MS;
        let soak_ms = truth.at_least(self.soak_ms);
        let long = |(from, to, held): (u64, u64, Hash)| {
            held == hash
                && to.max(truth.zoo.back_at) + unseen_ms >= now
                && now.saturating_sub(from) + SLACK_MS >= soak_ms
        };
        let of_life = |life: &Life| {
            let present = life.well_since.map(|since| (since, now, life.hash));
            present.is_some_and(long) || life.last_well.is_some_and(long)
        };
        truth.lives_of(replica).any(of_life)
            || self.dead.get(replica).into_iter().flatten().copied().any(long)
    }
}
