//! Dog: a watchdog: what it knows, and what it does while it leads.
//!
//! The loop of the daemon, on the real core, without IO:
//!
//! ```text
//! begin ─► turn ─► open ─► check ─► decide ─► (written) ─► send ─► hear
//!                            ▲                                      │
//!                            └──────────────────────────────────────┘
//! ```

mod check;
pub(crate) mod decide;
mod execute;
mod goals;
mod obey;
mod observe;
mod seal;
mod tamper;
mod term;

use std::cell::Cell;
use std::collections::BTreeMap;

use watchdog_core::clock::Clock;
use watchdog_core::history::History;
use watchdog_core::ids::{ClusterId, Epoch, StepId, Time, WatchdogId};
use watchdog_core::observation::Observation;
use watchdog_core::plan::{Agent, Step};
use watchdog_core::refusal::Refusal;
use watchdog_core::shared::Shared;
use watchdog_core::strikes::StrikeBook;
use watchdog_leader::judge::Known;
use watchdog_leader::log_view::LogView;
use watchdog_leader::looked::Looked;
use watchdog_leader::report::Ends;
use watchdog_leader::seal::{SealCall, SealReply, Sealing};

use crate::event::DogWork;
use crate::journal::Write;
use crate::mutant::Safeguard;
use crate::net::Node;
use crate::order::Order;
use crate::world::World;
use crate::zoo::SessionId;

pub use self::obey::Wish;
pub use self::observe::View;

/// What a watchdog knows; gone with its process.
#[derive(Debug)]
pub struct Mind {
    /// The record, folded.
    pub history: Shared<History>,
    /// The log.
    pub log: LogView,
    /// What is seen.
    pub observation: Shared<Observation>,
    /// Through what.
    pub view: View,
    /// Faults on their way to a conviction.
    pub strikes: StrikeBook,
    /// Why nothing is done about what is wrong.
    pub refusals: Vec<Refusal>,
    /// Since when the journal does not answer.
    pub silent_since: Option<Time>,
}

/// A step that was sent.
#[derive(Debug)]
pub struct Call {
    /// The order.
    pub order: Order,
    /// The step.
    pub step: Step,
    /// When it was sent first.
    pub begun_at: u64,
    /// How often.
    pub sent: u32,
}

/// What a leader holds for one term.
#[derive(Debug)]
pub struct Lead {
    /// Its epoch.
    pub epoch: Epoch,
    /// How often the fence was written, by its last word.
    pub written: u64,
    /// Whether a write of its own has an unknown fate.
    pub in_doubt: bool,
    /// Its place in the row.
    pub turn: u64,
    /// When its last fenced write was asked for, in true time.
    pub confirmed_at: u64,
    /// Steps that were sent.
    pub calls: BTreeMap<StepId, Call>,
    /// Agents that are to take the epoch, and steps whose fate they are asked.
    pub sealing: Sealing,
    /// Their answers that are not in the record.
    pub sealed: Vec<(SealCall, SealReply)>,
    /// Ends of steps.
    pub ended: Ends,
    /// What operators ask.
    pub wishes: Vec<(String, Wish)>,
    /// What was seen and is not judged.
    pub unjudged: Looked,
    /// A write whose fate is not known.
    pub pending: Option<Write>,
    /// When the next check is, and whether one is under way.
    pub check_at: u64,
    /// See `check_at`.
    pub is_busy: bool,
    /// Something came meanwhile.
    pub again: bool,
    /// When the last check ended.
    pub checked_at: u64,
    /// Checks in a row that changed nothing.
    pub calm: u32,
    /// When it last looked.
    pub seen_at: u64,
    /// When the group was last tidied.
    pub tidied_at: u64,
    /// Since when agents that it asks do not answer it.
    pub unheard: BTreeMap<Agent, u64>,
    /// How often its clock had stepped when the term began.
    pub clock_steps: u64,
    /// When a check was last wanted because of time alone.
    pub wanted: Option<Time>,
    /// How long its journal has taken in this check.
    pub waited_ms: u64,
    /// Why an errand of a goal can't be run, when it was told.
    pub errand_fault: Option<Refusal>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Dog {
    /// Whether its process runs.
    pub is_up: bool,
    /// Faults that keep it down.
    pub off_by: u32,
    /// Faults that keep it stopped.
    pub frozen_by: u32,
    /// Whether it is stopped when it next sends a step, and for how long.
    pub stops_at_send: Option<u64>,
    /// The same for its next write.
    pub stops_at_write: Option<u64>,
    /// What happens once it runs again.
    pub put_off: Vec<(u64, DogWork)>,
    /// What its process measures time with, once it asked.
    pub clock: Cell<Option<Clock>>,
    /// Counts what must not reach it any more: runs and terms.
    pub term: u64,
    /// When it last left the lead because of an agent.
    pub left_for: BTreeMap<Agent, u64>,
    /// Whether it will try to open a session.
    pub will_begin: bool,
    /// Its session.
    pub session: Option<SessionId>,
    /// Its place in the row.
    pub turn: Option<u64>,
    /// What it knows.
    pub mind: Option<Box<Mind>>,
    /// Its term, while it leads.
    pub lead: Option<Box<Lead>>,
    /// An epoch that it minted and whose term is not open yet.
    pub minted: Option<Lead2>,
}

/// What was minted.
#[derive(Debug, Clone, Copy)]
pub struct Lead2 {
    /// The epoch.
    pub epoch: Epoch,
    /// How often the fence was written.
    pub written: u64,
    /// When.
    pub at: u64,
}

impl World {
    /// A watchdog in one of its terms does something.
    pub(crate) fn work(&mut self, dog: usize, term: u64, work: DogWork) {
        if self.dogs[dog].term != term || !self.dogs[dog].is_up && !matches!(work, DogWork::Begin) {
            return;
        }
        if self.dogs[dog].frozen_by > 0 {
            // It happens when it runs again.
            return self.dogs[dog].put_off.push((term, work));
        }
        match work {
            DogWork::Begin => self.begin_dog(dog),
            DogWork::Turn => self.take_turn(dog),
            DogWork::Open => self.open_term(dog),
            DogWork::Check => self.check(dog),
            DogWork::ReadAlong(answered) => self.read_on(dog, answered),
            DogWork::Decide => self.decide(dog),
            DogWork::Judge(now, known) => self.judge_and_write(dog, (now, known)),
            DogWork::Written(outcome) => self.hear_journal(dog, outcome),
            DogWork::Send(step) => self.send(dog, &step),
            DogWork::Transmit(step) => self.transmit(dog, &step),
            DogWork::Post(letter, delay) => self.plan_in(delay, crate::event::Event::Commit(letter)),
            DogWork::Hear(answer) => self.hear_agent(dog, *answer),
        }
    }

