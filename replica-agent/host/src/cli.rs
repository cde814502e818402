//! Cli: what can be asked of the binary.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;
use watchdog_core::ids::{HostId, Incarnation};
use watchdog_telemetry::spans::Spans;
use watchdog_telemetry::{Endpoint, logging};

use crate::config::Config;
use crate::{guardian, run};

/// Keeps the replicas of this host for a watchdog.
///
/// The host agent starts, adopts, probes and kills the processes of replicas, on the orders of the leading watchdog,
/// and says when one has died. It never restarts anything by itself, and replicas outlive it: stop, upgrade or crash
/// it, and it finds them again when it comes back. It runs only programs that its own configuration allows.
#[derive(Debug, Parser)]
#[command(name = "replica-agent", version, after_help = AFTER)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "\
Start with a copy of examples/host-agent.toml, where every key is explained:
  replica-agent check-config host-agent.toml
  replica-agent run --config host-agent.toml

SIGTERM stops the agent and leaves the replicas running. RUST_LOG=debug shows each round of its work.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the host agent in the foreground.
    Run(RunArguments),
    /// Check a configuration file, and say what is wrong with it and where.
    CheckConfig {
        /// The file.
        file: PathBuf,
    },
    /// Guard an exclusive replica; started by the host agent.
    #[command(hide = true)]
    Guardian {
        /// The lease file.
        lease: PathBuf,
        /// Whose lease.
        incarnation: Incarnation,
        /// What belongs to that life, as JSON.
        body: String,
    },
}

#[derive(Debug, clap::Args)]
struct RunArguments {
    /// The configuration; examples/host-agent.toml explains every key.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Use this instead of `host` of the file.
    #[arg(long, value_name = "NAME")]
    host: Option<HostId>,
    /// Use this instead of `listen` of the file; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Use this instead of `dir` of the file.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Use this instead of `coordination.url` of the file.
    #[arg(long, value_name = "URL")]
    coordination: Option<String>,
    /// Stop when standard input ends: when whoever started this has died.
    #[arg(long, hide = true)]
    exit_with_parent: bool,
}

/// Understands a command line, without doing what it says.
///
/// # Errors
///
/// What whoever typed it is told; help is an answer and no error.
pub(crate) fn understand(words: impl IntoIterator<Item = std::ffi::OsString>) -> Result<(), String> {
    match Cli::try_parse_from(words) {
        Err(error) if error.use_stderr() => Err(error.to_string()),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Does what the command line says.
pub(crate) fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(arguments) => run_agent(arguments),
        Command::CheckConfig { file } => check(&file),
        Command::Guardian { lease, body, .. } => match serde_json::from_str(&body) {
            Ok(body) => return guardian::child::guard(&lease, &body),
            Err(error) => Err(anyhow::Error::new(error).context("understand what to guard")),
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("replica-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn check(file: &Path) -> anyhow::Result<()> {
    let config = Config::read(file)?;
    println!(
        "{}: host {}, clusters {}, programs {}",
        file.display(),
        config.host,
        config.clusters.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        config.programs.keys().cloned().collect::<Vec<_>>().join(", "),
    );
    Ok(())
}

fn run_agent(arguments: RunArguments) -> anyhow::Result<()> {
    let mut config = Config::read(&arguments.config)?;
    config.host = arguments.host.unwrap_or(config.host);
    config.listen = arguments.listen.unwrap_or(config.listen);
    config.dir = arguments.dir.unwrap_or(config.dir);
    config.coordination.url = arguments.coordination.unwrap_or(config.coordination.url);
    config.check().map_err(|(key, reason)| anyhow::anyhow!("{key}: {reason}"))?;
    let filter = EnvFilter::try_from_default_env().or_else(|_| EnvFilter::try_new(&config.log.filter));
    let filter = filter.with_context(|| format!("log.filter: {:?} can't be used", config.log.filter))?;
    let configured = config.telemetry.otlp.as_deref().map(str::parse).transpose()?;
    let spans = Spans::to(Endpoint::choose(configured)?.as_ref(), "replica-agent", config.host.as_str())?;
    logging::to_stderr(config.log.format, filter, &spans)?;
    if arguments.exit_with_parent {
        stop_with_parent().context("watch whoever started this")?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(run::run(config, spans.clone()));
    spans.finish();
    // Blocking reads of a hanging disk must not keep us from leaving.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    result
}

/// A thread of its own, because a blocked read would hold up the runtime's end.
fn stop_with_parent() -> std::io::Result<()> {
    let watch = || {
        let mut bytes = [0; 64];
        while matches!(std::io::stdin().read(&mut bytes), Ok(count) if count > 0) {}
        tracing::warn!("whoever started this is gone");
        // The one way to stop it that there is.
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
    };
    std::thread::Builder::new().name("parent".into()).spawn(watch).map(drop)
}
