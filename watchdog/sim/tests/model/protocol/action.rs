//! Action: everything that can happen next, one at a time.

use std::fmt;

use super::world::Act;

/// See the module. `watchdog`, `agent`, `replica` and `step` are indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    // Election.
    /// Opens a session and contends.
    Enter { watchdog: usize },
    /// Sees itself first; reads the epoch node and the journal's term.
    Win { watchdog: usize },
    /// `multi{check contender, set epoch}`.
    Mint { watchdog: usize },
    /// Opens the term in the journal; it may never hear that it did.
    OpenTerm { watchdog: usize, answered: bool },
    /// Crashes, resigns, or learns that its time is over.
    Leave { watchdog: usize },
    /// The session of a contender ends, whether or not its owner knows.
    Expire { seat: usize },

    // The leader and the journal.
    /// Records an intent.
    Intend { watchdog: usize, act: Act, replica: usize },
    /// The leader hears, or reads, that its intent stands.
    Learn { step: usize },
    /// Sends the order, the first time or again.
    Send { step: usize },
    /// Records what the agent answered.
    Close { step: usize },
    /// Sends a seal.
    AskSeal { watchdog: usize, agent: usize },
    /// Records the answer to it.
    Conclude { watchdog: usize, agent: usize },
    /// Records that nobody knows what became of the orders to an agent that was unseen for longer than its lease.
    CloseAbsent { watchdog: usize, agent: usize },

    // Agents.
    /// An order arrives.
    Receive { step: usize, copy: usize },
    /// A seal arrives.
    Seal { watchdog: usize, agent: usize },
    /// A step that was begun has its effect.
    TakeEffect { step: usize },
    /// Its end is recorded and answered.
    Finish { step: usize },
    /// Reads the epoch afresh, which confirms the session.
    Confirm { agent: usize },
    /// The group sees how the replica really is.
    Show { replica: usize },

    // Faults.
    /// The agent's process dies and is started again.
    CrashAgent { agent: usize },
    /// Its state directory is lost.
    LoseState { agent: usize },
    /// Its session ends, while its lease still runs.
    Vanish { agent: usize },
    /// Its lease is over, by its own clock and so by the leader's.
    OutlastLease { agent: usize },
    /// ZooKeeper is set up anew, empty.
    Rebuild,

    // What only a mutant does.
    /// Writes down the intent of what was sent.
    WriteLate { step: usize },
    /// Sends another leader's open step under its own epoch.
    Resume { watchdog: usize, step: usize },
    /// Closes another leader's open steps without asking the agent.
    Abort { watchdog: usize, agent: usize },
    /// Closes its own step because no answer came in time.
    GiveUp { step: usize },
}

/// Counted from one: watchdogs `w1`, host agents `h1`, replicas `r1`, steps `s1`.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.counted() {
            Self::Enter { watchdog } => write!(f, "w{watchdog} enters the row"),
            Self::Win { watchdog } => write!(f, "w{watchdog} sees itself first"),
            Self::Mint { watchdog } => write!(f, "w{watchdog} mints"),
            Self::OpenTerm { watchdog, answered: true } => write!(f, "w{watchdog} opens its term"),
            Self::OpenTerm { watchdog, answered: false } => {
                write!(f, "w{watchdog} opens its term, and never hears of it")
            }
            Self::Leave { watchdog } => write!(f, "w{watchdog} is gone"),
            Self::Expire { seat } => write!(f, "the session at place {seat} of the row expires"),
            Self::Intend { watchdog, act: Act::Kill, replica } => {
                write!(f, "w{watchdog} intends to end r{replica}")
            }
            Self::Intend { watchdog, act: Act::Start, replica } => {
                write!(f, "w{watchdog} intends to start r{replica}")
            }
            Self::Learn { step } => write!(f, "its leader hears that the intent of s{step} stands"),
            Self::Send { step } => write!(f, "s{step} is sent"),
            Self::Close { step } => write!(f, "the answer to s{step} is recorded"),
            Self::AskSeal { watchdog, agent } => write!(f, "w{watchdog} sends h{agent} a seal"),
            Self::Conclude { watchdog, agent } => {
                write!(f, "w{watchdog} records what h{agent} said to the seal")
            }
            Self::CloseAbsent { watchdog, agent } => {
                write!(f, "w{watchdog} records that nobody knows of the orders to h{agent}")
            }
            Self::Receive { step, copy } => write!(f, "sending {copy} of s{step} arrives"),
            Self::Seal { watchdog, agent } => write!(f, "the seal of w{watchdog} reaches h{agent}"),
            Self::TakeEffect { step } => write!(f, "s{step} takes effect"),
            Self::Finish { step } => write!(f, "s{step} ends"),
            Self::Confirm { agent } => write!(f, "h{agent} reads the epoch"),
            Self::Show { replica } => write!(f, "the group sees how r{replica} is"),
            Self::CrashAgent { agent } => write!(f, "h{agent} crashes and is back"),
            Self::LoseState { agent } => write!(f, "h{agent} loses its disk"),
            Self::Vanish { agent } => write!(f, "h{agent} is cut off"),
            Self::OutlastLease { agent } => write!(f, "the lease of h{agent} is over"),
            Self::Rebuild => write!(f, "ZooKeeper is set up anew"),
            Self::WriteLate { step } => write!(f, "the intent of s{step} is written only now"),
            Self::Resume { watchdog, step } => write!(f, "w{watchdog} resumes s{step}"),
            Self::Abort { watchdog, agent } => {
                write!(f, "w{watchdog} closes the orders to h{agent} unasked")
            }
            Self::GiveUp { step } => write!(f, "s{step} is closed, because no answer came in time"),
        }
    }
}

impl Action {
    /// The same, counted from one.
    fn counted(mut self) -> Self {
        match &mut self {
            Self::Enter { watchdog }
            | Self::Win { watchdog }
            | Self::Mint { watchdog }
            | Self::OpenTerm { watchdog, .. }
            | Self::Leave { watchdog } => *watchdog += 1,
            Self::Expire { seat } => *seat += 1,
            Self::Intend { watchdog, replica, .. } => (*watchdog, *replica) = (*watchdog + 1, *replica + 1),
            Self::AskSeal { watchdog, agent }
            | Self::Conclude { watchdog, agent }
            | Self::CloseAbsent { watchdog, agent }
            | Self::Seal { watchdog, agent }
            | Self::Abort { watchdog, agent } => (*watchdog, *agent) = (*watchdog + 1, *agent + 1),
            Self::Learn { step }
            | Self::Send { step }
            | Self::Close { step }
            | Self::TakeEffect { step }
            | Self::Finish { step }
            | Self::WriteLate { step }
            | Self::GiveUp { step } => *step += 1,
            Self::Receive { step, copy } => (*step, *copy) = (*step + 1, *copy + 1),
            Self::Resume { watchdog, step } => (*watchdog, *step) = (*watchdog + 1, *step + 1),
            Self::Confirm { agent }
            | Self::CrashAgent { agent }
            | Self::LoseState { agent }
            | Self::Vanish { agent }
            | Self::OutlastLease { agent } => *agent += 1,
            Self::Show { replica } => *replica += 1,
            Self::Rebuild => {}
        }
        self
    }
}
