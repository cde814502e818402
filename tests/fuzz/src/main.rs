//! Fuzz: feeds the readers of bytes from outside with inputs that nobody would write, and says what came of it.

use std::process::ExitCode;

use clap::Parser;
use watchdog_fuzz::campaign::Order;
use watchdog_fuzz::supervise::{Row, Task, supervise_all, target, work};
use watchdog_fuzz::{bad, corpus, targets};

/// Feeds every reader of bytes from outside with inputs that nobody would write.
///
/// What is found is kept in tests/fuzz/crashes and replayed by `cargo test -p watchdog-fuzz` from then on. The same
/// seed does the same again.
#[derive(Debug, Parser)]
#[command(name = "watchdog-fuzz")]
struct Arguments {
    /// Only this target; may be repeated [default: all].
    #[arg(long, value_name = "NAME")]
    target: Vec<String>,
    /// How many executions of each target.
    #[arg(long, default_value_t = 200_000)]
    executions: u64,
    /// Which mutations.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many targets at a time.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Write the samples of the targets as their corpora, and do nothing else.
    #[arg(long)]
    write_corpus: bool,
    /// Give every reader what is wrong by construction, and do nothing else.
    #[arg(long)]
    bad_inputs: bool,
    /// Be the process of one campaign.
    #[arg(long, hide = true, value_name = "NAME")]
    worker: Option<String>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("watchdog-fuzz: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether nothing was found.
fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let order = Order { seed: arguments.seed, executions: arguments.executions };
    if let Some(name) = &arguments.worker {
        let trace = std::env::var_os("WATCHDOG_FUZZ_TRACE").is_some();
        return work(target(name)?, Task { order, trace }).map(|()| true);
    }
    if arguments.bad_inputs {
        return Ok(tell_bad_inputs());
    }
    let mut names = Vec::new();
    for name in &arguments.target {
        names.push(target(name)?.name);
    }
    if names.is_empty() {
        names.extend(targets::ALL.iter().map(|target| target.name));
    }
    if arguments.write_corpus {
        for name in names {
            println!("{name}: {} files", corpus::rewrite(target(name)?)?);
        }
        return Ok(true);
    }
    let rows = supervise_all(&names, order, arguments.jobs)?;
    print(&rows);
    Ok(rows.iter().all(|row| row.findings.is_empty()))
}

/// Whether whoever wrote each of them is told what and where.
fn tell_bad_inputs() -> bool {
    let cases = bad::cases();
    let mut faults = 0;
    for case in &cases {
        let answer = std::panic::catch_unwind(|| bad::read(case.reader, &case.input));
        let fault = match answer {
            Ok(answer) => bad::fault(case, answer),
            Err(_) => Some("it panics".to_owned()),
        };
        if let Some(fault) = fault {
            println!("{:?} {:?}: {fault}", case.reader, case.story);
            faults += 1;
        }
    }
    println!("{} bad inputs, {faults} not told", cases.len());
    faults == 0
}

fn print(rows: &[Row]) {
    println!("| target | executions | a second | understood | answers | corpus | slowest | found |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for row in rows {
        let rate = row.executions * 1_000 / row.took_ms.max(1);
        let share = row.taken * 100 / row.executions.max(1);
        println!(
            "| {} | {} | {rate} | {share} % | {} | {} | {} ms | {} |",
            row.target,
            row.executions,
            row.shapes,
            row.corpus,
            row.slowest_ms,
            row.findings.len()
        );
    }
    for finding in rows.iter().flat_map(|row| &row.findings) {
        println!("found: {finding}");
    }
    let awaiting: u64 = rows.iter().map(|row| row.awaiting).sum();
    if awaiting > 0 {
        println!("{awaiting} executions showed bugs that are known and not mended yet");
    }
    let executions: u64 = rows.iter().map(|row| row.executions).sum();
    let found: usize = rows.iter().map(|row| row.findings.len()).sum();
    println!("{executions} executions of {} targets, {found} found", rows.len());
}
