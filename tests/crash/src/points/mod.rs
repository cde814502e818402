//! Points: every crash point of the product, and what leads a process there.
//!
//! `tests/names.rs` proves that each name stands in the code, and that the code has no other.

mod daemon;
mod host;
mod replica;

/// What is done to a cluster so that a point is visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Provocation {
    /// A replica dies.
    ReplicaDies,
    /// A replica is moved to another version, and then dies: its host agent has to write the new state down.
    ReplicaDiesAfterDeploy,
    /// A replica stops to answer.
    ReplicaHangs,
    /// A goal brings a good version.
    Deploy,
    /// A goal brings a version that crashes on one replica.
    DeployBad,
    /// A goal asks for a rolling restart.
    RollingRestart,
    /// A goal is taken back while it rolls.
    Withdraw,
    /// An operator edits the declaration of a replica.
    Edit,
    /// A replica is declared that no host can start.
    Hopeless,
    /// The leader hands over.
    Resign,
    /// The leader dies.
    LeaderDies,
    /// The leader dies with an open order for a host agent.
    LeaderDiesStarting,
    /// The leader dies with an open order for an embedded agent.
    LeaderDiesLoading,
    /// A host agent dies.
    HostAgentDies,
    /// A host agent is sealed under an epoch of which it did not hear from the coordination service before.
    SealedUnheard,
    /// A host agent dies, and one of its replicas before it is back.
    HostAgentAndReplicaDie,
}

/// How often a point is visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visits {
    /// Once or twice each time it is provoked.
    Few,
    /// Many times, so that the process can be killed at a later one too.
    Many,
}

/// One crash point.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// As it stands in the code.
    pub name: &'static str,
    /// What leads there.
    pub by: Provocation,
    /// How often.
    pub visits: Visits,
}

const fn few(name: &'static str, by: Provocation) -> Point {
    Point { name, by, visits: Visits::Few }
}

const fn many(name: &'static str, by: Provocation) -> Point {
    Point { name, by, visits: Visits::Many }
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Point> {
    daemon::POINTS.iter().chain(daemon::STEPS).chain(host::POINTS).chain(replica::POINTS)
}

/// Those at which the leader dies right after it has written a step, one for each kind of step.
pub fn steps() -> impl Iterator<Item = &'static Point> {
    daemon::STEPS.iter()
}
