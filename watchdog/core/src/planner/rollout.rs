//! Rollout: the next move of the goal that rolls, when nothing is wrong that must be healed first.
//!
//! ```text
//! held by a trial ──► Refusal         someone is on the way ──► wait
//! canary left ──► move it ──► soak ──► move a batch ──► … ──► all arrived ──► soak ──► mark stable
//! ```

use crate::goal::Canary;
use crate::ids::{ReplicaId, Time};
use crate::input::PlanInput;
use crate::plan::Plan;
use crate::policy::Remedy;
use crate::refusal::{Reason, Refusal};
use crate::rollout::Rollout;
use crate::rollout::survey::{Survey, canaries_left, survey};
use crate::rollout::verdict::{Verdict, verdict};
use crate::safety::{self, Budget};

use super::assemble::{self, Treatment};
use super::case::Case;
use super::mark_stable::{self, Founding, founding};
use super::{load, may, refusal, restart};

/// What a rollout asks for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// A trial says that a host is to blame: a human must look.
    Held,
    /// Someone is on the way, on trial, or being healed; time alone may tell then.
    Waiting {
        /// When.
        until: Option<Time>,
    },
    /// Nothing may move until then: what arrived soaks.
    Soaking {
        /// When.
        until: Time,
    },
    /// So many of those who are left are moved now.
    Moving(usize),
    /// Everybody has arrived and the soak is over.
    Proven,
}

/// The stage of a rollout. A founding goal has no stages of moving: nobody was anywhere before.
pub fn stage(rollout: &Rollout, survey: &Survey<'_>, input: &PlanInput) -> Stage {
    if rollout.held().is_some() {
        return Stage::Held;
    }
    let founding = input.target.stable.is_none();
    if !survey.on_trial.is_empty() || !survey.under_way.is_empty() || (founding && !survey.left.is_empty()) {
        let waits =
            rollout.trials.iter().filter_map(|(replica, trial)| match verdict(replica, trial, input) {
                Verdict::Waits { until } => until,
                Verdict::Blames | Verdict::Acquits => None,
            });
        return Stage::Waiting { until: waits.min() };
    }
    let soaked_at = survey.arrived_at.plus_ms(rollout.pace.soak_ms);
    if survey.left.is_empty() {
        return if input.now < soaked_at { Stage::Soaking { until: soaked_at } } else { Stage::Proven };
    }
    let canaries = canaries_left(survey, rollout);
    if canaries > 0 {
        return Stage::Moving(canaries);
    }
    if survey.is_canary && rollout.sent().next().is_some() && input.now < soaked_at {
        return Stage::Soaking { until: soaked_at };
    }
    let batch = if rollout.pace.batch == 0 { usize::MAX } else { rollout.pace.batch as usize };
    Stage::Moving(batch.min(survey.left.len()))
}

/// The next plan of the rollout or of the founding, and when to look again because of time alone.
pub fn advance(input: &PlanInput, refusals: &mut Vec<Refusal>) -> (Option<Plan>, Option<Time>) {
    let Some(rollout) = &input.history.rollout else { return found(input, refusals) };
    let survey = survey(rollout, input);
    match stage(rollout, &survey, input) {
        Stage::Held => (None, None),
        Stage::Waiting { until } => (None, until),
        Stage::Soaking { until } => (None, Some(until)),
        Stage::Moving(count) => (move_next((rollout, &survey, count), input, refusals), None),
        Stage::Proven => {
            let mark = mark_stable::mark(input, &rollout.aim(&input.target), Some(&rollout.goal));
            (consented(Remedy::MarkStable, input, refusals).then(|| of_mark(rollout, input, mark)), None)
        }
    }
}

fn of_mark(rollout: &Rollout, input: &PlanInput, mark: super::draft::Draft) -> Plan {
    let verb = if input.target.stable.is_none() { "found the cluster on" } else { "prove" };
    let reason = format!("goal {}: {verb} version {}: {}", rollout.goal, rollout.to, mark.why);
    assemble::of_cluster(input, mark, reason)
}

/// Why the goal that rolls is held, when it is.
pub fn held(input: &PlanInput) -> Option<Refusal> {
    let rollout = input.history.rollout.as_ref()?;
    let (replica, trial) = rollout.held()?;
    let reason = Reason::RolloutHeld {
        goal: rollout.goal.clone(),
        replica: replica.clone(),
        host: trial.host.clone(),
        why: trial.failed.clone().unwrap_or_default(),
    };
    Some(Refusal { subject: None, reason })
}

