//! Watchdog: the command line of the daemon, of its configuration's checker, and of the one-machine cluster.

mod access;
mod admin;
mod agents;
mod channels;
mod clock;
mod cluster;
mod config;
mod cycle;
mod dashboard;
mod dev;
mod docs;
mod http;
mod logging;
mod metrics;
mod shutdown;
mod wiring;

use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use config::Config;
use watchdog_telemetry::Endpoint;
use watchdog_telemetry::spans::Spans;

const ABOUT: &str = "Keeps stateful clusters alive and on the right version, without a human in the loop.

Any number of watchdogs guard a cluster together: one leads and heals, the others stand by. See what they do with watchdogctl.";

const EXAMPLES: &str = "Examples:
  watchdog dev                                      a whole cluster on this machine; try `kill -9` on any of it
  watchdog dev --scenario bad-model-on-b            an incident told on it, and whether it ended as it must
  watchdog check-config --example > watchdog.toml   a configuration that explains every key
  watchdog check-config watchdog.toml               say whether it is right, or what is wrong where
  watchdog run --config watchdog.toml               guard the clusters that it names";

#[derive(Debug, Parser)]
#[command(name = "watchdog", version, about = ABOUT, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Guards clusters, as a configuration says, until SIGTERM or Ctrl-C
    Run {
        /// The configuration; see `watchdog check-config --example`
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// End when standard input does: when whoever started this has died.
        #[arg(long, hide = true)]
        exit_with_parent: bool,
    },
    /// Says whether a configuration is right, or what is wrong in which line
    CheckConfig {
        /// The configuration
        #[arg(value_name = "FILE", required_unless_present = "example")]
        file: Option<PathBuf>,
        /// Print a configuration that explains every key
        #[arg(long, visible_alias = "explain", conflicts_with = "file")]
        example: bool,
    },
    /// Runs a whole cluster on this machine: watchdogs, host agents, replicas of an example server
    Dev(dev::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Run { config, exit_with_parent } => run(&config, exit_with_parent),
        Command::CheckConfig { file, .. } => check(file),
        Command::Dev(options) => dev(options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(file: &std::path::Path, exit_with_parent: bool) -> anyhow::Result<()> {
    let config = Config::read(file)?;
    let spans = Spans::to(Endpoint::choose(config.otlp.clone())?.as_ref(), "watchdog", config.id.as_str())?;
    logging::to_stderr(&config.log, &spans)?;
    block_on(async {
        let asked = asked_to_end()?;
        let shutdown = async move {
            tokio::select! {
                () = asked => {}
                () = parent_gone(), if exit_with_parent => tracing::warn!("whoever started this is gone; ending"),
            }
        };
        let outcome = wiring::run(config, spans.clone(), shutdown).await;
        spans.finish();
        outcome
    })
}

fn check(file: Option<PathBuf>) -> anyhow::Result<()> {
    let Some(file) = file else {
        print!("{}", config::EXAMPLE);
        return Ok(());
    };
    let config = Config::read(&file)?;
    println!("{} is fine: watchdog {} for {}", file.display(), config.id, names(&config));
    Ok(())
}

fn names(config: &Config) -> String {
    let names: Vec<&str> = config.clusters.iter().map(watchdog_core::ids::ClusterId::as_str).collect();
    names.join(", ")
}

fn dev(options: dev::Options) -> anyhow::Result<()> {
    block_on(async {
        let asked = asked_to_end()?;
        dev::run(options, asked).await
    })
}

fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    let outcome = runtime.block_on(work);
    // What still hangs in a blocking call may not hold up our end.
    runtime.shutdown_background();
    outcome
}

/// Ready upon the first SIGTERM, SIGINT (Ctrl-C) or SIGHUP (the terminal is closed); listens from now on.
fn asked_to_end() -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let listen = |kind| signal(kind).context("listen for signals");
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut hangup = listen(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
    })
}

/// Ready when standard input ends. A thread of its own, because a blocked read would hold up the runtime's end.
async fn parent_gone() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let watch = move || {
        let mut bytes = [0; 64];
        while matches!(std::io::stdin().read(&mut bytes), Ok(count) if count > 0) {}
        // Nobody listens any more when we are ending anyway.
        let _ = tell.send(());
    };
    match std::thread::Builder::new().name("parent".into()).spawn(watch) {
        Ok(_) => drop(told.await),
        Err(error) => {
            tracing::warn!(%error, "cannot watch whoever started this");
            std::future::pending::<()>().await;
        }
    }
}
