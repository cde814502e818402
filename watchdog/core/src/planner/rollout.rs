//! Rollout: the next move of the goal that rolls, when nothing is wrong that must be healed first.
//!
//! ```text
//! held by a trial ──► Refusal         someone is on the way ──► wait
//! canary left ──► move it ──► soak ──► move a batch ──► … ──► all arrived ──► soak ──► mark stable
//! ```

use crate::condition::is_healthy_on;
use crate::goal::Canary;
use crate::ids::{ReplicaId, Time};
use crate::input::PlanInput;
use crate::plan::Plan;
use crate::policy::Remedy;
use crate::refusal::{Reason, Refusal, few};
use crate::rollout::Rollout;
use crate::rollout::survey::{Survey, survey};
use crate::rollout::verdict::{Verdict, condemned, held_by, verdict};
use crate::rollout::volunteer::is_volunteer;
use crate::safety::Budget;
use crate::storm::storm;

use super::assemble;
use super::case::{is_unwatched, lives};
use super::mark_stable::{self, Founding, founding};
use super::movement::Mover;
use super::{again, may, refusal};

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
    /// One that arrived is started anew, because nothing else proves that the candidate can be started from.
    Proving,
    /// Everybody has arrived and the soak is over.
    Proven,
}

/// The stage of a rollout. A founding goal has no stages of moving: nobody was anywhere before.
pub fn stage(rollout: &Rollout, survey: &Survey<'_>, input: &PlanInput) -> Stage {
    if held_by(rollout, input).is_some() {
        return Stage::Held;
    }
    let awaited = !survey.on_trial.is_empty() || !survey.under_way.is_empty();
    if awaited || is_founding(rollout, survey, input) || condemned(rollout, input).is_some() {
        let waits =
            rollout.trials.iter().filter_map(|(replica, trial)| match verdict(replica, trial, input) {
                Verdict::Waits { until } => until,
                Verdict::Blames | Verdict::Void | Verdict::Acquits => None,
            });
        return Stage::Waiting { until: waits.min() };
    }
    if is_unprovable(rollout, input) {
        return Stage::Waiting { until: None };
    }
    if !survey.arrived.is_empty() && needs_a_start(rollout, input) {
        return Stage::Proving;
    }
    let soaked_at = survey.arrived_at.plus_ms(rollout.pace.soak_ms);
    if survey.left.is_empty() {
        if !survey.leaving.is_empty() {
            return Stage::Waiting { until: None };
        }
        return if input.now < soaked_at { Stage::Soaking { until: soaked_at } } else { Stage::Proven };
    }
    if survey.canaries_left > 0 {
        return Stage::Moving(survey.canaries_left);
    }
    if survey.is_canary && lost_canary(rollout, input).is_some() {
        return Stage::Waiting { until: None };
    }
    if survey.is_canary && (survey.awaits_canary || input.now < soaked_at) {
        // Who does not serve need not wait for the canary.
        return if survey.volunteers_left { Stage::Moving(0) } else { Stage::Soaking { until: soaked_at } };
    }
    let batch = if rollout.pace.batch == 0 { usize::MAX } else { rollout.pace.batch as usize };
    Stage::Moving(batch.min(survey.left.len()))
}

/// Whether somebody has not come up yet on what founds the cluster. Who has may still have to be started anew.
fn is_founding(rollout: &Rollout, survey: &Survey<'_>, input: &PlanInput) -> bool {
    let aim = rollout.aim(&input.target);
    let is_up = |replica: &ReplicaId| {
        rollout.restart && lives(input, replica).any(|(_, life)| is_healthy_on(life, &aim))
    };
    input.target.stable.is_none() && !survey.left.iter().all(|replica| is_up(replica))
}

/// Whether nothing was started on the candidate yet and seen well, and it is not what is stable already.
fn needs_a_start(rollout: &Rollout, input: &PlanInput) -> bool {
    let is_new = input.target.stable.is_none() || rollout.state_hash != input.target.state_hash;
    rollout.pace.prove_start && is_new && !input.history.is_start_proven(rollout.state_hash)
}