/// Moves as many of the next as the budget allows.
fn move_next(
    (rollout, survey, count): (&Rollout, &Survey<'_>, usize),
    input: &PlanInput,
    refusals: &mut Vec<Refusal>,
) -> Option<Plan> {
    if !consented(Remedy::Roll, input, refusals) {
        return None;
    }
    // One that awaits an approval is asked about once.
    if input.history.open_plans.values().any(|open| open.plan.remedies().any(|it| it == Remedy::Roll)) {
        return None;
    }
    let mut fresh = input.fresh.iter().copied();
    let mut budget = Budget::of(input);
    let mut chosen = Vec::new();
    for replica in &survey.left {
        if chosen.len() >= count {
            break;
        }
        match movement(rollout, replica, (input, fresh.clone().next())) {
            Ok(treatment) => match budget.admit(replica, treatment.serving) {
                Ok(()) => {
                    fresh.next();
                    chosen.push(treatment);
                }
                Err(reason) if chosen.is_empty() => {
                    refusals.push(refusal(replica, reason));
                    break;
                }
                // The rest of the batch follows when these have arrived.
                Err(_) => break,
            },
            Err(reason) => {
                refusals.push(waits(rollout, replica, &reason));
                // A chosen canary is not passed over; of others whoever can goes first.
                if survey.is_canary && matches!(rollout.pace.canary, Canary::Replicas(_)) {
                    break;
                }
            }
        }
    }
    let names: Vec<&str> = chosen.iter().map(|treatment| treatment.case.replica.as_str()).collect();
    let canary = if survey.is_canary && canaries_left(survey, rollout) > 0 { "canary " } else { "" };
    let reason =
        format!("goal {}: bring {canary}{} to version {}", rollout.goal, names.join(", "), rollout.to);
    assemble::of_treatments(input, chosen).map(|plan| Plan { reason, ..plan })
}

/// What brings one replica to the candidate.
fn movement<'a>(
    rollout: &Rollout,
    replica: &'a ReplicaId,
    (input, fresh): (&'a PlanInput, Option<crate::ids::Incarnation>),
) -> Result<Treatment<'a>, Reason> {
    safety::may_touch(replica, input)?;
    may(Remedy::Roll, Some(replica), input)?;
    let spec = match input.replicas.get(replica) {
        Some(Ok(spec)) => spec,
        Some(Err(why)) => return Err(Reason::BadDeclaration { why: why.clone() }),
        None => return Err(Reason::NotDeclared),
    };
    let case = Case { target: rollout.aim(&input.target), fresh, ..Case::sound(replica, spec, input) };
    let serving = case.is_serving();
    let steps = match (case.life(), rollout.restart) {
        (Some((_, life)), true) => restart::restart(&case, &life.host)?,
        (Some(_), false) => load::load(&case)?,
        (None, _) => return Err(Reason::Outdated { fault: crate::finding::FaultKind::WrongVersion }),
    };
    Ok(Treatment { case, remedy: Remedy::Roll, steps, serving })
}

fn waits(rollout: &Rollout, replica: &ReplicaId, why: &Reason) -> Refusal {
    let reason =
        Reason::RolloutWaits { goal: rollout.goal.clone(), replica: replica.clone(), why: why.to_string() };
    Refusal { subject: None, reason }
}

/// Whether it may be done; if not, why not is among the refusals.
fn consented(remedy: Remedy, input: &PlanInput, refusals: &mut Vec<Refusal>) -> bool {
    match may(remedy, None, input) {
        Ok(()) => true,
        Err(reason) => {
            refusals.push(Refusal { subject: None, reason });
            false
        }
    }
}

/// The founding of a cluster whose log begins without a goal; else when its soak ends.
fn found(input: &PlanInput, refusals: &mut Vec<Refusal>) -> (Option<Plan>, Option<Time>) {
    match founding(input) {
        Founding::NotNow => (None, None),
        Founding::Soaking { until } => (None, Some(until)),
        Founding::Mark(mark) => {
            let reason = format!("found the cluster on version {}: {}", input.target.version, mark.why);
            let plan = || assemble::of_cluster(input, mark, reason);
            (consented(Remedy::MarkStable, input, refusals).then(plan), None)
        }
    }
}
