//! Main: `cargo run -p watchdog-crash`: kills at crash points, and prints what became of it.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use serde_json::json;
use watchdog_crash::campaign::{Outcome, Plan, run};
use watchdog_crash::points::{self, Point};
use watchdog_tests::story::Backend;

/// Kills processes of real clusters at their named crash points, and checks what becomes of the clusters.
///
/// The programs must be built with live points first: `cargo xtask build`.
#[derive(Parser)]
struct Cli {
    /// Only points whose name contains this; may be given more than once
    #[arg(long, value_name = "WORD")]
    only: Vec<String>,
    /// Only the points at which the leader has just written a step, one for each kind
    #[arg(long)]
    steps: bool,
    /// How often at each point
    #[arg(long, value_name = "N", default_value_t = 3)]
    times: u64,
    /// How many clusters side by side
    #[arg(long, value_name = "N", default_value_t = 6)]
    clusters: usize,
    /// On three ZooKeeper nodes and PostgreSQL instead of embedded coordination and SQLite
    #[arg(long)]
    real: bool,
    /// How the result is printed
    #[arg(short, long, value_enum, default_value = "text")]
    output: Output,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let asked = |point: &&'static Point| {
        cli.only.is_empty() || cli.only.iter().any(|word| point.name.contains(word.as_str()))
    };
    let chosen: Vec<&'static Point> =
        if cli.steps { points::steps().collect() } else { points::all().filter(asked).collect() };
    anyhow::ensure!(!chosen.is_empty(), "no point has such a name");
    let backend = if cli.real { Backend::Real } else { Backend::Embedded };
    let kills = chosen.len().saturating_mul(usize::try_from(cli.times).unwrap_or(usize::MAX));
    let plan = Plan { backend, clusters: cli.clusters.min(kills), times: cli.times, tells: true };
    let outcome = run(&chosen, plan)?;
    print(&outcome, cli.output);
    Ok(if outcome.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(outcome: &Outcome, output: Output) {
    let (median, worst) = (outcome.quantile(0.5).as_secs_f64(), outcome.quantile(1.0).as_secs_f64());
    if output == Output::Json {
        let failures = outcome.failures.iter();
        let failures: Vec<_> =
            failures.map(|failure| json!({ "point": failure.point, "why": failure.why })).collect();
        let value = json!({
            "points": outcome.points,
            "passed": outcome.passed,
            "kills": outcome.kills,
            "median_s": median,
            "worst_s": worst,
            "seconds": outcome.elapsed.as_secs_f64(),
            "failures": failures,
        });
        println!("{value:#}");
        return;
    }
    println!(
        "{} of {} points passed with {} kills in {:.0} s; a kill and the way back took {median:.1} s, at most {worst:.1} s",
        outcome.passed,
        outcome.points,
        outcome.kills,
        outcome.elapsed.as_secs_f64(),
    );
    for failure in &outcome.failures {
        println!("failed at {}: {}", failure.point, failure.why);
    }
}
