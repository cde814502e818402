//! Run: one seed from its beginning to rest, or to what it breaks.
//!
//! ```text
//! set up ─► found ─► harm, for a while ─► calm ─► does it come to rest? ─► is nothing lost?
//! ```

use watchdog_core::history::History;

use crate::audit::Violation;
use crate::bot::find_way_out;
use crate::figures::Figures;
use crate::mutant::Safeguard;
use crate::nemesis::{Fault, KINDS, permanent, schedule};
use crate::rest::restless;
use crate::rng::Rng;
use crate::setup::Setup;
use crate::world::World;

/// When harm begins: by then a cluster is founded.
const HARM_FROM_MS: u64 = 40_000;
/// How often it is asked whether all is at rest.
const ASK_EVERY_MS: u64 = 10_000;
/// How long all must be at rest.
const REST_MS: u64 = 60_000;

/// What is expected of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Whatever happens, nothing is broken; and in the end it comes to rest.
    #[default]
    Safety,
    /// It comes to rest also with one thing broken for ever: of this kind.
    Liveness(u64),
}

/// How many things can be broken for ever.
pub const PERMANENT_KINDS: u64 = 6;

/// What is run.
#[derive(Debug, Clone, Default)]
pub struct Order {
    /// Which seed.
    pub seed: u64,
    /// What is expected.
    pub mode: Mode,
    /// Which safeguard is taken away.
    pub mutant: Option<Safeguard>,
    /// For how long harm is done.
    pub harm_ms: u64,
    /// The harm, in the place of what the seed would draw.
    pub faults: Option<Vec<Fault>>,
    /// The only kinds of harm, each as often as it stands here; none: all.
    pub kinds: &'static [usize],
    /// So many times as long from one harm to the next as the seed would draw; 0 is as 1.
    pub rarer: u64,
    /// Whether the story is told.
    pub tells: bool,
    /// Whether known mistakes end it too.
    pub strict: bool,
}

impl Order {
    /// A seed in safety mode.
    pub fn of(seed: u64) -> Self {
        Self { seed, harm_ms: 900_000, ..Self::default() }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// What was broken.
    pub violation: Option<Violation>,
    /// What was counted.
    pub figures: Figures,
    /// A hash over everything that happened.
    pub trace: u64,
    /// The harm that was planned.
    pub faults: Vec<Fault>,
    /// What happened, if it was told.
    pub story: crate::story::Story,
}

/// Runs one seed.
pub fn run(order: &Order) -> Outcome {
    let root = Rng::new(order.seed);
    let mut drawn = root.split(1);
    let Some(setup) = Setup::of(&mut drawn) else {
        let what = "the setup has no names".to_owned();
        return Outcome {
            violation: Some(Violation { audit: "setup", at: 0, what, known: None }),
            figures: Figures::default(),
            trace: 0,
            faults: Vec::new(),
            story: crate::story::Story::default(),
        };
    };
    let until = HARM_FROM_MS + order.harm_ms;
    let mut harm = root.split(2);
    let faults = order.faults.clone().unwrap_or_else(|| drawn_faults(&setup, order, (&mut harm, until)));
    let mut world = World::new(setup, root.split(3), order.mutant);
    world.story.is_told = order.tells;
    world.is_strict = order.strict;
    for (index, fault) in faults.iter().enumerate() {
        world.agenda.plan(fault.at, crate::event::Event::Fault(index));
    }
    world.nemesis.faults.clone_from(&faults);
    world.begin();
    world.run_until(until);
    let calm_at = faults.iter().filter_map(|it| Some(it.at + it.lasts_ms?)).max().unwrap_or(until).max(until);
    world.run_until(calm_at);
    come_to_rest(&mut world);
    find_way_out(&mut world);
    nothing_lost(&mut world);
    finish(world, faults)
}

fn drawn_faults(setup: &Setup, order: &Order, (rng, until): (&mut Rng, u64)) -> Vec<Fault> {
    let gap_ms = setup.gap_ms * order.rarer.max(1);
    let mut faults = schedule(setup, rng, ((HARM_FROM_MS, until), gap_ms, order.kinds));
    if let Mode::Liveness(kind) = order.mode {
        let at = HARM_FROM_MS + order.harm_ms / 2;
        let broken = permanent(setup, rng, kind % PERMANENT_KINDS);
        faults.extend(broken.into_iter().map(|harm| Fault { at, harm, lasts_ms: None }));
        faults.sort_by_key(|fault| fault.at);
    }
    faults
}

/// Waits until all is at rest for a while; a violation if that never comes.
fn come_to_rest(world: &mut World) {
    let policy = &world.setup.policy;
    // The longest back-off, all tries and every step's time-out, some times over; and the hour after which a machine that
    // is gone is forgotten. Each leader counts it by itself, by a clock that may still be steered back by a tenth, and each
    // may still be stopped at what it sends next.
    let leaders = world.dogs.len() as u64 + 1;
    let patience_ms = 20 * policy.backoff.max_ms + leaders * 4_000_000;
    let deadline = world.now + patience_ms;
    let mut since = None;
    while world.violation.is_none() {
        let next = world.now + ASK_EVERY_MS;
        world.run_until(next);
        match restless(world) {
            None => {
                let since = *since.get_or_insert(world.now);
                if world.now - since >= REST_MS {
                    world.figures.converged += 1;
                    return;
                }
            }
            Some(what) => {
                since = None;
                if world.now >= deadline && world.violation.is_none() {
                    world.complain(Violation { audit: "converges", at: world.now, what, known: None });
                    return;
                }
            }
        }
    }
}

/// Nothing that was committed is lost or reordered, and to fold bit by bit comes to the same.
fn nothing_lost(world: &mut World) {
    if world.violation.is_some() {
        return;
    }
    let journal = &world.journal;
    let replayed = History::replay(&journal.entries);
    let leader = world.dogs.iter().find(|dog| dog.lead.is_some()).and_then(|dog| dog.mind.as_ref());
    let differs =
        leader.is_some_and(|mind| mind.history.through == replayed.through && *mind.history != replayed);
    let chain = journal.log.iter().zip(journal.log.iter().skip(1)).all(|(a, b)| a.hash == b.previous);
    let sound = journal.log.iter().all(|entry| entry.hash == entry.computed_hash());
    let what = match () {
        () if replayed != journal.folded => "folding bit by bit came to something else than all at once",
        () if differs => "a leader's history is not that of the record",
        () if !chain || !sound => "the log's chain is broken",
        () => return,
    };
    world.complain(Violation { audit: "durable", at: world.now, what: what.to_owned(), known: None });
}

fn finish(mut world: World, faults: Vec<Fault>) -> Outcome {
    let mishaps = world.net.mishaps;
    let mut done = world.nemesis.done.clone();
    done.0[KINDS.len() - 3] = mishaps.lost;
    done.0[KINDS.len() - 2] = mishaps.doubled;
    done.0[KINDS.len() - 1] = mishaps.reordered;
    done.0[16] += world.figures.answers_lost;
    world.figures.faults = done;
    world.figures.runs = 1;
    world.figures.simulated_ms = world.now;
    Outcome {
        violation: world.violation,
        figures: world.figures,
        trace: world.trace,
        faults,
        story: world.story,
    }
}
