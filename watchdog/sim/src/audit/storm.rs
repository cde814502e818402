//! Storm: many that run all the same are not replaced at once by an observer that sees too few hosts.

use std::collections::BTreeSet;

use watchdog_core::ids::ReplicaId;
use watchdog_core::plan::Act;

use super::{Audit, JUDGED_AFTER_MS, Truth};
use crate::fact::Fact;

/// See the module.
#[derive(Default)]
pub(super) struct Storm;

impl Audit for Storm {
    fn name(&self) -> &'static str {
        "storm"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        // By what is seen when it is decided.
        let Fact::Judged(judged) = fact else { return None };
        let (plan, at) = (judged.plan?, judged.plan?.created_at);
        let policy = truth.policy();
        let lease_ms = truth.at_least(policy.lease_ms + policy.lease_margin_ms);
        let just_gone = truth.zoo.gone.values().filter(|gone| **gone + JUDGED_AFTER_MS > judged.seen_at);
        let seen = truth.zoo.hosts.len() + just_gone.count();
        let half = 2 * seen >= truth.setup.hosts.len() - truth.setup.gone.len();
        let runs_on_unseen = |replica: &ReplicaId| {
            let mut lives = truth.lives_of(replica);
            lives.any(|life| {
                let silent = truth.silent_since(&truth.setup.hosts[life.host]);
                silent.is_some_and(|since| !half || truth.now - since < lease_ms)
            })
        };
        let whose = |is: fn(&Act) -> bool| {
            plan.steps.iter().filter(move |step| is(&step.act)).filter_map(|step| step.replica.as_ref())
        };
        // Who is ended first, by an agent that has to answer, is not taken for gone.
        let ended: BTreeSet<&ReplicaId> = whose(|act| matches!(act, Act::Kill { .. })).collect();
        let starts = whose(|act| matches!(act, Act::Start { .. })).filter(|it| !ended.contains(*it));
        let replaced: Vec<&ReplicaId> = starts.filter(|it| runs_on_unseen(it)).collect();
        let total = truth.declared().len();
        let share = policy.storm_share;
        #[expect(clippy::cast_precision_loss, reason = "numbers of replicas are small")]
        let many = replaced.len() >= 2 && replaced.len() as f64 >= share * total as f64;
        let released =
            truth.journal.folded.storm_released_at.is_some_and(|released| at.since_ms(released) < 120_000);
        (many && !released).then(|| {
            let who: Vec<&str> = replaced.iter().map(|it| it.as_str()).collect();
            format!(
                "{} of {total} are replaced at once although they run, and {seen} hosts are seen: {}",
                replaced.len(),
                who.join(", ")
            )
        })
    }
}
