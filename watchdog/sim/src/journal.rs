//! Journal: the fenced record and the hash-chained log, as one database that may not answer.
//!
//! *Guarantees*, as of the real one: a write under an older term is refused whenever it lands; what was asked again
//! with the same ticket is written once; an append names the head that it expects.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use watchdog_core::change::{Change, Head, LogEntry};
use watchdog_core::history::History;
use watchdog_core::ids::{Epoch, GoalId, ReplicaId, Sequence, Time, Version, WatchdogId};
use watchdog_core::policy::{POLICY_KEY, Policy};
use watchdog_core::record::{Body, Entry};
use watchdog_core::state::{Hash, Key, State};

/// Entries to write.
#[derive(Debug, Clone)]
pub struct Write {
    /// Identifies the request, so that it can be asked again.
    pub ticket: u64,
    /// Under which leader.
    pub epoch: Epoch,
    /// When, by the writer's clock.
    pub at: Time,
    /// Who.
    pub by: String,
    /// What.
    pub bodies: Vec<Body>,
    /// Whether the journal can't hold it, however often it is asked.
    pub is_unstorable: bool,
}

/// Changes to append.
#[derive(Debug, Clone)]
pub struct Append {
    /// Under which leader.
    pub epoch: Epoch,
    /// The head that it was computed against.
    pub expected: Version,
    /// When, by the writer's clock.
    pub at: Time,
    /// Who asked for it.
    pub author: String,
    /// The goal that it belongs to.
    pub goal: Option<GoalId>,
    /// What.
    pub changes: Vec<Change>,
}

/// Why the journal did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A newer term is open.
    Fenced,
    /// Somebody appended meanwhile.
    HeadMoved,
    /// No answer; it may have been done.
    Silent,
    /// There is no room; nothing was done, and it may be asked again.
    Full,
    /// It can't be done, and asking again will not help.
    Refused,
}

/// See the module.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own, most of them for a mutant")]
pub struct Journal {
    /// Whether it answers anybody.
    pub up: bool,
    /// Whether it refuses older terms; a mutant takes that away.
    pub fences: bool,
    /// Whether it knows its tickets; a mutant takes that away.
    pub remembers: bool,
    /// Whether its fold keeps all lives that may run; a mutant takes that away.
    pub keeps_lives: bool,
    /// The highest term that was opened.
    pub term: Epoch,
    /// The record.
    pub entries: Vec<Entry>,
    /// The log.
    pub log: Vec<LogEntry>,
    /// The state at each version, from 0.
    pub states: Vec<Rc<State>>,
    /// The hash of the application's state at each version that ends an append.
    pub hashes: Vec<Option<Hash>>,
    /// The record, folded; the same as to replay it.
    pub folded: History,
    /// The ticket of each entry.
    pub tickets: Vec<u64>,
    /// The policy at the head of the log.
    pub policy: Rc<Policy>,
    /// The replicas that are declared there.
    pub declared: Rc<Vec<ReplicaId>>,
    leader: Option<WatchdogId>,
    answered: BTreeMap<u64, Range<usize>>,
}

impl Journal {
    /// One that holds `changes`.
    pub fn new(changes: Vec<Change>, at: Time) -> Self {
        let empty = State::default();
        let mut journal = Self {
            up: true,
            fences: true,
            remembers: true,
            keeps_lives: true,
            term: Epoch(0),
            entries: Vec::new(),
            log: Vec::new(),
            hashes: vec![Some(empty.hash())],
            states: vec![Rc::new(empty)],
            folded: History::default(),
            tickets: Vec::new(),
            policy: Rc::default(),
            declared: Rc::default(),
            leader: None,
            answered: BTreeMap::new(),
        };
        let author = "founder".to_owned();
        let append = Append { epoch: Epoch(0), expected: Version(0), at, author, goal: None, changes };
        // Nothing stands there that it could contradict.
        let _ = journal.append(&append);
        journal
    }

    /// The newest entry of the log.
    pub fn head(&self) -> Head {
        self.log.last().map(|entry| Head { version: entry.version, hash: entry.hash }).unwrap_or_default()
    }

    /// The state at a version.
    pub fn state(&self, version: Version) -> Rc<State> {
        self.states.get(place(version.0)).or(self.states.last()).cloned().unwrap_or_default()
    }

    /// The hash at a version that ends an append.
    pub fn hash(&self, version: Version) -> Option<Hash> {
        self.hashes.get(place(version.0)).copied().flatten()
    }

