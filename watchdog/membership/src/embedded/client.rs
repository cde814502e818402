//! Client: a session with the embedded coordination service, over gRPC.
//!
//! *On connection loss.* A commit that was sent and not answered is [`TreeError::Unknown`]; one that could not be sent,
//! or that the service says it did not do, is [`TreeError::Unavailable`]. The connection comes back by itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use watchdog_proto::coordination as proto;
use watchdog_proto::coordination::coordination_client::CoordinationClient;

use super::convert;
use super::heart;
use super::watching::{self, Marks};
use crate::tree::{Change, Connect, Node, Operation, Session, Tree, TreeError};

/// Lists of a large cluster are larger than gRPC's 4 MiB.
const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How many paths one request reads.
const READ_MAX: usize = 1000;
/// How long a request may take at least, however short the session's time-out: a loaded machine is not a dead one.
const REQUEST_TIMEOUT_MIN: Duration = Duration::from_secs(2);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Opens sessions with the service at one address.
#[derive(Debug, Clone)]
pub struct Embedded {
    address: SocketAddr,
    session_timeout: Duration,
}

impl Embedded {
    /// Connects to nothing yet.
    pub fn new(address: SocketAddr, session_timeout: Duration) -> Self {
        Self { address, session_timeout }
    }
}

#[async_trait]
impl Connect for Embedded {
    async fn open(&self) -> Result<Arc<dyn Tree>, TreeError> {
        let asked = tokio::time::Instant::now();
        let channel = Endpoint::from_shared(format!("http://{}", self.address))
            .map_err(|source| TreeError::Unavailable { operation: "open a session", source: source.into() })?
            .connect_timeout(self.session_timeout)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(self.session_timeout / 2)
            .keep_alive_timeout(self.session_timeout / 2)
            .connect_lazy();
        let client = CoordinationClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let timeout_ms = u64::try_from(self.session_timeout.as_millis()).unwrap_or(u64::MAX);
        let request = proto::OpenRequest { timeout_ms };
        let limit = self.session_timeout.max(REQUEST_TIMEOUT_MIN);
        let reply = within(limit, client.clone().open(request)).await;
        let proto::OpenReply { session, timeout_ms } = reply.map_err(|status| match status {
            // A session that we never heard of ends by itself.
            Some(status) => unavailable("open a session", status),
            None => {
                TreeError::Unavailable { operation: "open a session", source: "no answer in time".into() }
            }
        })?;
        let timeout = Duration::from_millis(timeout_ms);
        let line = Arc::new(Line {
            client,
            session,
            timeout,
            state: watch::Sender::new(Session::Connected),
            closed: watch::Sender::new(false),
            marks: Marks::default(),
        });
        tokio::spawn(heart::beat(Arc::clone(&line), asked));
        Ok(Arc::new(EmbeddedTree { line }))
    }
}

/// What the tree, its heart and its watches share.
#[derive(Debug)]
pub(crate) struct Line {
    client: CoordinationClient<Channel>,
    session: u64,
    pub(crate) timeout: Duration,
    pub(crate) state: watch::Sender<Session>,
    closed: watch::Sender<bool>,
    pub(crate) marks: Marks,
}

impl Line {
    /// A client to ask with.
    pub(crate) fn client(&self) -> CoordinationClient<Channel> {
        self.client.clone()
    }

    /// The id of the session.
    pub(crate) fn session(&self) -> u64 {
        self.session
    }

    /// Resolves when the session is over, or nobody holds the tree any more.
    pub(crate) async fn over(&self) {
        let (mut state, mut closed) = (self.state.subscribe(), self.closed.subscribe());
        tokio::select! {
            _ = state.wait_for(|state| *state == Session::Expired) => {}
            _ = closed.wait_for(|closed| *closed) => {}
        }
    }

    /// Takes note of a session state; expiry is for good.
    pub(crate) fn become_state(&self, new: Session) {
        self.state.send_if_modified(|state| {
            let changes = *state != new && *state != Session::Expired;
            if changes {
                *state = new;
            }
            changes
        });
    }

    fn limit(&self) -> Duration {
        self.timeout.max(REQUEST_TIMEOUT_MIN)
    }

    /// Asks something that changes nothing.
    async fn ask<T>(
        &self,
        operation: &'static str,
        request: impl Future<Output = Result<tonic::Response<T>, Status>>,
    ) -> Result<T, TreeError> {
        self.check()?;
        within(self.limit(), request).await.map_err(|status| match status {
            Some(status) if status.code() == Code::NotFound => self.expired(),
            Some(status) => unavailable(operation, status),
            None => TreeError::Unavailable { operation, source: "no answer in time".into() },
        })
    }

    fn check(&self) -> Result<(), TreeError> {
        if *self.state.borrow() == Session::Expired { Err(TreeError::Expired) } else { Ok(()) }
    }

    fn expired(&self) -> TreeError {
        self.become_state(Session::Expired);
        TreeError::Expired
    }
}

