//! Server: the gRPC service around the keeper.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;

use async_trait::async_trait;
use futures_util::{Stream, StreamExt as _};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tonic::{Request, Response, Status};
use watchdog_proto::coordination as proto;
use watchdog_proto::coordination::coordination_server::{Coordination, CoordinationServer};

use super::convert;
use super::disk::Disk;
use super::keeper::{self, Keeper, News};
use super::store::Fault;

/// Requests that wait for the keeper; beyond it callers wait for a place.
const QUEUE_MAX: usize = 4096;
/// Session time-outs outside of this are moved to its ends.
const TIMEOUT_MS: std::ops::RangeInclusive<u64> = 200..=60_000;
/// A commit or a batch of reads may be larger than gRPC's 4 MiB.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The service, to be added to a router of tonic's; clones share one tree.
#[derive(Debug, Clone)]
pub struct Service {
    requests: mpsc::Sender<keeper::Request>,
}

/// Opens the tree in `dir` and answers a service for it, to be added to a router. Ends when the last clone is dropped.
///
/// # Errors
///
/// If the directory cannot be used, another process serves it, or its file is damaged; the text says which.
pub fn service(dir: &Path) -> io::Result<CoordinationServer<Service>> {
    let (service, _) = start(dir, std::future::pending())?;
    Ok(service)
}

fn start(
    dir: &Path,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<(CoordinationServer<Service>, JoinHandle<()>)> {
    let (disk, transaction, nodes) = Disk::open(dir)?;
    let (sender, requests) = mpsc::channel(QUEUE_MAX);
    let keeper = tokio::spawn(Keeper::new(disk, transaction, nodes).run(requests, stop));
    let service = CoordinationServer::new(Service { requests: sender });
    Ok((
        service.max_decoding_message_size(MESSAGE_BYTES_MAX).max_encoding_message_size(MESSAGE_BYTES_MAX),
        keeper,
    ))
}

/// A service that listens by itself; it ends when this is dropped.
#[derive(Debug)]
pub struct Serving {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    keeper: JoinHandle<()>,
    server: JoinHandle<()>,
}

impl Serving {
    /// How it is reached.
    pub fn url(&self) -> String {
        format!("embedded://{}", self.address)
    }

    /// Stops it and waits until its directory and its port are free.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        // A task that panicked has ended as well.
        let _ = (&mut self.keeper).await;
        let _ = (&mut self.server).await;
    }
}

/// Serves the tree in `dir` on `listener`, and nothing else.
///
/// # Errors
///
/// As [`service`], or if the listener is not on this machine's loopback.
pub fn serve(listener: TcpListener, dir: &Path) -> io::Result<Serving> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() {
        let message = format!("{address} is not on loopback; beyond one machine coordination is ZooKeeper's");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let (stop, stopped) = watch::channel(false);
    let stopping = || {
        let mut stopped = stopped.clone();
        // A dropped sender stops it too.
        async move { drop(stopped.wait_for(|stop| *stop).await) }
    };
    let (service, keeper) = start(dir, stopping())?;
    let incoming = TcpListenerStream::new(listener).map(|stream| {
        // Without this small answers wait for the other side's delayed acknowledgement.
        stream.inspect(|stream| drop(stream.set_nodelay(true)))
    });
    let router = tonic::transport::Server::builder().add_service(service);
    let serving = router.serve_with_incoming_shutdown(incoming, stopping());
    let server = tokio::spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "the coordination service ended");
        }
    });
    Ok(Serving { address, stop, keeper, server })
}

impl Service {
    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, Fault>>) -> keeper::Request,
    ) -> Result<T, Status> {
        let (reply, answer) = oneshot::channel();
        let gone = || Status::unavailable("the coordination service is stopping");
        self.requests.send(request(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?.map_err(|fault| status(&fault))
    }
}

fn status(fault: &Fault) -> Status {
    let message = fault.to_string();
    match fault {
        Fault::NoSession => Status::not_found(message),
        Fault::Refused { .. } => Status::failed_precondition(message),
        Fault::Invalid { .. } => Status::invalid_argument(message),
        Fault::Disk { .. } => Status::resource_exhausted(message),
    }
}

#[async_trait]
impl Coordination for Service {
    async fn open(&self, request: Request<proto::OpenRequest>) -> Result<Response<proto::OpenReply>, Status> {
        let asked = request.into_inner().timeout_ms;
        let timeout_ms = asked.clamp(*TIMEOUT_MS.start(), *TIMEOUT_MS.end());
        let session = self.ask(|reply| keeper::Request::Open { timeout_ms, reply }).await?;
        Ok(Response::new(proto::OpenReply { session, timeout_ms }))
    }

    async fn heartbeat(
        &self,
        request: Request<proto::HeartbeatRequest>,
    ) -> Result<Response<proto::HeartbeatReply>, Status> {
        let proto::HeartbeatRequest { session, mark } = request.into_inner();
        self.ask(|reply| keeper::Request::Heartbeat { session, mark, reply }).await?;
        Ok(Response::new(proto::HeartbeatReply {}))
    }

    async fn close(
        &self,
        request: Request<proto::CloseRequest>,
    ) -> Result<Response<proto::CloseReply>, Status> {
        let session = request.into_inner().session;
        self.ask(|reply| keeper::Request::Close { session, reply }).await?;
        Ok(Response::new(proto::CloseReply {}))
    }

    async fn commit(
        &self,
        request: Request<proto::CommitRequest>,
    ) -> Result<Response<proto::CommitReply>, Status> {
        let proto::CommitRequest { session, operations } = request.into_inner();
        let unknown = || Status::invalid_argument("operations: one of them is of no known kind");
        let operations: Option<_> = operations.into_iter().map(convert::operation_in).collect();
        let operations = operations.ok_or_else(unknown)?;
        let paths = self.ask(|reply| keeper::Request::Commit { session, operations, reply }).await?;
        Ok(Response::new(proto::CommitReply { paths }))
    }

    async fn read(&self, request: Request<proto::ReadRequest>) -> Result<Response<proto::ReadReply>, Status> {
        let proto::ReadRequest { session, paths } = request.into_inner();
        let nodes = self.ask(|reply| keeper::Request::Read { session, paths, reply }).await?;
        Ok(Response::new(proto::ReadReply { nodes: nodes.into_iter().map(convert::node_out).collect() }))
    }

    async fn list(&self, request: Request<proto::ListRequest>) -> Result<Response<proto::ListReply>, Status> {
        let proto::ListRequest { session, prefix } = request.into_inner();
        let paths = self.ask(|reply| keeper::Request::List { session, prefix, reply }).await?;
        Ok(Response::new(proto::ListReply { paths }))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<proto::WatchEvent, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<proto::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let proto::WatchRequest { session, prefix } = request.into_inner();
        let events = self.ask(|reply| keeper::Request::Watch { session, prefix, reply }).await?;
        let stands = futures_util::stream::once(std::future::ready(proto::WatchEvent::default()));
        let events = ReceiverStream::new(events).map(|news| match news {
            News::Path(path) => proto::WatchEvent { path, mark: 0 },
            News::Mark(mark) => proto::WatchEvent { path: String::new(), mark },
        });
        Ok(Response::new(Box::pin(stands.chain(events).map(Ok))))
    }
}
