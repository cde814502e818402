//! Proof: no life begins while another of its replica runs, unless that one's host was silent when the start was decided.
//!
//! An order may be on its way while a silent host comes back; who runs twice then is told apart and ended.

use std::collections::BTreeMap;

use watchdog_core::ids::Incarnation;
use watchdog_core::plan::Act;

use super::{Audit, JUDGED_AFTER_MS, Truth, begins};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Proof {
    /// By the life that a plan starts, the others that were presumed dead for it.
    presumed: BTreeMap<Incarnation, Vec<Incarnation>>,
}

impl Audit for Proof {
    fn name(&self) -> &'static str {
        "proof"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        // What is decided is written a little later.
        let decided = match fact {
            Fact::Judged(judged) => judged.plan.map(|plan| (plan, judged.seen_at)),
            _ => begins(fact, truth).map(|(plan, _)| (plan, truth.now)),
        };
        if let Some((plan, seen_at)) = decided {
            for step in &plan.steps {
                let (Act::Start { incarnation, .. }, Some(replica)) = (&step.act, &step.replica) else {
                    continue;
                };
                // What a check saw is judged a moment later.
                let silent = |host: usize| {
                    let host = &truth.setup.hosts[host];
                    let came = truth.zoo.came.get(host).copied().unwrap_or_default();
                    truth.silent_since(host).is_some() || came + JUDGED_AFTER_MS > seen_at
                };
                let others = truth.lives_of(replica).filter(|life| silent(life.host));
                let presumed = self.presumed.entry(*incarnation).or_default();
                presumed.extend(others.map(|life| life.incarnation));
            }
        }
        let Fact::Born { life } = fact else { return None };
        let presumed = self.presumed.get(&life.incarnation);
        let other = truth.lives_of(&life.replica).find(|other| {
            let presumed = presumed.is_some_and(|presumed| presumed.contains(&other.incarnation));
            other.host == life.host || !presumed
        })?;
        let host = &truth.setup.hosts[other.host];
        Some(format!("{} begins while another life of it runs on {host}", life.replica))
    }
}
