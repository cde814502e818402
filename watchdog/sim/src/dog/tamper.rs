//! Tamper: what a leader without one safeguard is told, or makes of what the core says.
//!
//! With none taken away it plans and vets, and that is all.

use watchdog_core::goal::{Canary, Pace};
use watchdog_core::input::{Decision, PlanInput};
use watchdog_core::observation::Sight;
use watchdog_core::plan::{Act, Heal, Plan, PlanStatus, Step};
use watchdog_core::planner::plan;
use watchdog_core::policy::{Limit, Remedy, Tries};
use watchdog_core::refusal::{Reason, Refusal};
use watchdog_leader::judge::{decide, lint};

use crate::mutant::Safeguard;
use crate::world::World;

impl World {
    /// What the leader decides, without the safeguard that is taken away.
    pub(super) fn decide_on(&mut self, input: &PlanInput) -> Decision {
        self.figures.plannings += 1;
        let mut decision = if self.mutant.is_none() { decide(input) } else { self.decide_wrongly(input) };
        let vetoed = |refusal: &Refusal| matches!(refusal.reason, Reason::Vetoed { .. });
        self.figures.vetoes += u64::from(decision.refusals.iter().any(vetoed));
        if self.lacks(Safeguard::NoIsData) {
            decision.refusals.clear();
        }
        decision
    }

    fn decide_wrongly(&self, input: &PlanInput) -> Decision {
        let mut told = input.clone();
        self.tamper(&mut told);
        let mut decision = plan(&told);
        if let Some(drawn) = decision.plan.take() {
            let (drawn, vetted) = self.redraw(drawn, &told);
            decision.plan = Some(drawn);
            if vetted {
                lint(&mut decision, &told);
            }
        }
        decision
    }

    /// The pace that a goal is begun with.
    pub(super) fn pace(&self, pace: &Pace) -> Pace {
        match self.mutant {
            Some(Safeguard::Soak) => Pace { soak_ms: 0, ..pace.clone() },
            Some(Safeguard::Canary) => Pace { canary: Canary::Count(0), batch: 0, ..pace.clone() },
            _ => pace.clone(),
        }
    }

    fn tamper(&self, input: &mut PlanInput) {
        let Some(mutant) = self.mutant else { return };
        let policy = &mut input.policy;
        match mutant {
            Safeguard::Budget => policy.max_disturbed = Limit::Count(99),
            Safeguard::Parallel => policy.heals_parallel = 99,
            Safeguard::HealsPerHour => {
                policy.heals_per_hour = 10_000;
                policy.tries = Tries { load: 10_000, restart: 10_000, relocate: 10_000 };
            }
            Safeguard::Backoff => input.delays_ms = vec![0],
            Safeguard::BackoffOnRecord => {
                let epoch = format!("{}-", input.epoch);
                let heals = input.history.heals.values_mut().flatten();
                for heal in heals.filter(|heal| !heal.plan.as_str().starts_with(&epoch)) {
                    heal.status = PlanStatus::Superseded;
                }
            }
            Safeguard::LeaseWait => (policy.lease_ms, policy.lease_margin_ms) = (0, 0),
            Safeguard::Exclusive => {
                for spec in input.replicas.values_mut().flatten() {
                    spec.exclusive = false;
                }
            }
            Safeguard::StormGuard => policy.storm_share = 9.0,
            Safeguard::Sight => input.observation.sight = Sight::Clear,
            Safeguard::Pause => input.history.pause = None,
            Safeguard::Holds => input.history.holds.clear(),
            Safeguard::Quarantine => {
                // With the tries that led to it, after which nothing but another quarantine is left.
                for replica in std::mem::take(&mut input.history.quarantined).keys() {
                    input.history.heals.remove(replica);
                }
            }
            Safeguard::Soak => {
                policy.soak_ms = 0;
                if let Some(rollout) = &mut input.history.rollout {
                    rollout.pace.soak_ms = 0;
                }
            }
            Safeguard::FreshLives => {
                let used = input.history.lives.values().flatten().filter(|life| life.obituary.is_some());
                let used: Vec<_> = used.map(|life| life.incarnation).collect();
                if let (Some(last), Some(first)) = (used.last(), input.fresh.first_mut()) {
                    *first = *last;
                }
            }
            _ => {}
        }
    }

    /// A plan by hand; and whether it is still vetted.
    fn redraw(&self, mut plan: Plan, input: &PlanInput) -> (Plan, bool) {
        match self.mutant {
            Some(Safeguard::ProofOfDeath) => {
                plan.steps.retain(|step| {
                    !matches!(step.act, Act::Kill { .. } | Act::Snapshot { .. } | Act::Drain { .. })
                });
                renumber(&mut plan);
                (plan, false)
            }
            Some(Safeguard::Verify) => {
                plan.steps.retain(|step| !matches!(step.act, Act::Probe { .. }));
                renumber(&mut plan);
                (plan, false)
            }
            Some(Safeguard::Trial) => (reject_at_once(plan, input), false),
            Some(Safeguard::Blame) => (give_up_at_once(plan), false),
            Some(
                Safeguard::Budget
                | Safeguard::FreshLives
                | Safeguard::Canary
                | Safeguard::Quarantine
                | Safeguard::LeaseWait
                | Safeguard::StormGuard
                | Safeguard::Exclusive
                | Safeguard::HealsPerHour,
            ) => (plan, false),
            _ => (plan, true),
        }
    }
}

fn renumber(plan: &mut Plan) {
    let id = plan.id.clone();
    for (index, step) in plan.steps.iter_mut().enumerate() {
        step.id = id.step(index);
    }
}

/// Instead of healing whom it would heal first, leaves it to a human.
fn give_up_at_once(mut plan: Plan) -> Plan {
    let Some(first) = plan.heals.iter().find(|heal| !heal.remedy.is_of_rollout()).cloned() else {
        return plan;
    };
    let Some(step) = plan.steps_of(&first.replica).next().cloned() else {
        return plan;
    };
    let act = Act::Notify { message: "it was never any good".to_owned(), quarantine: true };
    let replica = first.replica.clone();
    plan.heals.retain(|heal| heal.replica != replica);
    plan.heals.push(Heal { remedy: Remedy::Quarantine, disturbs: false, ..first });
    plan.steps.retain(|step| step.replica.as_ref() != Some(&replica));
    plan.steps.push(Step { act, ..step });
    renumber(&mut plan);
    plan
}

/// Instead of the first heal of who holds a candidate, gives the candidate up.
fn reject_at_once(mut plan: Plan, input: &PlanInput) -> Plan {
    let (Some(rollout), Some(to)) = (&input.history.rollout, input.target.stable) else { return plan };
    let heals_it = plan
        .heals
        .iter()
        .any(|heal| rollout.moved.contains_key(&heal.replica) && !heal.remedy.is_of_rollout());
    if let (true, Some(step)) = (heals_it, plan.steps.first().cloned()) {
        let act = Act::Reject {
            version: rollout.to,
            state_hash: rollout.state_hash,
            goal: Some(rollout.goal.clone()),
            to,
        };
        plan.heals.clear();
        plan.steps = vec![Step { act, replica: None, ..step }];
        renumber(&mut plan);
    }
    plan
}
