//! World: one state of the model, small enough that millions of them fit into memory.

pub(crate) use super::set::Set;

/// Space for watchdogs; [`Bounds`](super::bounds::Bounds) says how many there are.
pub(crate) const WATCHDOGS_MAX: usize = 3;
/// Space for host agents.
pub(crate) const AGENTS_MAX: usize = 3;
/// Space for replicas.
pub(crate) const REPLICAS_MAX: usize = 3;
/// Space for steps.
pub(crate) const STEPS_MAX: usize = 5;
/// Space for contenders, those of ended processes included.
pub(crate) const ROW_MAX: usize = 4;

/// A leader's fencing token; 0 is nobody's.
pub(crate) type Epoch = u8;

/// One process life of a replica; 0 is none.
pub(crate) type Life = u8;

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct World {
    pub(crate) tree: Tree,
    pub(crate) journal: Journal,
    pub(crate) watchdogs: [Watchdog; WATCHDOGS_MAX],
    pub(crate) agents: [Agent; AGENTS_MAX],
    pub(crate) replicas: [Replica; REPLICAS_MAX],
    pub(crate) steps: [Step; STEPS_MAX],
    pub(crate) spent: Spent,
    /// What must never happen and did, by [`Breach`].
    pub(crate) breaches: Set,
}

/// ZooKeeper: linearizable, one node of each kind.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Tree {
    /// The contenders by their turn, the front runner first.
    pub(crate) row: [Seat; ROW_MAX],
    /// The epoch node. Each mint raises it, so that its epoch does for its version as well; 0 is no node.
    pub(crate) epoch: Epoch,
}

/// An ephemeral sequential contender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Seat {
    #[default]
    Empty,
    Of(usize),
    /// Its watchdog has gone, its session has not expired yet.
    Orphan,
}

impl Tree {
    pub(crate) fn seat_of(&self, watchdog: usize) -> Option<usize> {
        self.row.iter().position(|seat| *seat == Seat::Of(watchdog))
    }

    /// Adds a contender at the end; false when there is no room for more.
    pub(crate) fn enter(&mut self, watchdog: usize) -> bool {
        let free = self.row.iter().position(|seat| *seat == Seat::Empty);
        free.inspect(|free| self.row[*free] = Seat::Of(watchdog)).is_some()
    }

    /// Removes a contender; those behind it move up.
    pub(crate) fn leave(&mut self, seat: usize) {
        self.row[seat..].rotate_left(1);
        self.row[ROW_MAX - 1] = Seat::Empty;
    }
}

/// The journal, folded: its record of intents is the rows of [`Step`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Journal {
    /// The term row.
    pub(crate) term: Epoch,
    /// Agents that took the epoch of this term.
    pub(crate) sealed: Set,
}

/// What a watchdog believes of itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) enum Watchdog {
    /// It has no session; also a process that crashed, before it is started again.
    #[default]
    Out,
    /// It contends.
    Waiting,
    /// It saw itself first in the row, and read the epoch node and the journal's term.
    Won { seen: Epoch, next: Epoch },
    /// Its epoch stands in the tree; its term is not open.
    Minted { epoch: Epoch },
    /// It leads, or believes so.
    Leading(Reign),
}

/// A term, as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Reign {
    pub(crate) epoch: Epoch,
    /// Agents with a seal under way.
    pub(crate) asked: Set,
    /// Agents with the answer to one under way.
    pub(crate) answered: Set,
    /// What those answers say, by step.
    pub(crate) fates: [Fate; STEPS_MAX],
}

/// What an agent says of a step when it is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Fate {
    #[default]
    Unasked,
    Done,
    Never,
    Running,
    Lost,
}

/// A host agent: what it has on disk, and how it stands with ZooKeeper.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Agent {
    /// Which state directory this is; a lost one is followed by the next.
    pub(crate) instance: u8,
    /// The highest epoch seen, on disk.
    pub(crate) epoch: Epoch,
    /// It has read the epoch within its lease.
    pub(crate) confirmed: bool,
    /// Its node is gone from the tree.
    pub(crate) gone: bool,
}

