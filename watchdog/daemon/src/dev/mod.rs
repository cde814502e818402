//! Dev: a whole cluster on this machine in one command, every part a process of its own that may be killed.
//!
//! ```text
//! options ─► home, ports ─► configurations ─► coordination ─► watchdogs, host agents ─► found ─► ready ─► timeline
//!                                                             └── init: restarts them ──┘              (─► scenario ─► the end)
//! the end, also half-way: watchdogs ─► host agents ─► whoever else was told of our home ─► coordination
//! ```

mod certificates;
mod client;
mod files;
mod founding;
mod home;
mod init;
mod ports;
mod progress;
mod reach;
mod scenario;
mod sweep;
#[cfg(test)]
mod tests;
mod timeline;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::config::{JournalUrl, hidden};
use crate::{logging, wiring};
use certificates::Certificates;
use client::Client;
use files::{Layout, Programs};
use home::Home;
use init::{Init, Role};
use scenario::{Scenario, Setting};
use timeline::Timeline;

/// The one cluster that it runs.
const CLUSTER: &str = "demo";
/// How many replicas a new cluster begins with, unless told otherwise.
const REPLICAS: u16 = 3;
/// How long the coordination service may take to end.
const COORDINATION_GRACE: Duration = Duration::from_millis(500);

/// `watchdog dev`: what to run.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Keep everything here, and go on with what is there; by default a temporary directory, removed at the end
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How many watchdogs
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=9))]
    watchdogs: u16,
    /// How many replicas of the example server a new cluster begins with [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=500))]
    replicas: Option<u16>,
    /// How many host agents
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=99))]
    hosts: u16,
    /// How long a probe of a replica may take in a new cluster, in milliseconds; on a busy machine more than the
    /// default finds only those that hang
    #[arg(long, value_name = "MS", default_value_t = 80, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    probe_timeout_ms: u64,
    /// The first watchdog's address, the others take the next ports; port 0 takes free ones
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7400", value_parser = listen)]
    listen: SocketAddr,
    /// `embedded`, served by this process, or `zookeeper://host:port,…/path`
    #[arg(long, value_name = "URL", default_value = "embedded", value_parser = reach::coordination)]
    coordination: reach::Coordination,
    /// `sqlite:PATH` or `postgres://…`; by default SQLite in the directory
    #[arg(long, value_name = "URL")]
    journal: Option<JournalUrl>,
    /// Encrypt every connection, with certificates that are made in the directory below `tls`
    #[arg(long)]
    tls: bool,
    /// Tell an incident on the cluster once it is ready, check how it ends, and end
    #[arg(long, value_name = "NAME", value_enum)]
    scenario: Option<Scenario>,
}

impl Options {
    fn shape(&self) -> founding::Shape {
        founding::Shape { hosts: self.hosts, probe_timeout_ms: self.probe_timeout_ms }
    }
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    let address: SocketAddr =
        text.parse().map_err(|_| "expected an address such as 127.0.0.1:7400".to_owned())?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    let port = address.port();
    Err(format!(
        "{address} is reachable from other machines, and this is for one; listen on 127.0.0.1:{port}"
    ))
}

/// Runs it until `asked` to end, and ends everything that it started, however far it came.
pub(crate) async fn run(options: Options, asked: impl Future<Output = ()>) -> anyhow::Result<()> {
    let programs = Programs::beside_us()?;
    let home = Home::open(options.dir.as_deref())?;
    logging::to_file(home.log_file("dev")?)?;
    let mut stage = Stage { home: &home, init: Init::default(), coordination: None };
    let outcome = tokio::select! {
        outcome = stage.play(&options, &programs) => outcome.map(Some),
        () = asked => options.scenario.map_or(Ok(None), interrupted),
    };
    let ended = stage.clear().await;
    let outcome = outcome.and_then(|verdict| ended.map(|()| verdict));
    // Nothing that ran means nothing to find out from logs.
    let clean = outcome.is_ok() || !stage.init.has_started();
    home.close(clean);
    if let Some(verdict) = outcome? {
        say(verdict);
    }
    Ok(())
}

/// Who stops a scenario half-way has not seen it end.
fn interrupted(scenario: Scenario) -> anyhow::Result<Option<String>> {
    anyhow::bail!("scenario {} was stopped before its end", scenario.name())
}

/// One line for people, on standard output; nobody needs to read it.
fn say(line: impl std::fmt::Display) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// What is running and must be ended.
struct Stage<'a> {
    home: &'a Home,
    init: Init,
    coordination: Option<Served>,
}

