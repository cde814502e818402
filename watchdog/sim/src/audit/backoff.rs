//! Back-off: between two tries of one rung that no quiet separates lies at least the delay that policy says.

use std::collections::BTreeMap;

use watchdog_core::ids::{PlanId, ReplicaId, Time};
use watchdog_core::plan::{Act, Heal, Plan, PlanStatus};
use watchdog_core::policy::Remedy;
use watchdog_core::record::Body;

use super::{Audit, Truth, begins};
use crate::fact::Fact;

/// A try on a replica.
struct Tried {
    plan: PlanId,
    at: Time,
    since: Time,
    ended_at: Time,
    status: PlanStatus,
    is_start: bool,
    /// Whether anything of it was really begun.
    is_begun: bool,
}

/// How many tries are remembered of each replica.
const KEPT: usize = 64;

/// See the module.
#[derive(Default)]
pub(super) struct Backoff {
    tries: BTreeMap<ReplicaId, Vec<Tried>>,
}

impl Audit for Backoff {
    fn name(&self) -> &'static str {
        "backoff"
    }

    fn hear(&mut self, fact: &Fact<'_>, truth: &Truth<'_>) -> Option<String> {
        if let Fact::Committed { entry, .. } = fact
            && let Body::Released { target } = &entry.body
        {
            // A human has looked: it is a fresh start.
            self.tries.retain(|replica, _| replica.as_str() != target);
        }
        if let Fact::Acts(effect) = fact {
            let tries = self.tries.entry(effect.replica.clone()).or_default();
            let starts = matches!(effect.act, Act::Start { .. });
            let of_it = tries.iter_mut().filter(|it| it.plan == *effect.plan && (starts || !it.is_start));
            of_it.for_each(|it| it.is_begun = true);
        }
        if let Fact::Committed { entry, .. } = fact
            && let Body::PlanStatus { plan, status, .. } = &entry.body
        {
            for tried in self.tries.values_mut().flatten().filter(|tried| tried.plan == *plan) {
                (tried.status, tried.ended_at) = (*status, entry.at);
            }
        }
        let (plan, entry) = begins(fact, truth)?;
        let heals = plan.heals.iter().filter(|heal| heal.remedy != Remedy::Quarantine);
        let broken: Vec<String> =
            heals.filter_map(|heal| self.try_again(heal, (plan, entry.at), truth)).collect();
        broken.into_iter().next()
    }
}

impl Backoff {
    fn try_again(&mut self, heal: &Heal, (plan, at): (&Plan, Time), truth: &Truth<'_>) -> Option<String> {
        let policy = truth.policy();
        let forgiven = truth.journal.folded.forgiven.get(&heal.replica).copied().unwrap_or_default();
        let is_start = matches!(heal.remedy, Remedy::Start | Remedy::Restart);
        let tries = self.tries.entry(heal.replica.clone()).or_default();
        // What a newer leader superseded was no try, nor was what was never begun.
        let counts = |it: &&Tried| {
            let is_over = matches!(it.status, PlanStatus::Done | PlanStatus::Failed);
            it.at >= forgiven && is_over && it.is_begun
        };
        let (mut starts, mut before): (u32, Option<&Tried>) = (0, None);
        for tried in tries.iter().filter(counts) {
            if before.is_some_and(|before| is_quiet(before, tried.since, policy.quiet_ms)) {
                starts = 0;
            }
            starts += u32::from(tried.is_start);
            before = Some(tried);
        }
        let before = before.filter(|before| !is_quiet(before, heal.since, policy.quiet_ms));
        let broken = before.filter(|_| is_start && starts > 0).and_then(|before| {
            let delay = (policy.backoff.initial_ms << (starts - 1).min(10)).min(policy.backoff.max_ms);
            let waited = plan.created_at.since_ms(before.ended_at);
            let next = starts + 1;
            (waited < delay).then(|| {
                format!(
                    "{} is started again after {waited} ms instead of {delay} ms (start {next})",
                    heal.replica
                )
            })
        });
        if tries.len() == KEPT {
            tries.remove(0);
        }
        let (plan, status) = (plan.id.clone(), PlanStatus::Running);
        tries.push(Tried { plan, at, since: heal.since, ended_at: at, status, is_start, is_begun: false });
        broken
    }
}

/// Whether a try worked and nothing was wrong for long after it.
fn is_quiet(tried: &Tried, until: Time, quiet_ms: u64) -> bool {
    tried.status == PlanStatus::Done && until.since_ms(tried.ended_at) >= quiet_ms
}
