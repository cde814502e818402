//! Judge: assess → strikes → plan → vet, as one step without IO on what is known now.

use std::collections::BTreeMap;

use watchdog_core::assess::{Check, Looked as Seen, Scene, Scope, check};
use watchdog_core::finding::{Conviction, Finding, Subject};
use watchdog_core::goal::obsolete::of_older_leaders;
use watchdog_core::ids::{Epoch, Incarnation, ReplicaId, Time};
use watchdog_core::input::{Decision, PlanInput};
use watchdog_core::observation::ReplicaSeen;
use watchdog_core::plan::{Plan, PlanStatus};
use watchdog_core::planner::assemble::status_of;
use watchdog_core::planner::outdated::{outdated, refused, undeclared};
use watchdog_core::planner::{is_called_for, plan};
use watchdog_core::policy::Policy;
use watchdog_core::record::Body;
use watchdog_core::refusal::news;
use watchdog_core::refusal::{Reason, Refusal};
use watchdog_core::vet::vet;
use watchdog_ports::healing_log::PlanInputRecord;

use crate::cluster::books::Batch;
use crate::cluster::draft::Draft;
use crate::cluster::observe::Looked;
use crate::cluster::world::World;

/// What this check brought, besides what is seen.
pub(crate) struct News {
    /// Under which leader.
    pub(crate) epoch: Epoch,
    /// Now, never before the newest entry of the record.
    pub(crate) now: Time,
    /// What was looked at again in this check.
    pub(crate) looked: Looked,
    /// Results of steps, seals and operators' acts.
    pub(crate) bodies: Vec<Body>,
    /// Makes an unused incarnation; asked only when there is something to plan.
    pub(crate) mint: fn() -> Incarnation,
}

/// What is to be written, and when to look again because of time alone.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Entries for the record, and what the plans among them were computed from.
    pub(crate) batch: Batch,
    /// The end of a back-off, a time-out, the next strike.
    pub(crate) again_at: Option<Time>,
}

/// Judges what is seen; changes nothing outside `world`.
pub(crate) fn judge(world: &mut World, news: News) -> Judged {
    let changes = convict(world, &news);
    let strike_due = world.strikes.next_due(news.now, &world.log.policy);
    let mut draft = Draft::new(&world.history, &world.observation, news.epoch, news.now);
    // A new leader does so before it decides anything; what could not be written then is written now.
    for body in of_older_leaders(draft.history(), news.epoch) {
        draft.push(body);
    }
    first_sights(world, &news.looked, &mut draft);
    news.bodies.into_iter().chain(changes).for_each(|body| draft.push(body));
    let bounds = (&world.log.policy, world.log.replicas.len());
    forget_outdated(&mut draft, &world.strikes.convictions(), bounds);
    for body in undeclared(draft.history(), &world.log.replicas) {
        draft.push(body);
    }
    draft.follow_up();
    let mut inputs = Vec::new();
    let mut decided = Decision { plan: None, refusals: Vec::new(), again_at: None };
    if is_called_for(&world.strikes.convictions(), &world.log.target, draft.history()) {
        let input = world.plan_input((news.epoch, news.now), draft.history().clone(), news.mint);
        // Their replicas are planned for anew at the next check, which follows at once.
        for body in refused(&input) {
            draft.push(body);
        }
        decided = decide(&input);
        if let Some(plan) = decided.plan.take() {
            let status = status_of(&plan, &input.policy);
            inputs.extend(kept(&plan, &input));
            draft.push(Body::PlanRecorded { plan, status });
            draft.follow_up();
        }
    }
    decided.refusals.extend(world.errand_fault.clone());
    if let Some(body) = news::of(&world.refusals, &decided.refusals) {
        tell(&mut draft, body);
    }
    let bodies = std::mem::take(&mut draft.bodies);
    // What was decided may call for more: a version that is rejected is left, one that arrived is followed.
    let decided_something = bodies.iter().any(is_decision).then_some(news.now);
    let again_at = [strike_due, decided.again_at, draft.again_at, decided_something];
    let again_at = again_at.into_iter().flatten().min();
    world.refusals = decided.refusals;
    Judged { batch: Batch { bodies, inputs }, again_at }
}