/// The embedded coordination service, in this process.
struct Served {
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Stage<'_> {
    /// Starts everything and then tells the timeline; returns with a scenario's verdict, or when something is wrong.
    async fn play(&mut self, options: &Options, programs: &Programs) -> anyhow::Result<String> {
        say(format_args!("directory {}", self.home.path().display()));
        // Of an earlier run that was killed; its replicas live on and are adopted.
        sweep::end_daemons(self.home.path()).await?;
        let layout = self.prepare(options, programs).await?;
        for unit in layout.units(programs, self.home)? {
            self.init.keep(unit);
        }
        let client = Client::new(&layout.endpoints(), &certificates::dialer(layout.certificates.as_ref())?)?;
        let mut hopeless = self.init.hopeless();
        tokio::select! {
            outcome = bring_up(&client, options) => outcome?,
            why = hopeless.wait_for(Option::is_some) => {
                let why = why.ok().and_then(|why| why.clone()).unwrap_or_default();
                anyhow::bail!("{why}");
            }
            why = coordination_ended(&mut self.coordination) => match why? {},
        }
        let endpoints = layout.endpoints().join(",");
        self.home.write_endpoints(&endpoints)?;
        say(format_args!("endpoints {endpoints}"));
        let timeline = Timeline::begin(&client, std::time::SystemTime::now());
        say("ready");
        let (home, journal, shape) = (self.home.path(), &layout.journal, options.shape());
        let setting = Setting { client: &client, timeline: &timeline, home, journal, shape };
        tokio::select! {
            verdict = told(options.scenario, setting) => verdict,
            never = timeline.tell() => match never {},
            why = coordination_ended(&mut self.coordination) => match why? {},
        }
    }

    /// Checks what we depend on, chooses ports and serves the coordination.
    async fn prepare(&mut self, options: &Options, programs: &Programs) -> anyhow::Result<Layout> {
        let earlier = files::Earlier::read(self.home);
        let journal = match &options.journal {
            Some(journal) => {
                reach::journal(journal).await?;
                journal.clone()
            }
            None => self.home.default_journal()?,
        };
        let coordination = match &options.coordination {
            reach::Coordination::Embedded => self.serve(earlier.coordination)?,
            reach::Coordination::ZooKeeper { url, hosts } => {
                reach::zookeeper(hosts).await?;
                url.clone()
            }
        };
        say(format_args!("coordination {coordination}"));
        say(format_args!("journal {}", hidden(journal.as_str())));
        let watchdogs = ports::watchdogs(options.listen, options.watchdogs, &earlier.watchdogs)?;
        let certificates = if options.tls {
            Some(Certificates::make(self.home.path(), options.watchdogs, options.hosts)?)
        } else {
            None
        };
        let layout = Layout { watchdogs, hosts: options.hosts, coordination, journal, certificates };
        layout.write(self.home, programs)?;
        Ok(layout)
    }

    fn serve(&mut self, earlier: Option<SocketAddr>) -> anyhow::Result<String> {
        let listener = ports::coordination(earlier)?;
        let address = listener.local_addr().context("ask for the port of the coordination service")?;
        listener.set_nonblocking(true).context("prepare the port of the coordination service")?;
        let listener =
            TcpListener::from_std(listener).context("prepare the port of the coordination service")?;
        let directory = self.home.path().join("coordination");
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = async move {
            let stopped = async move { drop(stopped.await) };
            wiring::embedded_coordination(&directory, listener, stopped).await
        };
        self.coordination = Some(Served { stop, task: tokio::spawn(serving) });
        Ok(format!("embedded://{address}"))
    }

    /// Ends everything, in the order in which nobody heals what we end.
    async fn clear(&mut self) -> anyhow::Result<()> {
        if self.init.has_started() {
            say("stopping");
        }
        self.init.stop(Role::Watchdog).await;
        self.init.stop(Role::HostAgent).await;
        let swept = sweep::end_all(self.home.path()).await;
        if let Some(Served { stop, mut task }) = self.coordination.take() {
            // It may have ended by itself.
            let _ = stop.send(());
            if tokio::time::timeout(COORDINATION_GRACE, &mut task).await.is_err() {
                task.abort();
            }
        }
        swept
    }
}

/// From processes that run to a cluster that serves.
async fn bring_up(client: &Client, options: &Options) -> anyhow::Result<()> {
    let replicas = options.replicas.unwrap_or(REPLICAS);
    match founding::found(client, replicas, options.shape()).await? {
        founding::Found::New { head } => {
            say(format_args!("founded cluster {CLUSTER} with {replicas} replicas, at version {head}"));
        }
        founding::Found::Existing { head } => {
            say(format_args!("cluster {CLUSTER} is there already, at version {head}"));
            if options.replicas.is_some() {
                say("its replicas stand in its log; --replicas changes nothing");
            }
        }
    }
    progress::until_ready(client).await
}

/// The verdict of a scenario; never when there is none.
async fn told(scenario: Option<Scenario>, setting: Setting<'_>) -> anyhow::Result<String> {
    match scenario {
        Some(scenario) => scenario.play(setting).await,
        None => std::future::pending().await,
    }
}

/// Why the embedded coordination ended; never when there is none.
async fn coordination_ended(served: &mut Option<Served>) -> anyhow::Result<Infallible> {
    let Some(running) = served else { return std::future::pending().await };
    let ended = (&mut running.task).await;
    // Its end can't be awaited twice.
    *served = None;
    let ended = ended.context("the coordination service panicked")?;
    ended.context("the coordination service ended")?;
    anyhow::bail!("the coordination service ended by itself")
}
