//! Watchdog-faults: the real-fault suite as a program.
//!
//! ```text
//! outside: build the programs ─► for each seed: cage ─► result.json ─► sum ─► table or JSON ─► exit code
//! inside:  run, or control ─► result.json
//! ```

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser as _;
use watchdog_faults::arguments::{Arguments, Output, Part};
use watchdog_faults::checks::Violation;
use watchdog_faults::report::{Progress, json, table};
use watchdog_faults::run::{Order, run};
use watchdog_faults::tally::Tally;
use watchdog_faults::{cage, control, programs};
use watchdog_tests::Directory;

const RESULT: &str = "result.json";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.inside {
        Some(root) => inside(root, &arguments).map(|()| ExitCode::SUCCESS),
        None => outside(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// One seed or the control, inside of the namespaces.
fn inside(root: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let programs = arguments.programs.clone().context("--inside needs --programs")?;
    let seed = arguments.seeds().start;
    let tally = if arguments.part == Part::Control {
        let progress = Progress::of("control".to_owned());
        progress.tell("sends stale orders to host agents whose fence is open");
        let tally = control::run(root, &programs, arguments.control());
        progress.end();
        tally?
    } else {
        let progress = Progress::of(format!("seed {seed}"));
        let cut_off = arguments.cut_off(false);
        let order = Order { seed, faults: arguments.faults, cut_off };
        let tally = run(root, &programs, &order, |what| progress.tell(what));
        progress.end();
        tally?
    };
    let text = serde_json::to_string(&tally).context("write the result")?;
    std::fs::write(root.join(RESULT), text).context("write the result")
}

fn outside(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if let Err(error) = cage::possible() {
        eprintln!("the real-fault suite can't run here: {error:#}");
        let code = if arguments.may_be_impossible { ExitCode::SUCCESS } else { ExitCode::from(2) };
        return Ok(code);
    }
    // Asked for now, because cargo puts the same program in its place anew, and ours is then called deleted.
    let this = std::env::current_exe().context("find this program")?;
    let programs = programs::build(&this)?;
    let suite = Suite { arguments, this, programs };
    let mut sum = Tally::default();
    let begun = Instant::now();
    let seeds = arguments.seeds();
    let last = seeds.end - 1;
    let mut seed = seeds.start;
    loop {
        let in_time = arguments.minutes.is_some_and(|it| begun.elapsed() < Duration::from_mins(it));
        let is_last = if arguments.minutes.is_some() { !in_time } else { seed >= last };
        // One run that fails does not take away what the others have shown, in hours perhaps.
        sum.add(suite.seed(seed, arguments.cut_off(is_last)).unwrap_or_else(|error| failed(seed, &error)));
        if is_last || arguments.minutes.is_some_and(|it| begun.elapsed() >= Duration::from_mins(it)) {
            break;
        }
        seed += 1;
    }
    let control = match arguments.control() {
        0 => None,
        _ => Some(suite.control()?),
    };
    match arguments.output {
        Output::Table => print!("{}", table(&sum, control.as_ref())),
        Output::Json => println!("{:#}", json(&sum, control.as_ref())),
    }
    Ok(if sum.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A run that did not come to its end has shown nothing.
fn failed(seed: u64, error: &anyhow::Error) -> Tally {
    eprintln!("seed {seed}: {error:#}");
    let violation = Violation { check: "run".to_owned(), what: format!("seed {seed} failed: {error:#}") };
    Tally { seeds: vec![seed], violations: vec![violation], ..Tally::default() }
}

struct Suite<'a> {
    arguments: &'a Arguments,
    this: PathBuf,
    programs: PathBuf,
}

impl Suite<'_> {
    fn seed(&self, seed: u64, cut_off: Duration) -> anyhow::Result<Tally> {
        let words = [
            "--seeds".to_owned(),
            format!("{seed}..{}", seed + 1),
            "--faults".to_owned(),
            self.arguments.faults.to_string(),
            "--cut-off".to_owned(),
            humantime::format_duration(cut_off).to_string(),
        ];
        let again = format!("--seeds {seed}..{} --faults {}", seed + 1, self.arguments.faults);
        self.enter(&format!("seed-{seed}"), &words, &again)
    }

    fn control(&self) -> anyhow::Result<Tally> {
        let count = self.arguments.control().to_string();
        let words = ["--part".to_owned(), "control".to_owned(), "--control".to_owned(), count];
        self.enter("control", &words, "--faults 0")
    }

    /// Runs in a directory of its own, which is kept when there is something to look at.
    fn enter(&self, name: &str, words: &[String], again: &str) -> anyhow::Result<Tally> {
        let directory = Directory::fresh("watchdog-faults-")?;
        let root = directory.path();
        let mut all: Vec<OsString> = vec!["--inside".into(), root.into(), "--programs".into()];
        all.push(self.programs.clone().into());
        all.extend(words.iter().map(OsString::from));
        let status = cage::enter(&self.this, &all, &root.join("output.log"))?;
        let read = std::fs::read_to_string(root.join(RESULT)).context("the run left no result");
        let tally = read.and_then(|text| serde_json::from_str::<Tally>(&text).context("read the result"));
        // What the control did to its cluster are violations by intention.
        let is_control = words.iter().any(|word| word == "--part");
        let bad = tally.as_ref().map_or(true, |tally| !is_control && !tally.violations.is_empty());
        if bad || self.arguments.keep {
            let kept =
                std::env::temp_dir().join(format!("watchdog-faults-kept-{name}-{}", std::process::id()));
            std::fs::rename(root, &kept).context("keep the logs")?;
            eprintln!("the logs are kept in {}", kept.display());
            if bad {
                eprintln!("to run it again: cargo run --release -p watchdog-faults -- {again}");
            }
        }
        anyhow::ensure!(status.success(), "the run of {name} failed: {status}");
        tally
    }
}
