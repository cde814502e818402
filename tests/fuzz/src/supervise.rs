//! Supervise: runs each campaign in a process of its own, so that one that dies or hangs is a finding and not the end.
//!
//! ```text
//! worker ──report──► table
//!    ├─ panics, slow ones: caught, reduced and kept by the worker itself
//!    ├─ hangs: the worker's own watch keeps the input and ends it
//!    └─ dies of a signal (stack, memory): run again with a trace, whose last input it was
//! ```

use std::io::{Seek as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, setrlimit};
use serde::{Deserialize, Serialize};

use crate::campaign::{Order, Report, run_campaign};
use crate::reduce::reduce;
use crate::run::Outcome;
use crate::target::Target;
use crate::{corpus, targets};

/// An execution that takes longer than this is not waited for.
const HANG: Duration = Duration::from_secs(20);
/// How much memory a worker may have.
const MEMORY_BYTES_MAX: u64 = 2 << 30;
/// With what a worker ends that has hung.
pub const HUNG: i32 = 3;

/// A report, as a worker hands it over.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Row {
    /// Which target.
    pub target: String,
    /// Executions.
    pub executions: u64,
    /// Those that were understood.
    pub taken: u64,
    /// Different answers.
    pub shapes: usize,
    /// Files of the corpus.
    pub corpus: usize,
    /// The longest execution, in milliseconds.
    pub slowest_ms: u64,
    /// How long all took, in milliseconds.
    pub took_ms: u64,
    /// Executions that showed a known bug.
    pub awaiting: u64,
    /// What was found, a line each.
    pub findings: Vec<String>,
}

/// What a worker is told.
#[derive(Debug, Clone, Copy)]
pub struct Task {
    /// Which mutations, and how many.
    pub order: Order,
    /// Whether each input is written down before it is executed.
    pub trace: bool,
}

fn trace_file(target: &str) -> PathBuf {
    std::env::temp_dir().join(format!("watchdog-fuzz-{target}-{}", std::process::id()))
}

/// Works as the process that it is: prints a row as JSON.
///
/// # Errors
///
/// When the corpus can't be read or a finding not be kept.
pub fn work(target: &Target, task: Task) -> anyhow::Result<()> {
    let limit = Rlimit { current: Some(MEMORY_BYTES_MAX), maximum: Some(MEMORY_BYTES_MAX) };
    setrlimit(Resource::As, limit).context("limit the memory")?;
    let seeds = seeds(target)?;
    let corpus = seeds.len();
    let begun = Arc::new((AtomicU64::new(0), Mutex::new(Vec::new())));
    watch(target.name, begun.clone());
    let mut trace = if task.trace { std::env::var_os("WATCHDOG_FUZZ_TRACE") } else { None }
        .map(std::fs::File::create)
        .transpose()
        .context("make the trace")?;
    let report = run_campaign(target, seeds, task.order, |index, input| {
        begun.0.store(index + 1, Ordering::Relaxed);
        begun.1.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&input.to_vec());
        if let Some(trace) = &mut trace {
            // A trace that can't be written is missed when it is read.
            let _ = trace.rewind().and_then(|()| trace.set_len(0)).and_then(|()| trace.write_all(input));
        }
    });
    let row = row(target, corpus, &report)?;
    println!("{}", serde_json::to_string(&row)?);
    Ok(())
}

/// The samples of a target as the types are now, its corpus, and what once showed a bug in it.
///
/// # Errors
///
/// When a file can't be read.
pub fn seeds(target: &Target) -> anyhow::Result<Vec<Vec<u8>>> {
    let mut seeds = (target.samples)();
    for kind in [corpus::CORPUS, corpus::CRASHES] {
        for (_, input) in corpus::load(kind, target.name)? {
            if !seeds.contains(&input) {
                seeds.push(input);
            }
        }
    }
    Ok(seeds)
}

