//! Decide: the second half of a check: operators, errands, strikes, a plan, and what is written of it.

use watchdog_core::finding::Conviction;
use watchdog_core::goal::obsolete::of_older_leaders;
use watchdog_core::history::History;
use watchdog_core::ids::{Epoch, Incarnation, Sequence, Time};
use watchdog_core::input::{Decision, PlanInput};
use watchdog_core::observation::{HostSeen, Sight};
use watchdog_core::policy::Policy;
use watchdog_core::record::Body;
use watchdog_leader::judge::{Judged, Known, Means, Memory, News, judge, plan_input};
use watchdog_leader::looked::Looked;

use super::Mind;
use crate::event::DogWork;
use crate::fact::{self, Fact};
use crate::journal::Fault;
use crate::mutant::Safeguard;
use crate::net::Node;
use crate::world::World;

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
        let news = self.news(dog, now);
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
    fn judge(&mut self, dog: usize, now: Time, bodies: Vec<Body>) -> (Vec<Body>, Option<Time>) {
        let Some(lead) = self.dogs[dog].lead.as_mut() else { return (Vec::new(), None) };
        let looked = std::mem::replace(&mut lead.unjudged, Looked::Nothing);
        let (epoch, errand_fault) = (lead.epoch, lead.errand_fault.clone());
        let Some(mut mind) = self.dogs[dog].mind.take() else { return (Vec::new(), None) };
        let cluster = self.setup.cluster.clone();
        let (mut strikes, mut refusals) =
            (std::mem::take(&mut mind.strikes), std::mem::take(&mut mind.refusals));
        let known = Known { errand_fault: errand_fault.as_ref(), ..mind.known(&cluster) };
        let mut memory = Memory { strikes: &mut strikes, refusals: &mut refusals };
        let mut means = Tampered { world: self, dog };
        let Judged { bodies, again_at, .. } =
            judge(&known, News { epoch, now, looked, bodies }, &mut memory, &mut means);
        (mind.strikes, mind.refusals) = (strikes, refusals);
        self.dogs[dog].mind = Some(mind);
        (bodies, again_at)
    }

    /// What a plan would be computed from now.
    pub(crate) fn plan_input_now(&mut self, dog: usize, mind: &Mind) -> Option<PlanInput> {
        let epoch = self.dogs[dog].lead.as_ref()?.epoch;
        let now = self.told(dog).max(mind.history.last_at);
        let cluster = self.setup.cluster.clone();
        let history = (mind.history.clone(), || self.mint_life(dog));
        Some(plan_input(&mind.known(&cluster), (epoch, now), mind.strikes.convictions(), history))
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

/// What a leader judges with: the real thing, but for the safeguard that is taken away.
struct Tampered<'a> {
    world: &'a mut World,
    dog: usize,
}

impl Means for Tampered<'_> {
    fn mint(&mut self) -> Incarnation {
        self.world.mint_life(self.dog)
    }

    fn strikes_by(&self, policy: &Policy) -> Option<Policy> {
        self.world.lacks(Safeguard::Strikes).then(|| Policy { strikes: 1, ..policy.clone() })
    }

    fn left_open(&self, history: &History, epoch: Epoch) -> Vec<Body> {
        if self.world.lacks(Safeguard::PlansAnew) || self.world.lacks(Safeguard::PlansClosed) {
            return Vec::new();
        }
        of_older_leaders(history, epoch)
    }

    fn decide(&mut self, input: &PlanInput) -> Decision {
        self.world.decide_on(input)
    }

    fn decided(&mut self, convictions: &[Conviction], history: &History, decision: &Decision) {
        let Self { world, dog } = self;
        let seen_at = world.dogs[*dog].lead.as_ref().map_or(world.now, |lead| lead.seen_at);
        let (refusals, plan) = (decision.refusals.as_slice(), decision.plan.as_ref());
        let judged = fact::Judged { dog: *dog, seen_at, convictions, history, refusals, plan };
        world.hear(&Fact::Judged(judged));
    }
}
