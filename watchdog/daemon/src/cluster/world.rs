//! World: what a watchdog knows of one cluster, shared between its cycle and those who ask.
//!
//! It stands behind a plain mutex that is never held across an await, so that a
//! read never waits for the database or the network: what was last seen is answered.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use watchdog_core::assess::Scene;
use watchdog_core::clock::Clock;
use watchdog_core::finding::Finding;
use watchdog_core::history::{History, Pause};
use watchdog_core::ids::{ClusterId, Epoch, PlanId, ReplicaId, Sequence, StepId, Time, WatchdogId};
use watchdog_core::input::PlanInput;
use watchdog_core::observation::Observation;
use watchdog_core::offers::{Command, Offer, offers};
use watchdog_core::plan::Outcome;
use watchdog_core::record::{Body, Entry};
use watchdog_core::refusal::Refusal;
use watchdog_core::shared::Shared;
use watchdog_core::strikes::StrikeBook;
use watchdog_leader::judge::{Known, input_to_read};
use watchdog_leader::log_view::LogView;
use watchdog_leader::looked::Looked;
use watchdog_membership::records::{ContenderRecord, EpochRecord, PausesRecord};
use watchdog_membership::tree::Session;

use crate::admin::cause;
use crate::clock;
use crate::cluster::goal_book::GoalBook;
use crate::cluster::pauses;
use crate::cluster::plan_book::PlanBook;
use crate::cluster::stir::{Onlooker, Stir};
use crate::metrics::Tally;

/// What this watchdog is to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Another one leads, or none.
    Follower,
    /// This one leads.
    Leader(Epoch),
}

/// What an agent last said of a step that it is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Milestone {
    /// How much is done.
    pub(crate) percent: u32,
    /// What is being done.
    pub(crate) message: String,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct World {
    /// Which cluster.
    pub(crate) cluster: ClusterId,
    /// What this watchdog is to it.
    pub(crate) role: Role,
    /// What is seen.
    pub(crate) observation: Shared<Observation>,
    /// Who would lead, the front runner first.
    pub(crate) contenders: Vec<ContenderRecord>,
    /// The fence, as last read.
    pub(crate) epoch: Option<EpochRecord>,
    /// What is to be left alone, as the coordination service keeps it.
    pub(crate) kept: PausesRecord,
    /// What the metadata log says.
    pub(crate) log: LogView,
    /// What was done.
    pub(crate) history: Shared<History>,
    /// What time it is in it.
    clock: Cell<Clock>,
    /// The plans of it.
    pub(crate) plans: PlanBook,
    /// The goals of it.
    pub(crate) goals: GoalBook,
    /// How far agents say that they are with the steps that are under way.
    pub(crate) milestones: BTreeMap<StepId, Milestone>,
    /// Faults on their way to a conviction.
    pub(crate) strikes: StrikeBook,
    /// The faults of the last check.
    pub(crate) findings: BTreeMap<ReplicaId, Vec<Finding>>,
    /// Why nothing is done about what is wrong.
    pub(crate) refusals: Vec<Refusal>,
    /// What stands in the way of everything.
    pub(crate) obstacles: Vec<Refusal>,
    /// What must be appended for a goal, or taken back, and can't be.
    pub(crate) errand_fault: Option<Refusal>,
    /// Why the journal can't be read or written now, and since when.
    pub(crate) journal_fault: Option<(Time, String)>,
    /// Through which session it is seen, and how sure that is.
    pub(crate) session: Option<watch::Receiver<Session>>,
    /// What is counted of it.
    pub(crate) tally: Tally,
}

