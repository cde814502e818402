//! Ailing: a journal that is away, slow, full, or refuses; and what a write comes to then.
//!
//! ```text
//! write ─► lost on its way │ done, and the answer lost │ done late │ no room: asked again │ refused for good │ done
//! ```

use crate::event::{Content, DogWork, Event, Letter};
use crate::journal::{Fault, Write};
use crate::net::Node;
use crate::order::Asker;
use crate::world::World;

/// How long an answer of the journal is waited for.
pub(crate) const ANSWER_WITHIN_MS: u64 = 3_000;

/// How many stretches there are now of each thing that can be wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ailing {
    /// It does not answer.
    pub down: u32,
    /// Its answers get lost.
    pub loses: u32,
    /// It takes its time.
    pub slow: u32,
    /// It has no room.
    pub full: u32,
    /// It refuses some writes for good.
    pub refuses: u32,
}

impl World {
    /// How long the journal takes for the next thing that it is asked, besides the way.
    pub(crate) fn journal_takes_ms(&mut self) -> u64 {
        match self.ailing.slow {
            0 => 0,
            _ if self.rng.chance(400) => self.rng.range(5, 1_500),
            _ => self.rng.range(500, 10_000),
        }
    }

    /// Why the journal does not take something, although it can be reached.
    pub(crate) fn journal_bars(&mut self, write: Option<&Write>) -> Option<Fault> {
        if write.is_some_and(|write| self.journal.knows(write.ticket)) {
            return None;
        }
        let refused = match write {
            Some(write) => write.is_unstorable,
            None => self.is_refused(),
        };
        match () {
            () if refused => Some(Fault::Refused),
            () if self.ailing.full > 0 => Some(Fault::Full),
            () => None,
        }
    }

    /// Whether something new is what the journal can't hold.
    pub(crate) fn is_refused(&mut self) -> bool {
        self.ailing.refuses > 0 && self.rng.chance(400)
    }

    /// What a watchdog wrote reaches the journal.
    pub(crate) fn commit(&mut self, letter: Letter) {
        let Letter { content, asker, answers_in } = letter;
        if !self.journal.up {
            return self.written(asker, Err(Fault::Silent));
        }
        let barred = match &content {
            Content::Write(write) => self.journal_bars(Some(write)),
            Content::Append(_) => self.journal_bars(None),
        };
        let outcome = match (&content, barred) {
            (_, Some(fault)) => Err(fault),
            (Content::Write(write), None) => self.commit_write(write),
            (Content::Append(append), None) => self.journal.append(append).map(|()| (0, 0)),
        };
        match asker.filter(|_| answers_in > 0) {
            Some((dog, term)) => {
                let late = answers_in >= ANSWER_WITHIN_MS;
                let outcome = if late { Err(Fault::Silent) } else { outcome };
                let delay = answers_in.min(ANSWER_WITHIN_MS);
                self.plan_in(delay, Event::Dog(dog, term, DogWork::Written(outcome)));
            }
            None => self.written(asker, outcome),
        }
    }

    fn written(&mut self, asker: Option<Asker>, outcome: Result<(usize, usize), Fault>) {
        if let Some((dog, term)) = asker {
            let silent = outcome == Err(Fault::Silent) || !self.net.is_open(Node::Journal, Node::Dog(dog));
            let (delay, outcome) =
                if silent { (ANSWER_WITHIN_MS, Err(Fault::Silent)) } else { (self.rng.range(1, 3), outcome) };
            self.plan_in(delay, Event::Dog(dog, term, DogWork::Written(outcome)));
        }
    }

    /// Sends what was decided on its way to the journal.
    pub(crate) fn post(&mut self, dog: usize, write: Write) {
        let term = self.dogs[dog].term;
        let reaches = self.net.is_open(Node::Dog(dog), Node::Journal);
        let loses = self.ailing.loses > 0 && self.rng.chance(500);
        if loses {
            self.figures.answers_lost += 1;
        }
        let takes = self.journal_takes_ms();
        // Some of what is slow is done at once and answered late, and some is done late.
        let is_early = takes > 0 && self.rng.chance(500);
        let late = takes >= ANSWER_WITHIN_MS && !is_early;
        let asker = (!loses && !late).then_some((dog, term));
        if reaches {
            let delay = match (loses, is_early) {
                (true, _) => self.rng.range(1, 12_000),
                (false, true) => self.rng.range(1, 3),
                (false, false) => takes + self.rng.range(1, 3),
            };
            let answers_in = if is_early && !loses { takes } else { 0 };
            let letter = Box::new(Letter { content: Content::Write(write), asker, answers_in });
            if let Some(ms) = self.dogs[dog].stops_at_write.take() {
                self.freeze_in_act(dog, ms);
                self.dogs[dog].put_off.push((term, DogWork::Post(letter, delay)));
            } else {
                self.plan_in(delay, Event::Commit(letter));
            }
        }
        if loses || late || !reaches {
            let patience = if late { ANSWER_WITHIN_MS } else { 1_000 };
            self.plan_dog(dog, patience, DogWork::Written(Err(Fault::Silent)));
        }
    }
}
