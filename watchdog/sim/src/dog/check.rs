//! Check: looks, reads along, and proves that it still leads.

use std::collections::BTreeSet;

use watchdog_core::ids::Time;
use watchdog_core::observation::HostSeen;
use watchdog_core::plan::Agent;
use watchdog_core::record::{Body, Entry};

use crate::ailing::ANSWER_WITHIN_MS;
use crate::event::{Content, DogWork, Event, Letter};
use crate::journal::{Append, Fault, Write};
use crate::mutant::Safeguard;
use crate::net::Node;
use crate::world::World;
use crate::zoo::Holder;

/// How soon a journal that did not answer is asked again.
pub(super) const RETRY_MS: u64 = 100;

/// A leader leaves because of one agent that does not answer it at most once in this time.
const LEAVE_AGAIN_AFTER_MS: u64 = 600_000;

/// What becomes of a request to the journal.
enum Passage {
    /// It is done, and said so.
    Heard,
    /// It is done, and nobody hears of it.
    Unheard,
    /// It is done so much later, and nobody hears of it.
    Late(u64),
    /// Nothing of it is done.
    Lost,
}

impl World {
    /// The first half of a check.
    pub(crate) fn check(&mut self, dog: usize) {
        let now = self.now;
        let Some(lead) = self.dogs[dog].lead.as_mut() else { return };
        if lead.is_busy || lead.check_at != now {
            // Another was planned, or this one was put off while it was stopped.
            if lead.is_busy || lead.check_at > now {
                return;
            }
        }
        (lead.check_at, lead.is_busy, lead.again, lead.seen_at) = (u64::MAX, true, false, now);
        self.figures.checks += 1;
        self.look(dog);
        if self.is_unheard(dog) {
            return self.stop(dog, ("an agent does not answer it", self.setup.stay_out_ms));
        }
        let takes = self.journal_takes_ms();
        if takes == 0 {
            return self.read_on(dog, Ok(()));
        }
        let answered = if takes < ANSWER_WITHIN_MS { Ok(()) } else { Err(Fault::Silent) };
        self.plan_dog(dog, takes.min(ANSWER_WITHIN_MS), DogWork::ReadAlong(answered));
    }

    /// The rest of it, once the journal has been read.
    pub(crate) fn read_on(&mut self, dog: usize, answered: Result<(), Fault>) {
        if self.dogs[dog].lead.is_none() {
            return;
        }
        let read = answered.and_then(|()| self.read_along(dog));
        let confirmed = self.confirm(dog);
        if self.dogs[dog].lead.is_none() {
            return;
        }
        match (read, confirmed) {
            (Ok(()), true) => {
                let soon = self.rng.range(1, 3);
                self.plan_dog(dog, soon, DogWork::Decide);
            }
            (Ok(()), false) => self.rest(dog, Some(RETRY_MS)),
            (Err(fault), _) => {
                self.refuse_wishes(dog);
                self.journal_failed(dog, fault);
            }
        }
    }