/// Whether nobody is declared who could prove it, and it is not what has been proven already.
fn is_unprovable(rollout: &Rollout, input: &PlanInput) -> bool {
    let is_new = input.target.stable.is_none() || rollout.state_hash != input.target.state_hash;
    is_new && input.replicas.is_empty()
}

/// The canary that was chosen, when none of it is declared any more: without it nobody may follow.
fn lost_canary<'a>(rollout: &'a Rollout, input: &PlanInput) -> Option<&'a ReplicaId> {
    let Canary::Replicas(chosen) = &rollout.pace.canary else { return None };
    let declared = chosen.iter().any(|replica| input.replicas.contains_key(replica));
    chosen.first().filter(|_| !declared)
}

/// Brings up what only the goal that rolls can bring up; that waits for nothing else that is wrong.
pub fn bring_up(input: &PlanInput, refusals: &mut Vec<Refusal>) -> (Option<Plan>, Option<Time>) {
    let Some(rollout) = &input.history.rollout else { return (None, None) };
    let survey = survey(rollout, input);
    // What a trial says may be that nobody should be moved any more.
    if !survey.volunteers_left || !survey.on_trial.is_empty() || condemned(rollout, input).is_some() {
        return (None, None);
    }
    move_next((rollout, &survey, 0), input, refusals)
}

