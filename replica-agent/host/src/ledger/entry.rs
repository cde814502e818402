//! Entry: the facts that a host agent must not forget.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use watchdog_core::desk::Kind;
use watchdog_core::ids::{ClusterId, Epoch, HostId, Incarnation, ReplicaId, StepId, Version};
use watchdog_core::replica::Probe;
use watchdog_core::state::Hash;
use watchdog_membership::records::{LoadedRecord, ObituaryRecord};

use crate::fault::Fault;

/// The format of the ledger that this build writes, and the newest that it reads.
pub(crate) const FORMAT: u32 = 2;

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub(crate) enum Entry {
    /// The first line: whose ledger this is.
    Ledger { format: u32, instance: String, host: HostId },
    /// A newer epoch was seen.
    Epoch { cluster: ClusterId, epoch: Epoch },
    /// A step was begun; from here on it may have had effect.
    Begun { cluster: ClusterId, step: StepId, replica: ReplicaId, incarnation: Incarnation, act: Kind },
    /// A process is about to be started.
    Intended { life: Life },
    /// By this body.
    Spawned(Body),
    /// A step ended.
    Done { cluster: ClusterId, step: StepId, outcome: Outcome },
    /// A step was begun before a crash, and how it ended can't be known.
    Lost { cluster: ClusterId, step: StepId },
    /// A step was given up by its leader before it was begun here, so that it never will be.
    Never { cluster: ClusterId, step: StepId },
    /// An incarnation is dead.
    Dead { cluster: ClusterId, obituary: ObituaryRecord },
    /// The coordination service knows that it is.
    Published { incarnation: Incarnation },
    /// We loaded a version on behalf of a replica.
    Loaded { incarnation: Incarnation, loaded: LoadedRecord },
}

/// One process life of a replica, as it was ordered. A process carries it in its environment too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Life {
    /// Whose replica.
    pub(crate) cluster: ClusterId,
    /// Which replica.
    pub(crate) replica: ReplicaId,
    /// Which life of it.
    pub(crate) incarnation: Incarnation,
    /// What runs.
    pub(crate) program: String,
    /// With which parameters, defaults filled in.
    pub(crate) parameters: BTreeMap<String, String>,
    /// The epoch of the order.
    pub(crate) epoch: Epoch,
    /// The version that it was started with.
    pub(crate) version: Version,
    /// The hash of that state.
    pub(crate) state_hash: Hash,
    /// The lease of an exclusive replica; `None` for any other.
    pub(crate) lease_ms: Option<u64>,
    /// How to find out that it answers.
    pub(crate) probes: Vec<Probe>,
    /// The hash of program, parameters and probes as they were ordered; `None` when an older agent started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) started_with: Option<Hash>,
}

/// What makes a process that process, also after its number was given to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessKey {
    /// Its number.
    pub(crate) pid: u32,
    /// Clock ticks since boot at which it started.
    pub(crate) start_ticks: u64,
    /// In which boot.
    pub(crate) boot_id: String,
}

/// What belongs to one life, recorded once: by this everything of it is found, whoever looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Body {
    /// Which life.
    pub(crate) incarnation: Incarnation,
    /// The main process, which leads a session of its own.
    pub(crate) process: ProcessKey,
    /// The control group that holds all of it; without one, nothing proves that all of it is gone.
    pub(crate) group: Option<PathBuf>,
}

/// How a step ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    /// Empty when it worked.
    pub(crate) error: String,
    /// What that is and whose; unknown of steps that an older agent has recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) fault: Option<Fault>,
    /// Of a start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) process: Option<(ReplicaId, Incarnation, ProcessKey)>,
    /// Of a kill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) obituary: Option<ObituaryRecord>,
    /// Of a load.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) loaded: Option<LoadedRecord>,
    /// Of a snapshot; kept in memory and in a file of its own, not in the ledger.
    #[serde(skip)]
    pub(crate) snapshot: Option<String>,
}

impl Outcome {
    /// It did not work.
    pub(crate) fn failed(error: impl Into<String>, fault: Fault) -> Self {
        Self { error: error.into(), fault: Some(fault), ..Self::default() }
    }
}
