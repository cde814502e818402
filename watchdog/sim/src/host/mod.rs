//! Host: a machine, its agent's disk and memory.

mod acts;
pub(crate) mod board;
mod desk;
mod stock;

use std::collections::BTreeMap;
use std::time::Duration;

use watchdog_core::desk::{Desk, Fence, Kind, Memory, Recalled};
use watchdog_core::ids::{Epoch, Incarnation, ReplicaId, StepId, Time, Version};
use watchdog_core::observation::{Loaded, Obituary, Probed};
use watchdog_core::policy::Policy;
use watchdog_core::state::Hash;

use crate::event::Event;
use crate::order::{Asker, Order, Reply};
use crate::zoo::SessionId;

/// What the agent must not forget.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    /// The id of this state; lost state is another one.
    pub instance: String,
    /// The highest epoch.
    pub epoch: Epoch,
    /// The steps that were begun, and their ends.
    pub steps: BTreeMap<StepId, Begun>,
    /// What should run here.
    pub living: BTreeMap<Incarnation, Living>,
    /// The dead, and whether the coordination service was told.
    pub dead: BTreeMap<Incarnation, (Obituary, bool)>,
}

/// A step that was begun.
#[derive(Debug, Clone)]
pub struct Begun {
    /// What it is.
    pub kind: Kind,
    /// Which life it is about.
    pub life: Incarnation,
    /// What became of it.
    pub end: End,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// No end is recorded.
    Open,
    /// This.
    Done(Reply),
    /// It can't be known.
    Lost,
    /// Its leader gave it up before it was begun.
    Never,
}

impl Memory<Reply> for Disk {
    fn recall(&self, step: &StepId) -> Recalled<Reply> {
        match self.steps.get(step).map(|begun| &begun.end) {
            None => Recalled::Unknown,
            Some(End::Done(reply)) => Recalled::Done(reply.clone()),
            Some(End::Never) => Recalled::GivenUp,
            Some(End::Open | End::Lost) => Recalled::Lost,
        }
    }
}

/// A life that the disk knows.
#[derive(Debug, Clone)]
pub struct Living {
    /// Whose.
    pub replica: ReplicaId,
    /// The process, once it was forked.
    pub pid: Option<u32>,
    /// The boot in which it was.
    pub boot: u32,
    /// What was loaded on its behalf.
    pub loaded: Option<Loaded>,
}

/// A process under care.
#[derive(Debug, Clone)]
pub struct Kept {
    /// What its probes say.
    pub probe: Probed,
    /// Whether it was told to end.
    pub stopping: bool,
    /// Since when it is so, by the host's clock.
    pub since: Time,
}

/// A step that is under way.
#[derive(Debug)]
pub struct AtWork {
    /// The order.
    pub order: Order,
    /// What it is.
    pub kind: Kind,
    /// Who waits.
    pub askers: Vec<Asker>,
}

/// See the module.
#[derive(Debug)]
pub struct Host {
    /// Whether the machine runs.
    pub on: bool,
    /// Which boot.
    pub boot: u32,
    /// Faults that slow starts down now.
    pub slow: u32,
    /// Why the machine is off: so many faults say so.
    pub off_by: u32,
    /// Faults that keep the whole machine stopped.
    pub paused_by: u32,
    /// What happens once it runs again.
    pub put_off: Vec<Event>,
    /// Faults in which its agent keeps its session and answers nobody.
    pub silent_by: u32,
    /// What it reads when it answers again.
    pub unread: Vec<Event>,
    /// Faults in which its agent begins nothing, and says so: its disk is full.
    pub full_by: u32,
    /// The machine that stands in its place since it is gone for good.
    pub replaced_by: Option<usize>,
    /// Whether its agent ends at its next act, and for how long.
    pub falls_in_act: Option<u64>,
    /// Whether all of it is stopped when the next order reaches it, and for how long.
    pub stops_at_order: Option<u64>,
    /// What the agent must not forget.
    pub disk: Disk,
    /// Whether the agent runs.
    pub agent_up: bool,
    /// Why it does not: so many faults say so.
    pub agent_off_by: u32,
    /// Counts its runs.
    pub run: u64,
    /// Its session.
    pub session: Option<SessionId>,
    /// Since when it has no word from the coordination service.
    pub unconfirmed_since: Option<u64>,
    /// When it last had word again after it had none.
    pub confirmed_at: u64,
    /// Counts renewals of leases.
    pub renewals: u64,
    /// Whether it has looked through all processes.
    pub has_stock: bool,
    /// The processes under its care.
    pub kept: BTreeMap<Incarnation, Kept>,
    /// Where it takes orders.
    pub desk: Desk<Reply, AtWork>,
    /// The last process of each incarnation that it started, as a number.
    pub pids: BTreeMap<Incarnation, u32>,
    lease: Duration,
    pids_used: u32,
}

/// So few numbers for processes that they are soon used again.
const PIDS: u32 = 7;

impl Host {
    /// A machine whose agent has just begun.
    pub fn new(name: &str, policy: &Policy) -> Self {
        let lease = Duration::from_millis(policy.lease_ms);
        Self {
            on: true,
            boot: 1,
            slow: 0,
            off_by: 0,
            paused_by: 0,
            put_off: Vec::new(),
            silent_by: 0,
            unread: Vec::new(),
            full_by: 0,
            replaced_by: None,
            falls_in_act: None,
            stops_at_order: None,
            disk: Disk { instance: format!("{name}-1"), ..Disk::default() },
            agent_up: true,
            agent_off_by: 0,
            run: 0,
            session: None,
            unconfirmed_since: None,
            confirmed_at: 0,
            renewals: 0,
            has_stock: true,
            kept: BTreeMap::new(),
            desk: Desk::new(Fence::leased(lease, Epoch(0), "0")),
            lease,
            pids: BTreeMap::new(),
            pids_used: 0,
        }
    }

    /// Whether the agent runs.
    pub fn is_up(&self) -> bool {
        self.on && self.agent_up && self.paused_by == 0
    }

    /// Whether its agent answers who reaches it.
    pub fn answers(&self) -> bool {
        self.is_up() && self.silent_by == 0
    }

    /// Another run of the agent begins, which knows only what is on disk.
    pub fn begin_run(&mut self) {
        self.run += 1;
        self.desk = Desk::new(Fence::leased(self.lease, self.disk.epoch, self.run.to_string()));
    }

    /// While nothing is between it and the coordination service, it has had word from there all the time; `theirs` is the
    /// epoch that stands there.
    pub fn keep_confirmed(&mut self, theirs: Epoch, now: u64) {
        if self.unconfirmed_since.is_some() {
            return;
        }
        let (read, now) = (theirs.min(self.desk.fence.epoch()), Duration::from_millis(now));
        let mut at = self.desk.fence.confirmed().unwrap_or(now);
        loop {
            at = now.min(at + self.lease);
            self.desk.fence.confirm(read, at);
            if at == now {
                return;
            }
        }
    }

    /// A step that is under way.
    pub fn at_work(&self, step: &StepId) -> Option<&AtWork> {
        self.desk.at_work().find(|(it, _)| *it == step).map(|(_, at_work)| at_work)
    }

    /// A number for the next process.
    pub fn next_pid(&mut self) -> u32 {
        self.pids_used += 1;
        100 + self.pids_used % PIDS
    }
}

/// What is loaded, in the words of the core.
pub(crate) fn loaded(version: Version, state_hash: Hash) -> Loaded {
    Loaded { version, state_hash }
}
