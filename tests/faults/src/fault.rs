//! Fault: the kinds of harm, and the schedule that a seed makes of them.

use std::time::Duration;

use watchdog_sim::rng::Rng;

/// What is done to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// One node and all others hear nothing of each other; customers still reach it.
    Cut,
    /// One node does not hear one other, which hears it.
    OneWayCut,
    /// One node loses a part of all packets.
    Loss,
    /// A watchdog or host is cut off from ZooKeeper alone.
    ZooCut,
    /// The leader is cut off from the journal alone.
    JournalCut,
    /// The leader is cut off from all host agents and replicas.
    AgentsCut,
    /// A host is cut off from everybody, customers included.
    HostLost,
    /// The leading watchdog is stopped and goes on later.
    PauseLeader,
    /// Some watchdog is stopped and goes on later.
    PauseWatchdog,
    /// The leading watchdog is killed.
    KillLeader,
    /// Some watchdog is killed.
    KillWatchdog,
    /// A host agent is killed.
    KillAgent,
    /// A host agent is stopped and goes on later.
    PauseAgent,
    /// A replica is killed.
    KillReplica,
    /// A replica is stopped, and goes on later unless somebody has ended it.
    HangReplica,
    /// A replica holds another version than it was told.
    Drift,
    /// A replica says that it holds what it does not.
    Lie,
    /// A ZooKeeper node is killed.
    KillZoo,
    /// The leader of ZooKeeper is killed.
    KillZooLeader,
    /// A ZooKeeper node is stopped and goes on later.
    PauseZoo,
    /// PostgreSQL is restarted in order.
    DatabaseRestart,
    /// PostgreSQL is killed and recovers.
    DatabaseKill,
    /// PostgreSQL is stopped and goes on later.
    DatabaseFreeze,
    /// The disk of a host agent is full.
    AgentDiskFull,
    /// The disk of PostgreSQL is full.
    DatabaseDiskFull,
    /// The clock of a watchdog jumps.
    ClockStep,
    /// An order of a leader that is no more reaches an agent.
    StaleOrder,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::Cut,
        Self::OneWayCut,
        Self::Loss,
        Self::ZooCut,
        Self::JournalCut,
        Self::AgentsCut,
        Self::HostLost,
        Self::PauseLeader,
        Self::PauseWatchdog,
        Self::KillLeader,
        Self::KillWatchdog,
        Self::KillAgent,
        Self::PauseAgent,
        Self::KillReplica,
        Self::HangReplica,
        Self::Drift,
        Self::Lie,
        Self::KillZoo,
        Self::KillZooLeader,
        Self::PauseZoo,
        Self::DatabaseRestart,
        Self::DatabaseKill,
        Self::DatabaseFreeze,
        Self::AgentDiskFull,
        Self::DatabaseDiskFull,
        Self::ClockStep,
        Self::StaleOrder,
    ];

    /// The word for it in output.
    pub fn word(self) -> &'static str {
        match self {
            Self::Cut => "cut",
            Self::OneWayCut => "one-way cut",
            Self::Loss => "loss",
            Self::ZooCut => "cut off from zookeeper",
            Self::JournalCut => "leader cut off from journal",
            Self::AgentsCut => "leader cut off from agents",
            Self::HostLost => "host lost",
            Self::PauseLeader => "leader paused",
            Self::PauseWatchdog => "watchdog paused",
            Self::KillLeader => "leader killed",
            Self::KillWatchdog => "watchdog killed",
            Self::KillAgent => "host agent killed",
            Self::PauseAgent => "host agent paused",
            Self::KillReplica => "replica killed",
            Self::HangReplica => "replica hangs",
            Self::Drift => "replica drifts",
            Self::Lie => "replica lies",
            Self::KillZoo => "zookeeper node killed",
            Self::KillZooLeader => "zookeeper leader killed",
            Self::PauseZoo => "zookeeper node paused",
            Self::DatabaseRestart => "database restarted",
            Self::DatabaseKill => "database killed",
            Self::DatabaseFreeze => "database frozen",
            Self::AgentDiskFull => "host agent's disk full",
            Self::DatabaseDiskFull => "database's disk full",
            Self::ClockStep => "clock step",
            Self::StaleOrder => "stale order",
        }
    }
}

/// A fault of the schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// So long after the one before.
    pub after: Duration,
    /// For so long.
    pub lasts: Duration,
    /// What.
    pub kind: Kind,
    /// By which whoever carries it out chooses among those whom it may hit, and how badly.
    pub draw: u64,
}

/// The schedule of a seed: every kind comes equally often, in another order each round.
pub fn schedule(seed: u64, faults: usize, with_clocks: bool) -> Vec<Planned> {
    let mut rng = Rng::new(seed);
    let mut bag = Vec::new();
    let mut planned = Vec::new();
    while planned.len() < faults {
        if bag.is_empty() {
            bag.extend(Kind::ALL.into_iter().filter(|kind| with_clocks || *kind != Kind::ClockStep));
        }
        let kind = bag.swap_remove(rng.index(bag.len()));
        planned.push(Planned {
            after: Duration::from_millis(rng.range(600, 2_400)),
            lasts: Duration::from_millis(rng.range(500, 4_500)),
            kind,
            draw: rng.draw(),
        });
    }
    planned
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_seed_makes_one_schedule_of_all_kinds() {
        assert_eq!(schedule(7, 100, true), schedule(7, 100, true));
        assert_ne!(schedule(7, 100, true), schedule(8, 100, true));
        let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
        for planned in schedule(7, 2 * Kind::ALL.len(), true) {
            *kinds.entry(planned.kind).or_default() += 1;
        }
        assert_eq!(kinds.len(), Kind::ALL.len());
        assert!(kinds.values().all(|count| *count == 2), "{kinds:?}");
        assert!(schedule(7, 100, false).iter().all(|planned| planned.kind != Kind::ClockStep));
    }

    #[test]
    fn words_tell_kinds_apart() {
        let words: std::collections::BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.word()).collect();
        assert_eq!(words.len(), Kind::ALL.len());
    }
}
