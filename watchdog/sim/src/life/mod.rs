//! Life: one process of a replica, as it truly is, whatever anybody sees of it.

mod course;
pub(crate) mod desk;
mod group;

use std::rc::Rc;

use serde_json::Value;
use watchdog_core::desk::{Desk, Recent};
use watchdog_core::ids::{Incarnation, ReplicaId, Time, Version};
use watchdog_core::observation::{Health, MemberSeen};
use watchdog_core::state::{Hash, Key, State};

use crate::order::{Asker, Order, Reply};
use crate::setup::MODEL;
use crate::zoo::SessionId;

/// How a version behaves on a replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trait {
    /// It works.
    Good,
    /// It works, and takes its time.
    Slow,
    /// It ends before it is ready.
    DiesAtStart,
    /// The same, and whoever runs already takes it without complaint and serves on.
    DiesOnlyAtStart,
    /// It ends soon after it is ready.
    Dies,
    /// It stops answering.
    Hangs,
    /// It can't be loaded, nor started.
    FailsToLoad,
    /// It says that it is ill.
    Sickens,
    /// What it holds is not what it should.
    Lies,
}

/// The words for traits in the state.
pub const TRAITS: [(&str, Trait); 9] = [
    ("good", Trait::Good),
    ("slow", Trait::Slow),
    ("dies-at-start", Trait::DiesAtStart),
    ("dies-only-at-start", Trait::DiesOnlyAtStart),
    ("dies", Trait::Dies),
    ("hangs", Trait::Hangs),
    ("fails-to-load", Trait::FailsToLoad),
    ("sickens", Trait::Sickens),
    ("lies", Trait::Lies),
];

impl Trait {
    /// How `state` behaves on `replica`.
    pub fn of(state: &State, replica: &ReplicaId) -> Self {
        let model = Key::new(MODEL).ok().and_then(|key| state.0.get(&key));
        let Some(model) = model else { return Self::Good };
        let concerns = match model.get("who").and_then(Value::as_array) {
            Some(who) => who.iter().any(|it| it.as_str() == Some(replica.as_str())),
            None => true,
        };
        let word = model.get("trait").and_then(Value::as_str).filter(|_| concerns);
        TRAITS.iter().find(|(it, _)| Some(*it) == word).map_or(Self::Good, |(_, it)| *it)
    }

    /// Whether nobody can serve on it.
    pub fn is_bad(self) -> bool {
        !matches!(self, Self::Good | Self::Slow)
    }
}

/// How a process feels, apart from how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Well.
    Well,
    /// Ill, and it says so.
    Sick,
    /// It does not answer, but its agent does.
    Stuck,
    /// Nothing in it runs, not even its agent.
    Stopped,
}

/// See the module.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says of one thing whether it is so, and any may be")]
pub struct Life {
    /// Whose.
    pub replica: ReplicaId,
    /// Which.
    pub incarnation: Incarnation,
    /// Where.
    pub host: usize,
    /// Its process.
    pub pid: u32,
    /// Whether it has an agent of its own.
    pub embeds: bool,
    /// Whether no other may run beside it.
    pub exclusive: bool,
    /// How long it takes to leave when asked.
    pub leaves_in_ms: u64,
    /// When it began.
    pub born_at: u64,
    /// What it was started with, and holds from its readiness on.
    pub state: Rc<State>,
    /// The version that it says.
    pub version: Version,
    /// The hash of what is in memory.
    pub hash: Hash,
    /// Whether it has come up.
    pub is_ready: bool,
    /// Whether it takes no new work.
    pub is_draining: bool,
    /// How it feels.
    pub mood: Mood,
    /// Whether what it feels was done to it, and passes.
    pub until_mended: bool,
    /// Since when it is, in truth, as well as can be with this in memory.
    pub well_since: Option<u64>,
    /// From when until when it was last well, with what in memory.
    pub last_well: Option<(u64, u64, Hash)>,
    /// Its session.
    pub session: Option<SessionId>,
    /// What it last told the group.
    pub told: Option<MemberSeen>,
    /// Where its agent takes orders.
    pub desk: Desk<Reply, Loading>,
    /// The steps whose end its agent remembers.
    pub recent: Recent<Reply>,
    /// Whether it was told that it is dead.
    pub is_disowned: bool,
}

/// A load that runs.
#[derive(Debug)]
pub struct Loading {
    /// The order.
    pub order: Order,
    /// Who waits.
    pub askers: Vec<Asker>,
}

impl Life {
    /// Whether it takes work, in truth.
    pub fn serves(&self) -> bool {
        self.is_ready && !self.is_draining && self.mood == Mood::Well && !self.is_disowned
    }

    /// How it says that it feels.
    pub fn health(&self) -> Health {
        match () {
            () if !self.is_ready => Health::Starting,
            // Its agent asks it how it is, and gets no answer.
            () if matches!(self.mood, Mood::Sick | Mood::Stuck) => Health::Unhealthy,
            () if self.is_draining => Health::Draining,
            () if self.desk.at_work().next().is_some() => Health::Loading,
            () => Health::Ready,
        }
    }

    /// Notes since when it is well; called after every change.
    pub fn reckon(&mut self, now: u64) {
        if self.serves() {
            self.well_since.get_or_insert(now);
        } else {
            self.fall_ill(now);
        }
    }

    /// What it was well with is over, or about to be something else.
    pub fn fall_ill(&mut self, now: u64) {
        if let Some(since) = self.well_since.take() {
            self.last_well = Some((since, now, self.hash));
        }
    }

    /// What it says, stamped with the moment since when it says so.
    pub fn word(&self, wall: Time) -> MemberSeen {
        let loaded =
            if self.is_ready { (self.version, self.hash) } else { (Version(0), State::default().hash()) };
        let (version, state_hash) = loaded;
        let mut word = MemberSeen {
            pid: self.pid,
            address: String::new(),
            service: None,
            loaded: watchdog_core::observation::Loaded { version, state_hash },
            health: self.health(),
            detail: match self.mood {
                Mood::Sick => "it feels ill".to_owned(),
                Mood::Stuck => "the application does not answer its own checks".to_owned(),
                Mood::Well | Mood::Stopped => String::new(),
            },
            epoch: self.desk.fence.epoch(),
            since: Time::default(),
            stamp: wall,
        };
        if let Some(told) = &self.told {
            let same = (told.loaded, told.health) == (word.loaded, word.health);
            word.stamp = if same { told.stamp } else { wall };
        }
        word
    }
}
