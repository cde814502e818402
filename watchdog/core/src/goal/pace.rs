//! Pace: how carefully a version is brought to the replicas.

use serde::{Deserialize, Serialize};

use crate::ids::ReplicaId;
use crate::policy::Policy;

/// Who tries a version first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Canary {
    /// So many, in the order of their names; 0: nobody, all are alike.
    Count(u32),
    /// These.
    Replicas(Vec<ReplicaId>),
}

impl Default for Canary {
    fn default() -> Self {
        Self::Count(1)
    }
}

/// What a goal says about its pace; what is left out is as policy says.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaceWish {
    /// Who tries it first.
    pub canary: Option<Canary>,
    /// How many are moved at once after that; never more than `max_disturbed` allows.
    pub batch: Option<u32>,
    /// How long it must be held, healthy: by the canary before the others, and by all before it is stable.
    pub soak_ms: Option<u64>,
    /// How long a replica that failed on it must be healthy on the stable version for the version to be to blame.
    pub probation_ms: Option<u64>,
    /// How many replicas may fail on it, and are tried again, before it is rejected.
    pub max_failures: Option<u32>,
    /// Whether a replica is started on it once before it becomes stable.
    pub prove_start: Option<bool>,
}

/// The pace of one rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pace {
    /// Who tries it first.
    pub canary: Canary,
    /// How many are moved at once after that; 0: as many as `max_disturbed` allows.
    pub batch: u32,
    /// How long it must be held, healthy, in milliseconds.
    pub soak_ms: u64,
    /// How long who failed on it must be healthy on the stable version, in milliseconds.
    pub probation_ms: u64,
    /// Failures that are tolerated.
    pub max_failures: u32,
    /// Whether a replica must have been started on it, and been well, before it becomes stable.
    #[serde(default)]
    pub prove_start: bool,
}

impl Pace {
    /// What policy says, where the goal says nothing.
    pub fn resolve(wish: &PaceWish, policy: &Policy) -> Self {
        Self {
            canary: wish.canary.clone().unwrap_or_else(|| policy.canary.clone()),
            batch: wish.batch.unwrap_or(policy.batch),
            soak_ms: wish.soak_ms.unwrap_or(policy.soak_ms),
            probation_ms: wish.probation_ms.unwrap_or(policy.probation_ms),
            max_failures: wish.max_failures.unwrap_or(policy.max_failures),
            prove_start: wish.prove_start.unwrap_or(policy.prove_start),
        }
    }
}
