//! Whim: what operators do, at any time, sensible or not.

use serde_json::{Value, json};
use watchdog_core::goal::{Goal, Named, PaceWish, Restore};
use watchdog_core::ids::ReplicaId;
use watchdog_core::policy::{POLICY_KEY, Policy};
use watchdog_core::state::{Key, State};

use crate::dog::Wish;
use crate::rng::Rng;
use crate::setup::{MODEL, Setup};
use crate::world::World;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whim {
    /// Pauses everything for a while.
    Pause,
    /// Ends a pause.
    Resume,
    /// Holds a replica or host for a while.
    Hold(String),
    /// Ends a hold or a quarantine.
    Release(String),
    /// Overrules the storm guard.
    ReleaseStorm,
    /// Declares a version that works; or, if told so, only slowly.
    Version(bool),
    /// The same, in the place of what rolls.
    Supersede,
    /// Returns to what is stable, or to an old version.
    Restore(bool),
    /// Restarts everybody in turn.
    Restart,
    /// Declares one more replica.
    ScaleOut,
    /// Removes a replica.
    ScaleIn,
    /// Takes the newest goal back.
    Withdraw,
    /// Approves what waits.
    Approve,
    /// Declines what waits.
    Decline,
    /// Asks the leader to leave.
    Resign,
    /// Changes a bound by hand, without a goal.
    Edit,
    /// Changes a bound by a goal, with a version that works.
    Bounds,
}

impl std::fmt::Display for Whim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Pause => f.write_str("pause for a while"),
            Self::Resume => f.write_str("resume"),
            Self::Hold(target) => write!(f, "hold {target}"),
            Self::Release(target) => write!(f, "release {target}"),
            Self::ReleaseStorm => f.write_str("storm release"),
            Self::Version(false) => f.write_str("a new version that works"),
            Self::Version(true) => f.write_str("a new version that works, slowly"),
            Self::Supersede => f.write_str("a new version in the place of what rolls"),
            Self::Restore(true) => f.write_str("restore what is stable"),
            Self::Restore(false) => f.write_str("restore an old version"),
            Self::Restart => f.write_str("restart everybody in turn"),
            Self::ScaleOut => f.write_str("one more replica"),
            Self::ScaleIn => f.write_str("one replica less"),
            Self::Withdraw => f.write_str("withdraw the newest goal"),
            Self::Approve => f.write_str("approve"),
            Self::Decline => f.write_str("decline"),
            Self::Resign => f.write_str("leader resign"),
            Self::Edit => f.write_str("another bound, by hand"),
            Self::Bounds => f.write_str("another bound, with a new version that works"),
        }
    }
}

impl Whim {
    /// Any of them.
    pub fn draw(setup: &Setup, rng: &mut Rng) -> Self {
        let names: Vec<&ReplicaId> = setup.replicas.keys().collect();
        let target = if rng.chance(700) {
            (*rng.pick(&names)).to_string()
        } else {
            rng.pick(&setup.hosts).to_string()
        };
        match rng.below(24) {
            0..2 => Self::Pause,
            2 => Self::Resume,
            3..6 => Self::Hold(target),
            6..10 => Self::Release(target),
            10 => Self::ReleaseStorm,
            11..15 => Self::Version(rng.chance(200)),
            15 => Self::Supersede,
            16 => Self::Restore(rng.chance(500)),
            17 => Self::Restart,
            18 => Self::ScaleOut,
            19 => Self::ScaleIn,
            20 => Self::Withdraw,
            21 => Self::Approve,
            22 => Self::Decline,
            _ => Self::Resign,
        }
    }
}

impl World {
    /// An operator asks whoever leads; if nobody does, nothing comes of it.
    pub(crate) fn wish(&mut self, wish: Wish) {
        if let Some(dog) = self.leader() {
            if let Some(lead) = self.dogs[dog].lead.as_mut() {
                lead.wishes.push(("operator".to_owned(), wish));
            }
            self.wake_in(dog, 1);
        }
    }

