//! Bounds: how much of everything there is, so that the states can be exhausted.

use super::world::{AGENTS_MAX, Agent, REPLICAS_MAX, ROW_MAX, Replica, STEPS_MAX, WATCHDOGS_MAX, World};

/// See the module. Sessions that expire, pauses, crashes of watchdogs, and delays are not bounded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) name: &'static str,
    pub(crate) watchdogs: usize,
    /// The agent of each replica.
    pub(crate) homes: &'static [usize],
    pub(crate) epochs: u8,
    pub(crate) steps: usize,
    /// How often one step is sent.
    pub(crate) sends: u8,
    /// How many serving replicas may be touched at once.
    pub(crate) disturbed_max: usize,
    /// Of any agents, between begin and result too.
    pub(crate) agent_crashes: u8,
    /// Losses of an agent's state directory.
    pub(crate) losses: u8,
    /// Agents that are cut off from everybody for longer than a lease, or are paused for so long.
    pub(crate) absences: u8,
    /// Losses of the whole ensemble, epoch node included.
    pub(crate) rebuilds: u8,
}

impl Bounds {
    pub(crate) fn replicas(&self) -> usize {
        self.homes.len()
    }

    pub(crate) fn agents(&self) -> usize {
        self.homes.iter().max().map_or(0, |last| last + 1)
    }

    /// How many contenders may stand in the row.
    pub(crate) fn row(&self) -> usize {
        self.watchdogs + 1
    }

    /// All replicas serve, nobody leads.
    pub(crate) fn beginning(&self) -> World {
        let room = self.watchdogs <= WATCHDOGS_MAX
            && self.row() <= ROW_MAX
            && self.agents() <= AGENTS_MAX
            && self.replicas() <= REPLICAS_MAX
            && self.steps <= STEPS_MAX;
        assert!(room, "{}: there is no room for these bounds", self.name);
        let mut world = World::default();
        for agent in &mut world.agents[..self.agents()] {
            *agent = Agent { confirmed: true, ..Agent::default() };
        }
        for replica in &mut world.replicas[..self.replicas()] {
            *replica = Replica { life: 1, serves: true, shown: 1 };
        }
        world
    }
}

/// Small enough for a build without optimization.
pub(crate) const SMALL: Bounds = Bounds {
    name: "small",
    watchdogs: 2,
    homes: &[0, 1],
    epochs: 2,
    steps: 2,
    sends: 1,
    disturbed_max: 1,
    agent_crashes: 1,
    losses: 0,
    absences: 0,
    rebuilds: 0,
};

/// What every scorecard exhausts, in a minute or two.
pub(crate) const QUICK: [Bounds; 8] = [
    Bounds { name: "orders sent twice", sends: 2, ..SMALL },
    Bounds { name: "a lost disk", losses: 1, ..SMALL },
    Bounds { name: "an agent away", absences: 1, ..SMALL },
    Bounds { name: "a new ensemble", rebuilds: 1, ..SMALL },
    Bounds { name: "three watchdogs", watchdogs: 3, ..SMALL },
    Bounds { name: "three leaders, three steps", epochs: 3, steps: 3, ..SMALL },
    Bounds { name: "two replicas on a host", homes: &[0, 0, 1], steps: 3, ..SMALL },
    Bounds { name: "a budget of two", homes: &[0, 0, 1], disturbed_max: 2, ..SMALL },
];

/// What takes long.
pub(crate) const LONG: [Bounds; 3] = [
    Bounds { name: "three leaders, sent twice", epochs: 3, sends: 2, ..SMALL },
    Bounds { name: "three steps, sent twice", steps: 3, sends: 2, ..SMALL },
    Bounds { name: "a lost disk and an absence", losses: 1, absences: 1, ..SMALL },
];
