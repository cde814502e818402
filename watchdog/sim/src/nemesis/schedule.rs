//! Schedule: draws what will be done, and when.

use watchdog_core::ids::ReplicaId;

use super::weather::{self, FIRST_KIND, weather};
use super::whim::Whim;
use super::{Fault, Harm};
use crate::net::Node;
use crate::rng::Rng;
use crate::setup::Setup;

/// Versions that don't work, with the words of [`crate::life::TRAITS`].
const BAD: [&str; 6] = ["dies-at-start", "dies", "hangs", "fails-to-load", "sickens", "lies"];

/// When harm is done, how long it is from one to the next, and of which kinds it is; none: all.
type Pace<'a> = ((u64, u64), u64, &'a [usize]);

/// The harm of one run; the weather is drawn apart, so that it leaves the rest as it is.
pub fn schedule(setup: &Setup, rng: &mut Rng, (span, gap_ms, kinds): Pace<'_>) -> Vec<Fault> {
    let mut apart = rng.split(7);
    let mut faults = of_kinds(setup, rng, (span, gap_ms, kinds));
    if kinds.is_empty() {
        faults.extend(weather(setup, &mut apart, (span, gap_ms)));
        faults.sort_by_key(|fault| fault.at);
    }
    faults
}

fn of_kinds(setup: &Setup, rng: &mut Rng, ((from, until), gap_ms, kinds): Pace<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut at = from;
    loop {
        at += rng.range(1, 2 * gap_ms);
        if at >= until {
            return faults;
        }
        let wanted = (!kinds.is_empty()).then(|| *rng.pick(kinds));
        let (harm, lasts_ms) = loop {
            let is_weather = wanted.is_some_and(|wanted| wanted >= FIRST_KIND);
            let drawn = if is_weather { weather::draw(setup, rng) } else { draw(setup, rng) };
            if wanted.is_none_or(|wanted| drawn.0.kind() == wanted) {
                break drawn;
            }
        };
        // Some that are stopped stay so.
        let for_ever = matches!(harm, Harm::Freeze(_)) && rng.chance(150);
        // No draw of its own, which would move all others.
        let harm = match harm {
            Harm::PauseHost(host) if at % 2 == 0 => Harm::PauseHostAtOrder(host),
            harm => harm,
        };
        faults.push(Fault { at, harm, lasts_ms: (!for_ever).then_some(lasts_ms) });
    }
}

/// What is broken for ever in liveness mode, by the number of its kind.
pub fn permanent(setup: &Setup, rng: &mut Rng, kind: u64) -> Vec<Harm> {
    let dog = rng.index(setup.dogs.len());
    let host = rng.index(setup.hosts.len());
    let names: Vec<&ReplicaId> = setup.replicas.keys().collect();
    match kind {
        0 => vec![Harm::Cut(Node::Dog(dog), Node::Journal)],
        1 => vec![Harm::LoseHost(host)],
        2 => vec![Harm::CrashAgent(host)],
        3 => vec![Harm::Whim(Whim::Hold((*rng.pick(&names)).to_string()))],
        4 => vec![Harm::CutOneWay(Node::Dog(dog), Node::Zoo)],
        _ => (0..setup.hosts.len()).map(|host| Harm::Cut(Node::Dog(dog), Node::Host(host))).collect(),
    }
}

fn draw(setup: &Setup, rng: &mut Rng) -> (Harm, u64) {
    let names: Vec<&ReplicaId> = setup.replicas.keys().chain(setup.spare.first()).collect();
    let replica = (*rng.pick(&names)).clone();
    let host = rng.index(setup.hosts.len());
    let dog = rng.index(setup.dogs.len());
    let short = rng.range(200, 8_000);
    let long = rng.range(1_000, 60_000);
    match rng.below(110) {
        0..12 => (Harm::Crash(replica), 0),
        14..18 => (Harm::Stick(replica), long),
        18..22 => (Harm::Freeze(replica), long),
        12 | 22..25 => (Harm::Sicken(replica), long),
        13 | 25..28 => (Harm::Drift(replica), 0),
        28..31 => (Harm::SlowStarts(host), long),
        31..35 => (Harm::LoseHost(host), long * 2),
        35..40 => (Harm::CrashAgent(host), short * 3),
        40..43 => (Harm::LoseState(host), short),
        43..49 => (Harm::CrashDog(dog), short * 2),
        49..55 => (Harm::FreezeDog(dog), short * 2),
        100..103 => (Harm::PauseHost(host), long / 2),
        103..106 => (Harm::CrashAgentInAct(host), short),
        106..108 => (Harm::FreezeDogAtSend(dog), short * 3),
        108..110 => (Harm::FreezeDogAtWrite(dog), short * 3),
        55..60 => {
            let (from, to) = link(setup, rng);
            (Harm::CutOneWay(from, to), long / 2)
        }
        60..64 => {
            let (a, b) = link(setup, rng);
            (Harm::Cut(a, b), long / 2)
        }
        64..67 => {
            let node = if rng.chance(500) { Node::Dog(dog) } else { Node::Host(host) };
            (Harm::Isolate(node), long / 2)
        }
        67..72 => (Harm::BadWeather, long),
        72..75 => (Harm::JournalDown, short * 2),
        75..79 => (Harm::JournalLoses, long),
        79..81 => (Harm::ZooDown, short * 3),
        81..85 => {
            let node = if rng.chance(600) { Node::Dog(dog) } else { Node::Host(host) };
            // Some so far that it is taken over at once.
            let far = if rng.chance(200) { 300_000 } else { 20_000 };
            let jump = i64::try_from(rng.range(500, far)).unwrap_or_default();
            (Harm::ClockJump(node, if rng.chance(500) { jump } else { -jump }), 0)
        }
        85..89 => {
            let who = rng.chance(600).then_some(replica);
            (Harm::BadVersion(BAD[rng.index(BAD.len())], who), 0)
        }
        _ => (Harm::Whim(Whim::draw(setup, rng)), 0),
    }
}

/// A link that somebody uses.
fn link(setup: &Setup, rng: &mut Rng) -> (Node, Node) {
    let dog = Node::Dog(rng.index(setup.dogs.len()));
    let host = Node::Host(rng.index(setup.hosts.len()));
    let pairs = [(dog, Node::Journal), (dog, Node::Zoo), (host, Node::Zoo), (dog, host)];
    let (a, b) = *rng.pick(&pairs);
    if rng.chance(500) { (a, b) } else { (b, a) }
}
