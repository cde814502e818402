//! Fate: what became of a replica of which no life is seen.
//!
//! ```text
//! newest life that we know of ─► obituary, or its host booted again ──► Dead
//!                             ─► its host's agent lists no such process ─► Absent, proven
//!                             ─► its host's agent owns it and is away for less than a lease ─► Unknown
//!                             ─► else ─► Absent, by silence
//! ```

use crate::finding::{Proof, Source};
use crate::ids::{HostId, Incarnation, Time};
use crate::observation::{Obituary, Presence};
use crate::scene::{Case, Scene};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Its newest life is proven dead.
    Dead {
        /// Which.
        incarnation: Incarnation,
        /// Who said so.
        source: Source,
        /// When it was found dead.
        at: Option<Time>,
        /// How it died.
        detail: String,
    },
    /// It is not there, and nobody has said why.
    Absent {
        /// The life that should be there; `None` when it was never started.
        incarnation: Option<Incarnation>,
        /// Who says that it is not there.
        source: Source,
        /// Whether that is known, or only that nobody says that it is.
        proof: Proof,
        /// What exactly.
        detail: String,
    },
    /// Those who would know can't be asked right now.
    Unknown,
}

/// What became of a replica none of whose lives is seen alive.
///
/// A life that an open plan has just ordered is left out: until it is seen, the one before it is what is wrong.
pub(crate) fn fate(case: &Case<'_>) -> Fate {
    let Some(last) = last_life(case) else {
        return never_started(case);
    };
    if let Some((obituary, source)) = last.obituary {
        return Fate::Dead {
            incarnation: last.incarnation,
            source,
            at: Some(obituary.at),
            detail: format!("it died on {}: {}", obituary.host, obituary.status),
        };
    }
    let host = last.host;
    match Word::of(case.scene, host) {
        Word::Rebooted => Fate::Dead {
            incarnation: last.incarnation,
            source: Source::HostAgent,
            at: None,
            detail: format!("{host} has booted again since it was started there"),
        },
        Word::Knows => Fate::Absent {
            incarnation: Some(last.incarnation),
            source: Source::HostAgent,
            proof: Proof::Proven,
            detail: format!("the agent of {host} lists no process of it"),
        },
        Word::Arriving => silent(case, Some(last.incarnation), case.seen.absent_since, host),
        Word::Away(since) => silent(case, Some(last.incarnation), since.or(case.seen.absent_since), host),
    }
}

fn silent(case: &Case<'_>, life: Option<Incarnation>, since: Option<Time>, host: &HostId) -> Fate {
    let silent_ms = since.map_or(0, |since| case.now().since_ms(since));
    if !case.seen.embeds && silent_ms < case.scene.policy.lease_ms {
        return Fate::Unknown;
    }
    Fate::Absent {
        incarnation: life,
        source: Source::Group,
        proof: Proof::Silence,
        detail: format!("it is not in the group, and the agent of {host} does not say what became of it"),
    }
}

fn never_started(case: &Case<'_>) -> Fate {
    let hosts = case.spec.map_or(&[][..], |spec| &spec.hosts);
    let arriving = hosts.iter().find(|host| matches!(Word::of(case.scene, host), Word::Arriving));
    if let Some(host) = arriving {
        return silent(case, None, case.seen.absent_since, host);
    }
    Fate::Absent {
        incarnation: None,
        source: Source::Record,
        proof: Proof::Proven,
        detail: "it was never started".to_owned(),
    }
}

struct LastLife<'a> {
    incarnation: Incarnation,
    host: &'a HostId,
    obituary: Option<(&'a Obituary, Source)>,
}

/// The newest life, seen or ordered, that is not just being started.
fn last_life<'a>(case: &Case<'a>) -> Option<LastLife<'a>> {
    let seen = case.seen.lives.iter().map(|(incarnation, life)| LastLife {
        incarnation: *incarnation,
        host: &life.host,
        obituary: life.obituary.as_ref().map(|obituary| (obituary, Source::HostAgent)),
    });
    let ordered = case.past.into_iter().flatten().map(|life| LastLife {
        incarnation: life.incarnation,
        host: &life.host,
        obituary: life.obituary.as_ref().map(|obituary| (obituary, Source::Record)),
    });
    seen.chain(ordered)
        .filter(|life| life.obituary.is_some() || !case.is_being_started(life.incarnation))
        .max_by_key(|life| {
            let obituary = life.obituary.map(|(obituary, _)| obituary);
            let rank = case.scene.history.rank(case.replica, (life.incarnation, obituary));
            (rank, life.obituary.is_some(), life.incarnation)
        })
}

/// What the agent of a host can say of the processes there.
pub(crate) enum Word {
    /// All of them.
    Knows,
    /// That none from before is left.
    Rebooted,
    /// Nothing yet: it is still finding out.
    Arriving,
    /// Nothing: it is away, since then if that was seen.
    Away(Option<Time>),
}

impl Word {
    pub(crate) fn of(scene: &Scene<'_>, host: &HostId) -> Self {
        let Some(seen) = scene.observation.hosts.get(host) else {
            return Self::Away(None);
        };
        if let Presence::Gone { since } = seen.presence {
            return Self::Away(Some(since));
        }
        let before = scene.history.hosts.get(host);
        if before.is_some_and(|before| before.boot_id != seen.boot_id) {
            Self::Rebooted
        } else if seen.inventory_complete {
            Self::Knows
        } else {
            Self::Arriving
        }
    }
}