/// Waits for an answer, `None` if it does not come in time.
async fn within<T>(
    limit: Duration,
    request: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, Option<Status>> {
    match tokio::time::timeout(limit, request).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(Some(status)),
        Err(_) => Err(None),
    }
}

fn unavailable(operation: &'static str, status: Status) -> TreeError {
    TreeError::Unavailable { operation, source: status.into() }
}

/// Whether the request surely did nothing: it never left, or the service says so.
fn surely_not_done(status: &Status) -> bool {
    if matches!(status.code(), Code::ResourceExhausted | Code::InvalidArgument | Code::Unimplemented) {
        return true;
    }
    let mut cause = std::error::Error::source(status);
    while let Some(error) = cause {
        if error.is::<tonic::ConnectError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A session with the embedded service.
struct EmbeddedTree {
    line: Arc<Line>,
}

impl Drop for EmbeddedTree {
    fn drop(&mut self) {
        self.line.closed.send_replace(true);
        // Without a runtime the session ends by its time-out.
        if *self.line.state.borrow() != Session::Expired
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let line = Arc::clone(&self.line);
            runtime.spawn(async move { close(&line).await });
        }
    }
}

async fn close(line: &Line) {
    let request = proto::CloseRequest { session: line.session };
    if within(CLOSE_TIMEOUT, line.client().close(request)).await.is_err() {
        tracing::debug!(session = line.session, "the session could not be closed; it ends by its time-out");
    }
    line.become_state(Session::Expired);
}

#[async_trait]
impl Tree for EmbeddedTree {
    fn session_id(&self) -> u64 {
        self.line.session
    }

    fn session(&self) -> watch::Receiver<Session> {
        self.line.state.subscribe()
    }

    fn timeout_ms(&self) -> u64 {
        u64::try_from(self.line.timeout.as_millis()).unwrap_or(u64::MAX)
    }

    async fn commit(&self, operations: Vec<Operation>) -> Result<Vec<String>, TreeError> {
        let line = &self.line;
        line.check()?;
        let paths: Vec<String> = operations.iter().map(|operation| operation.path().to_owned()).collect();
        let operations = operations.into_iter().map(convert::operation_out).collect();
        let request = proto::CommitRequest { session: line.session, operations };
        let reply = within(line.limit(), line.client().commit(request)).await;
        reply.map(|reply| reply.paths).map_err(|status| {
            let Some(status) = status else {
                return TreeError::Unknown { operation: "commit", source: None };
            };
            match status.code() {
                Code::NotFound => line.expired(),
                Code::FailedPrecondition => match convert::refusal_in(status.message()) {
                    Some((index, reason)) => {
                        let path = paths.get(index).cloned().unwrap_or_default();
                        TreeError::Refused { index, path, reason }
                    }
                    None => TreeError::Unknown { operation: "commit", source: Some(status.into()) },
                },
                _ if surely_not_done(&status) => unavailable("commit", status),
                _ => TreeError::Unknown { operation: "commit", source: Some(status.into()) },
            }
        })
    }

    async fn read(&self, paths: &[String]) -> Result<Vec<Option<Node>>, TreeError> {
        let line = &self.line;
        let mut nodes = Vec::with_capacity(paths.len());
        for batch in paths.chunks(READ_MAX) {
            let request = proto::ReadRequest { session: line.session, paths: batch.to_vec() };
            let reply = line.ask("read", line.client().read(request)).await?;
            nodes.extend(reply.nodes.into_iter().map(convert::node_in));
        }
        Ok(nodes)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, TreeError> {
        let request = proto::ListRequest { session: self.line.session, prefix: prefix.to_owned() };
        let reply = self.line.ask("list", self.line.client().list(request)).await?;
        Ok(reply.paths)
    }

    async fn sync(&self) -> Result<(), TreeError> {
        let line = &self.line;
        let mark = line.marks.next();
        let watches = line.marks.watches();
        let request = proto::HeartbeatRequest { session: line.session, mark };
        line.ask("sync", line.client().heartbeat(request)).await?;
        let told = async {
            for mut passed in watches {
                // A watch that ended has nothing more to tell.
                let _ = passed.wait_for(|passed| *passed >= mark).await;
            }
        };
        tokio::time::timeout(line.limit(), told).await.map_err(|_| TreeError::Unavailable {
            operation: "sync",
            source: "a watch did not keep up".into(),
        })
    }

    async fn watch(&self, prefix: &str) -> Result<mpsc::UnboundedReceiver<Change>, TreeError> {
        self.line.check()?;
        let stream = self.line.ask("watch", watching::begin(&self.line, prefix)).await?;
        let (changes, receiver) = mpsc::unbounded_channel();
        tokio::spawn(watching::follow(Arc::clone(&self.line), prefix.to_owned(), stream, changes));
        Ok(receiver)
    }

    async fn close(&self) {
        close(&self.line).await;
    }
}