    /// The entries after `through`.
    pub fn after(&self, through: Sequence) -> &[Entry] {
        self.entries.get(place(through.0)..).unwrap_or_default()
    }

    /// The entries of the log after `version`.
    pub fn log_after(&self, version: Version) -> &[LogEntry] {
        self.log.get(place(version.0)..).unwrap_or_default()
    }

    /// Opens a term; the same watchdog may ask again.
    ///
    /// # Errors
    ///
    /// [`Fault::Fenced`] when a term as high is open.
    pub fn open_term(&mut self, epoch: Epoch, leader: &WatchdogId, at: Time) -> Result<Range<usize>, Fault> {
        if epoch == self.term && self.leader.as_ref() == Some(leader) {
            return Ok(0..0);
        }
        if epoch <= self.term && self.fences {
            return Err(Fault::Fenced);
        }
        (self.term, self.leader) = (self.term.max(epoch), Some(leader.clone()));
        let by = leader.to_string();
        let bodies = vec![Body::TermOpened { watchdog: leader.clone() }];
        Ok(self.put(Write { ticket: 0, epoch, at, by, bodies, is_unstorable: false }))
    }

    /// Writes entries, all or none; answers where they stand.
    ///
    /// # Errors
    ///
    /// [`Fault::Fenced`].
    pub fn write(&mut self, write: &Write) -> Result<Range<usize>, Fault> {
        if let Some(places) = self.answered.get(&write.ticket).filter(|_| self.remembers) {
            return Ok(places.clone());
        }
        if write.epoch < self.term && self.fences {
            return Err(Fault::Fenced);
        }
        Ok(self.put(write.clone()))
    }

    /// Whether a request was answered already: to ask again writes nothing.
    pub fn knows(&self, ticket: u64) -> bool {
        self.answered.contains_key(&ticket)
    }

    fn put(&mut self, write: Write) -> Range<usize> {
        let Write { ticket, epoch, at, by, bodies, .. } = write;
        let from = self.entries.len();
        for body in bodies {
            let sequence = Sequence(self.entries.len() as u64 + 1);
            let entry = Entry { sequence, at, epoch, by: by.clone(), body };
            self.folded.apply(&entry);
            if !self.keeps_lives {
                self.folded
                    .lives
                    .values_mut()
                    .for_each(|lives| drop(lives.drain(..lives.len().saturating_sub(1))));
            }
            self.entries.push(entry);
            self.tickets.push(ticket);
        }
        let places = from..self.entries.len();
        if ticket > 0 {
            self.answered.insert(ticket, places.clone());
        }
        places
    }

    /// Appends changes, all or none.
    ///
    /// # Errors
    ///
    /// [`Fault::Fenced`] or [`Fault::HeadMoved`].
    pub fn append(&mut self, append: &Append) -> Result<(), Fault> {
        if append.epoch < self.term && self.fences {
            return Err(Fault::Fenced);
        }
        if append.expected != self.head().version {
            return Err(Fault::HeadMoved);
        }
        let mut state = State::clone(&self.state(append.expected));
        for change in &append.changes {
            let head = self.head();
            let entry = LogEntry {
                version: head.version.next(),
                at: append.at,
                epoch: append.epoch,
                author: append.author.clone(),
                goal: append.goal.clone(),
                change: change.clone(),
                previous: head.hash,
                hash: Hash::default(),
            };
            self.log.push(entry.sealed());
            state.apply(&change.key, change.after.as_ref());
            self.states.push(Rc::new(state.clone()));
            self.hashes.push(None);
        }
        if let Some(last) = self.hashes.last_mut() {
            last.get_or_insert_with(|| state.hash());
        }
        self.read(&state);
        Ok(())
    }

    fn read(&mut self, state: &State) {
        let declared = Key::new(POLICY_KEY).ok().and_then(|key| state.get(&key).cloned());
        let policy = declared.and_then(|value| serde_json::from_value(value).ok());
        self.policy = Rc::new(policy.unwrap_or_default());
        let keys = state.0.keys().filter(|key| key.kind() == "replica");
        self.declared = Rc::new(keys.filter_map(|key| ReplicaId::new(key.name()).ok()).collect());
    }

    /// Where the changes of a goal stand, the first and the last.
    pub fn span(&self, goal: &GoalId) -> Option<(Version, Version)> {
        let mut of_goal = self.log.iter().filter(|entry| entry.goal.as_ref() == Some(goal));
        let first = of_goal.next()?.version;
        Some((first, of_goal.next_back().map_or(first, |entry| entry.version)))
    }
}

/// A number of the journal as a place in memory.
pub(crate) fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
