//! Replica-agent: the host agent: keeps the processes of replicas, and outlives nothing of them.

mod acts;
mod cli;
mod clock;
mod config;
mod desk;
mod dirs;
mod fence;
mod guardian;
mod ledger;
mod load;
mod logs;
#[doc(hidden)]
pub mod outside;
mod presence;
mod probes;
mod refusal;
mod run;
mod server;
mod snapshot;
mod supervisor;

use std::process::ExitCode;

use supervisor::launch;

/// The program: does what the command line says, and answers how it went.
pub fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    // Before anything else: this is on the way between a death and the replacement's first answer.
    if words.next().is_some_and(|word| word == launch::WORD) {
        return launch::launch(words.next().map(Into::into));
    }
    cli::main()
}
