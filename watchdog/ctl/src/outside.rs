//! Outside: the readers of what operators type and of what watchdogs answer, for whoever tests them with bad input.
//!
//! No part of the program's contract.

use std::ffi::OsString;
use std::time::SystemTime;

use clap::Parser as _;
use watchdog_core::goal::Goal;
use watchdog_proto::admin as wire;

use crate::arguments::{Arguments, Command};
use crate::goal_file::GoalFile;
use crate::render::{self, Paper};
use crate::settings::Settings;

/// A goal file that was understood.
#[derive(Debug)]
pub struct Understood {
    /// What is wanted.
    pub goal: Goal,
    /// What is allowed and hardly meant.
    pub warnings: Vec<String>,
    file: GoalFile,
}

impl Understood {
    /// What a leader says about this goal, behind the place that it names.
    pub fn locate(&self, sentence: &str) -> String {
        self.file.locate(sentence)
    }
}

/// Reads what a goal file called `name` would hold.
///
/// # Errors
///
/// What the operator is told.
pub fn goal_file(name: &str, bytes: &[u8]) -> Result<Understood, String> {
    let file = GoalFile::of_bytes(name, bytes)?;
    Ok(Understood { goal: file.goal.clone(), warnings: file.warnings.clone(), file })
}

/// Reads a command line, the program's name included, as far as nobody need be asked.
///
/// # Errors
///
/// What the operator is told; help is an answer and no error.
pub fn command_line(words: impl IntoIterator<Item = OsString>) -> Result<(), String> {
    match Arguments::try_parse_from(words) {
        Ok(Arguments { command: Command::Certs(_), .. }) => Ok(()),
        Ok(arguments) => Settings::resolve(arguments.common)
            .map(drop)
            .map_err(|failure| failure.message().unwrap_or_default()),
        Err(error) if error.use_stderr() => Err(error.to_string()),
        Err(_) => Ok(()),
    }
}

/// An answer of a watchdog.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "the messages document themselves")]
pub enum Answer {
    Status(wire::ClusterStatus),
    Why(wire::Verdict),
    Plan(wire::PlanView),
    Plans(wire::PlanListReply),
    Snapshots(wire::SnapshotsReply),
    GoalDiff(wire::GoalDiffReply),
    Goal(wire::GoalView),
    Goals(wire::GoalListReply),
    Log(wire::LogListReply),
    LogEntry(wire::LogEntry),
    LogDiff(wire::LogDiffReply),
    LogState(wire::LogStateReply),
    LogVerify(wire::LogVerifyReply),
    Event(wire::Event),
    Leader(wire::LeaderReply),
    Done(wire::Done),
}

/// Draws an answer without colours, for a screen of so many columns, or for a file.
pub fn draw(answer: &Answer, width: Option<usize>) -> String {
    let paper = &Paper { width, colour: false, now: SystemTime::UNIX_EPOCH };
    match answer {
        Answer::Status(it) => render::status(it, paper),
        Answer::Why(it) => render::why(it, paper),
        Answer::Plan(it) => render::plan(it, paper),
        Answer::Plans(it) => render::plan_list(it, paper),
        Answer::Snapshots(it) => render::snapshots(it, paper),
        Answer::GoalDiff(it) => render::goal_diff(it, paper) + &render::goal_moved(it, paper),
        Answer::Goal(it) => {
            let lines = render::GoalLines::default().line(it, paper) + &render::goal_ended(it, paper);
            render::goal(it, paper) + &render::goal_progress(it, paper) + &lines + &render::goal_failed(it)
        }
        Answer::Goals(it) => render::goal_list(it, paper),
        Answer::Log(it) => render::log_list(it, paper),
        Answer::LogEntry(it) => render::log_entry(it, paper),
        Answer::LogDiff(it) => render::log_diff(it, paper),
        Answer::LogState(it) => render::log_state(it, paper),
        Answer::LogVerify(it) => render::log_verify(it, paper),
        Answer::Event(it) => render::EventLines::default().line(it, paper),
        Answer::Leader(it) => render::leader(it, paper),
        Answer::Done(it) => render::done(it, paper),
    }
}
