//! Goal: the command line of `goal …`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use watchdog_core::goal::Restore;
use watchdog_core::ids::GoalId;

use crate::values::{duration, restorable, sentence};

const EXAMPLES: &str = "\
A goal file says what shall hold, in TOML or JSON; the watchdogs compose the changes, roll them out one step at a \
time, call the result stable when every replica has held it, healthy, for the soak, and undo it by themselves when \
it proves bad:

  name = \"fraud-model-2\"            # optional, as is the next
  reason = \"fewer false alarms\"
  remove = [\"rule/old\"]             # keys that shall not be there
  [set.\"model/fraud\"]               # keys with their values
  uri = \"s3://models/fraud-2\"
  [rollout]                         # how carefully; what is left out is as policy says
  canary = 1                        # or names: [\"demo-a\"]
  batch = 2
  soak = \"10s\"
  probation = \"5s\"
  max_failures = 0
  prove_start = true              # a replica is started on it once before it is stable

Instead or besides: restore = \"stable\" (or a version's number), restart = true.

Examples:
  watchdogctl goal diff -f goal.toml
  watchdogctl goal apply -f goal.toml --wait
  watchdogctl goal show fraud-model-2
  watchdogctl goal restore stable --wait
  generate-goal | watchdogctl goal apply -f -";

/// `goal …`
#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum GoalCommand {
    /// Show what a goal would change, without doing it.
    #[command(after_help = "Examples:\n  watchdogctl goal diff -f goal.toml\n  \
        watchdogctl goal diff -f goal.toml --exit-code || echo 'it differs, or something is wrong'")]
    Diff {
        /// The goal file, or `-` for standard input.
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
        /// Exit with 4 when there are changes.
        #[arg(long)]
        exit_code: bool,
    },
    /// Declare a goal: show what it changes, and have it made so.
    #[command(
        after_help = "It never asks. With --wait it exits with 0 only when the goal is achieved, and with 1 \
        and the reason when it is rejected, superseded or withdrawn, or goes on only when a human does something.\n\n\
        Examples:\n  watchdogctl goal apply -f goal.toml --wait\n  \
        watchdogctl goal apply -f goal.toml --at 41     only on top of what `goal diff` has shown\n  \
        watchdogctl goal apply -f fix.toml --supersede  instead of the goal that rolls\n  \
        watchdogctl -o json goal apply -f goal.toml --wait | jq -r .stage"
    )]
    Apply {
        /// The goal file, or `-` for standard input.
        #[arg(short, long, value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        terms: ApplyTerms,
    },
    /// List the last goals, newest first.
    List {
        /// How many at most.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show one goal: what it asks for, how far it is, who holds it, what is refused.
    #[command(after_help = "Examples:\n  watchdogctl goal show fraud-model-2\n  \
        watchdogctl goal show fraud-model-2 --wait      until it is over, as after `goal apply --wait`")]
    Show {
        /// As in `goal list`.
        id: GoalId,
        #[command(flatten)]
        patience: Patience,
    },
    /// Take a goal back: one that waits is dropped, one that rolls is undone.
    #[command(after_help = "Example:\n  watchdogctl goal withdraw fraud-model-2")]
    Withdraw {
        /// As in `goal list`.
        id: GoalId,
    },
    /// Declare a goal that returns the application to an earlier state.
    #[command(
        after_help = "Declarations of replicas and bounds stay as they are. The goal is rolled out and proven as \
        any other. With --force nothing is rolled out or proven: the version is stable at once, what was stable is \
        given up, a goal that rolls ends, and whoever is quarantined is released. It is the way out of a stable \
        version that nobody can be started on, and takes the role approver.\n\n\
        Examples:\n  watchdogctl goal restore stable --wait\n  \
        watchdogctl goal restore 41 --reason 'customers complain'\n  \
        watchdogctl goal restore 41 --force --reason 'nobody starts on 42'"
    )]
    Restore {
        /// The number of a version, or `stable`.
        #[arg(value_parser = restorable, value_name = "VERSION|stable")]
        version: Restore,
        /// Make it stable at once, whatever was proven of it or of what is stable now; for a version before that.
        #[arg(long, conflicts_with_all = ["name", "wait", "at", "supersede"])]
        force: bool,
        #[command(flatten)]
        words: RestoreTerms,
        #[command(flatten)]
        terms: ApplyTerms,
    },
}

/// How a goal is declared.
#[derive(Debug, Args)]
pub(crate) struct ApplyTerms {
    #[command(flatten)]
    pub(crate) patience: Patience,
    /// Only if this is the head of the log, as `goal diff` has shown it.
    #[arg(long, value_name = "HEAD")]
    pub(crate) at: Option<u64>,
    /// Take over from a goal that rolls, instead of waiting for its end.
    #[arg(long)]
    pub(crate) supersede: bool,
}

/// Whether to see it through.
#[derive(Debug, Args)]
pub(crate) struct Patience {
    /// Show how it goes until it is over; exit with 0 only when it is achieved.
    #[arg(long, short = 'w')]
    pub(crate) wait: bool,
    /// Wait no longer than this; the goal goes on without us.
    #[arg(long = "for", requires = "wait", value_parser = duration, value_name = "DURATION")]
    pub(crate) lasts: Option<Duration>,
}

/// What the file of such a goal would say.
#[derive(Debug, Args)]
pub(crate) struct RestoreTerms {
    /// What to call it [default: numbered].
    #[arg(long)]
    pub(crate) name: Option<GoalId>,
    /// Why, for others to read.
    #[arg(long, value_parser = sentence)]
    pub(crate) reason: Option<String>,
}
