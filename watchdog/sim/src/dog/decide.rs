//! Decide: the second half of a check: operators, errands, strikes, a plan, and what is written of it.

use std::collections::BTreeMap;

use watchdog_core::assess::{Check, Looked as Seen, Scene, Scope, check};
use watchdog_core::finding::Conviction;
use watchdog_core::goal::obsolete::of_older_leaders;
use watchdog_core::history::History;
use watchdog_core::ids::{Epoch, Incarnation, ReplicaId, Sequence, Time};
use watchdog_core::input::{Decision, PlanInput, fresh_names};
use watchdog_core::observation::{HostSeen, Observation, ReplicaSeen, Sight};
use watchdog_core::plan::PlanStatus;
use watchdog_core::planner::assemble::status_of;
use watchdog_core::planner::is_called_for;
use watchdog_core::planner::outdated::{outdated, refused, undeclared};
use watchdog_core::policy::Policy;
use watchdog_core::record::Body;
use watchdog_core::refusal::Reason;
use watchdog_core::refusal::news;
use watchdog_core::replica::ReplicaSpec;

use super::draft::Draft;
use super::{Looked, Mind};
use crate::event::DogWork;
use crate::fact::{Fact, Judged};
use crate::journal::Fault;
use crate::mutant::Safeguard;
use crate::net::Node;
use crate::world::World;

/// What the log declares.
pub(crate) type Declarations = BTreeMap<ReplicaId, Result<ReplicaSpec, String>>;

/// A leader that has nothing to do looks again after at most so many checks' time.
const CALM_MAX: u32 = 5;

impl World {
    pub(crate) fn decide(&mut self, dog: usize) {
        // Not later than the look: whoever was stopped since has not seen what happened meanwhile.
        let Some(now) =
            self.dogs[dog].mind.as_ref().map(|mind| mind.observation.at.max(mind.history.last_at))
        else {
            return;
        };
        self.told(dog);
        let steps = self.clock_steps(dog);
        if self.dogs[dog].lead.as_ref().is_some_and(|lead| lead.clock_steps != steps) {
            // With what was measured before the step this time can't be compared.
            return self.stop(dog, ("its clock was set", 0));
        }
        let known = self.history_of(dog).map(|history| history.through);
        match self.run_errands(dog).and_then(|()| self.obey(dog)) {
            Ok(()) => {}
            Err(fault) => return self.journal_failed(dog, fault),
        }
        let Some(lead) = self.dogs[dog].lead.as_mut() else { return };
        match std::mem::take(&mut lead.waited_ms) {
            0 => self.judge_and_write(dog, (now, known)),
            waited => self.plan_dog(dog, waited, DogWork::Judge(now, known)),
        }
    }

    /// What is made of what was seen, and written.
    pub(crate) fn judge_and_write(&mut self, dog: usize, (now, known): (Time, Option<Sequence>)) {
        if self.dogs[dog].lead.is_none() {
            return;
        }
        let news = self.news(dog);
        // What was written before the judgement was not looked at in it.
        let moved = known != self.history_of(dog).map(|history| history.through);
        let (bodies, again_at) = self.judge(dog, now, news);
        let again_at = if moved { Some(now) } else { again_at };
        if let Some(lead) = self.dogs[dog].lead.as_mut() {
            lead.wanted = again_at;
            lead.calm = if bodies.is_empty() { (lead.calm + 1).min(CALM_MAX) } else { 0 };
        }
        if bodies.is_empty() {
            return self.rest_until(dog, again_at);
        }
        if self.lacks(Safeguard::IntentFirst) {
            self.send_before_it_is_written(dog, &bodies);
        }
        let by = self.id_of(dog).to_string();
        let Some(write) = self.draw_up(dog, by, bodies) else { return };
        self.keep_pending(dog, write.clone(), Fault::Silent);
        self.post(dog, write);
    }

    /// The journal's answer to what was decided.
    pub(crate) fn hear_journal(&mut self, dog: usize, outcome: Result<(usize, usize), Fault>) {
        let busy = self.dogs[dog].lead.as_ref().is_some_and(|lead| lead.is_busy);
        if !busy {
            return;
        }
        match outcome {
            Ok((from, to)) => {
                let entries = self.journal.entries[from..to].to_vec();
                self.took(dog, &entries);
                self.execute(dog, &entries);
                let again = self.dogs[dog].lead.as_ref().and_then(|lead| lead.wanted);
                self.rest_until(dog, again);
            }
            Err(fault) => {
                if self.lacks(Safeguard::LostAnswers) {
                    self.catch_up(dog);
                }
                if let (Fault::Refused, Some(lead)) = (fault, self.dogs[dog].lead.as_mut()) {
                    lead.pending = None;
                }
                self.journal_failed(dog, fault);
            }
        }
    }

