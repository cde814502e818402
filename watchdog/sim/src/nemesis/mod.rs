//! Nemesis: a schedule of harm, drawn from the seed before the run, so that parts of it can be left out.

mod harm;
mod replaced;
mod schedule;
mod weather;
mod whim;

use watchdog_core::ids::ReplicaId;

use crate::net::Node;

pub use self::schedule::{permanent, schedule};
pub use self::whim::Whim;

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Harm {
    /// A replica's process ends.
    Crash(ReplicaId),
    /// A replica does not answer; its agent does.
    Stick(ReplicaId),
    /// A replica's process is stopped.
    Freeze(ReplicaId),
    /// A replica feels ill.
    Sicken(ReplicaId),
    /// What a replica holds in memory changes by itself.
    Drift(ReplicaId),
    /// Starts on a host take long.
    SlowStarts(usize),
    /// A host loses power.
    LoseHost(usize),
    /// A host's agent ends.
    CrashAgent(usize),
    /// A host's agent ends, and its state is gone.
    LoseState(usize),
    /// A whole machine is stopped, and its guardian with it.
    PauseHost(usize),
    /// The same when the next order reaches it, which is read when it runs again.
    PauseHostAtOrder(usize),
    /// A host's agent ends at its next act.
    CrashAgentInAct(usize),
    /// A watchdog ends.
    CrashDog(usize),
    /// A watchdog is stopped.
    FreezeDog(usize),
    /// A watchdog is stopped between its last look at the lease and the sending of a step.
    FreezeDogAtSend(usize),
    /// A watchdog is stopped between its decision and its writing.
    FreezeDogAtWrite(usize),
    /// One direction of a link is cut.
    CutOneWay(Node, Node),
    /// Both are.
    Cut(Node, Node),
    /// A machine is cut off from all others.
    Isolate(Node),
    /// Messages are lost, doubled and reordered.
    BadWeather,
    /// The journal does not answer.
    JournalDown,
    /// The journal's answers get lost, and some of what it was asked lands late.
    JournalLoses,
    /// `ZooKeeper` does not answer.
    ZooDown,
    /// A machine's clock jumps by so many milliseconds.
    ClockJump(Node, i64),
    /// A version that does not work is declared; how it behaves, and where.
    BadVersion(&'static str, Option<ReplicaId>),
    /// An operator does something.
    Whim(Whim),
    /// The journal takes its time.
    JournalSlow,
    /// The journal has no room.
    JournalFull,
    /// The journal refuses some writes for good.
    JournalRefuses,
    /// A host's agent keeps its session and answers nobody.
    SilenceAgent(usize),
    /// A host's agent has no room on its disk and begins nothing.
    FillAgent(usize),
    /// A watchdog's clock is hours off from now on.
    ClockHours(usize, i64),
    /// A machine is gone for good, and another stands in its place.
    ReplaceHost(usize),
}

/// The kinds of harm, as they are counted.
pub const KINDS: [&str; 35] = [
    "process crash",
    "process hang",
    "process stop",
    "ill health",
    "memory drift",
    "slow start",
    "host loss",
    "agent crash",
    "agent state loss",
    "watchdog crash",
    "watchdog pause",
    "one-way cut",
    "cut",
    "isolation",
    "bad weather",
    "journal outage",
    "journal answer lost",
    "zookeeper outage",
    "clock jump",
    "bad version",
    "operator act",
    "machine pause",
    "agent crash in the act",
    "watchdog pause at a send",
    "watchdog pause at a write",
    "journal slow",
    "journal full",
    "journal refusal",
    "agent silent",
    "agent out of space",
    "clock hours off",
    "machine replaced",
    "message lost",
    "message doubled",
    "message reordered",
];

/// A number for each kind of harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByKind(pub [u64; KINDS.len()]);

impl Default for ByKind {
    fn default() -> Self {
        Self([0; KINDS.len()])
    }
}

/// Those after which everything is as before without anybody's help: replicas, links and machines that flap.
pub const FLAPPING: [usize; 9] = [1, 3, 5, 10, 11, 12, 13, 14, 21];

impl Harm {
    /// Its place among [`KINDS`].
    pub fn kind(&self) -> usize {
        match self {
            Self::Crash(_) => 0,
            Self::Stick(_) => 1,
            Self::Freeze(_) => 2,
            Self::Sicken(_) => 3,
            Self::Drift(_) => 4,
            Self::SlowStarts(_) => 5,
            Self::LoseHost(_) => 6,
            Self::CrashAgent(_) => 7,
            Self::LoseState(_) => 8,
            Self::CrashDog(_) => 9,
            Self::FreezeDog(_) => 10,
            Self::CutOneWay(..) => 11,
            Self::Cut(..) => 12,
            Self::Isolate(_) => 13,
            Self::BadWeather => 14,
            Self::JournalDown => 15,
            Self::JournalLoses => 16,
            Self::ZooDown => 17,
            Self::ClockJump(..) => 18,
            Self::BadVersion(..) => 19,
            Self::Whim(_) => 20,
            Self::PauseHost(_) | Self::PauseHostAtOrder(_) => 21,
            Self::CrashAgentInAct(_) => 22,
            Self::FreezeDogAtSend(_) => 23,
            Self::FreezeDogAtWrite(_) => 24,
            Self::JournalSlow => 25,
            Self::JournalFull => 26,
            Self::JournalRefuses => 27,
            Self::SilenceAgent(_) => 28,
            Self::FillAgent(_) => 29,
            Self::ClockHours(..) => 30,
            Self::ReplaceHost(_) => 31,
        }
    }
}

impl Harm {
    /// The same to the machine that stands now where one stood when the harm was drawn.
    #[must_use]
    pub fn now(self, stands: impl Fn(usize) -> usize) -> Self {
        let node = |node| match node {
            Node::Host(host) => Node::Host(stands(host)),
            other => other,
        };
        match self {
            Self::SlowStarts(host) => Self::SlowStarts(stands(host)),
            Self::LoseHost(host) => Self::LoseHost(stands(host)),
            Self::CrashAgent(host) => Self::CrashAgent(stands(host)),
            Self::LoseState(host) => Self::LoseState(stands(host)),
            Self::PauseHost(host) => Self::PauseHost(stands(host)),
            Self::PauseHostAtOrder(host) => Self::PauseHostAtOrder(stands(host)),
            Self::CrashAgentInAct(host) => Self::CrashAgentInAct(stands(host)),
            Self::SilenceAgent(host) => Self::SilenceAgent(stands(host)),
            Self::FillAgent(host) => Self::FillAgent(stands(host)),
            Self::ReplaceHost(host) => Self::ReplaceHost(stands(host)),
            Self::CutOneWay(from, to) => Self::CutOneWay(node(from), node(to)),
            Self::Cut(a, b) => Self::Cut(node(a), node(b)),
            Self::Isolate(it) => Self::Isolate(node(it)),
            Self::ClockJump(it, ms) => Self::ClockJump(node(it), ms),
            other => other,
        }
    }
}

impl std::fmt::Display for Harm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Crash(replica) => write!(f, "{replica} crashes"),
            Self::Stick(replica) => write!(f, "{replica} hangs, but its agent does not"),
            Self::Freeze(replica) => write!(f, "{replica} is stopped (SIGSTOP)"),
            Self::Sicken(replica) => write!(f, "{replica} falls ill"),
            Self::Drift(replica) => write!(f, "{replica}'s memory drifts"),
            Self::SlowStarts(host) => write!(f, "starts on h{} become slow", host + 1),
            Self::LoseHost(host) => write!(f, "h{} loses power", host + 1),
            Self::CrashAgent(host) => write!(f, "the agent of h{} crashes", host + 1),
            Self::LoseState(host) => write!(f, "the agent of h{} crashes and loses its state", host + 1),
            Self::PauseHost(host) => write!(f, "all of h{} is stopped, its guardian too", host + 1),
            Self::PauseHostAtOrder(host) => {
                write!(f, "all of h{} is stopped when the next order reaches it", host + 1)
            }
            Self::CrashAgentInAct(host) => write!(f, "the agent of h{} crashes in its next act", host + 1),
            Self::FreezeDogAtSend(dog) => write!(f, "w{} is stopped when it next sends a step", dog + 1),
            Self::FreezeDogAtWrite(dog) => write!(f, "w{} is stopped when it next writes", dog + 1),
            Self::CrashDog(dog) => write!(f, "w{} crashes", dog + 1),
            Self::FreezeDog(dog) => write!(f, "w{} is stopped", dog + 1),
            Self::CutOneWay(from, to) => write!(f, "nothing that {from} sends reaches {to}"),
            Self::Cut(a, b) => write!(f, "{a} and {b} can't reach each other"),
            Self::Isolate(node) => write!(f, "{node} is cut off from everybody"),
            Self::BadWeather => f.write_str("messages are lost, doubled and reordered"),
            Self::JournalDown => f.write_str("the journal goes down"),
            Self::JournalLoses => f.write_str("the journal's answers get lost"),
            Self::ZooDown => f.write_str("ZooKeeper goes down"),
            Self::ClockJump(node, ms) => write!(f, "the clock of {node} jumps by {ms} ms"),
            Self::BadVersion(how, None) => write!(f, "a version is declared that {how}"),
            Self::BadVersion(how, Some(who)) => write!(f, "a version is declared that {how} on {who}"),
            Self::Whim(whim) => write!(f, "an operator: {whim}"),
            Self::JournalSlow => f.write_str("the journal becomes slow"),
            Self::JournalFull => f.write_str("the journal has no room left"),
            Self::JournalRefuses => f.write_str("the journal refuses some writes for good"),
            Self::SilenceAgent(host) => write!(f, "the agent of h{} answers nobody", host + 1),
            Self::FillAgent(host) => write!(f, "the agent of h{} has no space left", host + 1),
            Self::ClockHours(dog, ms) => write!(f, "the clock of w{} is set by {ms} ms", dog + 1),
            Self::ReplaceHost(host) => {
                write!(f, "h{} is gone for good, and another takes its place", host + 1)
            }
        }
    }
}

/// One piece of harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// When.
    pub at: u64,
    /// What.
    pub harm: Harm,
    /// How long it lasts; `None`: for ever.
    pub lasts_ms: Option<u64>,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>9.3} s  {}", millis(self.at), self.harm)?;
        match self.lasts_ms {
            Some(0) => Ok(()),
            Some(ms) => write!(f, ", for {:.1} s", millis(ms)),
            None => f.write_str(", for ever"),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a time for people")]
pub(crate) fn millis(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

/// See the module.
#[derive(Debug, Default)]
pub struct Nemesis {
    /// All of it, in order.
    pub faults: Vec<Fault>,
    /// Whether no operator of ours says anything any more.
    pub is_over: bool,
    /// How much of each kind was done.
    pub done: ByKind,
}