    /// Whether an agent has not answered for so long that a leader leaves, because another may reach it.
    fn is_unheard(&mut self, dog: usize) -> bool {
        let (now, patience) = (self.now, self.setup.resign_after_ms);
        let others = (0..self.dogs.len()).any(|other| other != dog && self.dogs[other].turn.is_some());
        let never = self.lacks(Safeguard::Resign);
        let observation = self.dogs[dog].mind.as_ref().map(|mind| &mind.observation);
        let present = |agent: &&Agent| match (agent, observation) {
            (Agent::Host(host), Some(seen)) => seen.hosts.get(host).is_some_and(HostSeen::is_present),
            (Agent::Replica(replica, life), Some(seen)) => {
                let seen = seen.replicas.get(replica).and_then(|seen| seen.lives.get(life));
                seen.is_some_and(|life| life.member.is_some())
            }
            _ => false,
        };
        let silent = |agent: &&Agent| {
            let Some((index, _)) = self.whereabouts(agent) else { return true };
            !self.hosts[index].answers() || !self.net.is_whole(Node::Dog(dog), Node::Host(index))
        };
        let Some(lead) = self.dogs[dog].lead.as_ref() else { return false };
        let asked = lead.calls.values().filter(|call| call.sent > 1).map(|call| &call.order.agent);
        let asked = asked.chain(lead.sealing.asked());
        let looked = self.looked_through(dog);
        let asked = asked.chain(&looked);
        let unheard: BTreeSet<Agent> = asked.filter(present).filter(silent).cloned().collect();
        let it = &mut self.dogs[dog];
        let Some(lead) = it.lead.as_mut() else { return false };
        lead.unheard.retain(|agent, _| unheard.contains(agent));
        for agent in unheard {
            lead.unheard.entry(agent).or_insert(now);
        }
        it.left_for.retain(|_, at| now - *at < LEAVE_AGAIN_AFTER_MS);
        let mut long =
            lead.unheard.iter().filter(|(_, since)| now - **since > patience).map(|(agent, _)| agent);
        let Some(agent) = long.find(|agent| !it.left_for.contains_key(*agent)).cloned() else {
            return false;
        };
        if others && !never {
            it.left_for.insert(agent, now);
        }
        others && !never
    }

    /// The agents that are asked to look again at what is suspect.
    fn looked_through(&self, dog: usize) -> Vec<Agent> {
        let Some(mind) = self.dogs[dog].mind.as_ref() else { return Vec::new() };
        let suspects = mind.strikes.suspects();
        let seen = suspects.iter().filter_map(|replica| mind.observation.replicas.get(replica));
        let alive = seen.flat_map(|seen| seen.lives.values()).filter(|life| life.is_alive());
        alive.map(|life| Agent::Host(life.host.clone())).collect()
    }

    /// Ends a check; the next is as late as may be, or so soon.
    pub(super) fn rest(&mut self, dog: usize, soon: Option<u64>) {
        let now = self.now;
        let Some(lead) = self.dogs[dog].lead.as_mut() else { return };
        (lead.is_busy, lead.checked_at) = (false, now);
        let again = lead.again.then_some(5);
        if let Some(ms) = soon.into_iter().chain(again).min() {
            self.wake_in(dog, ms);
        }
    }

    /// Reads what is new in the record and the log, and asks again what was never answered.
    fn read_along(&mut self, dog: usize) -> Result<(), Fault> {
        if !self.reaches_journal(dog) {
            return Err(Fault::Silent);
        }
        self.catch_up(dog);
        let pending = self.dogs[dog].lead.as_ref().and_then(|lead| lead.pending.clone());
        let Some(write) = pending else { return Ok(()) };
        let entries = self.settle(dog, &write)?;
        self.execute(dog, &entries);
        Ok(())
    }

    /// Takes in what is new in the journal.
    pub(super) fn catch_up(&mut self, dog: usize) {
        let Some(mind) = self.dogs[dog].mind.as_mut() else { return };
        let through = mind.history.through;
        for entry in self.journal.after(through) {
            mind.history.apply(entry);
        }
        let unread = self.journal.log_after(mind.log.head.version);
        if through != mind.history.through || !unread.is_empty() {
            mind.log.extend(unread);
            mind.log.aim(&mind.history);
        }
        mind.silent_since = None;
    }

