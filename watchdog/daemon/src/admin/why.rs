//! Why: the verdict on one replica: what is seen, how it is known, what is done or refused, and for what reason.

use tonic::Status;
use watchdog_core::finding::{Evidence, Finding, Subject};
use watchdog_core::ids::{PlanId, ReplicaId, Time};
use watchdog_core::offers::{Command, Offer};
use watchdog_core::plan::PlanStatus;
use watchdog_core::refusal::{Reason, Refusal};
use watchdog_core::tell;
use watchdog_proto::admin as wire;

use super::{cause, views};
use crate::clock::rfc3339;
use crate::cluster::world::World;

/// How many past heals are told.
const HEALS_TOLD: usize = 5;

/// The verdict on `replica`.
///
/// # Errors
///
/// When it is neither declared nor seen.
pub(crate) fn verdict(world: &World, replica: &ReplicaId, now: Time) -> Result<wire::Verdict, Status> {
    let declared = world.log.replicas.contains_key(replica);
    if !declared && !world.observation.replicas.contains_key(replica) {
        return Err(Status::not_found(format!("replica: {replica} is neither declared nor seen")));
    }
    let view = views::replica_view(world, replica);
    let refusals = refusals(world, replica, now);
    let findings = world.findings.get(replica).map(Vec::as_slice).unwrap_or_default();
    let open = world
        .history
        .open_plans
        .values()
        .find(|open| open.plan.heals.iter().any(|heal| heal.replica == *replica));
    let doing = open.map(|open| {
        let steps = open.plan.steps_of(replica);
        steps.map(|step| format!("{}: {}", step.act.word(), step.why)).collect()
    });
    let last_failure = cause::of_replica(world, replica);
    let mut verdict = sentence(&view, findings, open.is_some(), &refusals);
    if let Some(failure) = &last_failure {
        verdict = format!("{verdict}; the last try failed: {failure}");
    }
    Ok(wire::Verdict {
        replica: replica.to_string(),
        verdict,
        last_failure,
        state: view.state,
        findings: findings.iter().map(|finding| finding_view(world, finding)).collect(),
        refusals: refusals.iter().map(views::refusal_view).collect(),
        plan: open.map(|open| open.plan.id.to_string()),
        doing: doing.unwrap_or_default(),
        history: past(world, replica),
        offers: offers(world, replica, now).iter().map(views::offer_view).collect(),
    })
}

/// What a human can do about this one, but for what only concerns others.
fn offers(world: &World, replica: &ReplicaId, now: Time) -> Vec<Offer> {
    let heals = |plan: &PlanId| {
        let open = world.history.open_plans.get(plan);
        open.is_some_and(|open| open.plan.heals.iter().any(|heal| heal.replica == *replica))
    };
    let mut offers = world.offers(now);
    offers.retain(|offer| match &offer.command {
        Command::Release { target } => target == replica.as_str(),
        Command::Redeclare { replica: whom, .. } => whom == replica,
        Command::Approve { plan } | Command::Decline { plan } => heals(plan),
        Command::Resume
        | Command::ReleaseStorm
        | Command::Restore { .. }
        | Command::Withdraw { .. }
        | Command::Supersede { .. } => true,
    });
    offers
}

fn refusals(world: &World, replica: &ReplicaId, now: Time) -> Vec<Refusal> {
    let about = |refusal: &&Refusal| match &refusal.subject {
        None => true,
        Some(Subject::Replica(id)) => id == replica,
        Some(Subject::Host(_)) => false,
    };
    let mut all: Vec<Refusal> =
        world.refusals.iter().chain(&world.obstacles).filter(about).cloned().collect();
    // A hold is worth telling also while nothing is wrong.
    let hold = world.holds(now).remove(replica.as_str());
    if let (Some(hold), false) =
        (hold, all.iter().any(|refusal| matches!(refusal.reason, Reason::Held { .. })))
    {
        let (target, by, why) = (replica.to_string(), hold.by.clone(), hold.reason.clone());
        let subject = Some(Subject::Replica(replica.clone()));
        all.push(Refusal { subject, reason: Reason::Held { target, by, why } });
    }
    all
}

fn sentence(view: &wire::ReplicaView, findings: &[Finding], healing: bool, refusals: &[Refusal]) -> String {
    let state = match (view.version, view.expected) {
        (Some(version), Some(expected)) if version != expected => {
            format!("{} is {} on version {version}, expected {expected}", view.replica, view.state)
        }
        (Some(version), _) => format!("{} is {} on version {version}", view.replica, view.state),
        (None, _) => format!("{} is {}", view.replica, view.state),
    };
    let act = match (findings.is_empty(), healing, refusals.first()) {
        (_, true, _) => "it is being healed".to_owned(),
        (_, false, Some(refusal)) => format!("not touched: {}", refusal.reason),
        (true, false, None) => "nothing is wrong with it".to_owned(),
        (false, false, None) => "watched: not enough bad checks in a row yet".to_owned(),
    };
    format!("{state}; {act}")
}

fn finding_view(world: &World, finding: &Finding) -> wire::FindingView {
    let (strikes, convicted) = world.strikes.count(&finding.subject, finding.kind);
    let Evidence { source, at, .. } = &finding.evidence;
    wire::FindingView {
        fault: finding.kind.word().to_owned(),
        detail: finding.detail.clone(),
        source: tell::source(*source).to_owned(),
        at: rfc3339(*at),
        strikes,
        needed: world.log.policy.strikes_for(finding.kind),
        convicted,
    }
}

fn past(world: &World, replica: &ReplicaId) -> Vec<String> {
    let heals = world.history.heals.get(replica);
    let newest = heals.into_iter().flatten().rev().take(HEALS_TOLD);
    newest
        .map(|tried| {
            let failed = world.plans.get(&tried.plan).filter(|_| tried.status == PlanStatus::Failed);
            let why = failed.and_then(|story| cause::of_plan(story, replica));
            let ending = why.map(|why| format!(": {why}")).unwrap_or_default();
            let missed = tried.missed.as_ref();
            let blame = missed.map(|missed| format!("; it is {}", missed.blame.phrase())).unwrap_or_default();
            let (at, how) = (rfc3339(tried.at), tried.status.word());
            format!("{at} plan {}: {:?} {how}{ending}{blame}", tried.plan, tried.remedy)
        })
        .collect()
}