    /// What a whim comes to.
    pub(crate) fn indulge(&mut self, whim: &Whim, for_ever: bool) {
        let ms = (!for_ever).then(|| self.rng.range(1_000, 60_000));
        let wish = match whim {
            Whim::Pause => Wish::Pause(ms),
            Whim::Resume => Wish::Resume,
            Whim::Hold(target) => Wish::Hold(target.clone(), ms),
            Whim::Release(target) => Wish::Release(target.clone()),
            Whim::ReleaseStorm => Wish::ReleaseStorm,
            Whim::Version(slow) => {
                let goal = self.version(if *slow { "slow" } else { "good" }, None);
                Wish::Declare(Box::new(goal), false)
            }
            Whim::Supersede => Wish::Declare(Box::new(self.version("good", None)), true),
            Whim::Restore(stable) => {
                let old = watchdog_core::ids::Version(self.journal.head().version.0 / 2);
                let to = if *stable { Restore::Named(Named::Stable) } else { Restore::Version(old) };
                Wish::Declare(Box::new(Goal { restore: Some(to), ..Goal::default() }), false)
            }
            Whim::Restart => Wish::Declare(Box::new(Goal { restart: true, ..Goal::default() }), false),
            Whim::ScaleOut => match self.scale_out() {
                Some(goal) => Wish::Declare(Box::new(goal), false),
                None => return,
            },
            Whim::ScaleIn => match self.scale_in() {
                Some(goal) => Wish::Declare(Box::new(goal), false),
                None => return,
            },
            Whim::Withdraw => Wish::Withdraw,
            Whim::Approve => Wish::Approve(None),
            Whim::Decline => Wish::Decline(None),
            Whim::Resign => Wish::Resign,
            Whim::Edit => match self.bounds() {
                Some(edit) => Wish::Edit(edit),
                None => return,
            },
            Whim::Bounds => {
                let mut goal = self.version("good", None);
                goal.set.extend(self.bounds());
                Wish::Declare(Box::new(goal), false)
            }
        };
        self.wish(wish);
    }

    /// A new version that behaves so, on all or on one.
    pub(crate) fn version(&mut self, how: &str, who: Option<&ReplicaId>) -> Goal {
        let mut model = json!({"n": self.ticket(), "trait": how});
        if let Some(who) = who {
            model["who"] = json!([who.as_str()]);
        }
        let key = Key::new(MODEL).ok();
        let rollout = PaceWish::default();
        Goal { set: key.map(|key| (key, model)).into_iter().collect(), rollout, ..Goal::default() }
    }

    /// Another soak, and another number of failures that may be.
    fn bounds(&mut self) -> Option<(Key, Value)> {
        let mut policy = Policy::clone(&self.journal.policy);
        policy.soak_ms = *self.rng.pick(&[2_000, 5_000, 15_000]);
        policy.max_failures = u32::from(self.rng.chance(300));
        Some((Key::new(POLICY_KEY).ok()?, json!(policy)))
    }

    fn declared(&self) -> (std::rc::Rc<State>, Vec<ReplicaId>) {
        let state = self.journal.state(self.journal.head().version);
        let keys = state.0.keys().filter(|key| key.kind() == "replica");
        let names = keys.filter_map(|key| ReplicaId::new(key.name()).ok()).collect();
        (state, names)
    }

    fn scale_out(&mut self) -> Option<Goal> {
        let (_, names) = self.declared();
        let name = self.setup.spare.iter().find(|it| !names.contains(it))?.clone();
        let spec = self.setup.newcomer(&mut self.rng);
        Some(Goal { set: [(Key::of_replica(&name), json!(spec))].into_iter().collect(), ..Goal::default() })
    }

    fn scale_in(&mut self) -> Option<Goal> {
        let (_, names) = self.declared();
        let name = names.last().filter(|_| names.len() > 2)?;
        Some(Goal { remove: [Key::of_replica(name)].into_iter().collect(), ..Goal::default() })
    }
}
