//! Replica-agent: the host agent: keeps the processes of replicas, and outlives nothing of them.

mod acts;
mod cli;
mod clock;
mod config;
mod desk;
mod dirs;
mod fault;
mod floor;
mod guardian;
mod guest_files;
mod ledger;
mod load;
mod logs;
mod metrics;
#[doc(hidden)]
pub mod outside;
mod presence;
mod probes;
mod refusal;
mod render;
mod run;
mod run_as;
mod server;
mod snapshot;
mod supervisor;

use std::process::ExitCode;

use run_as::{launch, runner};

/// The program: does what the command line says, and answers how it went.
pub fn main() -> ExitCode {
    if cfg!(feature = "unfenced") {
        eprintln!("this replica-agent was built without its fence, for a test, and runs nothing");
        return ExitCode::FAILURE;
    }
    obey()
}

/// The same program with its fence open, for a test that must see what happens then.
#[cfg(feature = "unfenced")]
pub fn main_unfenced() -> ExitCode {
    obey()
}

fn obey() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    // Before anything else: this is on the way between a death and the replacement's first answer.
    match words.next() {
        Some(word) if word == launch::WORD => launch::launch(words.next().map(Into::into)),
        Some(word) if word == runner::WORD => runner::run(),
        _ => cli::main(),
    }
}