/// A replica.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Replica {
    /// The newest life.
    pub(crate) life: Life,
    /// Whether that serves.
    pub(crate) serves: bool,
    /// The life that the group shows as serving; it follows the truth late.
    pub(crate) shown: Life,
}

/// A step: its intent in the journal, its orders in the network, its progress at the agent, its answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Step {
    pub(crate) row: Row,
    pub(crate) act: Act,
    pub(crate) replica: usize,
    /// The leader that ordered it.
    pub(crate) epoch: Epoch,
    /// The instance of the agent that it names.
    pub(crate) instance: u8,
    /// The life that it is to end or begin.
    pub(crate) life: Life,
    /// Its leader knows that the intent stands, and waits for the end.
    pub(crate) awaited: bool,
    /// How often it was sent.
    pub(crate) sent: u8,
    /// Which of these orders are under way. Lost is one that stays so.
    pub(crate) flying: Set,
    /// The answer to the last of them.
    pub(crate) reply: Reply,
    pub(crate) progress: Progress,
    /// For the properties: it was begun at some time.
    pub(crate) was_begun: bool,
    /// For the properties: how often it was carried out.
    pub(crate) effects: u8,
}

/// What a step does to its replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Act {
    #[default]
    Kill,
    Start,
}

/// What the journal says of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Row {
    /// There is no such step.
    #[default]
    Free,
    /// Decided on, and not in the journal. Only a mutant sends such a step.
    Unwritten,
    /// An open intent.
    Open,
    Done,
    /// The agent refused it, and so never began it.
    Failed,
    Never,
    Unknown,
}

impl Row {
    pub(crate) fn is_closed(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Never | Self::Unknown)
    }
}

/// How far an agent is with a step, on its disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Progress {
    #[default]
    Untouched,
    /// Recorded as begun; without effect so far.
    Begun,
    /// It had its effect; that it ended is not recorded.
    Acted,
    Done,
    /// Begun before the agent's crash.
    Lost,
}

impl Progress {
    pub(crate) fn is_running(self) -> bool {
        matches!(self, Self::Begun | Self::Acted)
    }
}

/// An agent's answer on its way to the leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Reply {
    #[default]
    Nothing,
    Done,
    /// Refused; another copy may fare better.
    Refused,
    /// Refused for good: it was begun before a crash, or names an instance that is no more.
    Gone,
}

/// Faults that happened; bounded, because each makes new states.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Spent {
    pub(crate) agent_crashes: u8,
    pub(crate) losses: u8,
    pub(crate) absences: u8,
    pub(crate) rebuilds: u8,
}

/// What no state shows any more once it has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breach {
    /// An older leader's act came after a newer one's.
    Interleaved,
    /// A leader whose term is over wrote to the journal.
    StaleWrite,
    /// A step was begun whose fate stood in the journal.
    BegunAfterClose,
    /// An epoch was minted or opened twice.
    EpochTwice,
}

impl World {
    pub(crate) fn note(&mut self, breach: Breach) {
        self.breaches.insert(breach as usize);
    }

    pub(crate) fn has(&self, breach: Breach) -> bool {
        self.breaches.contains(breach as usize)
    }

    /// Notes a write to the journal, whoever let it through.
    pub(crate) fn write(&mut self, by: Epoch) {
        if by != self.journal.term {
            self.note(Breach::StaleWrite);
        }
    }

    pub(crate) fn reign(&self, watchdog: usize) -> Option<&Reign> {
        match &self.watchdogs[watchdog] {
            Watchdog::Leading(reign) => Some(reign),
            Watchdog::Out | Watchdog::Waiting | Watchdog::Won { .. } | Watchdog::Minted { .. } => None,
        }
    }

    pub(crate) fn reign_mut(&mut self, watchdog: usize) -> Option<&mut Reign> {
        match &mut self.watchdogs[watchdog] {
            Watchdog::Leading(reign) => Some(reign),
            Watchdog::Out | Watchdog::Waiting | Watchdog::Won { .. } | Watchdog::Minted { .. } => None,
        }
    }
}
