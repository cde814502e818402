//! Main: the command line of the simulator.
//!
//! ```text
//! watchdog-sim --seed N [--mode liveness] [--kind K] [--mutant WORD] [--minutes M] [--story]
//! watchdog-sim run --seeds A..B [--mode liveness] [--minutes M]
//! watchdog-sim mutants [--seeds N]
//! ```

use std::process::ExitCode;

use watchdog_sim::command::{Command, carry_out};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match Command::parse(&words) {
        Ok(command) => carry_out(&command, &mut std::io::stdout()),
        Err(usage) => {
            eprintln!("{usage}");
            ExitCode::from(2)
        }
    }
}