impl World {
    /// A world of which nothing is known yet.
    pub(crate) fn new(cluster: ClusterId) -> Self {
        let mut clock = clock::start();
        let at = clock::tell(&mut clock);
        Self {
            session: None,
            tally: Tally::unread(&cluster),
            cluster,
            role: Role::Follower,
            observation: Observation::unseen(at).into(),
            contenders: Vec::new(),
            epoch: None,
            kept: PausesRecord::default(),
            log: LogView::empty(),
            history: Shared::default(),
            clock: Cell::new(clock),
            plans: PlanBook::default(),
            goals: GoalBook::default(),
            milestones: BTreeMap::new(),
            strikes: StrikeBook::default(),
            findings: BTreeMap::new(),
            refusals: Vec::new(),
            obstacles: Vec::new(),
            errand_fault: None,
            journal_fault: None,
        }
    }

    /// Nothing is decided until this is out of the way.
    pub(crate) fn hold(&mut self, obstacle: Refusal) {
        if !self.obstacles.contains(&obstacle) {
            tracing::error!(cluster = %self.cluster, %obstacle, "holding");
        }
        self.obstacles = vec![obstacle];
        self.refusals.clear();
    }

    /// Everything that was read from the journal is to be read anew, because it may be another one by now. Until then
    /// it is shown as it was, and told to be old.
    pub(crate) fn doubt_journal(&mut self) {
        self.tally.end_term();
        let why = "it was not read again since the session was lost; what is shown is what was read before";
        let now = self.now();
        self.journal_fault.get_or_insert_with(|| (now, why.to_owned()));
    }

    /// Takes what was read anew in the place of what was read before.
    pub(crate) fn adopt_journal(&mut self, read: &mut World) {
        self.log = std::mem::replace(&mut read.log, LogView::empty());
        self.history = std::mem::take(&mut read.history);
        self.plans = std::mem::take(&mut read.plans);
        self.goals = std::mem::take(&mut read.goals);
    }

    /// What assessing looks at.
    pub(crate) fn scene(&self) -> Scene<'_> {
        self.known().scene()
    }

    /// Takes in entries of the record that were read or written.
    pub(crate) fn apply(&mut self, entries: &[Entry]) {
        for entry in entries {
            // What was written here comes by again when the record is read.
            if entry.sequence > self.history.through {
                self.tally.count(entry, (&self.history, &self.plans));
                self.history.apply(entry);
                self.plans.apply(entry);
                self.goals.apply(entry);
                if let Body::Closed { plan, step, outcome, error, .. } = &entry.body {
                    self.milestones.remove(step);
                    self.note_failure((plan, step), (*outcome, error.as_deref()));
                }
            }
        }
    }

    /// Remembers why the goal that rolls does not get on, in the words of whoever it failed at.
    fn note_failure(&mut self, (plan, step): (&PlanId, &StepId), (outcome, error): (Outcome, Option<&str>)) {
        let Some(error) = error.filter(|_| outcome == Outcome::Failed) else { return };
        let story = self.plans.get(plan);
        let step = story.and_then(|story| story.plan.steps.iter().find(|one| one.id == *step));
        if let Some((step, replica)) = step.and_then(|step| Some((step, step.replica.as_ref()?))) {
            let what = format!("{replica}: {}: {}", step.act.word(), cause::clipped(error));
            self.goals.failed(what);
        }
    }

    /// Now, as decisions see it: never before the newest entry of the record.
    pub(crate) fn now(&self) -> Time {
        let mut clock = self.clock.get();
        let now = clock::tell(&mut clock);
        self.clock.set(clock);
        now.max(self.history.last_at)
    }

    /// Time goes on from the newest entry of the record, where it would stand still until our clock has come to it.
    pub(crate) fn raise_clock(&mut self) {
        self.clock.get_mut().raise(self.history.last_at);
    }

    /// How often time had to jump all the same, because somebody set the wall clock.
    pub(crate) fn clock_steps(&self) -> u64 {
        self.clock.get().steps()
    }

    /// Whether some other contender says that it reaches the journal.
    pub(crate) fn another_reaches_journal(&self, us: &WatchdogId) -> bool {
        self.contenders.iter().any(|other| other.watchdog != *us && other.reaches_journal)
    }

    /// The pause that stands, recorded or only kept beside a journal that is away or has lost it.
    pub(crate) fn pause(&self, now: Time) -> Option<Pause> {
        let recorded = self.history.pause.clone();
        let kept = || self.kept.cluster.as_ref().map(pauses::pause);
        let stands = |pause: &Pause| pause.stands(now);
        recorded.filter(stands).or_else(|| kept().filter(stands))
    }

    /// The holds that stand, likewise.
    pub(crate) fn holds(&self, now: Time) -> BTreeMap<&str, Pause> {
        let kept = self.kept.holds.iter().map(|(target, hold)| (target.as_str(), pauses::pause(hold)));
        let recorded = self.history.holds.iter().map(|(target, hold)| (target.as_str(), hold.clone()));
        kept.chain(recorded).filter(|(_, hold)| hold.stands(now)).collect()
    }

    /// What a human can do about what stands in the way.
    pub(crate) fn offers(&self, now: Time) -> Vec<Offer> {
        let mut offers = offers(&self.history, self.refusals.iter().chain(&self.obstacles), now);
        // The record may have been lost, and what halts us is kept beside it.
        if let Some(pause) = self.pause(now).filter(|_| self.history.pause.is_none()) {
            let why = format!("paused by {}: {}", pause.by, pause.reason);
            offers.insert(0, Offer::of(Command::Resume, why));
        }
        offers
    }

    /// What is judged.
    pub(crate) fn known(&self) -> Known<'_> {
        Known {
            cluster: &self.cluster,
            history: &self.history,
            observation: &self.observation,
            log: &self.log,
            obstacles: &self.obstacles,
            errand_fault: self.errand_fault.as_ref(),
        }
    }

    /// What a plan would be computed from now; nothing is started from it.
    pub(crate) fn plan_input(&self, at: (Epoch, Time)) -> PlanInput {
        input_to_read(&self.known(), at, self.strikes.convictions())
    }
}

