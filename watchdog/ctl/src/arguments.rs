//! Arguments: the command line, with help that teaches by example.

mod certs;
mod goal;
mod manual;

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::{Args, Parser, Subcommand, ValueEnum};
use watchdog_core::ids::{ClusterId, PlanId, ReplicaId};
use watchdog_trust::Role;

pub(crate) use self::certs::{CertsCommand, Issue, Machine};
pub(crate) use self::goal::{ApplyTerms, GoalCommand, RestoreTerms};
pub(crate) use self::manual::Manual;
use crate::values::{WhichVersion, duration, moment, sentence};

const EXAMPLES: &str = "\
Examples:
  export WATCHDOG_ENDPOINTS=http://10.0.0.1:7400,http://10.0.0.2:7400 WATCHDOG_CLUSTER=scoring
  watchdogctl status                  what is, on one screen
  watchdogctl why scoring-b           why it is treated as it is, or why nothing is done
  watchdogctl plan preview            what would be done now
  watchdogctl goal apply -f goal.toml --wait
                                      make it so, and see how it goes
  watchdogctl events --follow         what happens, as it happens
  watchdogctl pause --reason 'switch replacement' --for 2h
  watchdogctl -o json status | jq '.replicas[] | select(.state != \"healthy\")'

Give any or all watchdogs: the leader is found, and one that is down is passed over.

Exit codes: 0 done; 1 refused or failed, with the reason; 2 wrong usage; 3 nobody answered or no leader; \
4 changes (--exit-code).";

/// Shows what the watchdogs of a cluster see, do and refuse, and tells them what an operator wants.
#[derive(Debug, Parser)]
#[command(name = "watchdogctl", version, after_help = EXAMPLES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
#[command(next_help_heading = "For every command")]
pub(crate) struct Common {
    /// A watchdog, as http://HOST:PORT or https://HOST:PORT; repeat it or separate several by commas.
    #[arg(long = "endpoint", short = 'e', env = "WATCHDOG_ENDPOINTS", value_name = "URL")]
    #[arg(value_delimiter = ',', global = true)]
    pub(crate) endpoints: Vec<String>,
    /// Whose signature makes a watchdog's certificate good (PEM), for https:// endpoints.
    #[arg(long, env = "WATCHDOG_TLS_CA", value_name = "FILE", global = true)]
    pub(crate) tls_ca: Option<PathBuf>,
    /// Your certificate (PEM): it says who you are and what you may do.
    #[arg(long, env = "WATCHDOG_TLS_CERT", value_name = "FILE", global = true)]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, env = "WATCHDOG_TLS_KEY", value_name = "FILE", global = true)]
    pub(crate) tls_key: Option<PathBuf>,
    /// The cluster to speak of.
    #[arg(long, short = 'c', env = "WATCHDOG_CLUSTER", value_name = "NAME", global = true)]
    pub(crate) cluster: Option<ClusterId>,
    /// A table for people, or JSON for programs.
    #[arg(long, short = 'o', value_enum, default_value_t = Format::Table, global = true)]
    pub(crate) output: Format,
    /// How long to wait for an answer, an election included.
    #[arg(long, default_value = "10s", value_parser = duration, value_name = "DURATION", global = true)]
    pub(crate) timeout: Duration,
    /// Who acts, for the record, where the watchdogs don't know it themselves [default: $USER@hostname].
    #[arg(long, value_parser = sentence, value_name = "WHO", global = true)]
    pub(crate) by: Option<String>,
    /// The file with our token; else it is taken from the environment variable `WATCHDOG_TOKEN`, if that is set.
    #[arg(long, env = "WATCHDOG_TOKEN_FILE", value_name = "FILE", global = true)]
    pub(crate) token_file: Option<PathBuf>,
}

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned, for people.
    Table,
    /// The answer as it came, for programs.
    Json,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show the cluster: its leader, versions, pause and holds, and a row for each replica.
    #[command(after_help = "Exits with 3 when nobody leads, with what is known printed all the same.\n\n\
        Keys of --watch: q leaves; arrows, PgUp, PgDn, Home, End scroll; u: the unwell first, or by name.\n\n\
        Examples:\n  watchdogctl status --watch                 the whole screen, live\n  \
        watchdogctl status --watch > log           a table at each change, with its time\n  \
        watchdogctl -o json status --watch         one line of JSON at each change")]
    Status {
        /// Show it as it changes, until `q`: on the whole screen, or line by line where it is no terminal.
        #[arg(long, short = 'w')]
        watch: bool,
    },
    /// Explain one replica: the verdict, its evidence and strikes, and what is done or refused.
    #[command(after_help = "Example:\n  watchdogctl why scoring-b")]
    Why {
        /// Its name, as in `status`.
        replica: ReplicaId,
    },
    /// Declare what shall hold, and see how far it is.
    #[command(subcommand)]
    Goal(GoalCommand),
    /// Show plans; approve, reject, cancel or recompute one.
    #[command(subcommand)]
    Plan(PlanCommand),
    /// Read the metadata log.
    #[command(subcommand)]
    Log(LogCommand),
    /// Stop all healing of the cluster; it is watched on.
    #[command(after_help = "Example:\n  watchdogctl pause --reason 'switch replacement' --for 2h")]
    Pause {
        #[command(flatten)]
        terms: Terms,
    },
    /// End the pause.
    Resume,
    /// Leave one replica, or all of a host, alone: seen, not touched.
    #[command(after_help = "Example:\n  watchdogctl hold host-b --reason 'new memory' --for 30m")]
    Hold {
        /// A replica or a host.
        #[arg(value_name = "REPLICA|HOST")]
        target: ReplicaId,
        #[command(flatten)]
        terms: Terms,
    },
    /// End a hold, or a quarantine.
    #[command(after_help = "Example:\n  watchdogctl release scoring-b")]
    Release {
        /// A replica or a host.
        #[arg(value_name = "REPLICA|HOST")]
        target: ReplicaId,
    },
    /// Overrule the storm guard.
    #[command(subcommand)]
    Storm(StormCommand),
    /// Show the record: findings, plans, steps, elections, operators' acts.
    #[command(after_help = "When the watchdog that tells them dies, another one goes on where it stopped.\n\
        As JSON: an array, or with --follow one line for each event.\n\n\
        Keys of --follow on a terminal: q leaves; arrows, PgUp, PgDn, Home scroll; End follows again.\n\n\
        Examples:\n  watchdogctl events --since 10m\n  watchdogctl events --since 2026-05-01T09:30:00Z\n  \
        watchdogctl events --follow --since now")]
    Events {
        /// Go on showing them as they happen, until `q`.
        #[arg(long, short = 'f')]
        follow: bool,
        /// From when on: a time, a duration ago, or `now` [default: all].
        #[arg(long, value_name = "TIME", value_parser = |text: &str| moment(text, SystemTime::now()))]
        since: Option<String>,
    },
    /// Make tokens, by which people are recognised.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Show who leads; `leader resign` makes it hand over.
    #[command(args_conflicts_with_subcommands = true)]
    Leader {
        #[command(subcommand)]
        command: Option<LeaderCommand>,
    },
    /// Make and show certificates, for connections that strangers can neither read nor use; asks no watchdog.
    #[command(subcommand)]
    Certs(CertsCommand),
    #[command(flatten)]
    Manual(Manual),
}

