//! Judge: assess → strikes → plan → vet, as one step on what is known now; nothing is written by it.

use watchdog_core::assess::{Check, Looked as Seen, Scene, Scope, check};
use watchdog_core::finding::{Conviction, Finding};
use watchdog_core::goal::obsolete::of_older_leaders;
use watchdog_core::history::History;
use watchdog_core::ids::{ClusterId, Epoch, Incarnation, PlanId, Time};
use watchdog_core::input::{Decision, PlanInput, fresh_names};
use watchdog_core::observation::{Observation, ReplicaSeen};
use watchdog_core::plan::PlanStatus;
use watchdog_core::planner::assemble::status_of;
use watchdog_core::planner::outdated::{outdated, refused, undeclared};
use watchdog_core::planner::{is_called_for, plan};
use watchdog_core::policy::Policy;
use watchdog_core::record::Body;
use watchdog_core::refusal::{Reason, Refusal, news};
use watchdog_core::shared::Shared;
use watchdog_core::strikes::StrikeBook;
use watchdog_core::vet::vet;

use crate::draft::Draft;
use crate::log_view::LogView;
use crate::looked::Looked;

/// What is known of a cluster.
#[derive(Debug)]
pub struct Known<'a> {
    /// Which cluster.
    pub cluster: &'a ClusterId,
    /// What was done.
    pub history: &'a Shared<History>,
    /// What is seen.
    pub observation: &'a Shared<Observation>,
    /// What the log says.
    pub log: &'a LogView,
    /// What stands in the way of everything.
    pub obstacles: &'a [Refusal],
    /// What must be appended for a goal, or taken back, and can't be.
    pub errand_fault: Option<&'a Refusal>,
}

impl<'a> Known<'a> {
    /// The same with nothing in the way.
    pub fn of(
        cluster: &'a ClusterId,
        (history, observation): (&'a Shared<History>, &'a Shared<Observation>),
        log: &'a LogView,
    ) -> Self {
        Self { cluster, history, observation, log, obstacles: &[], errand_fault: None }
    }

    /// What assessing looks at.
    pub fn scene(&self) -> Scene<'a> {
        Scene {
            observation: self.observation,
            replicas: &self.log.replicas,
            target: self.log.target,
            history: self.history,
            policy: &self.log.policy,
        }
    }
}

/// What this check brought, besides what is seen.
#[derive(Debug)]
pub struct News {
    /// Under which leader.
    pub epoch: Epoch,
    /// Now, never before the newest entry of the record.
    pub now: Time,
    /// What was looked at again in this check.
    pub looked: Looked,
    /// Results of steps, seals and operators' acts.
    pub bodies: Vec<Body>,
}

/// What a judgement remembers for the next one.
#[derive(Debug)]
pub struct Memory<'a> {
    /// Faults on their way to a conviction.
    pub strikes: &'a mut StrikeBook,
    /// Why nothing is done about what is wrong.
    pub refusals: &'a mut Vec<Refusal>,
}

/// What a judgement asks of its driver. Only names must be given; the rest are the leader's own decisions, which the
/// simulator replaces by wrong ones to prove that its audits notice.
pub trait Means {
    /// An unused incarnation; asked only when there is something to plan.
    fn mint(&mut self) -> Incarnation;

    /// What strikes are counted by, when it is not the policy in force.
    fn strikes_by(&self, policy: &Policy) -> Option<Policy> {
        let _ = policy;
        None
    }

    /// What older leaders left open: a new one plans anew, and resumes nothing.
    fn left_open(&self, history: &History, epoch: Epoch) -> Vec<Body> {
        of_older_leaders(history, epoch)
    }

    /// What to do.
    fn decide(&mut self, input: &PlanInput) -> Decision {
        decide(input)
    }

    /// Told what came of it, and what the record will say then.
    fn decided(&mut self, convictions: &[Conviction], history: &History, decision: &Decision) {
        let _ = (convictions, history, decision);
    }
}

/// What is to be written, and when to look again because of time alone.
#[derive(Debug)]
pub struct Judged {
    /// Entries for the record.
    pub bodies: Vec<Body>,
    /// The plan among them, and what it was computed from.
    pub planned: Option<(PlanId, PlanInput)>,
    /// What was looked at.
    pub looked: Looked,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
    /// The end of a back-off, a time-out, the next strike.
    pub again_at: Option<Time>,
}

