//! Refusal: each reason for not even beginning what was ordered, with the field at fault.

use tonic::{Code, Status};
use watchdog_core::desk::Refused;
use watchdog_core::ids::{ClusterId, Incarnation, ReplicaId};
use watchdog_membership::tree::BoxError;

use crate::error::sentence;

/// Why an order is not carried out. Nothing was done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{field}: missing")]
    Missing { field: &'static str },
    #[error("{field}: not usable")]
    Malformed { field: &'static str, source: BoxError },
    #[error("{field}: this agent belongs to cluster {ours}, not to {theirs:?}")]
    OtherCluster { field: &'static str, ours: ClusterId, theirs: String },
    #[error("{field}: this agent is that of replica {ours}, not of {theirs:?}")]
    OtherReplica { field: &'static str, ours: ReplicaId, theirs: String },
    #[error("{field}: this is incarnation {ours} of replica {replica}, not {theirs}")]
    OtherIncarnation { field: &'static str, replica: ReplicaId, ours: Incarnation, theirs: Incarnation },
    #[error("{field}: {refused}")]
    AtDesk { field: &'static str, refused: Refused },
    #[error("act.{act}: an embedded agent drains and loads; order this from the host agent of {host}")]
    NotOurs { act: &'static str, host: String },
}

impl Refusal {
    /// What the desk says of an order.
    pub(crate) fn of_order(refused: Refused) -> Self {
        let field = if matches!(refused, Refused::OlderEpoch { .. }) { "order.epoch" } else { "order.step" };
        Self::AtDesk { field, refused }
    }

    fn code(&self) -> Code {
        match self {
            Self::Missing { .. } | Self::Malformed { .. } | Self::OtherCluster { .. } => {
                Code::InvalidArgument
            }
            Self::OtherReplica { .. } => Code::NotFound,
            Self::AtDesk { refused, .. } if refused.passes() => Code::Unavailable,
            Self::OtherIncarnation { .. } | Self::AtDesk { .. } => Code::FailedPrecondition,
            Self::NotOurs { .. } => Code::Unimplemented,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        Status::new(refusal.code(), brief(sentence(&refusal)))
    }
}

/// A longer message does not fit into the header that carries it, and then the asker learns nothing at all.
const MESSAGE_CHARACTERS_MAX: usize = 1_000;

/// The sentence, without the rest of a very long one: it may repeat what was ordered.
fn brief(sentence: String) -> String {
    match sentence.char_indices().nth(MESSAGE_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", &sentence[..end]),
        None => sentence,
    }
}
