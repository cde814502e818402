//! Back-off: between two tries of one rung that no quiet separates lies at least the delay that policy says.
//!
//! A plan that starts a replica is a try when its start was begun: that it ended what ran before, and then came to nothing,
//! is no reason to leave the replica down any longer. But whatever came of it, the replica was ill when it was planned.

use std::collections::BTreeMap;

use watchdog_core::ids::{PlanId, ReplicaId, StepId, Time};
use watchdog_core::plan::{Act, Heal, Outcome, Plan, PlanStatus};
use watchdog_core::policy::Remedy;
use watchdog_core::record::{Body, Entry};

use super::{Audit, Truth, begins};
use crate::fact::Fact;

/// A try on a replica.
struct Tried {
    plan: PlanId,
    at: Time,
    since: Time,
    ended_at: Time,
    status: PlanStatus,
    remedy: Remedy,
    /// Whether it ends in a new life, here or elsewhere.
    starts: bool,
    /// Whether anything of it was really begun.
    is_begun: bool,
    /// The replica's own steps, without those that were done; the plan may go on, or fail, for another's sake.
    steps: Vec<StepId>,
    /// Whether one of these was not.
    missed: bool,
    /// When the last of them was done.
    done_at: Option<Time>,
}

fn is_start(remedy: Remedy) -> bool {
    matches!(remedy, Remedy::Start | Remedy::Restart)
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
        match fact {
            Fact::Acts(effect) => {
                let tries = self.tries.entry(effect.replica.clone()).or_default();
                let starts = matches!(effect.act, Act::Start { .. });
                let of_it = tries.iter_mut().filter(|it| it.plan == *effect.plan && (starts || !it.starts));
                of_it.for_each(|it| it.is_begun = true);
            }
            Fact::Committed { entry, .. } => self.read(entry, truth),
            _ => {}
        }
        let (plan, entry) = begins(fact, truth)?;
        let heals = plan.heals.iter().filter(|heal| heal.remedy != Remedy::Quarantine);
        let broken: Vec<String> =
            heals.filter_map(|heal| self.try_again(heal, (plan, entry.at), truth)).collect();
        broken.into_iter().next()
    }
}

impl Backoff {
    fn read(&mut self, entry: &Entry, truth: &Truth<'_>) {
        match &entry.body {
            // A human has looked: it is a fresh start.
            Body::Released { .. } => {
                self.tries.retain(|replica, _| !truth.looked_after(replica, entry.at));
            }
            Body::PlanStatus { plan, status, .. } => {
                for tried in self.tries.values_mut().flatten().filter(|tried| tried.plan == *plan) {
                    (tried.status, tried.ended_at) = match tried.done_at {
                        Some(done_at) => (PlanStatus::Done, done_at),
                        None => (*status, entry.at),
                    };
                }
            }
            Body::Closed { step, outcome, .. } => {
                let concerned = self.tries.values_mut().flatten().filter(|tried| tried.steps.contains(step));
                for tried in concerned {
                    tried.steps.retain(|it| it != step);
                    tried.missed |= *outcome != Outcome::Done;
                    tried.done_at = (tried.steps.is_empty() && !tried.missed).then_some(entry.at);
                }
            }
            _ => {}
        }
    }

    fn try_again(&mut self, heal: &Heal, (plan, at): (&Plan, Time), truth: &Truth<'_>) -> Option<String> {
        let policy = truth.policy();
        let forgiven = truth.journal.folded.forgiven.get(&heal.replica).copied().unwrap_or_default();
        let tries = self.tries.entry(heal.replica.clone()).or_default();
        // What a newer leader superseded midway was no try, nor was what was never begun.
        let counts = |it: &Tried| {
            let is_over = matches!(it.status, PlanStatus::Done | PlanStatus::Failed);
            is_over && it.is_begun
        };
        let (mut starts, mut before): (u32, Option<&Tried>) = (0, None);
        let recent = tries.iter().filter(|tried| tried.at >= forgiven);
        let mut worked_at: Option<Time> = None;
        // That a goal moved it is no sign of illness.
        for tried in recent.filter(|tried| counts(tried) || tried.remedy != Remedy::Roll) {
            if worked_at.is_some_and(|at| tried.since.since_ms(at) >= policy.quiet_ms) {
                (starts, before) = (0, None);
            }
            if counts(tried) {
                starts += u32::from(is_start(tried.remedy));
                before = Some(tried);
            }
            worked_at = (counts(tried) && !tried.missed).then_some(tried.ended_at);
        }
        let is_quiet = worked_at.is_some_and(|at| heal.since.since_ms(at) >= policy.quiet_ms);
        let broken = before.filter(|_| is_start(heal.remedy) && starts > 0 && !is_quiet).and_then(|before| {
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
        let own = plan.steps_of(&heal.replica);
        tries.push(Tried {
            plan: plan.id.clone(),
            at,
            since: heal.since,
            ended_at: at,
            status: PlanStatus::Running,
            remedy: heal.remedy,
            starts: own.clone().any(|step| matches!(step.act, Act::Start { .. })),
            is_begun: false,
            steps: own.filter(|step| !step.optional).map(|step| step.id.clone()).collect(),
            missed: false,
            done_at: None,
        });
        broken
    }
}