    /// Proves to itself that it still leads, by a fenced write; steps down when it does not.
    fn confirm(&mut self, dog: usize) -> bool {
        let to = self.net.is_open(Node::Dog(dog), Node::Zoo) && self.zoo.down == 0;
        let back = self.net.is_open(Node::Zoo, Node::Dog(dog));
        let session = self.dogs[dog].session;
        let alive = session.is_some_and(|it| self.zoo.sessions.contains_key(&it));
        let now = self.now;
        let wall = self.now_of(dog);
        let blind = self.lacks(Safeguard::Sight);
        let head = self.dogs[dog].mind.as_ref().map(|mind| mind.log.head.version).unwrap_or_default();
        let Some(lead) = self.dogs[dog].lead.as_mut() else { return false };
        if !to && !blind {
            return false;
        }
        let stands = self.zoo.contenders.contains_key(&lead.turn) && alive;
        let ours = stands && self.zoo.epoch.epoch == lead.epoch;
        if ours && to {
            self.zoo.epoch.written += 1;
            // As we know it: what a journal from a backup lacks must stay known to the next leader.
            self.zoo.epoch.head = head;
            self.zoo.epoch.confirmed.insert(lead.epoch, now);
            lead.in_doubt = !back;
        }
        if !back && !blind {
            return false;
        }
        if !ours && to && !blind {
            self.stop(dog, ("another leads, or will", 0));
            return false;
        }
        (lead.confirmed_at, lead.written) = (now, self.zoo.epoch.written);
        if let Some(mind) = self.dogs[dog].mind.as_mut() {
            mind.observation.fenced_write_at = Some(wall);
        }
        self.is_covered(Holder::Dog(dog)) || blind
    }

    /// What a failure of the journal means for a leader.
    pub(super) fn journal_failed(&mut self, dog: usize, fault: Fault) {
        if fault == Fault::Fenced {
            return self.stop(dog, ("a newer leader writes to the journal", 0));
        }
        let now: Time = self.told(dog);
        let (resign_after, stay_out) = (self.setup.resign_after_ms, self.setup.stay_out_ms);
        let others = (0..self.dogs.len()).any(|other| {
            other != dog
                && self.dogs[other].turn.is_some()
                && self.dogs[other].is_up
                && self.reaches_journal(other)
        });
        let never = self.lacks(Safeguard::Resign);
        let Some(mind) = self.dogs[dog].mind.as_mut() else { return };
        let since = *mind.silent_since.get_or_insert(now);
        let long = now.since_ms(since) > resign_after;
        if long && others && !never {
            self.figures.resigned += 1;
            return self.stop(dog, ("the journal can't be reached from here, but another can", stay_out));
        }
        self.rest(dog, Some(RETRY_MS.max(self.setup.session_ms / 16)));
    }

    fn passage(&mut self, dog: usize) -> Passage {
        let (there, back) = (Node::Dog(dog), Node::Journal);
        if !self.journal.up || !self.net.is_open(there, back) {
            return Passage::Lost;
        }
        let loses = self.ailing.loses > 0 && self.rng.chance(500);
        if loses {
            self.figures.answers_lost += 1;
            return match self.rng.below(3) {
                0 => Passage::Unheard,
                1 => Passage::Late(self.rng.range(20, 15_000)),
                _ => Passage::Lost,
            };
        }
        let takes = self.journal_takes_ms();
        if takes >= ANSWER_WITHIN_MS {
            return Passage::Late(takes);
        }
        if let Some(lead) = self.dogs[dog].lead.as_mut() {
            lead.waited_ms += takes;
        }
        if self.net.is_open(back, there) { Passage::Heard } else { Passage::Unheard }
    }

    fn send_late(&mut self, ms: u64, content: Content) -> Fault {
        self.plan_in(ms, Event::Commit(Box::new(Letter { content, asker: None, answers_in: 0 })));
        Fault::Silent
    }

    /// Asks the journal to write now; answers its entries.
    pub(super) fn try_write(&mut self, dog: usize, write: &Write) -> Result<Vec<Entry>, Fault> {
        let passage = self.passage(dog);
        if matches!(passage, Passage::Heard | Passage::Unheard)
            && let Some(fault) = self.journal_bars(Some(write))
        {
            return Err(fault);
        }
        match passage {
            Passage::Lost => Err(Fault::Silent),
            Passage::Late(ms) => Err(self.send_late(ms, Content::Write(write.clone()))),
            Passage::Unheard => {
                // What came of it nobody hears.
                let _ = self.commit_write(write);
                Err(Fault::Silent)
            }
            Passage::Heard => {
                let (from, to) = self.commit_write(write)?;
                Ok(self.journal.entries[from..to].to_vec())
            }
        }
    }