    /// Rests until then, or until the next check is due all the same.
    fn rest_until(&mut self, dog: usize, again_at: Option<Time>) {
        let wall = self.told(dog);
        let wanted = again_at.map(|at| at.since_ms(wall).max(5));
        let interval = self.setup.policy.check_interval_ms.min(self.setup.session_ms / 8);
        let (calm, idle) = match (self.dogs[dog].lead.as_ref(), self.dogs[dog].mind.as_ref()) {
            (Some(lead), Some(mind)) => (lead.calm, is_idle(mind) && lead.pending.is_none()),
            _ => return,
        };
        // What nobody waits for is looked at less often: time alone changes nothing about it.
        let longest = if idle { u64::MAX } else { interval << calm };
        let soon = wanted.unwrap_or(u64::MAX).min(longest);
        self.rest(dog, (soon < u64::MAX).then_some(soon));
    }

    /// Judges what is seen; answers what is to be written, and when to look again because of time alone.
    fn judge(&mut self, dog: usize, now: Time, news: Vec<Body>) -> (Vec<Body>, Option<Time>) {
        let Some(epoch) = self.dogs[dog].lead.as_ref().map(|lead| lead.epoch) else {
            return (Vec::new(), None);
        };
        let looked = match self.dogs[dog].lead.as_mut() {
            Some(lead) => std::mem::replace(&mut lead.unjudged, Looked::Nothing),
            None => Looked::Nothing,
        };
        let Some(mut mind) = self.dogs[dog].mind.take() else { return (Vec::new(), None) };
        let changes = self.convict(&mut mind, &looked, now);
        let strike_due = mind.strikes.next_due(now, &mind.log.policy);
        let nothing = Observation::unseen(now);
        let seen = std::mem::replace(&mut mind.observation, nothing);
        let mut draft = Draft::new((std::mem::take(&mut mind.history), seen), epoch, now);
        if !self.lacks(Safeguard::PlansAnew) && !self.lacks(Safeguard::PlansClosed) {
            for body in of_older_leaders(draft.history(), epoch) {
                draft.push(body);
            }
        }
        first_sights(&looked, &mut draft);
        news.into_iter().chain(changes).for_each(|body| draft.push(body));
        let convictions = mind.strikes.convictions();
        let bounds = (&mind.log.policy, mind.log.replicas.len());
        forget_outdated(&mut draft, &convictions, bounds);
        for body in undeclared(draft.history(), &mind.log.replicas) {
            draft.push(body);
        }
        draft.follow_up();
        let mut decided = Decision { plan: None, refusals: Vec::new(), again_at: None };
        if is_called_for(&convictions, &mind.log.target, draft.history()) {
            decided = self.decide_with((dog, (epoch, now)), (&mut mind, &convictions), &mut draft);
            if let Some(plan) = decided.plan.take() {
                let status = status_of(&plan, &mind.log.policy);
                draft.push(Body::PlanRecorded { plan, status });
                draft.follow_up();
            }
        }
        decided.refusals.extend(self.dogs[dog].lead.as_ref().and_then(|lead| lead.errand_fault.clone()));
        if let Some(body) = news::of(&mind.refusals, &decided.refusals) {
            tell(&mut draft, body);
        }
        let bodies = std::mem::take(&mut draft.bodies);
        let decided_something = bodies.iter().any(is_decision).then_some(now);
        let again_at = [strike_due, decided.again_at, draft.again_at, decided_something];
        mind.refusals = decided.refusals;
        (mind.history, mind.observation) = draft.into_parts();
        self.dogs[dog].mind = Some(mind);
        (bodies, again_at.into_iter().flatten().min())
    }

    /// Plans on what the draft has come to, without copying any of it.
    fn decide_with(
        &mut self,
        (dog, at): (usize, (Epoch, Time)),
        (mind, convictions): (&mut Mind, &[Conviction]),
        draft: &mut Draft,
    ) -> Decision {
        let (mut history, observation) = draft.lend();
        let pending = std::mem::take(&mut history.pending);
        let replicas = std::mem::take(&mut mind.log.replicas);
        let input = self.plan_input((dog, at), (mind, replicas), (history, observation));
        let not_right = refused(&input);
        let (decided, mut input) = self.decide_on(input);
        input.history.pending = pending;
        draft.give_back(input.history, input.observation);
        mind.log.replicas = input.replicas;
        // Their replicas are planned for anew at the next check, which follows at once.
        for body in not_right {
            draft.push(body);
        }
        let seen_at = self.dogs[dog].lead.as_ref().map_or(self.now, |lead| lead.seen_at);
        let judged = Judged {
            dog,
            seen_at,
            convictions,
            history: draft.history(),
            refusals: &decided.refusals,
            plan: decided.plan.as_ref(),
        };
        self.hear(&Fact::Judged(judged));
        decided
    }

    fn convict(&self, mind: &mut Mind, looked: &Looked, now: Time) -> Vec<Body> {
        let Mind { observation, log, history, strikes, .. } = mind;
        let scene =
            Scene { observation, replicas: &log.replicas, target: log.target, history, policy: &log.policy };
        let checked = match looked {
            Looked::All => check(&scene, Scope::All),
            Looked::Only(replicas) => check(&scene, Scope::Only(replicas)),
            Looked::Nothing => Check { findings: Vec::new(), looked: Seen::blind() },
        };
        let told = self.policy_for_strikes(&log.policy);
        strikes.record(&checked, &told, now).into_iter().map(Body::from).collect()
    }

