//! Blame: whose an outcome is. Whatever counts tries, rejects, quarantines or escalates asks it here.
//!
//! ```text
//! done ──► no blame        begun, and failed by the agent's own word ──► replica │ host │ agent │ version, as it says
//! never begun, or unknown ──► agent │ channel │ ours: no try of the replica or the version; the channel is asked again
//! ```
//!
//! That a *version* is at fault and not the replica is found out by a trial ([`crate::rollout::verdict`]); until then what
//! was begun and failed counts as the replica's.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::Outcome;

/// Whose an outcome is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The replica's: an act on it was begun and did not help.
    Replica,
    /// The version's: what it holds, or declares, can't be carried out anywhere.
    Version,
    /// The host's: no space, no memory, no processes left.
    Host,
    /// The host agent's, or that of the embedded one: it could not do its part, or had other things to do.
    Agent,
    /// The channel's: the way from the leader to the agent.
    Channel,
    /// Ours: the leader's own, its session's or its journal's.
    Ours,
}

impl Blame {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Replica, Self::Version, Self::Host, Self::Agent, Self::Channel, Self::Ours];

    /// The word for it, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Replica => "replica",
            Self::Version => "version",
            Self::Host => "host",
            Self::Agent => "agent",
            Self::Channel => "channel",
            Self::Ours => "ours",
        }
    }

    /// Reads the word for one.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|blame| blame.word() == word)
    }

    /// Whose an outcome is, when whoever reported it said `told`; `None` when there is nothing to blame anybody for.
    ///
    /// What was never begun can't be the replica's fault, whatever was said of it.
    pub fn of(outcome: Outcome, told: Option<Self>) -> Option<Self> {
        match outcome {
            Outcome::Done => None,
            Outcome::Failed => Some(told.unwrap_or(Self::Replica)),
            Outcome::Never => Some(told.filter(|told| *told != Self::Replica).unwrap_or(Self::Channel)),
            Outcome::Unknown => Some(Self::Channel),
        }
    }

    /// Whether it counts as a try of a replica or a version, given that the act was begun.
    pub fn is_try(self) -> bool {
        match self {
            Self::Replica | Self::Version => true,
            Self::Host | Self::Agent | Self::Channel | Self::Ours => false,
        }
    }

    /// Whose fault it was, in words that end a sentence.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::Replica => "the replica's own fault",
            Self::Version => "the version's fault",
            Self::Host => "the host's fault, not the replica's",
            Self::Agent => "the agent's fault, not the replica's",
            Self::Channel => "the fault of the way to its agent, not the replica's",
            Self::Ours => "this side's fault, not the replica's",
        }
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_begun_is_held_against_a_replica() {
        let table = [
            // outcome | what was said | whose | a try
            (Outcome::Done, None, None),
            (Outcome::Failed, None, Some((Blame::Replica, true))),
            (Outcome::Failed, Some(Blame::Version), Some((Blame::Version, true))),
            (Outcome::Failed, Some(Blame::Host), Some((Blame::Host, false))),
            (Outcome::Failed, Some(Blame::Agent), Some((Blame::Agent, false))),
            (Outcome::Never, None, Some((Blame::Channel, false))),
            (Outcome::Never, Some(Blame::Ours), Some((Blame::Ours, false))),
            (Outcome::Never, Some(Blame::Replica), Some((Blame::Channel, false))),
            (Outcome::Unknown, Some(Blame::Replica), Some((Blame::Channel, false))),
        ];
        for (outcome, told, expected) in table {
            let whose = Blame::of(outcome, told);
            assert_eq!(whose.map(|it| (it, it.is_try())), expected, "{outcome:?} {told:?}");
        }
        for blame in Blame::ALL {
            assert_eq!(Blame::from_word(blame.word()), Some(blame));
        }
    }
}
