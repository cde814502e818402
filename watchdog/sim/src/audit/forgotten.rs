//! Forgotten: a life that was ordered and runs stands in the record, however many began after it and whatever their names.

use std::collections::BTreeSet;

use watchdog_core::ids::Incarnation;
use watchdog_core::record::Body;

use super::{Audit, Truth};
use crate::fact::Fact;
use crate::life::Life;

/// The audit `forgotten`.
#[derive(Default)]
pub(super) struct Forgotten {
    /// Lives whose death the record was told, true or not, or that were told never to begin: others look at that.
    told_dead: BTreeSet<Incarnation>,
}

impl Audit for Forgotten {
    fn name(&self) -> &'static str {
        "forgotten"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        let Fact::Committed { entry, .. } = fact else { return None };
        match &entry.body {
            Body::Died { obituary } => drop(self.told_dead.insert(obituary.incarnation)),
            Body::Intended { .. } | Body::Closed { .. } | Body::HostSeen { .. } => {}
            _ => return None,
        }
        let lost = truth.lives.values().find(|life| {
            !self.told_dead.contains(&life.incarnation) && !is_known(life, truth) && !is_over(life, truth)
        })?;
        let host = &truth.setup.hosts[lost.host];
        Some(format!("a life of {} runs on {host}, and the record does not know it any more", lost.replica))
    }
}

fn is_known(life: &Life, truth: &Truth<'_>) -> bool {
    let mut lives = truth.journal.folded.lives.get(&life.replica).into_iter().flatten();
    lives.any(|known| known.incarnation == life.incarnation)
}

/// Whether its host is gone for good or lost what it knew, or it was disowned: it ends by itself.
fn is_over(life: &Life, truth: &Truth<'_>) -> bool {
    life.is_disowned || truth.setup.gone.contains(&truth.setup.hosts[life.host])
}
