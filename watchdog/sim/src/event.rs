//! Event: what will happen, and when; of two at one moment the one that was planned first.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use watchdog_core::ids::{Incarnation, ReplicaId, Sequence, StepId, Time};
use watchdog_core::observation::MemberSeen;
use watchdog_core::state::Hash;
use watchdog_leader::seal::SealCall;

use crate::journal::{Append, Fault, Write};
use crate::order::{Answer, Asker, Order, To};
use crate::zoo::{Holder, SessionId};

/// Something that will happen.
#[derive(Debug)]
pub enum Event {
    /// A fault of the schedule begins.
    Fault(usize),
    /// It ends.
    Mend(usize),
    /// A session that was uncovered in this round is over.
    Expire(SessionId, u64),
    /// The leases of a host that were last renewed in this round run out.
    Guard(usize, u64),
    /// Whoever holds a session hears of a new epoch.
    Learn(Holder),
    /// A watchdog that was stopped in the act runs again.
    Thaw(usize),
    /// A machine that an order stopped runs again.
    ResumeHost(usize),
    /// A host's agent ends in the act, for so long.
    FallInAct(usize, u64),
    /// A watchdog in one of its terms does something.
    Dog(usize, u64, DogWork),
    /// What a watchdog wrote reaches the journal.
    Commit(Box<Letter>),
    /// An order reaches an agent.
    Order(To, Box<Order>, Asker),
    /// A seal reaches an agent.
    Seal(To, Box<SealCall>, Asker),
    /// A host agent, in one of its runs, does something.
    Agent(usize, u64, AgentWork),
    /// Something happens to a life.
    Life(Incarnation, LifeWork),
    /// What a life told the group before it died arrives.
    LateWord(Box<LateWord>),
    /// An operator says, for so many more times at most, that one host stands in the place of another.
    Redeclare(usize, usize, u32),
}

/// What the dead said last.
#[derive(Debug)]
pub struct LateWord {
    /// Whose.
    pub replica: ReplicaId,
    /// Which life.
    pub incarnation: Incarnation,
    /// Where it ran.
    pub host: usize,
    /// What it said.
    pub record: MemberSeen,
}

/// A write on its way to the journal.
#[derive(Debug)]
pub struct Letter {
    /// What is asked.
    pub content: Content,
    /// Who waits for the answer; nobody when it is lost.
    pub asker: Option<Asker>,
    /// How long the answer takes, when it is slow; what takes too long is not waited for.
    pub answers_in: u64,
}

/// What the journal is asked.
#[derive(Debug)]
pub enum Content {
    /// To write entries.
    Write(Write),
    /// To append changes.
    Append(Append),
}

/// What a watchdog does.
#[derive(Debug)]
pub enum DogWork {
    /// Opens a session and enters the row.
    Begin,
    /// Sees whether it is first.
    Turn,
    /// Opens its term in the journal.
    Open,
    /// Looks.
    Check,
    /// Has read what is new, or was not answered.
    ReadAlong(Result<(), Fault>),
    /// Decides.
    Decide,
    /// Judges, as of then, when the record was known so far.
    Judge(Time, Option<Sequence>),
    /// Hears what became of its write.
    Written(Result<(usize, usize), Fault>),
    /// Sends a step, or sends it again.
    Send(StepId),
    /// Sends on what it was about to send.
    Transmit(StepId),
    /// Writes what it was about to write.
    Post(Box<Letter>, u64),
    /// Hears an agent.
    Hear(Box<Answer>),
}

/// What a host agent does.
#[derive(Debug)]
pub enum AgentWork {
    /// Is started again.
    Rise,
    /// Has looked through its processes.
    TakeStock,
    /// Forks the process of a start.
    Fork(StepId),
    /// Learns that a process has ended.
    Notice(Incarnation, &'static str),
    /// Kills what did not leave within its grace.
    KillNow(StepId, Incarnation),
    /// Is done with a step that touches nobody's process.
    Finish(StepId),
    /// Probes a process.
    Probe(Incarnation),
}

/// What happens to a life.
#[derive(Debug)]
pub enum LifeWork {
    /// It reaches for the group.
    Join,
    /// It serves.
    Ready,
    /// It dies by itself.
    Crash(&'static str),
    /// It stops answering; its agent goes on.
    Stick,
    /// It feels ill.
    Sicken,
    /// It recovers from what a fault did to it.
    Recover,
    /// A load comes to its end.
    Loaded(StepId),
    /// What is in memory changes by itself.
    Drift(Hash),
}

struct Planned {
    at: u64,
    number: u64,
    event: Event,
}

impl PartialEq for Planned {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Planned {}
impl PartialOrd for Planned {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Planned {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// All that is planned.
#[derive(Default)]
pub struct Agenda {
    heap: BinaryHeap<Reverse<Planned>>,
    number: u64,
}

impl Agenda {
    /// Plans something.
    pub fn plan(&mut self, at: u64, event: Event) {
        self.number += 1;
        self.heap.push(Reverse(Planned { at, number: self.number, event }));
    }

    /// When the next thing happens.
    pub fn next_at(&self) -> Option<u64> {
        self.heap.peek().map(|next| next.0.at)
    }

    /// The next thing.
    pub fn pop(&mut self) -> Option<(u64, Event)> {
        self.heap.pop().map(|next| (next.0.at, next.0.event))
    }
}
