//! Canary: a candidate goes first to as many replicas as policy says, and to others when these have held it for a soak.

use std::collections::BTreeMap;

use watchdog_core::goal::Canary as Few;
use watchdog_core::ids::ReplicaId;
use watchdog_core::policy::Remedy;
use watchdog_core::rollout::Rollout;
use watchdog_core::state::Hash;

use super::{Audit, Truth, begins};
use crate::fact::Fact;

/// From an order to what is held, at most; where nobody says when it was, the soak begins with the order.
const LOADS_MS: u64 = 10_000;
/// Clocks are read at other moments than things happen.
const SLACK_MS: u64 = 500;

/// See the module.
#[derive(Default)]
pub(super) struct Canary {
    /// From when until when who died was last well, and with what.
    dead: BTreeMap<ReplicaId, (u64, u64, Hash)>,
}

impl Audit for Canary {
    fn name(&self) -> &'static str {
        "canary"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        if let Fact::Died { life } = fact
            && let Some(well) = life.last_well
        {
            self.dead.insert(life.replica.clone(), well);
        }
        let (plan, _) = begins(fact, truth)?;
        let Few::Count(few) = truth.policy().canary else { return None };
        let rollout = truth.journal.folded.rollout.as_ref().filter(|_| few > 0)?;
        let rolled = |replica: &ReplicaId| {
            // Who does not serve endangers nobody, and is no canary for those who do.
            let spreads = |heal: &&watchdog_core::plan::Heal| heal.remedy == Remedy::Roll && heal.disturbs;
            plan.heals.iter().filter(spreads).any(|heal| heal.replica == *replica)
        };
        // One that failed on it is none until it is moved again, and neither is one that is declared no more, or that did
        // not serve when it was moved.
        let declared = truth.declared();
        let serves = |it: &ReplicaId| !rollout.moved.get(it).is_some_and(|moved| moved.volunteer);
        let counts = |it: &&ReplicaId| !rolled(it) && declared.contains(*it) && serves(it);
        let before: Vec<&ReplicaId> = rollout.sent().filter(counts).collect();
        let now = rollout.moved.keys().filter(|it| rolled(it)).count();
        if now == 0 || before.len() > few as usize || before.len() + now <= few as usize {
            return None;
        }
        let restless = before.iter().find(|it| !self.has_soaked(it, rollout, truth));
        match restless {
            None if before.len() < few as usize => {
                Some(format!("{now} replicas are moved to version {} at first, and {few} may be", rollout.to))
            }
            None => None,
            Some(canary) => Some(format!(
                "{now} more are moved to version {}, and {canary} has not soaked on it",
                rollout.to
            )),
        }
    }
}

impl Canary {
    fn has_soaked(&self, replica: &ReplicaId, rollout: &Rollout, truth: &Truth<'_>) -> bool {
        // Whom nobody has seen die is thought to be well for as long as its session lasts.
        let unseen_ms = truth.setup.session_ms + truth.astray_ms() + SLACK_MS;
        let long = |(from, to, hash): (u64, u64, Hash), slack_ms: u64| {
            hash == rollout.state_hash && to - from + unseen_ms + slack_ms >= rollout.pace.soak_ms
        };
        let of_life = truth.lives_of(replica).any(|life| {
            let loads_ms = if life.embeds { 0 } else { LOADS_MS };
            let present = life.well_since.map(|since| (since, truth.now, life.hash));
            present.into_iter().chain(life.last_well).any(|well| long(well, loads_ms))
        });
        of_life || self.dead.get(replica).is_some_and(|well| long(*well, LOADS_MS))
    }
}
