//! Mutant: the protocol without one of its safeguards.

use super::bounds::{Bounds, SMALL};
use super::properties as property;

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// Agents take orders of older epochs.
    UnfencedAgents,
    /// A new leader closes older intents without sealing their agents.
    TouchesUnsealed,
    /// Orders go out before their intent is recorded.
    ActsBeforeIntent,
    /// A journal transaction reads the term first, and writes whatever it is by then.
    ChecksTermBySelect,
    /// What an agent has begun is in memory only.
    ForgetsSteps,
    /// The epoch that an agent has seen is in memory only.
    ForgetsEpoch,
    /// A new leader carries on what an older one intended.
    ResumesIntents,
    /// Whom an open intent may be touching does not count as disturbed.
    BudgetIgnoresIntents,
    /// The winner sets the epoch without checking its contender and the node's version.
    MintsUnchecked,
    /// An agent takes orders although it has not read the epoch within its lease.
    TrustsOldEpoch,
    /// A leader closes the orders to an agent as soon as it does not see it, while its lease still runs.
    IgnoresLease,
    /// A leader closes its own step as unknown when no answer comes, and an order may still be under way.
    GivesUpUnsealed,
    /// A replica of which an order's fate is unknown is well as soon as the group shows it so.
    SettlesByGroup,
    /// A replica serves if the group shows it so, although the record has a newer word.
    GroupBeforeRecord,
}

impl Mutant {
    pub(crate) const ALL: [Self; 14] = [
        Self::UnfencedAgents,
        Self::TouchesUnsealed,
        Self::ActsBeforeIntent,
        Self::ChecksTermBySelect,
        Self::ForgetsSteps,
        Self::ForgetsEpoch,
        Self::ResumesIntents,
        Self::BudgetIgnoresIntents,
        Self::MintsUnchecked,
        Self::TrustsOldEpoch,
        Self::IgnoresLease,
        Self::GivesUpUnsealed,
        Self::SettlesByGroup,
        Self::GroupBeforeRecord,
    ];

    /// The property that belongs to the safeguard.
    pub(crate) fn caught_by(self) -> &'static str {
        match self {
            Self::ForgetsSteps | Self::ResumesIntents => property::ONE_EFFECT,
            Self::UnfencedAgents | Self::ForgetsEpoch => property::NO_INTERLEAVING,
            Self::BudgetIgnoresIntents | Self::SettlesByGroup | Self::GroupBeforeRecord => property::BUDGET,
            Self::ActsBeforeIntent => property::INTENT_FIRST,
            Self::ChecksTermBySelect => property::FENCED_JOURNAL,
            Self::TouchesUnsealed | Self::TrustsOldEpoch | Self::IgnoresLease => property::CLOSED_IS_OVER,
            Self::GivesUpUnsealed => property::LEADER_KNOWS,
            Self::MintsUnchecked => property::UNIQUE_EPOCHS,
        }
    }

    /// Bounds in which it shows: its faults, and no others.
    pub(crate) fn bounds(self) -> Bounds {
        let calm = Bounds { agent_crashes: 0, ..SMALL };
        match self {
            Self::GivesUpUnsealed => SMALL,
            Self::ForgetsSteps | Self::SettlesByGroup => Bounds { sends: 2, ..SMALL },
            Self::ForgetsEpoch => Bounds { rebuilds: 1, ..SMALL },
            Self::ResumesIntents => Bounds { sends: 2, losses: 1, ..calm },
            Self::TrustsOldEpoch | Self::IgnoresLease => Bounds { absences: 1, ..calm },
            Self::UnfencedAgents
            | Self::TouchesUnsealed
            | Self::ActsBeforeIntent
            | Self::ChecksTermBySelect
            | Self::BudgetIgnoresIntents
            | Self::MintsUnchecked
            | Self::GroupBeforeRecord => calm,
        }
    }
}