/// Counts strikes; answers what became, or is no longer, convicted.
fn convict(world: &mut World, news: &News) -> Vec<Body> {
    let World { observation, log, history, strikes, findings, tally, .. } = world;
    let scene =
        Scene { observation, replicas: &log.replicas, target: log.target, history, policy: &log.policy };
    let checked = match &news.looked {
        Looked::All => check(&scene, Scope::All),
        Looked::Only(replicas) => check(&scene, Scope::Only(replicas)),
        Looked::Nothing => Check { findings: Vec::new(), looked: Seen::blind() },
    };
    let verdicts = strikes.record(&checked, &log.policy, news.now);
    tally.check(&checked.findings, strikes.take_struck());
    file(findings, checked.findings, &news.looked);
    verdicts.into_iter().map(Body::from).collect()
}

/// Keeps the newest findings by replica, for those who ask why.
fn file(kept: &mut BTreeMap<ReplicaId, Vec<Finding>>, findings: Vec<Finding>, looked: &Looked) {
    match looked {
        Looked::All => kept.clear(),
        Looked::Only(replicas) => kept.retain(|replica, _| !replicas.contains(replica)),
        Looked::Nothing => return,
    }
    for finding in findings {
        if let Subject::Replica(replica) = &finding.subject {
            kept.entry(replica.clone()).or_default().push(finding);
        }
    }
}

/// The exact input of a plan, to compute it again from.
fn kept(plan: &Plan, input: &PlanInput) -> Option<PlanInputRecord> {
    // Maps with names for keys and plain values: it can't fail, and a plan is worth more than its explanation.
    let input = serde_json::to_string(input).ok()?;
    Some(PlanInputRecord { plan: plan.id.clone(), core_version: watchdog_core::VERSION.to_owned(), input })
}

/// Whether an entry changes what is to be done next.
fn is_decision(body: &Body) -> bool {
    matches!(
        body,
        Body::PlanStatus { .. } | Body::Marked { .. } | Body::GoalEnded { .. } | Body::GoalBegun { .. }
    )
}

/// Closes plans that wait for a human and are not worth an answer any more.
fn forget_outdated(draft: &mut Draft<'_>, convictions: &[Conviction], bounds: (&Policy, usize)) {
    for plan in outdated(draft.history(), convictions, bounds) {
        let why = "what it was for is over".to_owned();
        draft.push(Body::PlanStatus { plan, status: PlanStatus::Superseded, why });
    }
}

/// Records hosts and deaths that the record does not hold yet.
fn first_sights(world: &World, looked: &Looked, draft: &mut Draft<'_>) {
    for (host, seen) in world.observation.hosts.iter().filter(|(_, seen)| seen.is_present()) {
        let known = world.history.hosts.get(host);
        let same = known.is_some_and(|known| {
            (&known.instance, &known.boot_id, &known.address)
                == (&seen.instance, &seen.boot_id, &seen.address)
        });
        if !same {
            draft.push(Body::HostSeen {
                host: host.clone(),
                instance: seen.instance.clone(),
                boot_id: seen.boot_id.clone(),
                address: seen.address.clone(),
            });
        }
    }
    let replicas = &world.observation.replicas;
    match looked {
        Looked::All => replicas.values().for_each(|seen| deaths(seen, draft)),
        Looked::Only(these) => {
            for replica in these {
                if let Some(seen) = replicas.get(replica) {
                    deaths(seen, draft);
                }
            }
        }
        Looked::Nothing => {}
    }
}

fn deaths(seen: &ReplicaSeen, draft: &mut Draft<'_>) {
    for obituary in seen.lives.values().filter_map(|life| life.obituary.as_ref()) {
        draft.push(Body::Died { obituary: obituary.clone() });
    }
}

/// Plans, and has the plan checked by the linter that the planner knows nothing of.
fn decide(input: &PlanInput) -> Decision {
    let mut decision = plan(input);
    if let Some(drawn) = &decision.plan {
        let objections = vet(drawn, input);
        if !objections.is_empty() {
            tracing::error!(plan = %drawn.id, ?objections, "plan vetoed by the linter");
            let vetoed = objections.iter().map(|objection| Refusal {
                subject: None,
                reason: Reason::Vetoed { objection: objection.to_string() },
            });
            decision.refusals.extend(vetoed);
            decision.plan = None;
        }
    }
    decision
}

/// Writes down what is new of refusals; a veto also wakes a human.
fn tell(draft: &mut Draft<'_>, body: Body) {
    if let Body::Refused { refusals, .. } = &body {
        for refusal in refusals.iter().filter(|it| matches!(it.reason, Reason::Vetoed { .. })) {
            draft.push(Body::Escalated { subject: refusal.subject.clone(), message: refusal.to_string() });
        }
    }
    draft.push(body);
}