    /// What a plan is computed from now.
    pub(crate) fn plan_input(
        &mut self,
        (dog, (epoch, now)): (usize, (Epoch, Time)),
        (mind, replicas): (&Mind, Declarations),
        (history, observation): (History, Observation),
    ) -> PlanInput {
        let convictions = mind.strikes.convictions();
        let moves = if history.rollout.is_some() { replicas.len() } else { 0 };
        let starts = convictions.len().max(moves);
        let fresh = fresh_names((&history, &observation), starts, || self.mint_life(dog));
        PlanInput {
            cluster: self.setup.cluster.clone(),
            epoch,
            now,
            policy: mind.log.policy.clone(),
            delays_ms: mind.log.delays_ms.clone(),
            target: mind.log.target,
            replicas,
            observation,
            fresh,
            convictions,
            history,
            obstacles: Vec::new(),
        }
    }

    /// The same, on copies.
    pub(crate) fn plan_input_now(&mut self, dog: usize, mind: &Mind) -> Option<PlanInput> {
        let epoch = self.dogs[dog].lead.as_ref()?.epoch;
        let now = self.told(dog).max(mind.history.last_at);
        let mut history = mind.history.clone();
        history.pending.clear();
        let replicas = mind.log.replicas.clone();
        Some(self.plan_input((dog, (epoch, now)), (mind, replicas), (history, mind.observation.clone())))
    }

    /// An unused incarnation: a UUID of version 7, which begins with the minter's wall clock.
    fn mint_life(&mut self, dog: usize) -> Incarnation {
        let wall = u128::from(self.wall(Node::Dog(dog)).0);
        let number = u128::from(self.ticket());
        Incarnation::from_u128(wall << 80 | 7 << 76 | 2 << 62 | number)
    }
}

/// Whether time alone changes nothing, and nobody waits for anything.
fn is_idle(mind: &Mind) -> bool {
    let Mind { history, observation, strikes, refusals, .. } = mind;
    observation.sight == Sight::Clear
        && observation.hosts.values().all(HostSeen::is_present)
        && history.open_plans.is_empty()
        && history.open_intents.is_empty()
        && history.rollout.is_none()
        && history.pending.is_empty()
        && history.undoing.is_none()
        && refusals.is_empty()
        && strikes.suspects().is_empty()
}

/// Whether an entry changes what is to be done next.
fn is_decision(body: &Body) -> bool {
    matches!(
        body,
        Body::PlanStatus { .. } | Body::Marked { .. } | Body::GoalEnded { .. } | Body::GoalBegun { .. }
    )
}

/// Closes plans that wait for a human and are not worth an answer any more.
fn forget_outdated(draft: &mut Draft, convictions: &[Conviction], bounds: (&Policy, usize)) {
    for plan in outdated(draft.history(), convictions, bounds) {
        let why = "what it was for is over".to_owned();
        draft.push(Body::PlanStatus { plan, status: PlanStatus::Superseded, why });
    }
}

/// Records hosts and deaths that the record does not hold yet.
fn first_sights(looked: &Looked, draft: &mut Draft) {
    let mut bodies = Vec::new();
    for (host, seen) in draft.observation().hosts.iter().filter(|(_, seen)| seen.is_present()) {
        let known = draft.history().hosts.get(host);
        let same = known.is_some_and(|known| {
            (&known.instance, &known.boot_id, &known.address)
                == (&seen.instance, &seen.boot_id, &seen.address)
        });
        if !same {
            bodies.push(Body::HostSeen {
                host: host.clone(),
                instance: seen.instance.clone(),
                boot_id: seen.boot_id.clone(),
                address: seen.address.clone(),
            });
        }
    }
    let replicas = &draft.observation().replicas;
    let mut deaths = |seen: &ReplicaSeen| {
        let obituaries = seen.lives.values().filter_map(|life| life.obituary.as_ref());
        let news = obituaries.filter(|obituary| !draft.history().knows_death(obituary));
        bodies.extend(news.map(|obituary| Body::Died { obituary: obituary.clone() }));
    };
    match looked {
        Looked::All => replicas.values().for_each(deaths),
        Looked::Only(these) => these.iter().filter_map(|it| replicas.get(it)).for_each(&mut deaths),
        Looked::Nothing => {}
    }
    for body in bodies {
        draft.push(body);
    }
}

/// Writes down what is new of refusals; a veto also wakes a human.
fn tell(draft: &mut Draft, body: Body) {
    if let Body::Refused { refusals, .. } = &body {
        for refusal in refusals.iter().filter(|it| matches!(it.reason, Reason::Vetoed { .. })) {
            draft.push(Body::Escalated { subject: refusal.subject.clone(), message: refusal.to_string() });
        }
    }
    draft.push(body);
}
