//! Planner: what is done about convicted faults, and why not.
//!
//! ```text
//! convictions ──► cases ──► may it be touched? ──► which rung? ──► its steps ──► does the budget allow it?
//!                   │             │                    │              │                  │
//!                   └─────────────┴──── Refusal ◄──────┴──────────────┘             yes ─┴─ no ──► Refusal
//!                                                                                    ▼
//!                                                                                 one plan
//! ```
//!
//! A plan holds all that may be healed at once; several plans may be open for disjoint replicas. What is wrong is
//! healed before a goal is rolled on; what is proven bad is rejected before anything else.

pub mod again;
pub mod assemble;
pub mod case;
pub mod death;
pub mod draft;
pub mod hosts;
pub mod kill;
pub mod load;
pub mod mark_stable;
mod movement;
pub mod outdated;
pub mod quarantine;
pub mod reject;
pub mod relocate;
pub mod restart;
pub mod rollout;
pub mod start;
pub mod stop;
pub mod trial;

use std::collections::BTreeMap;

use crate::finding::{Conviction, FaultKind, Subject};
use crate::history::History;
use crate::ids::{Incarnation, ReplicaId};
use crate::input::{Decision, PlanInput, Target};
use crate::ladder::{Rung, rung};
use crate::plan::{Act, Plan};
use crate::policy::{Autonomy, Remedy};
use crate::refusal::{Reason, Refusal};
use crate::rollout::expected;
use crate::rollout::volunteer::is_volunteer;
use crate::safety::{self, Budget, Leaving};
use crate::storm::{Storm, storm};

use self::assemble::{Room, Treatment};
use self::case::Case;
use self::draft::Draft;

/// Whether [`plan`] could come to anything: asked first, it saves a healthy cluster the making of its input.
pub fn is_called_for(convictions: &[Conviction], target: &Target, history: &History) -> bool {
    !convictions.is_empty() || target.stable.is_none() || history.rollout.is_some()
}

/// Plans what to do about everything that is convicted.
pub fn plan(input: &PlanInput) -> Decision {
    let barred = safety::cluster_refusals(input);
    if !barred.is_empty() {
        return Decision { plan: None, again_at: again::again_at(&barred, input), refusals: barred };
    }
    let mut refusals = Vec::new();
    if let Some(plan) = reject::due(input, &mut refusals) {
        return Decision { plan: Some(plan), refusals, again_at: None };
    }
    refusals.extend(rollout::held(input));
    let treatments = treatments(input, &mut refusals);
    if let Some(plan) = treatments.iter().find_map(badly_declared) {
        return Decision { plan: Some(plan), refusals, again_at: None };
    }
    let chosen = choose(input, treatments, &mut refusals);
    let mut again_at = again::again_at(&refusals, input);
    let mut plan = assemble::of_treatments(input, chosen);
    if plan.is_none() {
        let barred = input.convictions.iter().any(|conviction| bars_goals(conviction, input));
        let (next, due) = if barred {
            rollout::bring_up(input, &mut refusals)
        } else {
            rollout::advance(input, &mut refusals)
        };
        plan = next;
        again_at = again_at.into_iter().chain(due).min();
    }
    // What had no room is planned as soon as this is written.
    if refusals.iter().any(|refusal| matches!(refusal.reason, Reason::PlanFull { .. })) {
        again_at = Some(input.now);
    }
    Decision { plan, refusals, again_at }
}

/// What is done instead of giving up a replica that the goal that rolls declares: its goal is taken back.
fn badly_declared(treatment: &Treatment) -> Option<Plan> {
    let why = treatment.steps.iter().find_map(|step| match &step.act {
        Act::Notify { message, quarantine: true } => Some(message),
        _ => None,
    })?;
    reject::of_declaration(&treatment.case, why)
}

/// Whether what is wrong is healed before a goal is rolled on: not what only the goal can mend, and not what nobody declares.
fn bars_goals(conviction: &Conviction, input: &PlanInput) -> bool {
    match &conviction.finding.subject {
        Subject::Host(_) => false,
        Subject::Replica(replica) => input.replicas.contains_key(replica) && !is_volunteer(replica, input),
    }
}

/// What each convicted replica would get, in the order of their names.
fn treatments<'a>(input: &'a PlanInput, refusals: &mut Vec<Refusal>) -> Vec<Treatment<'a>> {
    let mut by_replica: BTreeMap<&ReplicaId, Vec<&Conviction>> = BTreeMap::new();
    for conviction in &input.convictions {
        match &conviction.finding.subject {
            Subject::Replica(replica) => by_replica.entry(replica).or_default().push(conviction),
            // What can be done about a host is done for each replica on it.
            subject @ Subject::Host(_) => {
                let reason = Reason::NoRemedy { fault: conviction.finding.kind };
                refusals.push(Refusal { subject: Some(subject.clone()), reason });
            }
        }
    }
    if by_replica.is_empty() {
        return Vec::new();
    }
    let storm = storm(input);
    let mut fresh = input.fresh.iter().copied();
    let mut next = fresh.next();
    let mut treatments = Vec::new();
    for (replica, mut convictions) in by_replica {
        convictions.sort_by_key(|conviction| conviction.finding.kind);
        match case(replica, convictions, (input, next)).and_then(|case| treat(case, storm.as_ref())) {
            Ok(treatment) => {
                if treatment.steps.iter().any(|step| matches!(step.act, Act::Start { .. })) {
                    next = fresh.next();
                }
                treatments.push(treatment);
            }
            Err(reason) => refusals.push(refusal(replica, reason)),
        }
    }
    treatments
}

fn refusal(replica: &ReplicaId, reason: Reason) -> Refusal {
    Refusal { subject: Some(Subject::Replica(replica.clone())), reason }
}

