//! Bad: inputs that are wrong by construction, each in one place, and what whoever wrote them must be told.

mod commands;
mod configs;
mod goals;

use crate::targets::watchdog_config;
use crate::told;

/// Who reads an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reader {
    /// `watchdog check-config`.
    Watchdog,
    /// `replica-agent check-config`.
    Host,
    /// `watchdogctl goal diff -f FILE.toml`.
    GoalToml,
    /// `watchdogctl goal diff -f FILE.json`.
    GoalJson,
    /// `watchdogctl …`, a word a line.
    Ctl,
    /// `replica-agent …`, a word a line.
    Agent,
}

impl Reader {
    /// The name of the file that it reads; empty when it reads a command line.
    pub fn file(self) -> &'static str {
        match self {
            Self::Watchdog => "watchdog.toml",
            Self::Host => "agent.toml",
            Self::GoalToml => "goal.toml",
            Self::GoalJson => "goal.json",
            Self::Ctl | Self::Agent => "",
        }
    }
}

/// One of them.
#[derive(Debug, Clone)]
pub struct Case {
    /// Who reads it.
    pub reader: Reader,
    /// What is wrong with it, for whoever reads a failure.
    pub story: String,
    /// What stands in the file, or on the command line.
    pub input: String,
    /// The place or the word that must be told.
    pub names: String,
}

/// All of them, always the same.
pub fn cases() -> Vec<Case> {
    [configs::cases(), goals::cases(), commands::cases()].concat()
}

/// What a reader says of an input, in this process.
///
/// # Errors
///
/// What whoever wrote it is told.
pub fn read(reader: Reader, input: &str) -> Result<(), String> {
    let words = || input.split('\n').map(Into::into);
    match reader {
        Reader::Watchdog => watchdog_config::understood(input).map(drop),
        Reader::Host => host_agent::outside::Host::configured(input).map(drop),
        Reader::GoalToml | Reader::GoalJson => {
            watchdogctl::outside::goal_file(reader.file(), input.as_bytes()).map(drop)
        }
        Reader::Ctl => watchdogctl::outside::command_line(words()),
        Reader::Agent => host_agent::outside::command_line(words()),
    }
}

/// What is wrong with how a case is answered; `None` when whoever wrote it learns what to do.
pub fn fault(case: &Case, answer: Result<(), String>) -> Option<String> {
    let Err(said) = answer else { return Some("it is taken".to_owned()) };
    if !said.contains(&case.names) {
        return Some(format!("{:?} is not named: {said}", case.names));
    }
    // Whoever gives no command is taught all of them.
    if said.contains("\nCommands:\n") {
        return None;
    }
    let place = case.reader.file();
    let told = std::panic::catch_unwind(|| told::check(&said, place));
    told.err().map(|_| format!("it is not told on a screen: {said}"))
}
