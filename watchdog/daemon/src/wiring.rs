//! Wiring: the one place that names concrete adapters.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::service::Routes;
use tonic::transport::Server;
use watchdog_core::goal::fault::GOAL_BYTES_MAX;
use watchdog_core::ids::ClusterId;
use watchdog_journal::Journal;
use watchdog_membership::wire;
use watchdog_ports::delays::Delays;
use watchdog_proto::admin::admin_server::AdminServer;

use crate::access::{Access, CONNECTION_STREAMS_MAX, Door};
use crate::admin::AdminService;
use crate::cluster::{ClusterTask, Handle, Identity};
use crate::config::Config;
use crate::http;
use crate::shutdown::Shutdown;

/// The largest request: a goal of the largest size, and what is around it.
const REQUEST_BYTES_MAX: usize = GOAL_BYTES_MAX + 8 * 1024 * 1024;
/// The most that the headers of a request may take.
const HEADERS_BYTES_MAX: u32 = 32 * 1024;

/// Guards the clusters of `config` until `shutdown`.
pub(crate) async fn run(config: Config, asked: impl Future<Output = ()>) -> anyhow::Result<()> {
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
        journal = open_journal(&config) => Arc::new(journal?),
        () = &mut asked => return Ok(()),
    };
    let options = config.coordination.options()?;
    let identity = Identity {
        id: config.id.clone(),
        address: config.advertised(listening),
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
        clusters.insert(cluster.clone(), handle);
        tasks.spawn(task.run(shutdown.clone()));
    }
    tracing::info!(id = %identity.id, address = identity.address, "watchdog serves");
    let server = serve(listener, (Arc::new(clusters), access), shutdown.clone());
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
    listener: TcpListener,
    (clusters, access): (Arc<BTreeMap<ClusterId, Handle>>, Arc<Access>),
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
    // Whatever is served stands behind the guard.
    let routes = Routes::from(access.guard(routes.into_axum_router().merge(http::router(clusters))));
    Server::builder()
        .accept_http1(true)
        .tcp_nodelay(true)
        .max_concurrent_streams(CONNECTION_STREAMS_MAX)
        .http2_max_header_list_size(HEADERS_BYTES_MAX)
        .add_routes(routes)
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), async move { shutdown.asked().await })
        .await
        .context("serve")
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
