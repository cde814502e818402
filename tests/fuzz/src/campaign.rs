//! Campaign: many executions of one target, each a mutation of what is known to lead somewhere.

use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

use crate::awaiting;
use crate::mutate::Mutator;
use crate::rng::Rng;
use crate::run::{Outcome, kind, run};
use crate::target::{Target, Verdict};

/// More inputs than these are not kept to be mutated; the oldest finds give way.
const POOL_MAX: usize = 4_000;
/// Longer inputs are not kept in the pool, so that executions stay quick.
const POOL_BYTES_MAX: usize = 8 * 1024;
/// Mutations that are piled up at most.
const MUTATIONS_MAX: usize = 4;

/// What to do.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// Which mutations.
    pub seed: u64,
    /// How many executions.
    pub executions: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Of which target.
    pub target: &'static str,
    /// Executions.
    pub executions: u64,
    /// Those that were understood.
    pub taken: u64,
    /// Different answers.
    pub shapes: usize,
    /// The longest execution.
    pub slowest: Duration,
    /// How long all took.
    pub took: Duration,
    /// Executions that showed a bug which is known and not mended.
    pub awaiting: u64,
    /// One input for each kind of finding, with what it showed.
    pub findings: BTreeMap<String, (Vec<u8>, Outcome)>,
}

/// Runs a campaign from these inputs. `each` is told of every input before it is executed.
pub fn run_campaign(
    target: &Target,
    seeds: Vec<Vec<u8>>,
    order: Order,
    mut each: impl FnMut(u64, &[u8]),
) -> Report {
    let mut rng = Rng::new(order.seed ^ name_seed(target.name));
    let mut mutator = Mutator::new(target.flavour, &seeds);
    let mut pool = seeds;
    if pool.is_empty() {
        pool.push(Vec::new());
    }
    let firsts = pool.len();
    let mut understood = Vec::new();
    let mut seen = HashSet::new();
    let mut report = Report { target: target.name, ..Report::default() };
    let began = Instant::now();
    while report.executions < order.executions {
        let index = usize::try_from(report.executions).unwrap_or(usize::MAX);
        let mut input = match pool.get(index) {
            Some(first) if index < firsts => first.clone(),
            // What is understood is worth more: a small change of it may still get through.
            _ if rng.one_in(2) => rng.pick(&understood).or(pool.first()).cloned().unwrap_or_default(),
            _ => rng.pick(&pool).cloned().unwrap_or_default(),
        };
        if index >= firsts {
            let mutations = if rng.one_in(2) { 1 } else { 1 + rng.below(MUTATIONS_MAX) };
            for _ in 0..mutations {
                mutator.mutate(&mut input, &pool, &mut rng);
            }
        }
        each(report.executions, &input);
        let (outcome, took) = run(target, &input);
        report.executions += 1;
        report.slowest = report.slowest.max(took);
        let is_understood = matches!(outcome, Outcome::Answered(Verdict::Taken(_)));
        let Some(shape) = report.take_in(&input, outcome) else { continue };
        if seen.insert(shape) && input.len() <= POOL_BYTES_MAX {
            if is_understood {
                keep(&mut understood, input.clone(), 0, &mut rng);
            }
            keep(&mut pool, input, firsts, &mut rng);
        }
    }
    report.shapes = seen.len();
    report.took = began.elapsed();
    report
}

/// Adds an input, or puts it in the place of one that is not among the first.
fn keep(pool: &mut Vec<Vec<u8>>, input: Vec<u8>, firsts: usize, rng: &mut Rng) {
    match pool.get_mut(firsts + rng.below(POOL_MAX)) {
        Some(old) => *old = input,
        None => pool.push(input),
    }
}

impl Report {
    /// Notes an outcome; answers the shape of an answer.
    fn take_in(&mut self, input: &[u8], outcome: Outcome) -> Option<u64> {
        match (&outcome, kind(&outcome)) {
            (Outcome::Answered(verdict), _) => {
                self.taken += u64::from(matches!(verdict, Verdict::Taken(_)));
                Some(verdict.shape())
            }
            (Outcome::Panicked(said), _) if awaiting::is_known(self.target, said) => {
                self.awaiting += 1;
                None
            }
            (_, Some(kind)) => {
                self.findings.entry(kind).or_insert_with(|| (input.to_vec(), outcome));
                None
            }
            (_, None) => None,
        }
    }
}

/// Targets with the same seed go different ways.
fn name_seed(name: &str) -> u64 {
    name.bytes().fold(0, |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)))
}
