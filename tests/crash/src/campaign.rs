//! Campaign: many trials, on several clusters side by side.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use watchdog_tests::story::Backend;

use crate::audit::Audit;
use crate::points::Point;
use crate::stage::Stage;
use crate::trial::kill_at;

/// What to do.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// On what the clusters are built.
    pub backend: Backend,
    /// How many clusters run side by side.
    pub clusters: usize,
    /// How often a process is killed at each point.
    pub times: u64,
    /// Whether each kill is told on standard error.
    pub tells: bool,
}

/// A trial that went wrong.
#[derive(Debug, Clone)]
pub struct Failure {
    /// At which point.
    pub point: &'static str,
    /// What was found.
    pub why: String,
}

/// How a campaign went.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    /// How many points were asked for.
    pub points: usize,
    /// How many of them had all of their kills, and all promises kept.
    pub passed: usize,
    /// How many kills there were.
    pub kills: u64,
    /// How long each took, from arming to the end of the audits.
    pub took: Vec<Duration>,
    /// What went wrong.
    pub failures: Vec<Failure>,
    /// How long all of it took.
    pub elapsed: Duration,
}

/// Kills at each of the points as often as the plan says.
///
/// # Errors
///
/// If no cluster can be started; what goes wrong in a trial is in the outcome.
pub fn run(points: &[&'static Point], plan: Plan) -> anyhow::Result<Outcome> {
    let started = Instant::now();
    let trials: VecDeque<(&'static Point, u64)> =
        (0..plan.times).flat_map(|time| points.iter().map(move |point| (*point, time))).collect();
    let shared = Shared { trials: Mutex::new(trials), outcome: Mutex::default(), plan };
    std::thread::scope(|scope| {
        let work = || scope.spawn(|| shared.work());
        let workers: Vec<_> = (0..plan.clusters.max(1)).map(|_| work()).collect();
        for worker in workers {
            match worker.join() {
                Ok(done) => done?,
                Err(_) => anyhow::bail!("a worker panicked"),
            }
        }
        anyhow::Ok(())
    })?;
    let mut outcome = shared.outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcome.points = points.len();
    let failed = |point: &&&Point| outcome.failures.iter().any(|failure| failure.point == point.name);
    outcome.passed = points.len() - points.iter().filter(failed).count();
    outcome.elapsed = started.elapsed();
    Ok(outcome)
}

struct Shared {
    trials: Mutex<VecDeque<(&'static Point, u64)>>,
    outcome: Mutex<Outcome>,
    plan: Plan,
}

impl Shared {
    fn work(&self) -> anyhow::Result<()> {
        let mut cluster = None;
        while let Some((point, time)) = self.next() {
            let (mut stage, mut audit) = match cluster.take() {
                Some(cluster) => cluster,
                None => (Stage::begin(self.plan.backend)?, Audit::default()),
            };
            let done = kill_at(point, time, (&mut stage, &mut audit));
            if self.file(point, done) {
                cluster = Some((stage, audit));
            }
        }
        Ok(())
    }

    fn next(&self) -> Option<(&'static Point, u64)> {
        self.trials.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// Remembers how a trial went; answers whether its cluster is good for another.
    fn file(&self, point: &'static Point, done: anyhow::Result<Duration>) -> bool {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        match done {
            Ok(took) => {
                outcome.kills += 1;
                outcome.took.push(took);
                if self.plan.tells {
                    eprintln!("killed at {} and back in {:.1} s", point.name, took.as_secs_f64());
                }
                true
            }
            Err(error) => {
                let why = format!("{error:#}");
                eprintln!("FAILED at {}: {why}", point.name);
                outcome.failures.push(Failure { point: point.name, why });
                false
            }
        }
    }
}

impl Outcome {
    /// The time under which this share of the kills were over.
    pub fn quantile(&self, share: f64) -> Duration {
        let mut took = self.took.clone();
        took.sort();
        let last = took.len().saturating_sub(1);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index"
        )]
        let index = (last as f64 * share) as usize;
        took.get(index).copied().unwrap_or_default()
    }
}
