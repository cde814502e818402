//! Term: how a watchdog comes to lead, and how it ceases to.

use watchdog_core::goal::obsolete::of_older_leaders;
use watchdog_core::history::History;
use watchdog_core::observation::Observation;
use watchdog_core::strikes::StrikeBook;
use watchdog_leader::log_view::LogView;
use watchdog_leader::looked::Looked;
use watchdog_leader::report::Ends;
use watchdog_leader::seal::Sealing;

use super::observe::View;
use super::{Lead, Lead2, Mind};
use crate::event::{DogWork, Event};
use crate::fact::Fact;
use crate::mutant::Safeguard;
use crate::net::Node;
use crate::world::World;
use crate::zoo::Holder;

/// How often a follower at the front of the row asks again for what it lacks.
const FOLLOW_EVERY_MS: u64 = 500;

impl World {
    /// Opens a session and enters the row.
    pub(crate) fn begin_dog(&mut self, dog: usize) {
        self.dogs[dog].will_begin = false;
        if self.dogs[dog].off_by > 0 {
            return;
        }
        self.dogs[dog].is_up = true;
        if self.dogs[dog].session.is_some_and(|it| self.zoo.sessions.contains_key(&it)) {
            return;
        }
        if !self.is_covered(Holder::Dog(dog)) {
            return self.have_begun(dog, FOLLOW_EVERY_MS);
        }
        let session = self.zoo.open(Holder::Dog(dog));
        self.dogs[dog].session = Some(session);
        self.dogs[dog].turn = None;
        if self.may_enter(dog) {
            self.dogs[dog].turn = Some(self.zoo.enter(session, dog));
        }
        self.plan_dog(dog, FOLLOW_EVERY_MS, DogWork::Turn);
        self.stir();
    }

    /// Who can't reach the journal stands in nobody's way.
    fn may_enter(&self, dog: usize) -> bool {
        self.reaches_journal(dog) || self.lacks(Safeguard::Resign)
    }

    /// Whether a watchdog can read and write the journal now.
    pub(crate) fn reaches_journal(&self, dog: usize) -> bool {
        self.journal.up && self.net.is_whole(Node::Dog(dog), Node::Journal)
    }

    /// Sees whether it is first in the row, and mints its epoch if so.
    pub(crate) fn take_turn(&mut self, dog: usize) {
        if self.dogs[dog].lead.is_some() || self.dogs[dog].minted.is_some() {
            return;
        }
        let session = self.dogs[dog].session.filter(|it| self.zoo.sessions.contains_key(it));
        let Some(session) = session else {
            self.dogs[dog].session = None;
            return self.have_begun(dog, 50);
        };
        let turn = self.dogs[dog].turn.filter(|turn| self.zoo.contenders.contains_key(turn));
        let reaches = self.may_enter(dog);
        if !self.is_covered(Holder::Dog(dog)) {
            return self.plan_dog(dog, FOLLOW_EVERY_MS, DogWork::Turn);
        }
        match (turn, reaches) {
            (Some(turn), false) => {
                self.zoo.withdraw(turn);
                self.dogs[dog].turn = None;
                self.plan_dog(dog, FOLLOW_EVERY_MS, DogWork::Turn);
                self.stir();
            }
            (None, true) => {
                self.dogs[dog].turn = Some(self.zoo.enter(session, dog));
                self.stir();
                self.plan_dog(dog, FOLLOW_EVERY_MS, DogWork::Turn);
            }
            (None, false) => self.plan_dog(dog, FOLLOW_EVERY_MS, DogWork::Turn),
            (Some(turn), true) => {
                if self.zoo.first() == Some((turn, dog)) && self.reaches_journal(dog) {
                    self.mint(dog);
                } else if self.zoo.first() == Some((turn, dog)) {
                    self.plan_dog(dog, FOLLOW_EVERY_MS, DogWork::Turn);
                }
            }
        }
    }

    fn mint(&mut self, dog: usize) {
        let node = &mut self.zoo.epoch;
        node.epoch = node.epoch.max(self.journal.term).next();
        node.written += 1;
        node.confirmed.insert(node.epoch, self.now);
        let minted = Lead2 { epoch: node.epoch, written: node.written, at: self.now };
        self.zoo.stamp += 1;
        self.dogs[dog].minted = Some(minted);
        let holders: Vec<Holder> = self.zoo.sessions.values().map(|it| it.holder).collect();
        for holder in holders {
            let soon = self.rng.range(1, 5);
            self.plan_in(soon, Event::Learn(holder));
        }
        self.say(|world| format!("{} mints epoch {}", world.setup.dogs[dog], minted.epoch));
        let soon = self.rng.range(1, 6);
        self.plan_dog(dog, soon, DogWork::Open);
        self.stir();
    }

