//! Condition: the one word for how a replica is, and the questions that planner and progress ask about a life.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::assess::{Scene, zombie};
use crate::fate::{Fate, fate};
use crate::ids::{Incarnation, ReplicaId, Time};
use crate::input::Target;
use crate::observation::{Health, Life, Probed, Sight};
use crate::replica::ReplicaSpec;
use crate::scene::Case;

/// How a replica is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplicaState {
    /// It serves.
    Healthy,
    /// It was ordered and does not serve yet.
    Starting,
    /// It loads, and serves.
    Loading,
    /// It takes no new work, or was told to end.
    Draining,
    /// It says itself that something is wrong.
    Unhealthy,
    /// It runs and does not answer.
    Unresponsive,
    /// It is not there, and nobody has said why.
    Missing,
    /// It is proven dead.
    Exited,
    /// Its process runs, but it is not a part of the cluster.
    Zombie,
    /// It is left alone until a human releases it.
    Quarantined,
    /// Nobody can say.
    Unknown,
}

impl ReplicaState {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Healthy,
        Self::Starting,
        Self::Loading,
        Self::Draining,
        Self::Unhealthy,
        Self::Unresponsive,
        Self::Missing,
        Self::Exited,
        Self::Zombie,
        Self::Quarantined,
        Self::Unknown,
    ];

    /// The word for it in output, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Starting => "starting",
            Self::Loading => "loading",
            Self::Draining => "draining",
            Self::Unhealthy => "unhealthy",
            Self::Unresponsive => "unresponsive",
            Self::Missing => "missing",
            Self::Exited => "exited",
            Self::Zombie => "zombie",
            Self::Quarantined => "quarantined",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for ReplicaState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How a replica is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition {
    /// In one word.
    pub state: ReplicaState,
    /// Since when, where that is known.
    pub since: Option<Time>,
    /// Of which life.
    pub life: Option<Incarnation>,
}

/// How `replica` is; what shows in status, while findings say what is wrong with it.
pub fn condition(replica: &ReplicaId, scene: &Scene<'_>) -> Condition {
    let case = Case::of(scene, replica);
    let life = case.life.map(|(incarnation, _)| incarnation);
    if let Sight::Blind { since, .. } = scene.observation.sight {
        return Condition { state: ReplicaState::Unknown, since: Some(since), life };
    }
    let condition = match case.life {
        Some((incarnation, life)) => of_life(&case, incarnation, life),
        None => of_absent(&case),
    };
    if scene.history.quarantined.contains_key(replica) {
        return Condition { state: ReplicaState::Quarantined, ..condition };
    }
    condition
}

fn of_life(case: &Case<'_>, incarnation: Incarnation, life: &Life) -> Condition {
    let told = |state, since| Condition { state, since: Some(since), life: Some(incarnation) };
    if let Some(process) = &life.process {
        if process.stopping {
            return told(ReplicaState::Draining, shown(process.since, process.stamp));
        }
        if zombie(case, incarnation, life).is_some() {
            let since = case.seen.memberless_since.filter(|_| case.seen.embeds);
            return told(ReplicaState::Zombie, since.unwrap_or(shown(process.since, process.stamp)));
        }
        if process.probe == Probed::Failing && !case.is_coming_up(incarnation, life) {
            return told(ReplicaState::Unresponsive, shown(process.since, process.stamp));
        }
    }
    match (&life.member, &life.process) {
        (Some(member), process) => {
            let failing = process.as_ref().is_some_and(|process| process.probe == Probed::Failing);
            let state = match member.health {
                Health::Ready if failing => ReplicaState::Starting,
                Health::Ready => ReplicaState::Healthy,
                Health::Starting => ReplicaState::Starting,
                Health::Loading => ReplicaState::Loading,
                Health::Draining => ReplicaState::Draining,
                Health::Unhealthy => ReplicaState::Unhealthy,
            };
            told(state, shown(member.since, member.stamp))
        }
        (None, Some(process)) => {
            let state = match process.probe {
                Probed::Passing => ReplicaState::Healthy,
                Probed::Failing | Probed::Unknown => ReplicaState::Starting,
            };
            told(state, shown(process.since, process.stamp))
        }
        (None, None) => Condition { state: ReplicaState::Unknown, since: None, life: Some(incarnation) },
    }
}

/// Since when people are told that it is so: by the word of its host, which was there before us, but not after we saw it.
fn shown(seen: Time, stamp: Time) -> Time {
    if stamp == Time::default() { seen } else { seen.min(stamp) }
}

fn of_absent(case: &Case<'_>) -> Condition {
    let ordered = case.past.and_then(|past| past.back());
    if let Some(life) = ordered.filter(|life| is_on_its_way(case, life.incarnation)) {
        return Condition {
            state: ReplicaState::Starting,
            since: Some(life.at),
            life: Some(life.incarnation),
        };
    }
    let absent_since = case.seen.absent_since;
    match fate(case) {
        Fate::Dead { incarnation, at, .. } => {
            Condition { state: ReplicaState::Exited, since: at.or(absent_since), life: Some(incarnation) }
        }
        Fate::Absent { incarnation, .. } => {
            Condition { state: ReplicaState::Missing, since: absent_since, life: incarnation }
        }
        Fate::Unknown => Condition { state: ReplicaState::Unknown, since: absent_since, life: None },
    }
}

/// Whether an ordered life may appear at any moment.
fn is_on_its_way(case: &Case<'_>, incarnation: Incarnation) -> bool {
    let dead = case.seen.lives.get(&incarnation).is_some_and(|life| life.obituary.is_some())
        || case.past.into_iter().flatten().any(|it| it.incarnation == incarnation && it.obituary.is_some());
    !dead && case.is_being_started(incarnation)
}

/// Whether a life takes work: touching it would be felt.
pub fn is_serving(life: &Life) -> bool {
    says(life, &[Health::Ready, Health::Loading])
}

/// Whether a life works and has nothing left to do. Of one whose agent has left the group nobody knows.
pub fn is_healthy(life: &Life) -> bool {
    says(life, &[Health::Ready]) && !life.is_mute
}

/// Whether a life works and holds what it should, under whatever number.
///
/// A program that takes no state has nothing that could be wrong.
pub fn is_healthy_on(life: &Life, target: &Target) -> bool {
    is_healthy(life) && life.loaded().is_none_or(|loaded| loaded.state_hash == target.state_hash)
}

/// Whether a life was started with the program, parameters and probes that are declared, as far as its agent says.
pub fn is_as_declared(life: &Life, spec: &ReplicaSpec) -> bool {
    let setup = life.process.as_ref().and_then(|process| process.setup);
    setup.is_none_or(|setup| setup == spec.launch_hash())
}

/// Whether a life takes work with what it should hold in memory, although it may be busy with more.
pub fn serves_on(life: &Life, target: &Target) -> bool {
    is_serving(life)
        && !life.is_mute
        && life.loaded().is_none_or(|loaded| loaded.state_hash == target.state_hash)
}

/// Whether a life that runs feels one of `healths`, or passes its probe where it has no word of its own.
fn says(life: &Life, healths: &[Health]) -> bool {
    let probe = life.process.as_ref().map(|process| process.probe);
    let stopping = life.process.as_ref().is_some_and(|process| process.stopping);
    let fine = match &life.member {
        Some(member) => healths.contains(&member.health) && probe != Some(Probed::Failing),
        None => probe == Some(Probed::Passing),
    };
    life.is_alive() && !stopping && fine
}
