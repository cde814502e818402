//! Rolling: goals that roll in the world of stories, and what carrying out a plan does to the record.

use std::collections::{BTreeMap, BTreeSet};

use watchdog_core::goal::{GoalStatus, Pace, PaceWish};
use watchdog_core::history::{OpenPlan, Progress};
use watchdog_core::ids::{GoalId, Incarnation, PlanId, Version};
use watchdog_core::observation::{Health, Loaded};
use watchdog_core::plan::{Act, Agent, Outcome, Plan, PlanStatus, Step};
use watchdog_core::policy::Remedy;
use watchdog_core::record::{Body, Entry, Mark};
use watchdog_core::rollout::{Move, Rollout, Trial};
use watchdog_core::state::Hash;

use crate::world::{World, ago, host, replica, right};

/// The candidate's number in every story.
pub(crate) const CANDIDATE: Version = Version(9);

/// What the candidate is.
pub(crate) fn candidate() -> Hash {
    Hash::of(b"candidate")
}

/// What version 8, of a goal that another took over from, is.
pub(crate) fn version(number: u64) -> Hash {
    match number {
        7 => right(),
        9 => candidate(),
        other => Hash::of(format!("v{other}").as_bytes()),
    }
}

pub(crate) fn goal_id() -> GoalId {
    "g".parse().unwrap()
}

impl World {
    /// The goal that rolls; it begins a minute ago if there is none yet.
    pub(crate) fn rollout(&mut self) -> &mut Rollout {
        let pace = Pace::resolve(&PaceWish::default(), &self.input.policy);
        let input = &mut self.input;
        input.target.head = input.target.head.max(CANDIDATE);
        if input.target.stable.is_none() {
            (input.target.version, input.target.state_hash) = (CANDIDATE, candidate());
        }
        input.history.marks.entry(CANDIDATE).or_insert(Mark::Candidate);
        input.history.marked_hashes.entry(CANDIDATE).or_insert(candidate());
        input.history.rollout.get_or_insert_with(|| Rollout {
            goal: goal_id(),
            base: Version(8),
            to: CANDIDATE,
            state_hash: candidate(),
            pace,
            restart: false,
            started_at: ago(60_000),
            guard: None,
            earlier: BTreeSet::new(),
            moved: BTreeMap::new(),
            trials: BTreeMap::new(),
            failures: Vec::new(),
            adds: BTreeSet::new(),
            edits: BTreeSet::new(),
            arrived: BTreeSet::new(),
        })
    }

    /// A replica was ordered to the candidate so long ago.
    pub(crate) fn ordered(&mut self, name: &str, ms: u64) {
        let plan = PlanId::numbered(self.input.epoch, 1);
        self.rollout().moved.insert(replica(name), Move { plan, at: ago(ms), volunteer: false });
        self.input.history.forgiven.insert(replica(name), ago(ms));
    }

    /// A replica is tried on the stable version since so long, at its host.
    pub(crate) fn on_trial(&mut self, name: &str, ms: u64) -> &mut Trial {
        let plan = PlanId::numbered(self.input.epoch, 2);
        let on = self.life(name).host.clone();
        let trial = Trial { plan, host: Some(on), at: ago(ms), well_at: None, failed: None };
        let aim = self.rollout().state_hash;
        self.input.history.witness.reached.entry(aim).or_default().insert(replica(name));
        self.rollout().trials.insert(replica(name), trial);
        self.rollout().trials.get_mut(&replica(name)).unwrap()
    }

    /// What it holds, well and since now less so long.
    pub(crate) fn holds(&mut self, name: &str, loaded: Loaded, ms: u64) {
        let since = ago(ms);
        let member = self.member(name);
        (member.loaded, member.since, member.health) = (loaded, since, Health::Ready);
        self.process(name).since = since;
    }

    /// A plan about the cluster as a whole that waits for a human.
    pub(crate) fn asked(&mut self, remedy: Remedy) {
        let to = Version(7);
        let act = match remedy {
            Remedy::MarkStable => {
                Act::MarkStable { version: CANDIDATE, state_hash: candidate(), goal: Some(goal_id()) }
            }
            Remedy::Reject => {
                Act::Reject { version: CANDIDATE, state_hash: candidate(), goal: Some(goal_id()), to }
            }
            Remedy::FallBack => Act::Reject { version: to, state_hash: right(), goal: None, to: Version(5) },
            other => panic!("{other:?} is of a replica"),
        };
        let id = PlanId::numbered(self.input.epoch, 40);
        let step = Step {
            id: id.step(0),
            replica: None,
            act,
            why: String::new(),
            timeout_ms: 1_000,
            optional: false,
        };
        let plan = Plan {
            id: id.clone(),
            epoch: self.input.epoch,
            created_at: ago(100),
            reason: String::new(),
            convictions: Vec::new(),
            heals: Vec::new(),
            steps: vec![step],
        };
        let open = OpenPlan { plan, status: PlanStatus::AwaitingApproval, progress: Progress::default() };
        self.input.history.open_plans.insert(id, open);
    }

