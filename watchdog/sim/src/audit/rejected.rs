//! Rejected: a candidate is given up only when somebody failed on it and was then well on the stable version.

use std::collections::BTreeMap;

use watchdog_core::history::History;
use watchdog_core::ids::{ReplicaId, Version};
use watchdog_core::plan::Act;
use watchdog_core::state::Hash;

use super::{Audit, Truth};
use crate::fact::Fact;

/// Clocks are read at other moments than things happen.
const SLACK_MS: u64 = 1_000;

/// See the module.
#[derive(Default)]
pub(super) struct Rejected {
    /// From when until when who died was last well, and with what.
    dead: BTreeMap<ReplicaId, (u64, u64, Hash)>,
}

impl Audit for Rejected {
    fn name(&self) -> &'static str {
        "rejected"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        if let Fact::Died { life } = fact
            && let Some(well) = life.last_well
        {
            self.dead.insert(life.replica.clone(), well);
        }
        let Fact::Judged(judged) = fact else { return None };
        let version = judged.plan?.steps.iter().find_map(|step| match &step.act {
            Act::Reject { version, goal: Some(_), .. } => Some(*version),
            _ => None,
        })?;
        let proven = self.is_proven(version, judged.history, truth);
        (!proven).then(|| {
            format!("version {version} is rejected, and nobody who failed on it was well on the stable one")
        })
    }
}

impl Rejected {
    fn is_proven(&self, version: Version, history: &History, truth: &Truth<'_>) -> bool {
        let Some(rollout) = history.rollout.as_ref().filter(|rollout| rollout.to == version) else {
            return false;
        };
        let stable = history.stable.and_then(|stable| history.marked_hashes.get(&stable));
        // Whom nobody has seen fall ill is thought to be well for as long as its session lasts.
        let slack_ms = truth.setup.session_ms + truth.astray_ms() + SLACK_MS;
        let long = |(from, to, hash): (u64, u64, Hash)| {
            Some(&hash) == stable && to - from + slack_ms >= rollout.pace.probation_ms
        };
        // What a goal declares, anew or in another way, is a part of its version.
        let mut declares = rollout.adds.iter().chain(&rollout.edits);
        let badly_declared = declares.any(|replica| {
            let sent = rollout.moved.contains_key(replica);
            let lives = truth.lives_of(replica);
            sent && lives.into_iter().all(|life| life.well_since.is_none() || life.hash != rollout.state_hash)
        });
        badly_declared
            || rollout.trials.keys().any(|replica| {
                let of_life = truth.lives_of(replica).any(|life| {
                    let present = life.well_since.map(|since| (since, truth.now, life.hash));
                    present.into_iter().chain(life.last_well).any(long)
                });
                of_life || self.dead.get(replica).copied().is_some_and(long)
            })
    }
}
