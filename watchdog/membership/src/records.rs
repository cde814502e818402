//! Records: what stands in the coordination service, and where.
//!
//! ```text
//! /<cluster>/epoch                                EpochRecord      persistent; its version is the fence
//! /<cluster>/pauses                               PausesRecord     persistent; of the leader
//! /<cluster>/contenders/<watchdog>-<uuid>-<n>     ContenderRecord  ephemeral, sequential
//! /<cluster>/hosts/<host>                         HostRecord       ephemeral, of the host agent
//! /<cluster>/processes/<replica>/<incarnation>    ProcessRecord    ephemeral, of the host agent
//! /<cluster>/members/<replica>/<incarnation>      MemberRecord     ephemeral, of the embedded agent
//! /<cluster>/obituaries/<incarnation>             ObituaryRecord   persistent, until the leader has journalled it
//! ```
//!
//! Each record is a JSON object with a `format` number. Unknown fields are
//! ignored, so that adjacent versions of the programs understand each other; an
//! unknown format is an error, because guessing could kill the wrong process.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use watchdog_core::ids::{ClusterId, Epoch, HostId, Incarnation, ReplicaId, Version, WatchdogId};
use watchdog_core::state::Hash;

/// The format that this build writes, and the newest that it reads.
pub const FORMAT: u32 = 1;

/// Why the bytes of a node are not a record.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not JSON, or not of this shape.
    #[error("{path} does not hold a readable record")]
    Malformed {
        /// Where it stands.
        path: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// It speaks of another thing than its path.
    #[error("{path} holds the record of something else")]
    Misplaced {
        /// Where it stands.
        path: String,
    },
    /// Written by a newer program, or by nobody: formats count from 1.
    #[error("{path} has format {found}; this build reads 1 to {FORMAT}")]
    UnknownFormat {
        /// Where it stands.
        path: String,
        /// Its format.
        found: u32,
    },
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// Reads a record.
///
/// # Errors
///
/// [`RecordError`] with the path, never a guess.
pub fn decode<T: DeserializeOwned>(path: &str, data: &[u8]) -> Result<T, RecordError> {
    let malformed = |source| RecordError::Malformed { path: path.to_owned(), source };
    let Format { format } = serde_json::from_slice(data).map_err(malformed)?;
    if !(1..=FORMAT).contains(&format) {
        return Err(RecordError::UnknownFormat { path: path.to_owned(), found: format });
    }
    serde_json::from_slice(data).map_err(malformed)
}

/// Writes a record.
pub fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    // Our records hold only texts and numbers under text keys, which JSON can always hold.
    serde_json::to_vec(record).unwrap_or_default()
}

/// The fence, and what the journal must at least hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// See [`FORMAT`].
    pub format: u32,
    /// The highest epoch that was ever minted.
    pub epoch: Epoch,
    /// The leader that minted it.
    pub leader: WatchdogId,
    /// The term that last committed to the journal, and the journal's head then.
    pub term: Epoch,
    /// The head of the metadata log then.
    pub head: Version,
    /// The chain hash of that head.
    pub hash: Hash,
}

/// What is to be left alone, whatever becomes of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PausesRecord {
    /// See [`FORMAT`].
    pub format: u32,
    /// The pause of the whole cluster.
    pub cluster: Option<PauseRecord>,
    /// Holds, by replica or host.
    #[serde(default)]
    pub holds: BTreeMap<String, PauseRecord>,
}

impl Default for PausesRecord {
    fn default() -> Self {
        Self { format: FORMAT, cluster: None, holds: BTreeMap::new() }
    }
}

/// A pause or a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PauseRecord {
    /// Who ordered it.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when, milliseconds since 1970; `None` is until ended.
    pub until_ms: Option<u64>,
}

/// A watchdog that would lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContenderRecord {
    /// See [`FORMAT`].
    pub format: u32,
    /// Its name.
    pub watchdog: WatchdogId,
    /// Where it answers, `http://host:port`.
    pub address: String,
    /// Its process.
    pub pid: u32,
    /// Whether it reaches the journal; a leader that does not resigns when another does.
    #[serde(default)]
    pub reaches_journal: bool,
}

/// A host agent that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    /// See [`FORMAT`].
    pub format: u32,
    /// Its host.
    pub host: HostId,
    /// The random id of its state directory.
    pub instance: String,
    /// Where it answers, `http://host:port`.
    pub address: String,
    /// Its process.
    pub pid: u32,
    /// Which boot of the host this is.
    pub boot_id: String,
    /// Whether every process of the cluster that it has is in `processes` by now, so that absence there means something.
    pub inventory_complete: bool,
    /// The highest epoch that it has on disk for this cluster.
    pub epoch: Epoch,
    /// A random id, another one whenever it was out of touch for longer than its lease: what was ordered before then it
    /// refuses, because others may have been told to do it since. Empty in records of older agents.
    #[serde(default)]
    pub session: String,
}

