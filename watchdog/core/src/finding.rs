//! Finding: a fault seen in one check, with its evidence.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{HostId, Incarnation, ReplicaId, Time};

/// What can be wrong. The order is the order in which a replica's faults are dealt with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The host's agent is gone and no session of a replica on it lives.
    HostGone,
    /// Two lives of one replica at once.
    Duplicate,
    /// It is dead, by an obituary.
    Exited,
    /// It is not there, and nobody has said why.
    Missing,
    /// One side says that it runs and the other that it does not answer: a zombie.
    Unresponsive,
    /// It says itself that something is wrong.
    Unhealthy,
    /// The last load of it failed.
    LoadFailed,
    /// It holds another version than it should.
    WrongVersion,
    /// It says the right version and holds something else.
    StateMismatch,
    /// It was started with another program, other parameters or other probes than are declared.
    WrongSetup,
    /// It runs where it may not, or may not any more.
    Misplaced,
    /// It runs, and the log does not declare it any more.
    Undeclared,
    /// It dies again and again.
    Flapping,
}

impl FaultKind {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::HostGone,
        Self::Duplicate,
        Self::Exited,
        Self::Missing,
        Self::Unresponsive,
        Self::Unhealthy,
        Self::LoadFailed,
        Self::WrongVersion,
        Self::StateMismatch,
        Self::WrongSetup,
        Self::Misplaced,
        Self::Undeclared,
        Self::Flapping,
    ];

    /// The word for it in output, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::HostGone => "host_gone",
            Self::Duplicate => "duplicate",
            Self::Exited => "exited",
            Self::Missing => "missing",
            Self::Unresponsive => "unresponsive",
            Self::Unhealthy => "unhealthy",
            Self::LoadFailed => "load_failed",
            Self::WrongVersion => "wrong_version",
            Self::StateMismatch => "state_mismatch",
            Self::WrongSetup => "wrong_setup",
            Self::Misplaced => "misplaced",
            Self::Undeclared => "undeclared",
            Self::Flapping => "flapping",
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Who or what a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A replica.
    Replica(ReplicaId),
    /// A host.
    Host(HostId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Replica(replica) => write!(f, "{replica}"),
            Self::Host(host) => write!(f, "host {host}"),
        }
    }
}

/// A fault seen in one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong.
    pub kind: FaultKind,
    /// With whom.
    pub subject: Subject,
    /// With which life of it; strikes against one life don't count against the next.
    pub incarnation: Option<Incarnation>,
    /// What exactly, in one sentence.
    pub detail: String,
    /// How we know.
    pub evidence: Evidence,
}

impl Finding {
    /// The same, about one life of its subject.
    #[must_use]
    pub(crate) fn of_life(self, incarnation: Incarnation) -> Self {
        Self { incarnation: Some(incarnation), ..self }
    }
}

/// How we know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Who said so.
    pub source: Source,
    /// Whether it proves the fault, or is only the lack of a sign of life.
    pub proof: Proof,
    /// When it was seen.
    pub at: Time,
    /// Grows with each new look of this source; equal means that nobody looked again.
    pub look: u64,
}

/// Who said so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The group in the coordination service.
    Group,
    /// The host agent, by its probes or its inventory.
    HostAgent,
    /// The replica itself.
    Replica,
    /// The healing log.
    Record,
}

/// How strong evidence is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Somebody who knows said so.
    Proven,
    /// Nobody said anything.
    Silence,
}

/// A fault with as many strikes as its policy needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conviction {
    /// The newest finding.
    pub finding: Finding,
    /// Strikes counted.
    pub strikes: u32,
    /// When the first of them was.
    pub since: Time,
}