/// Judges what is seen.
pub fn judge(known: &Known<'_>, news: News, memory: &mut Memory<'_>, means: &mut dyn Means) -> Judged {
    let News { epoch, now, looked, bodies } = news;
    let policy = &known.log.policy;
    let scene = known.scene();
    let checked = look(&scene, &looked);
    let by = means.strikes_by(policy);
    let verdicts = memory.strikes.record(&checked, by.as_ref().unwrap_or(policy), now);
    let strike_due = memory.strikes.next_due(now, policy);
    let mut draft = Draft::new(known.history.clone(), known.observation, epoch, now);
    // A new leader does so before it decides anything; what could not be written then is written now.
    for body in means.left_open(draft.history(), epoch) {
        draft.push(body);
    }
    first_sights(&looked, &mut draft);
    bodies.into_iter().chain(verdicts.into_iter().map(Body::from)).for_each(|body| draft.push(body));
    let convictions = memory.strikes.convictions();
    forget_outdated(&mut draft, &convictions, (policy, known.log.replicas.len()));
    for body in undeclared(draft.history(), &known.log.replicas) {
        draft.push(body);
    }
    draft.follow_up();
    let mut planned = None;
    let mut decided = Decision { plan: None, refusals: Vec::new(), again_at: None };
    if is_called_for(&convictions, &known.log.target, draft.history()) {
        let input = plan_input(known, (epoch, now), convictions, (draft.shared(), || means.mint()));
        decided = means.decide(&input);
        // Their replicas are planned for anew at the next check, which follows at once.
        for body in refused(&input) {
            draft.push(body);
        }
        means.decided(&input.convictions, draft.history(), &decided);
        if let Some(plan) = decided.plan.take() {
            let status = status_of(&plan, &input.policy);
            planned = Some((plan.id.clone(), input));
            draft.push(Body::PlanRecorded { plan, status });
            draft.follow_up();
        }
    }
    decided.refusals.extend(known.errand_fault.cloned());
    if let Some(body) = news::of(memory.refusals, &decided.refusals) {
        tell(&mut draft, body);
    }
    *memory.refusals = decided.refusals;
    let (bodies, follow_up_at) = draft.into_parts();
    // What was decided may call for more: a version that is rejected is left, one that arrived is followed.
    let decided_something = bodies.iter().any(is_decision).then_some(now);
    let again_at = [strike_due, decided.again_at, follow_up_at, decided_something];
    let (findings, again_at) = (checked.findings, again_at.into_iter().flatten().min());
    Judged { bodies, planned, looked, findings, again_at }
}

/// What a plan would be computed from now, with `history` as it will be; no conviction needs more than one start.
pub fn plan_input(
    known: &Known<'_>,
    (epoch, now): (Epoch, Time),
    convictions: Vec<Conviction>,
    (history, mint): (Shared<History>, impl FnMut() -> Incarnation),
) -> PlanInput {
    // A move needs an incarnation of its own when it is a restart.
    let moves = if history.rollout.is_some() { known.log.replicas.len() } else { 0 };
    let starts = convictions.len().max(moves);
    PlanInput {
        cluster: known.cluster.clone(),
        epoch,
        now,
        policy: known.log.policy.clone(),
        delays_ms: known.log.delays_ms.clone(),
        target: known.log.target,
        replicas: known.log.replicas.clone(),
        observation: known.observation.clone(),
        fresh: fresh_names((&history, known.observation), starts, mint),
        convictions,
        history,
        obstacles: known.obstacles.to_vec(),
    }
}

/// The same to be read, by an operator or a check that starts nothing: its names for new lives are not unique.
pub fn input_to_read(known: &Known<'_>, at: (Epoch, Time), convictions: Vec<Conviction>) -> PlanInput {
    plan_input(known, at, convictions, (known.history.clone(), || Incarnation::from_u128(0)))
}

/// Plans, and has the plan checked by the linter that the planner knows nothing of.
pub fn decide(input: &PlanInput) -> Decision {
    let mut decision = plan(input);
    lint(&mut decision, input);
    decision
}

/// Turns a plan to which the linter objects into refusals.
pub fn lint(decision: &mut Decision, input: &PlanInput) {
    let objections = decision.plan.as_ref().map(|drawn| vet(drawn, input)).unwrap_or_default();
    if objections.is_empty() {
        return;
    }
    let vetoed = objections.iter().map(|objection| Refusal {
        subject: None,
        reason: Reason::Vetoed { objection: objection.to_string() },
    });
    decision.refusals.extend(vetoed);
    decision.plan = None;
}

fn look<'a>(scene: &'a Scene<'a>, looked: &'a Looked) -> Check<'a> {
    match looked {
        Looked::All => check(scene, Scope::All),
        Looked::Only(replicas) => check(scene, Scope::Only(replicas)),
        Looked::Nothing => Check { findings: Vec::new(), looked: Seen::blind() },
    }
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
fn first_sights(looked: &Looked, draft: &mut Draft<'_>) {
    let observation = draft.observation();
    for (host, seen) in observation.hosts.iter().filter(|(_, seen)| seen.is_present()) {
        let same = draft.history().hosts.get(host).is_some_and(|known| {
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
    let replicas = &observation.replicas;
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

/// Writes down what is new of refusals; a veto also wakes a human.
fn tell(draft: &mut Draft<'_>, body: Body) {
    if let Body::Refused { refusals, .. } = &body {
        for refusal in refusals.iter().filter(|it| matches!(it.reason, Reason::Vetoed { .. })) {
            draft.push(Body::Escalated { subject: refusal.subject.clone(), message: refusal.to_string() });
        }
    }
    draft.push(body);
}