fn row(target: &Target, corpus: usize, report: &Report) -> anyhow::Result<Row> {
    let mut findings = Vec::new();
    for (kind, (input, outcome)) in &report.findings {
        let input = reduce(target, input);
        let path = corpus::keep(corpus::CRASHES, target.name, &input)?;
        let said = match outcome {
            Outcome::Panicked(said) => said.chars().take(300).collect(),
            Outcome::Slow(took) => format!("{took:?} for {} bytes", input.len()),
            Outcome::Answered(_) => kind.clone(),
        };
        findings.push(format!("{}: {said}", path.display()));
    }
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Ok(Row {
        target: target.name.to_owned(),
        executions: report.executions,
        taken: report.taken,
        shapes: report.shapes,
        corpus,
        slowest_ms: ms(report.slowest),
        took_ms: ms(report.took),
        awaiting: report.awaiting,
        findings,
    })
}

/// Ends this process when an execution hangs, with its input kept.
fn watch(target: &'static str, begun: Arc<(AtomicU64, Mutex<Vec<u8>>)>) {
    let look = move || {
        let mut before = 0;
        loop {
            std::thread::sleep(HANG);
            let now = begun.0.load(Ordering::Relaxed);
            if now == before {
                let input = begun.1.lock().unwrap_or_else(PoisonError::into_inner).clone();
                match corpus::keep(corpus::CRASHES, target, &input) {
                    Ok(path) => eprintln!("{target}: hangs on {}", path.display()),
                    Err(error) => eprintln!("{target}: hangs, and its input can't be kept: {error:#}"),
                }
                std::process::exit(HUNG);
            }
            before = now;
        }
    };
    std::thread::spawn(look);
}

/// Runs one target's campaign in a process of its own.
///
/// # Errors
///
/// When no process can be started.
pub fn supervise(target: &str, order: Order) -> anyhow::Result<Row> {
    let (status, output) = worker(target, order, None)?;
    if status.success() {
        return serde_json::from_str(output.trim()).with_context(|| format!("read the report of {target}"));
    }
    let mut findings = vec![format!("{target}: its process ended with {status}")];
    if status.code() != Some(HUNG) {
        let trace = trace_file(target);
        worker(target, order, Some(&trace))?;
        let input = std::fs::read(&trace).unwrap_or_default();
        let path = corpus::keep(corpus::CRASHES, target, &input)?;
        // Nothing is lost by a trace that stays.
        let _ = std::fs::remove_file(&trace);
        findings.push(format!("{}: {status}", path.display()));
    }
    Ok(Row { target: target.to_owned(), findings, ..Row::default() })
}

fn worker(target: &str, order: Order, trace: Option<&PathBuf>) -> anyhow::Result<(ExitStatus, String)> {
    let mut command = Command::new(std::env::current_exe().context("find this program")?);
    command.args([
        "--worker",
        target,
        "--executions",
        &order.executions.to_string(),
        "--seed",
        &order.seed.to_string(),
    ]);
    if let Some(trace) = trace {
        command.env("WATCHDOG_FUZZ_TRACE", trace);
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("start a worker")?;
    Ok((output.status, String::from_utf8_lossy(&output.stdout).into_owned()))
}

/// Runs the campaigns of these targets, so many at a time; in the order of the targets.
///
/// # Errors
///
/// The first one that could not be run.
pub fn supervise_all(names: &[&'static str], order: Order, jobs: usize) -> anyhow::Result<Vec<Row>> {
    let next = AtomicU64::new(0);
    let rows = Mutex::new(Vec::new());
    let work = || {
        loop {
            let index = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX);
            let Some(name) = names.get(index) else { return };
            let row = supervise(name, order);
            rows.lock().unwrap_or_else(PoisonError::into_inner).push((index, row));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(work);
        }
    });
    let mut rows = rows.into_inner().unwrap_or_else(PoisonError::into_inner);
    rows.sort_by_key(|(index, _)| *index);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// The target of this name.
///
/// # Errors
///
/// That there is none, with those that there are.
pub fn target(name: &str) -> anyhow::Result<&'static Target> {
    let known = || targets::ALL.iter().map(|target| target.name).collect::<Vec<_>>().join(", ");
    targets::named(name).with_context(|| format!("there is no target {name:?}; there are: {}", known()))
}
