//! Weather: harm to what a watchdog leans on that is neither there nor gone: slow, full, silent, hours off, another one.

use watchdog_core::ids::ReplicaId;

use super::whim::Whim;
use super::{Fault, Harm};
use crate::rng::Rng;
use crate::setup::Setup;

/// The first kind of it among [`super::KINDS`].
pub(super) const FIRST_KIND: usize = 25;

/// So many times as long from one to the next as with all other harm.
const RARER: u64 = 5;

/// The weather of one run.
pub(super) fn weather(
    setup: &Setup,
    rng: &mut Rng,
    ((from, until), gap_ms): ((u64, u64), u64),
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut at = from;
    loop {
        at += rng.range(1, 2 * gap_ms * RARER);
        if at >= until {
            return faults;
        }
        let (harm, lasts_ms) = draw(setup, rng);
        faults.push(Fault { at, harm, lasts_ms: Some(lasts_ms) });
    }
}

/// One piece of it, and how long it lasts.
pub(super) fn draw(setup: &Setup, rng: &mut Rng) -> (Harm, u64) {
    let host = rng.index(setup.hosts.len());
    let dog = rng.index(setup.dogs.len());
    let names: Vec<&ReplicaId> = setup.replicas.keys().collect();
    let long = rng.range(1_000, 60_000);
    match rng.below(28) {
        0..4 => (Harm::JournalSlow, long),
        4..7 => (Harm::JournalFull, long / 2),
        7..10 => (Harm::JournalRefuses, long / 2),
        10..13 => (Harm::SilenceAgent(host), long),
        13..16 => (Harm::FillAgent(host), long),
        16..19 => {
            let hours = i64::try_from(rng.range(1, 9 * 60)).unwrap_or_default() * 60_000;
            (Harm::ClockHours(dog, if rng.chance(600) { hours } else { -hours }), 0)
        }
        19..22 => (Harm::ReplaceHost(host), 0),
        22..24 => {
            let who = rng.chance(400).then(|| (*rng.pick(&names)).clone());
            (Harm::BadVersion("dies-only-at-start", who), 0)
        }
        24..26 => (Harm::Whim(Whim::Edit), 0),
        _ => (Harm::Whim(Whim::Bounds), 0),
    }
}
