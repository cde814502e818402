//! Model: exhausts the quick bounds of the protocol's model, with `--long` the long ones too, and tries its mutants.
//!
//! `cargo run --release -p watchdog-sim --example model [-- --long]`

#[path = "../tests/model/protocol/mod.rs"]
mod protocol;

use std::process::ExitCode;

use protocol::bounds::{Bounds, LONG, QUICK, SMALL};
use protocol::check::{HEADING, catch, exhaust};
use protocol::mutant::Mutant;

/// Threads of the checker.
const THREADS: usize = 2;
/// Fewer states prove too little.
const STATES_MIN_QUICK: usize = 3_000_000;
/// The same of the long run.
const STATES_MIN_LONG: usize = 20_000_000;

fn main() -> ExitCode {
    let long = std::env::args().any(|argument| argument == "--long");
    let (states, sound) = exhaust_all(long);
    let caught = try_mutants();
    let states_min = if long { STATES_MIN_LONG } else { STATES_MIN_QUICK };
    println!(
        "\n{states} states exhausted ({states_min} wanted), {caught} of {} mutants caught",
        Mutant::ALL.len()
    );
    if sound && states >= states_min && caught == Mutant::ALL.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// How many states there are, and whether all is as it should be in each.
fn exhaust_all(long: bool) -> (usize, bool) {
    println!("{HEADING}");
    let longer: &[Bounds] = if long { &LONG } else { &[] };
    let (mut states, mut sound) = (0, true);
    for bounds in [SMALL].iter().chain(&QUICK).chain(longer) {
        let figures = exhaust(*bounds, THREADS);
        println!("{figures}");
        for complaint in &figures.complaints {
            println!("{complaint}");
        }
        states += figures.states;
        sound &= figures.complaints.is_empty();
    }
    (states, sound)
}

/// How many mutants violate the property that belongs to them.
fn try_mutants() -> usize {
    println!(
        "\nmutant                 is caught by                                                       after"
    );
    let mut caught = 0;
    for mutant in Mutant::ALL {
        let story = catch(mutant);
        caught += usize::from(story.is_some());
        let after = story.map_or_else(|| "never".to_owned(), |story| format!("{} steps", story.len()));
        println!("{:<22} {:<66} {after}", format!("{mutant:?}"), mutant.caught_by());
    }
    caught
}