/// The next plan of the rollout or of the founding, and when to look again because of time alone.
pub fn advance(input: &PlanInput, refusals: &mut Vec<Refusal>) -> (Option<Plan>, Option<Time>) {
    let Some(rollout) = &input.history.rollout else { return found(input, refusals) };
    let survey = survey(rollout, input);
    match stage(rollout, &survey, input) {
        Stage::Held => (None, None),
        Stage::Waiting { .. } if survey.volunteers_left => bring_up(input, refusals),
        Stage::Waiting { until } => {
            let lost = lost_canary(rollout, input).filter(|_| survey.is_canary && !survey.left.is_empty());
            refusals.extend(lost.map(|replica| waits(rollout, replica, LOST_CANARY)));
            if is_unprovable(rollout, input) {
                let reason = Reason::Unprovable { goal: rollout.goal.clone(), version: rollout.to };
                refusals.push(Refusal { subject: None, reason });
            }
            (None, until)
        }
        Stage::Soaking { until } => {
            refusals.extend(unwatched(&survey, input).map(|replica| waits(rollout, replica, UNWATCHED)));
            (None, Some(until))
        }
        Stage::Moving(count) => move_next((rollout, &survey, count), input, refusals),
        Stage::Proving => prove_start(rollout, &survey, input, refusals),
        // One that awaits an approval is asked about once.
        Stage::Proven if is_open(Remedy::MarkStable, input) => (None, None),
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
    let (replica, trial) = held_by(rollout, input)?;
    let reason = Reason::RolloutHeld {
        goal: rollout.goal.clone(),
        replica: replica.clone(),
        host: trial.host.clone(),
        why: trial.failed.clone().unwrap_or_default(),
    };
    Some(Refusal { subject: None, reason })
}

/// Whether a plan with this remedy runs or waits for a human.
fn is_open(remedy: Remedy, input: &PlanInput) -> bool {
    input.history.open_plans.values().any(|open| open.plan.remedies().any(|it| it == remedy))
}

/// Moves as many of the next as the budget allows; also answers when somebody can be moved who can't be now.
fn move_next(
    (rollout, survey, count): (&Rollout, &Survey<'_>, usize),
    input: &PlanInput,
    refusals: &mut Vec<Refusal>,
) -> (Option<Plan>, Option<Time>) {
    // One that awaits an approval is asked about once.
    if !consented(Remedy::Roll, input, refusals) || is_open(Remedy::Roll, input) {
        return (None, None);
    }
    let mut until: Option<Time> = None;
    let mut fresh = input.fresh.iter().copied();
    let (mut budget, mut room) = (Budget::of(input), assemble::Room::whole());
    let mut chosen = Vec::new();
    let storm = storm(input);
    let mut spread = 0;
    for replica in &survey.left {
        // Those who do not serve come first, and as many at once as may be healed.
        let volunteers = is_volunteer(replica, input);
        if !volunteers && spread >= count {
            break;
        }
        let mover = Mover { rollout, input, storm: storm.as_ref(), fresh: fresh.clone().next() };
        match mover.movement(replica) {
            Ok(treatment) => match budget.admit(replica, treatment.serving) {
                // The rest of the batch follows when these have arrived.
                Ok(()) if room.take(&treatment).is_err() => break,
                Ok(()) => {
                    fresh.next();
                    spread += usize::from(!volunteers);
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
                until = until.into_iter().chain(again::ends_at(&reason, input)).min();
                refusals.push(waits(rollout, replica, &reason.to_string()));
                refusals.extend(for_a_human(replica, &reason).filter(|_| volunteers));
                // A chosen canary is not passed over, nor does a no to one mean a yes to the next.
                let chosen =
                    survey.is_canary && matches!(rollout.pace.canary, Canary::Replicas(_)) && !volunteers;
                if chosen || matches!(reason, Reason::Declined { .. }) {
                    break;
                }
            }
        }
    }
    let (mut names, more) = few(chosen.iter().map(|treatment| treatment.case.replica.to_string()));
    names.extend((more > 0).then(|| format!("and {more} more")));
    let canary = if survey.canaries_left > 0 { "canary " } else { "" };
    let reason =
        format!("goal {}: bring {canary}{} to version {}", rollout.goal, names.join(", "), rollout.to);
    (assemble::of_treatments(input, chosen).map(|plan| Plan { reason, ..plan }), until)
}

/// Starts one that arrived anew on the candidate: the first that may be touched.
fn prove_start(
    rollout: &Rollout,
    survey: &Survey<'_>,
    input: &PlanInput,
    refusals: &mut Vec<Refusal>,
) -> (Option<Plan>, Option<Time>) {
    if !consented(Remedy::Roll, input, refusals) || is_open(Remedy::Roll, input) {
        return (None, None);
    }
    let mover = Mover { rollout, input, storm: None, fresh: input.fresh.first().copied() };
    let mut budget = Budget::of(input);
    let mut first = None;
    for replica in &survey.arrived {
        let treatment = mover.proof(replica);
        match treatment.and_then(|it| budget.admit(replica, it.serving).map(|()| it)) {
            Ok(treatment) => {
                let reason = format!(
                    "goal {}: start {replica} once on version {}, to prove that it can be started from",
                    rollout.goal, rollout.to
                );
                let plan = assemble::of_treatments(input, vec![treatment]);
                return (plan.map(|plan| Plan { reason, ..plan }), None);
            }
            Err(reason) => first = first.or(Some((*replica, reason))),
        }
    }
    let Some((replica, reason)) = first else { return (None, None) };
    let until = again::ends_at(&reason, input);
    let why = format!("it must be started once on version {} to prove that this works: {reason}", rollout.to);
    refusals.push(waits(rollout, replica, &why));
    (None, until)
}

/// Why nobody follows when no chosen canary is declared.
const LOST_CANARY: &str = "it was chosen as the canary, and is not declared any more";

/// One that has arrived and can't soak, because the agent of its host is gone.
fn unwatched<'a>(survey: &Survey<'a>, input: &PlanInput) -> Option<&'a ReplicaId> {
    let mut arrived = survey.arrived.iter().copied();
    arrived
        .find(|replica| lives(input, replica).any(|(_, life)| life.is_alive() && is_unwatched(life, input)))
}

const UNWATCHED: &str = "the agent of its host is gone, and nobody would say that it died";

fn waits(rollout: &Rollout, replica: &ReplicaId, why: &str) -> Refusal {
    let reason =
        Reason::RolloutWaits { goal: rollout.goal.clone(), replica: replica.clone(), why: why.to_owned() };
    Refusal { subject: None, reason }
}

/// What only a human can change about a replica that its goal is to bring up is told of the replica itself too, because
/// the way on is offered by that.
fn for_a_human(replica: &ReplicaId, reason: &Reason) -> Option<Refusal> {
    let asks =
        matches!(reason, Reason::NoHost { .. } | Reason::NotFenced { .. } | Reason::TreeNotGone { .. });
    asks.then(|| refusal(replica, reason.clone()))
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
