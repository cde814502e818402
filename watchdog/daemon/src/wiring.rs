//! Wiring: the one place that names concrete adapters.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::service::Routes;
use tonic::transport::Server;
use watchdog_core::goal::fault::GOAL_BYTES_MAX;
use watchdog_core::ids::ClusterId;
use watchdog_journal::Journal;
use watchdog_journal::brake::Brake;
use watchdog_membership::wire;
use watchdog_ports::delays::Delays;
use watchdog_proto::admin::admin_server::AdminServer;
use watchdog_telemetry::spans::Spans;
use watchdog_trust::{Clients, Credentials, Dialer, Gate, Incoming, Limits, Role, Servers};

use crate::access::{Access, CONNECTION_STREAMS_MAX, Door};
use crate::admin::AdminService;
use crate::cluster::{ClusterTask, Handle, Identity};
use crate::config::{Config, JournalUrl};
use crate::http;
use crate::metrics::{self, Metrics};
use crate::shutdown::Shutdown;

/// The largest request: a goal of the largest size, and what is around it.
const REQUEST_BYTES_MAX: usize = GOAL_BYTES_MAX + 8 * 1024 * 1024;
/// The most that the headers of a request may take.
const HEADERS_BYTES_MAX: u32 = 32 * 1024;

/// Guards the clusters of `config` until `shutdown`.
pub(crate) async fn run(config: Config, spans: Spans, asked: impl Future<Output = ()>) -> anyhow::Result<()> {
    let mut metrics = Metrics::new(spans);
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}; is another process there?", config.listen))?;
    let listening = listener.local_addr().context("ask for our own address")?;
    let access = Access::open(&Door {
        identities: config.access.identities.clone(),
        listening,
        advertised: config.advertised(listening),
    })?;
    let (trigger, mut shutdown) = Shutdown::new();
    tokio::pin!(asked);
    let journal = tokio::select! {
        journal = open_journal(&config) => metrics.timed(Arc::new(journal?)),
        () = &mut asked => return Ok(()),
    };
    let options = config.coordination.options()?;
    let credentials = credentials(&config)?;
    let identity = Identity {
        id: config.id.clone(),
        address: config.advertised(listening),
        dialer: Dialer::new(credentials.clone(), Servers::Agents),
        resign_after: config.resign_after,
        stay_out: config.stay_out,
    };
    let mut tasks = JoinSet::new();
    let mut clusters: BTreeMap<ClusterId, Handle> = BTreeMap::new();
    for cluster in &config.clusters {
        // A connector a cluster, because each has a session and an election of its own.
        let connect = wire::connector(&config.coordination.url, options.clone())
            .with_context(|| format!("cannot use {}", config.coordination.url))?;
        let (task, handle) = ClusterTask::new(identity.clone(), cluster.clone(), connect, journal.clone());
        metrics.tell_of(&handle);
        clusters.insert(cluster.clone(), handle);
        tasks.spawn(task.run(shutdown.clone()));
    }
    tracing::info!(id = %identity.id, address = identity.address, "watchdog serves");
    let gate = Gate::new(credentials);
    metrics.tell_of_door(&gate, &access);
    let services = (Arc::new(clusters), access, Arc::new(metrics));
    let server = serve(gate.incoming(listener), services, shutdown.clone());
    tokio::pin!(server);
    let outcome = tokio::select! {
        outcome = &mut server => outcome,
        Some(ended) = tasks.join_next() => Err(anyhow::anyhow!("the task of a cluster ended by itself: {ended:?}")),
        () = asked => {
            trigger.pull();
            shutdown.asked().await;
            // Contenders are withdrawn first, so that the next leader need not wait for anything.
            while tasks.join_next().await.is_some() {}
            return Ok(());
        }
    };
    trigger.pull();
    while tasks.join_next().await.is_some() {}
    outcome
}

async fn serve(
    incoming: Incoming,
    (clusters, access, metrics): (Arc<BTreeMap<ClusterId, Handle>>, Arc<Access>, Arc<Metrics>),
    mut shutdown: Shutdown,
) -> anyhow::Result<()> {
    tokio::spawn(Arc::clone(&access).keep_up(shutdown.clone()));
    let (health, health_service) = tonic_health::server::health_reporter();
    health.set_serving::<AdminServer<AdminService>>().await;
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(watchdog_proto::DESCRIPTORS)
        .build_v1()
        .context("describe our services")?;
    let admin =
        AdminServer::new(AdminService::new(clusters.clone())).max_decoding_message_size(REQUEST_BYTES_MAX);
    let routes = Routes::new(admin).add_service(health_service).add_service(reflection);
    let routes = routes.into_axum_router().merge(http::router(clusters)).merge(metrics::router(metrics));
    // Whatever is served stands behind the guard.
    let routes = Routes::from(access.guard(routes));
    Server::builder()
        .accept_http1(true)
        // Whoever is there answers; whoever is silent makes room in the end.
        .http2_keepalive_interval(Some(Limits::PING_EVERY))
        .max_concurrent_streams(CONNECTION_STREAMS_MAX)
        .http2_max_header_list_size(HEADERS_BYTES_MAX)
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, async move { shutdown.asked().await })
        .await
        .context("serve")
}

/// The certificates that the configuration names. People may come without one: they may have a token.
fn credentials(config: &Config) -> anyhow::Result<Option<Arc<Credentials>>> {
    let Some(files) = config.tls.clone() else { return Ok(None) };
    let credentials =
        Credentials::open(files, Some(Role::Watchdog), Clients::Anybody).context("use [tls]")?;
    credentials.keep_fresh();
    Ok(Some(credentials))
}

/// Makes the journal slow for whoever writes, until it is released.
pub(crate) async fn slow_journal(journal: &JournalUrl) -> anyhow::Result<Brake> {
    Brake::apply(journal.as_str()).await.context("reach the journal to slow it down")
}

/// Opens the journal, waiting for one that is not there yet: a watchdog that gives up heals nobody.
async fn open_journal(config: &Config) -> anyhow::Result<Journal> {
    let options = watchdog_journal::Options { query_timeout: config.query_timeout, ..Default::default() };
    let mut delays = Delays::reconnecting();
    loop {
        match Journal::open(config.journal.as_str(), options).await {
            Ok(journal) => return Ok(journal),
            Err(error @ watchdog_ports::journal_error::JournalError::Unavailable { .. }) => {
                tracing::warn!(
                    error = format!("{:#}", anyhow::Error::new(error)),
                    "journal unavailable; waiting"
                );
                tokio::time::sleep(delays.next_delay()).await;
            }
            Err(error) => return Err(error).context("open the journal"),
        }
    }
}

/// Serves the embedded coordination service on `listener` until `shutdown`.
pub(crate) async fn embedded_coordination(
    dir: &Path,
    listener: TcpListener,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let serving = watchdog_membership::embedded::serve(listener, dir)?;
    shutdown.await;
    serving.stop().await;
    Ok(())
}