fn case<'a>(
    replica: &'a ReplicaId,
    mut convictions: Vec<&'a Conviction>,
    (input, fresh): (&'a PlanInput, Option<Incarnation>),
) -> Result<Case<'a>, Reason> {
    let spec = match input.replicas.get(replica) {
        Some(Ok(spec)) => spec,
        Some(Err(why)) => return Err(Reason::BadDeclaration { why: why.clone() }),
        // Whatever else is wrong with it: it goes.
        None => {
            convictions.retain(|conviction| conviction.finding.kind == FaultKind::Undeclared);
            if convictions.is_empty() {
                return Err(Reason::NotDeclared);
            }
            &stop::UNDECLARED
        }
    };
    let target = expected(replica, &input.target, &input.history);
    Ok(Case { replica, spec, convictions, input, target, fresh })
}

/// The treatment of one case, whatever the budget says.
fn treat<'a>(case: Case<'a>, storm: Option<&Storm>) -> Result<Treatment<'a>, Reason> {
    if let Some(rollout) =
        case.input.history.rollout.as_ref().filter(|_| is_volunteer(case.replica, case.input))
    {
        return Err(Reason::LeftToGoal { goal: rollout.goal.clone() });
    }
    safety::may_touch(case.replica, case.input)?;
    if let Some(reason) = storm.and_then(|storm| storm.holds(case.replica)) {
        return Err(reason);
    }
    let outdated = || {
        let convicted = case.convictions.first().map(|conviction| conviction.finding.kind);
        Reason::Outdated { fault: convicted.unwrap_or(FaultKind::Missing) }
    };
    let fault = case.fault().ok_or_else(outdated)?;
    let (remedy, steps) = match rung(&case, fault)? {
        Rung::Load => (Remedy::Load, load::load(&case)?),
        Rung::Restart { on } if case.life().is_some() => (Remedy::Restart, restart::restart(&case, &on)?),
        Rung::Restart { on } => (Remedy::Start, start::start(&case, &on)?),
        Rung::Relocate { to } => (Remedy::Relocate, relocate::relocate(&case, &to)?),
        Rung::Kill => (Remedy::Kill, kill::kill(&case)?),
        Rung::Trial { on } => {
            // From here on the stable version is what it should hold.
            let case = Case { target: case.input.target, ..case };
            let steps = trial::trial(&case, &on)?;
            return consent(case, Remedy::Trial, steps);
        }
        Rung::Stop => (Remedy::Stop, stop::stop(&case)?),
        Rung::Quarantine { why } => (Remedy::Quarantine, quarantine::quarantine(&case, &why)),
    };
    consent(case, remedy, steps)
}

/// Whether policy lets us do more than look, and no human said no.
///
/// # Errors
///
/// [`Reason::Autonomy`] or [`Reason::Declined`].
pub(crate) fn may(remedy: Remedy, replica: Option<&ReplicaId>, input: &PlanInput) -> Result<(), Reason> {
    if input.policy.autonomy_for(remedy) == Autonomy::Observe {
        return Err(Reason::Autonomy { remedy, approvable: false });
    }
    match input.history.declined.get(&History::declined_key(replica, remedy)) {
        Some(plan) => Err(Reason::Declined { remedy, plan: plan.clone() }),
        None => Ok(()),
    }
}

/// The treatment, if it may be given.
fn consent(case: Case<'_>, remedy: Remedy, steps: Vec<Draft>) -> Result<Treatment<'_>, Reason> {
    may(remedy, Some(case.replica), case.input)?;
    // Who is only looked at is not disturbed.
    let touches = steps.iter().any(|step| !matches!(step.act, Act::Probe { .. } | Act::Notify { .. }));
    let serving = case.is_serving() && touches;
    Ok(Treatment { case, remedy, steps, serving })
}

/// The treatments that may be carried out together: those of replicas that are down first, then of those that leave a
/// version that was given up, for whom less counts as disturbed than for those after them.
///
/// What may be done without asking goes before what a human must approve, because one plan has one status.
fn choose<'a>(
    input: &'a PlanInput,
    mut treatments: Vec<Treatment<'a>>,
    refusals: &mut Vec<Refusal>,
) -> Vec<Treatment<'a>> {
    if treatments.is_empty() {
        return treatments;
    }
    treatments.sort_by_key(|treatment| (treatment.serving, treatment.leaving() == Leaving::Nothing));
    let mut budget = Budget::of(input);
    let asks = |treatment: &Treatment| input.policy.autonomy_for(treatment.remedy) == Autonomy::Approve;
    let (approvable, automatic): (Vec<_>, Vec<_>) = treatments.into_iter().partition(asks);
    let chosen = admit(automatic, &mut budget, refusals);
    if chosen.is_empty() {
        return admit(approvable, &mut budget, refusals);
    }
    refusals.extend(approvable.iter().map(|treatment| {
        let reason = Reason::Autonomy { remedy: treatment.remedy, approvable: true };
        refusal(treatment.case.replica, reason)
    }));
    chosen
}

fn admit<'a>(
    treatments: Vec<Treatment<'a>>,
    budget: &mut Budget,
    refusals: &mut Vec<Refusal>,
) -> Vec<Treatment<'a>> {
    let mut admitted = Vec::new();
    let mut room = Room::whole();
    for treatment in treatments {
        let replica = treatment.case.replica;
        // To leave a replica alone costs nothing.
        let free = treatment.remedy == Remedy::Quarantine;
        let leaves = treatment.leaving();
        let may = if free { Ok(()) } else { budget.admit_if(replica, treatment.serving, leaves) };
        match may.and_then(|()| room.take(&treatment)) {
            Ok(()) => admitted.push(treatment),
            Err(reason) => refusals.push(refusal(replica, reason)),
        }
    }
    admitted
}
