//! Run: wires the host agent together, and takes it down.
//!
//! ```text
//! listen ─► lock, ledger ─► take stock ─► present in each cluster ─► serve ─► SIGTERM: replicas stay
//! ```

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tonic::service::Routes;
use tonic::transport::Server as Tonic;
use watchdog_proto::agent::agent_server::AgentServer;
use watchdog_telemetry::spans::Spans;
use watchdog_trust::{Clients, Credentials, Dialer, Gate, Limits, Orders, Role, Servers};

use crate::config::Config;
use crate::desk::Desk;
use crate::dirs::Dirs;
use crate::floor::Floor;
use crate::ledger::{Ledger, Opened};
use crate::server::Server;
use crate::supervisor::Supervisor;
use crate::{logs, metrics, presence};

/// A start with the full state of a large application.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Runs until SIGTERM or SIGINT; replicas go on.
///
/// # Errors
///
/// When it can't start, or when its state directory is lost: its next start is a new instance.
pub(crate) async fn run(config: Config, spans: Spans) -> anyhow::Result<()> {
    let config = Arc::new(config);
    let connect = presence::connect(&config)?;
    let listener =
        TcpListener::bind(config.listen).await.with_context(|| format!("listen on {}", config.listen))?;
    let credentials = credentials(&config)?;
    let scheme = if credentials.is_some() { "https" } else { "http" };
    let address = format!("{scheme}://{}", listener.local_addr().context("ask for our own address")?);
    let dirs =
        Dirs::open(&config.dir).with_context(|| format!("use the directory {}", config.dir.display()))?;
    let _lock = dirs.lock().with_context(|| format!("lock {}", dirs.root().display()))?;
    let ledger = open_ledger(&dirs, &config)?;
    let epochs = ledger.read(|book| book.epochs.clone());
    let floor = Arc::new(Floor::new(Duration::from_millis(config.lease_ms), epochs));
    let supervisor = Supervisor::new(
        config.clone(),
        dirs,
        ledger.clone(),
        (&address, Dialer::new(credentials.clone(), Servers::Agents)),
    );
    let supervisor = supervisor.context("read /proc")?;
    let supervisor = Arc::new(supervisor);
    let inventory = supervisor.take_stock().await.context("record what runs here")?;
    tracing::info!(?inventory, "took stock");
    let unpublished = ledger.read(|book| {
        let unpublished = book.dead.values().filter(|dead| !dead.published);
        unpublished.map(|dead| (dead.cluster.clone(), dead.obituary.clone())).collect::<Vec<_>>()
    });
    for (cluster, obituary) in unpublished {
        supervisor.show_death(&cluster, obituary);
    }
    for cluster in &config.clusters {
        supervisor.revise(cluster, |presence| presence.host.inventory_complete = true);
    }
    let present: Vec<_> = config
        .clusters
        .iter()
        .filter_map(|cluster| presence::join(&supervisor, &floor, connect.clone(), cluster))
        .collect();
    supervisor.make_spares();
    tokio::spawn(logs::keep_rotating(supervisor.clone()));
    let desk = Arc::new(Desk { supervisor: supervisor.clone(), floor });
    // The line by which whoever started us knows where we are.
    println!("replica-agent {} listens on {address}", config.host);
    let ended = tokio::select! {
        served = serve(listener, desk, (credentials, spans)) => served.context("serve"),
        reason = ledger.ruined() => Err(anyhow::Error::new(reason).context("what must be remembered can't be; the next start is a new instance")),
        stopped = stopped() => stopped,
    };
    supervisor.leave().await;
    if ended.is_ok() {
        tracing::info!("stopping; replicas go on");
    }
    join_all(
        present.into_iter().map(|present| tokio::time::timeout(Duration::from_secs(5), present.leave())),
    )
    .await;
    ended
}

fn open_ledger(dirs: &Dirs, config: &Config) -> anyhow::Result<Ledger> {
    let Opened { ledger, replaced, fresh } =
        Ledger::open(dirs.root(), &config.host).context("open the ledger")?;
    let instance = ledger.read(|book| book.instance.clone());
    if let Some((aside, reason)) = replaced {
        tracing::error!(
            instance, reason, kept = %aside.display(),
            "THE LEDGER CANNOT BE USED: this is a new instance, which refuses the old one's orders"
        );
    } else {
        tracing::info!(instance, fresh, "opened the ledger");
    }
    Ok(ledger)
}

/// The certificates that the configuration names.
fn credentials(config: &Config) -> anyhow::Result<Option<Arc<Credentials>>> {
    let Some(files) = config.tls.files() else { return Ok(None) };
    let credentials = Credentials::open(files, Some(Role::Agent), Clients::Certified).context("use [tls]")?;
    credentials.keep_fresh();
    Ok(Some(credentials))
}

async fn serve(
    listener: TcpListener,
    desk: Arc<Desk>,
    (credentials, spans): (Option<Arc<Credentials>>, Spans),
) -> anyhow::Result<()> {
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<AgentServer<Server>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(watchdog_proto::DESCRIPTORS)
        .build_v1()
        .context("describe the service")?;
    let gate = Gate::new(credentials);
    let page = metrics::router(&desk, (spans, &gate));
    let agent = AgentServer::new(Server { desk })
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let agent = Orders::new(agent, gate.counters.clone(), &[]);
    let routes = Routes::new(agent).add_service(health_service).add_service(reflection);
    Tonic::builder()
        .accept_http1(true)
        // Whoever is there answers; whoever is silent makes room in the end.
        .http2_keepalive_interval(Some(Limits::PING_EVERY))
        .add_routes(Routes::from(routes.into_axum_router().merge(page)))
        .serve_with_incoming(gate.incoming(listener))
        .await?;
    Ok(())
}

async fn stopped() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
