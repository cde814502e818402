//! Watchdogctl: asks the watchdogs of a cluster, and tells their leader what an operator wants.
//!
//! ```text
//! arguments ─► settings ─► command ─► fleet (finds the leader, fails over) ─► render ─► screen
//!                                        └─► failure ─► exit code
//! ```

mod arguments;
mod bearer;
mod commands;
mod failure;
mod fleet;
mod goal_file;
mod live;
mod manual;
pub mod outside;
mod render;
mod screen;
mod settings;
mod values;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::{Arguments, Command};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::settings::Settings;

/// The program: does what the command line says, and answers how it went.
pub fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(message) = failure.message() {
                screen::complain(&message);
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Failure> {
    // These are made before there is anybody to ask.
    let arguments = match arguments {
        Arguments { common, command: Command::Certs(command) } => {
            return commands::certs::run(command, common.output);
        }
        Arguments { common, command: Command::Token(command) } => {
            return commands::token::run(&command, common.output, Screen::of_stdout());
        }
        Arguments { command: Command::Manual(manual), .. } => return manual::run(&manual),
        arguments => arguments,
    };
    let settings = Settings::resolve(arguments.common)?;
    // One thread is enough to wait on a few sockets, and is the quickest to start.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(commands::run(arguments.command, &settings))
}