/// The world and a sign that it changed, for as many as want it.
#[derive(Debug, Clone)]
pub(crate) struct SharedWorld {
    world: Arc<Mutex<World>>,
    recorded: watch::Sender<Sequence>,
    /// Told whenever something is seen, recorded or told that those who look on should see too.
    stir: Stir,
}

impl SharedWorld {
    /// Shares a world.
    pub(crate) fn new(world: World) -> Self {
        Self {
            world: Arc::new(Mutex::new(world)),
            recorded: watch::Sender::new(Sequence(0)),
            stir: Stir::new(),
        }
    }

    /// The world, for as long as the guard lives; not across an await.
    pub(crate) fn lock(&self) -> MutexGuard<'_, World> {
        // A panic elsewhere leaves at worst an old view, and the next check reads it anew.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the world, as of now.
    pub(crate) fn as_of_now<T>(&self, look: impl FnOnce(&World, Time) -> T) -> T {
        let world = self.lock();
        look(&world, world.now())
    }

    /// Tells followers of the record how far it is known.
    pub(crate) fn announce(&self, through: Sequence) {
        let grew = self.recorded.send_if_modified(|known| {
            let grew = through > *known;
            *known = through.max(*known);
            grew
        });
        if grew {
            // Holds, quarantines and goals: an entry may be about anybody.
            self.stir(&Looked::All);
        }
    }

    /// Tells those who look on that there is something else to see, and of whom.
    pub(crate) fn stir(&self, about: &Looked) {
        self.stir.tell(about);
    }

    /// Notes what an agent says of a step that it is at.
    pub(crate) fn tell(&self, step: &StepId, milestone: Milestone) {
        let mut world = self.lock();
        // What comes after its end is about nothing.
        if world.history.open_intents.contains_key(step) {
            world.milestones.insert(step.clone(), milestone);
            self.stir(&Looked::Nothing);
        }
    }

    /// Sees every growth of the record.
    pub(crate) fn recorded(&self) -> watch::Receiver<Sequence> {
        self.recorded.subscribe()
    }

    /// Sees whatever is new to see, recorded or not.
    pub(crate) fn look_on(&self) -> Onlooker {
        self.stir.look_on()
    }
}
