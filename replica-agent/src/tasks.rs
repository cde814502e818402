//! Tasks: what runs beside the application: the gRPC server and the publisher; and the signals that end it all.

use std::future::Future;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use watchdog_membership::records::MemberRecord;
use watchdog_proto::agent::agent_server::AgentServer;
use watchdog_trust::{Gate, Limits, Orders, Role};

use crate::error::AgentError;
use crate::server::{Server, Service};
use crate::status::{Portrait, publish};

/// The largest order: a whole state fits.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What runs beside; it ends when this is dropped.
pub(crate) struct Tasks(Vec<tokio::task::JoinHandle<()>>);

impl Tasks {
    pub(crate) fn start(
        server: &Arc<Server>,
        (listener, gate): (TcpListener, Gate),
        portrait: Portrait,
        record: &watch::Sender<MemberRecord>,
    ) -> Self {
        let (reporter, health) = tonic_health::server::health_reporter();
        let agent = AgentServer::new(Service(server.clone())).max_decoding_message_size(MESSAGE_BYTES_MAX);
        // The host agent looks, too: that is its probe.
        let agent = Orders::new(agent, gate.counters.clone(), &[("Look", Role::Agent)]);
        let builder = tonic::transport::Server::builder();
        // Whoever is there answers; whoever is silent makes room in the end.
        let mut builder = builder.http2_keepalive_interval(Some(Limits::PING_EVERY));
        let router = builder.add_service(health).add_service(agent);
        let incoming = gate.incoming(listener);
        let serve = async move {
            if let Err(error) = router.serve_with_incoming(incoming).await {
                tracing::error!(error = crate::error::sentence(&error), "the agent no longer listens");
            }
        };
        let (status, checks) = (server.loader.status.clone(), server.loader.checks.clone());
        let show = publish(portrait, status, checks, (record.clone(), reporter));
        Self(vec![tokio::spawn(serve), tokio::spawn(show)])
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// Resolves on SIGTERM or SIGINT.
pub(crate) fn told_to_end() -> Result<impl Future<Output = ()>, AgentError> {
    let listen = |kind| signal(kind).map_err(AgentError::system("listen for signals"));
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
    })
}