/// A process that a host agent keeps, as it sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRecord {
    /// See [`FORMAT`].
    pub format: u32,
    /// Which replica.
    pub replica: ReplicaId,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Where it runs.
    pub host: HostId,
    /// Its process.
    pub pid: u32,
    /// Clock ticks since boot at which it started.
    pub start_ticks: u64,
    /// In which boot.
    pub boot_id: String,
    /// What it is doing.
    pub phase: Phase,
    /// What its probes say.
    pub probe: ProbeState,
    /// Why they fail.
    pub detail: String,
    /// Since when phase and probe are so, milliseconds since 1970.
    pub since_ms: u64,
    /// What a replica without an embedded agent has loaded, as its host agent made it.
    pub loaded: Option<LoadedRecord>,
    /// The hash of what it was started with ([`watchdog_core::replica::launch_hash`]); `None` in records of older agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_with: Option<Hash>,
}

/// What was loaded on behalf of a replica that does not embed the library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedRecord {
    /// The version.
    pub version: Version,
    /// The state hash of what was rendered.
    pub state_hash: Hash,
}

/// What a kept process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It runs.
    Running,
    /// It was told to end.
    Stopping,
}

/// What the probes of a process say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeState {
    /// It has none, or none has answered yet.
    None,
    /// All pass.
    Passing,
    /// At least one fails.
    Failing,
}

/// A replica that is in the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberRecord {
    /// See [`FORMAT`].
    pub format: u32,
    /// Which replica.
    pub replica: ReplicaId,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Where it runs.
    pub host: HostId,
    /// Its process.
    pub pid: u32,
    /// Clock ticks since boot at which it started.
    pub start_ticks: u64,
    /// In which boot.
    pub boot_id: String,
    /// Where its embedded agent answers, `http://host:port`.
    pub address: String,
    /// Where the application itself answers, when it says so; shown to people.
    pub service: Option<String>,
    /// The version in memory.
    pub version: Version,
    /// The hash of what is in memory.
    pub state_hash: Hash,
    /// How it feels.
    pub health: Health,
    /// Why it is not healthy, or what it is loading.
    pub detail: String,
    /// The highest epoch that it has seen.
    pub epoch: Epoch,
    /// Since when version and health are so, milliseconds since 1970.
    pub since_ms: u64,
}

/// How a replica feels, by its own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// It lives and is not ready to serve yet.
    Starting,
    /// It serves.
    Ready,
    /// It prepares or commits another version, and serves.
    Loading,
    /// It takes no new work.
    Draining,
    /// It says itself that something is wrong.
    Unhealthy,
}

/// The proof that an incarnation is dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObituaryRecord {
    /// See [`FORMAT`].
    pub format: u32,
    /// Which replica.
    pub replica: ReplicaId,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// Where it ran.
    pub host: HostId,
    /// `exit 1`, `signal 9 (SIGKILL)`, `rebooted`, `never started`, or `unknown` when it was adopted.
    pub status: String,
    /// Whether the whole process tree is proven gone, or only the main process.
    pub tree_gone: bool,
    /// When it was found dead, milliseconds since 1970.
    pub at_ms: u64,
}

/// Where the records of one cluster stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    root: String,
}

impl Paths {
    /// The paths of `cluster`.
    pub fn new(cluster: &ClusterId) -> Self {
        Self { root: format!("/{cluster}") }
    }

    /// Everything of the cluster.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// The fence.
    pub fn epoch(&self) -> String {
        format!("{}/epoch", self.root)
    }

    /// What is to be left alone.
    pub fn pauses(&self) -> String {
        format!("{}/pauses", self.root)
    }

    /// The parent of the contenders.
    pub fn contenders(&self) -> String {
        format!("{}/contenders", self.root)
    }

    /// The parent of the hosts.
    pub fn hosts(&self) -> String {
        format!("{}/hosts", self.root)
    }

    /// A host agent's node.
    pub fn host(&self, host: &HostId) -> String {
        format!("{}/hosts/{host}", self.root)
    }

    /// The parent of the processes.
    pub fn processes(&self) -> String {
        format!("{}/processes", self.root)
    }

    /// A process's node.
    pub fn process(&self, replica: &ReplicaId, incarnation: Incarnation) -> String {
        format!("{}/processes/{replica}/{incarnation}", self.root)
    }

    /// The parent of the members.
    pub fn members(&self) -> String {
        format!("{}/members", self.root)
    }

    /// A member's node.
    pub fn member(&self, replica: &ReplicaId, incarnation: Incarnation) -> String {
        format!("{}/members/{replica}/{incarnation}", self.root)
    }

    /// The parent of the obituaries.
    pub fn obituaries(&self) -> String {
        format!("{}/obituaries", self.root)
    }

    /// An obituary's node.
    pub fn obituary(&self, incarnation: Incarnation) -> String {
        format!("{}/obituaries/{incarnation}", self.root)
    }
}