    /// Asks the journal to append now.
    pub(super) fn try_append(&mut self, dog: usize, append: &Append) -> Result<(), Fault> {
        let passage = self.passage(dog);
        if matches!(passage, Passage::Heard | Passage::Unheard)
            && let Some(fault) = self.journal_bars(None)
        {
            return Err(fault);
        }
        match passage {
            Passage::Lost => Err(Fault::Silent),
            Passage::Late(ms) => Err(self.send_late(ms, Content::Append(append.clone()))),
            Passage::Unheard => {
                // What came of it nobody hears.
                let _ = self.journal.append(append);
                Err(Fault::Silent)
            }
            Passage::Heard => self.journal.append(append),
        }
    }

    /// Writes entries at once; what is not answered is kept and asked again before anything else.
    pub(super) fn write_now(&mut self, dog: usize, by: String, bodies: Vec<Body>) -> Result<(), Fault> {
        let pending = self.dogs[dog].lead.as_ref().and_then(|lead| lead.pending.clone());
        if let Some(write) = pending {
            self.settle(dog, &write)?;
        }
        let Some(write) = self.draw_up(dog, by, bodies) else { return Err(Fault::Silent) };
        match self.try_write(dog, &write) {
            Ok(entries) => {
                self.took(dog, &entries);
                Ok(())
            }
            Err(fault) => {
                self.keep_pending(dog, write, fault);
                Err(fault)
            }
        }
    }

    /// Asks again what was never answered; what the journal refuses for good is dropped.
    fn settle(&mut self, dog: usize, write: &Write) -> Result<Vec<Entry>, Fault> {
        let outcome = self.try_write(dog, write);
        if let (Err(Fault::Refused | Fault::Fenced), Some(lead)) = (&outcome, self.dogs[dog].lead.as_mut()) {
            lead.pending = None;
        }
        let entries = outcome?;
        self.took(dog, &entries);
        Ok(entries)
    }

    /// The same for somebody who is told at once that there was no room: it must not come true behind their back.
    pub(super) fn write_once(&mut self, dog: usize, by: String, bodies: Vec<Body>) -> Result<(), Fault> {
        let before = self.dogs[dog].lead.as_ref().and_then(|lead| lead.pending.as_ref().map(|it| it.ticket));
        let written = self.write_now(dog, by, bodies);
        if let (Err(Fault::Full), Some(lead)) = (&written, self.dogs[dog].lead.as_mut())
            && lead.pending.as_ref().map(|it| it.ticket) != before
        {
            lead.pending = None;
        }
        written
    }

    /// A write, with a ticket of its own.
    pub(super) fn draw_up(&mut self, dog: usize, by: String, bodies: Vec<Body>) -> Option<Write> {
        let epoch = self.dogs[dog].lead.as_ref()?.epoch;
        let is_unstorable = self.is_refused();
        Some(Write { ticket: self.ticket(), epoch, at: self.now_of(dog), by, bodies, is_unstorable })
    }

    /// Remembers a write of unknown fate.
    pub(super) fn keep_pending(&mut self, dog: usize, write: Write, fault: Fault) {
        let forgets = self.lacks(Safeguard::LostAnswers);
        let may_be = matches!(fault, Fault::Silent | Fault::Full);
        if let Some(lead) = self.dogs[dog].lead.as_mut().filter(|_| may_be && !forgets) {
            lead.pending = Some(write);
        }
    }

    /// Entries of ours are in the record.
    pub(super) fn took(&mut self, dog: usize, entries: &[Entry]) {
        if let Some(lead) = self.dogs[dog].lead.as_mut() {
            lead.pending = None;
        }
        if !entries.is_empty() {
            self.catch_up(dog);
        }
    }
}