/// Why, and for how long.
#[derive(Debug, Args)]
pub(crate) struct Terms {
    /// Why, for others to read.
    #[arg(long, value_parser = sentence)]
    pub(crate) reason: String,
    /// For how long, such as 30m or 2h [default: until ended by hand].
    #[arg(long = "for", value_parser = duration, value_name = "DURATION")]
    pub(crate) lasts: Option<Duration>,
}

/// `plan …`
#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// List the last plans, newest first.
    List {
        /// How many at most.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show one plan: its reason, its steps and what became of each.
    Show {
        /// As in `plan list`.
        id: PlanId,
    },
    /// Compute what would be done now, without doing it.
    Preview,
    /// Let a plan begin that awaits approval; refused when it would do harm by now.
    #[command(after_help = "Example:\n  watchdogctl plan approve 7-3")]
    Approve {
        /// As in `plan list`.
        id: PlanId,
    },
    /// End a plan that awaits approval; its remedy is not proposed again for what it answers.
    #[command(after_help = "Example:\n  watchdogctl plan reject 7-3")]
    Reject {
        /// As in `plan list`.
        id: PlanId,
    },
    /// Compute a plan again, here, from the input on record; exits with 1 when it comes out another.
    #[command(
        after_help = "The watchdogs are only asked for the record; the computation is this program's own.\n\n\
        Examples:\n  watchdogctl plan replay 7-3\n  watchdogctl -o json plan replay 7-3 | jq .recomputed"
    )]
    Replay {
        /// As in `plan list`.
        id: PlanId,
    },
    /// Cancel an open plan; the step that is under way still ends.
    Cancel {
        /// As in `plan list`.
        id: PlanId,
    },
    /// Show the pictures that were taken of processes before they were ended.
    Snapshot {
        /// As in `plan list`.
        id: PlanId,
    },
}

/// `log …`
#[derive(Debug, Subcommand)]
#[command(after_help = "A version is a number, `head` or `stable`.\n\n\
    Examples:\n  watchdogctl log list\n  watchdogctl log diff stable head\n  watchdogctl log state 41")]
pub(crate) enum LogCommand {
    /// List changes, oldest first: the last ones, or from a version on.
    List {
        /// The first version to show.
        #[arg(long, value_name = "VERSION")]
        from: Option<WhichVersion>,
        /// How many at most.
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Show one change, with the value before and after.
    Show {
        /// Which.
        version: WhichVersion,
    },
    /// Show the net difference between two versions.
    Diff {
        /// From this one.
        a: WhichVersion,
        /// To this one.
        b: WhichVersion,
    },
    /// Show the whole state at a version.
    State {
        /// Which.
        #[arg(default_value = "head")]
        version: WhichVersion,
    },
    /// Prove the hash chain of the log; exits with 1 and names the entry where it is broken.
    Verify,
}

/// `storm …`
#[derive(Debug, Subcommand)]
pub(crate) enum StormCommand {
    /// Heal although many vanished at once without proof of death.
    #[command(after_help = "Example:\n  watchdogctl storm release --reason 'rack 4 burnt down'")]
    Release {
        /// Why, for others to read.
        #[arg(long, value_parser = sentence)]
        reason: String,
    },
}

/// `token …`
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token: print it, this once, and the lines for the watchdogs' file of identities. Nobody is asked.
    #[command(after_help = "Example:\n  watchdogctl token new --name ann --role operator")]
    New {
        /// Whose it is, as the record will call them.
        #[arg(long, value_parser = sentence)]
        name: String,
        /// What they may do: viewer, operator, approver or admin.
        #[arg(long)]
        role: Role,
    },
}

/// `leader …`
#[derive(Debug, Subcommand)]
pub(crate) enum LeaderCommand {
    /// Make the leader hand over to another watchdog.
    Resign,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