    /// The time as a watchdog's process tells it: its machine's wall clock, without its jumps.
    pub(crate) fn told(&self, dog: usize) -> Time {
        let wall = self.wall(Node::Dog(dog));
        let steered = &self.dogs[dog].clock;
        let mut clock = steered.get().unwrap_or_else(|| Clock::new(wall, self.now));
        let time = clock.tell(wall, self.now);
        steered.set(Some(clock));
        if self.lacks(Safeguard::SteadyClock) { wall } else { time }
    }

    /// Its time goes on from the newest entry of the record.
    pub(crate) fn raise_clock(&self, dog: usize, at: Time) {
        let steered = &self.dogs[dog].clock;
        steered.set(steered.get().map(|mut clock| {
            clock.raise(at);
            clock
        }));
    }

    /// How often its time had to jump all the same.
    pub(crate) fn clock_steps(&self, dog: usize) -> u64 {
        self.dogs[dog].clock.get().map_or(0, |clock| clock.steps())
    }

    /// The time of a watchdog, never before the newest entry of the record that it knows.
    pub(crate) fn now_of(&self, dog: usize) -> Time {
        let wall = self.told(dog);
        self.dogs[dog].mind.as_ref().map_or(wall, |mind| wall.max(mind.history.last_at))
    }

    /// Who leads in the newest term of the journal; a term is one watchdog's.
    pub(crate) fn leader(&self) -> Option<usize> {
        let leads = |dog: &Dog| dog.lead.as_ref().is_some_and(|lead| lead.epoch == self.journal.term);
        self.dogs.iter().position(leads)
    }

    /// Wakes a leader for its next check, at the latest so many milliseconds from now.
    pub(crate) fn wake_in(&mut self, dog: usize, ms: u64) {
        let now = self.now;
        let Some(lead) = self.dogs[dog].lead.as_mut() else { return };
        if lead.is_busy {
            lead.again = true;
            return;
        }
        // Two checks are never closer than their spacing.
        let at = (now + ms).max(lead.checked_at + 5);
        if at < lead.check_at {
            lead.check_at = at;
            self.plan_dog(dog, at - now, DogWork::Check);
        }
    }

    /// Has a watchdog that holds no session try to open one, if it does not already.
    pub(crate) fn have_begun(&mut self, dog: usize, ms: u64) {
        let it = &mut self.dogs[dog];
        let alive = it.session.is_some_and(|session| self.zoo.sessions.contains_key(&session));
        if !alive && !it.will_begin && it.lead.is_none() && it.minted.is_none() && it.off_by == 0 {
            it.will_begin = true;
            self.plan_dog(dog, ms, DogWork::Begin);
        }
    }

    /// Its name.
    pub(crate) fn id_of(&self, dog: usize) -> WatchdogId {
        self.setup.dogs[dog].clone()
    }
}

impl Mind {
    /// What is judged.
    fn known<'a>(&'a self, cluster: &'a ClusterId) -> Known<'a> {
        Known::of(cluster, (&self.history, &self.observation), &self.log)
    }
}