    /// Writes an entry to the record.
    pub(crate) fn record(&mut self, body: Body) {
        let history = &mut self.input.history;
        let entry = Entry {
            sequence: history.through.next(),
            at: self.input.now,
            epoch: self.input.epoch,
            by: "w1".to_owned(),
            body,
        };
        history.apply(&entry);
    }

    /// Carries out all steps of a plan, all of which work, and records it as a leader would.
    pub(crate) fn carry_out(&mut self, plan: &Plan) {
        self.record(Body::PlanRecorded { plan: plan.clone(), status: PlanStatus::Running });
        for step in &plan.steps {
            let instance = matches!(step.agent(), Agent::Host(_)).then(|| "i".to_owned());
            let (id, step_id) = (plan.id.clone(), step.id.clone());
            let (whom, agent) = (step.replica.clone(), step.agent());
            self.record(Body::Intended {
                plan: id.clone(),
                step: step_id.clone(),
                replica: whom,
                agent,
                instance,
            });
            self.act(step);
            let outcome = Outcome::Done;
            self.record(Body::Closed { plan: id, step: step_id, outcome, error: None, blame: None });
        }
        let why = "every step is done".to_owned();
        self.record(Body::PlanStatus { plan: plan.id.clone(), status: PlanStatus::Done, why });
        for heal in &plan.heals {
            self.forget_told(&heal.replica);
        }
    }

    fn act(&mut self, step: &Step) {
        let name = step.replica.as_ref().map_or("", |replica| replica.as_str()).to_owned();
        let at = self.input.now;
        match &step.act {
            Act::Kill { incarnation, host, .. } => self.be_killed(&name, *incarnation, host),
            Act::Start { host, incarnation, version: number, .. } => {
                self.input.fresh.retain(|fresh| fresh != incarnation);
                self.be_born(&name, (*incarnation, host), at);
                self.load((&name, *incarnation), *number);
            }
            Act::Load { incarnation, to, .. } => self.load((&name, *incarnation), *to),
            Act::MarkStable { version, state_hash, goal } => {
                self.settle((*version, Mark::Stable, *state_hash), goal.as_ref(), GoalStatus::Achieved);
                let target = &mut self.input.target;
                (target.stable, target.version, target.state_hash) = (Some(*version), *version, *state_hash);
            }
            Act::Reject { version, state_hash, goal, to } => {
                self.settle((*version, Mark::Rejected, *state_hash), goal.as_ref(), GoalStatus::Rejected);
                let head = self.input.target.head.next();
                self.record(Body::Undone { goal: goal.clone(), to: head, changes: 1 });
                let state_hash = self.input.history.marked_hashes[to];
                let target = &mut self.input.target;
                (target.head, target.stable, target.version) = (head, Some(*to), head);
                target.state_hash = state_hash;
            }
            Act::Notify { message, .. } => {
                let why = message.clone();
                self.record(Body::Quarantined { replica: replica(&name), why });
            }
            Act::Snapshot { .. } | Act::Drain { .. } | Act::Probe { .. } => {}
        }
    }

    /// It loads a version, which may be the stable state under its newest number.
    fn load(&mut self, (name, it): (&str, Incarnation), number: Version) {
        let target = self.input.target;
        let rolling = self.input.history.rollout.as_ref().filter(|rollout| rollout.to == number);
        let state_hash = rolling.map_or(target.state_hash, |rollout| rollout.state_hash);
        let at = self.input.now;
        let loaded = Loaded { version: number, state_hash };
        let life = self.seen(name).lives.get_mut(&it).unwrap();
        match &mut life.member {
            Some(member) => (member.loaded, member.since) = (loaded, at),
            None => life.process.as_mut().unwrap().loaded = Some(loaded),
        }
    }

    fn settle(
        &mut self,
        (version, mark, hash): (Version, Mark, Hash),
        goal: Option<&GoalId>,
        status: GoalStatus,
    ) {
        let why = || "it is told".to_owned();
        self.record(Body::Marked { version, mark, state_hash: Some(hash), why: why() });
        if let Some(goal) = goal {
            return self.record(Body::GoalEnded { goal: goal.clone(), status, why: why() });
        }
        for target in self.input.history.quarantined.keys().map(ToString::to_string).collect::<Vec<_>>() {
            if mark == Mark::Rejected {
                self.record(Body::Released { target });
            }
        }
    }
}

/// A stranger runs under a name that nobody declares, never ordered by us.
pub(crate) fn stranger(world: &mut World, name: &str, on: &str) {
    let it = world.unused();
    world.input.observation.replicas.entry(replica(name)).or_default();
    world.be_born(name, (it, &host(on)), ago(5_000));
    let lives = world.input.history.lives.get_mut(&replica(name)).unwrap();
    lives.retain(|life| life.incarnation != it);
    if lives.is_empty() {
        world.input.history.lives.remove(&replica(name));
    }
}