    /// Opens the term that was minted in the journal, and begins to lead.
    pub(crate) fn open_term(&mut self, dog: usize) {
        let Some(minted) = self.dogs[dog].minted.take() else { return };
        let Some(turn) = self.dogs[dog].turn else { return };
        let id = self.id_of(dog);
        let at = self.told(dog);
        let asked = self.journal.up && self.net.is_open(Node::Dog(dog), Node::Journal);
        let before = self.journal.entries.len();
        let opened = asked && self.journal.open_term(minted.epoch, &id, at).is_ok();
        self.hear_entries(before);
        if !opened || !self.reaches_journal(dog) {
            return self.stop(dog, ("its term can't be opened", 50));
        }
        let history = self.journal.folded.clone();
        self.raise_clock(dog, history.last_at);
        let at = self.told(dog);
        let mut log = LogView::empty();
        log.extend(&self.journal.log);
        log.aim(&history);
        let mind = Mind {
            strikes: StrikeBook::new(&history),
            history: history.into(),
            log,
            observation: Observation::unseen(at).into(),
            view: View::default(),
            refusals: Vec::new(),
            silent_since: None,
        };
        self.dogs[dog].mind = Some(Box::new(mind));
        let lead = Lead {
            epoch: minted.epoch,
            written: minted.written,
            in_doubt: false,
            turn,
            confirmed_at: minted.at,
            calls: std::collections::BTreeMap::new(),
            unheard: std::collections::BTreeMap::new(),
            sealing: Sealing::new(minted.epoch),
            sealed: Vec::new(),
            ended: Ends::default(),
            wishes: Vec::new(),
            unjudged: Looked::All,
            pending: None,
            check_at: u64::MAX,
            is_busy: false,
            again: false,
            checked_at: 0,
            calm: 0,
            seen_at: self.now,
            tidied_at: self.now,
            clock_steps: self.clock_steps(dog),
            wanted: None,
            waited_ms: 0,
            errand_fault: None,
        };
        self.dogs[dog].lead = Some(Box::new(lead));
        self.figures.terms += 1;
        self.close_old_plans(dog);
        self.wake_in(dog, 0);
    }

    /// Plans of older leaders are closed: everything is planned anew, nothing resumed.
    fn close_old_plans(&mut self, dog: usize) {
        if self.lacks(Safeguard::PlansAnew) {
            return;
        }
        let (Some(mind), Some(lead)) = (self.dogs[dog].mind.as_ref(), self.dogs[dog].lead.as_ref()) else {
            return;
        };
        let epoch = lead.epoch;
        let bodies = of_older_leaders(&mind.history, epoch);
        if bodies.is_empty() {
            return;
        }
        if self.lacks(Safeguard::PlansClosed) {
            // It forgets them by itself, and tells nobody.
            return self.forget_plans(dog);
        }
        // What is not confirmed waits, like every write.
        let by = self.id_of(dog).to_string();
        let _ = self.write_now(dog, by, bodies);
    }

    fn forget_plans(&mut self, dog: usize) {
        if let (Some(mind), epoch) = (self.dogs[dog].mind.as_mut(), self.journal.term) {
            mind.history.open_plans.retain(|_, open| open.plan.epoch >= epoch);
        }
    }

    /// Stops leading, or trying to: gives the session up, and begins anew after a while.
    pub(crate) fn stop(&mut self, dog: usize, (why, after_ms): (&str, u64)) {
        self.say(|world| format!("{} leads no more: {why}", world.setup.dogs[dog]));
        let reached = self.is_covered(Holder::Dog(dog));
        let now = self.now;
        let it = &mut self.dogs[dog];
        it.term += 1;
        it.will_begin = false;
        (it.lead, it.minted, it.mind, it.turn) = (None, None, None, None);
        if let Some(session) = it.session.take()
            && reached
        {
            self.zoo.close(session, now);
        }
        self.cover();
        self.hear(&Fact::Stopped { dog });
        self.have_begun(dog, after_ms.max(50));
        self.stir();
    }

    /// Its process ends.
    pub(crate) fn fell_dog(&mut self, dog: usize) {
        let it = &mut self.dogs[dog];
        it.is_up = false;
        it.term += 1;
        it.will_begin = false;
        (it.lead, it.minted, it.mind, it.turn, it.session) = (None, None, None, None, None);
        it.clock.set(None);
        self.hear(&Fact::Stopped { dog });
        self.cover();
    }

    /// Whether a leader surely leads: connected, and a fenced write committed in the last half time-out.
    pub(crate) fn surely_leads(&self, dog: usize) -> bool {
        let Some(lead) = self.dogs[dog].lead.as_ref() else { return false };
        let fresh = self.now - lead.confirmed_at < self.setup.session_ms / 2;
        (fresh && self.is_covered(Holder::Dog(dog))) || self.lacks(Safeguard::SurelyLeads)
    }

    /// The same for one that has nothing to do, and so nothing to confirm.
    pub(crate) fn surely_leads_or_rests(&self, dog: usize) -> bool {
        let Some(lead) = self.dogs[dog].lead.as_ref() else { return false };
        self.is_covered(Holder::Dog(dog)) && self.zoo.contenders.contains_key(&lead.turn)
    }

    /// A history as it is known, for those who ask.
    pub(crate) fn history_of(&self, dog: usize) -> Option<&History> {
        self.dogs[dog].mind.as_ref().map(|mind| &*mind.history)
    }
}
