//! Client: asks whichever watchdog answers.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};
use watchdog_proto::admin::admin_client::AdminClient;
use watchdog_proto::admin::{ClusterStatus, Event, EventsRequest, LogAppendRequest, StatusRequest};

use super::CLUSTER;

/// A frozen watchdog gives no error, only silence.
const PATIENCE: Duration = Duration::from_secs(1);
/// A write waits for the disk of the database.
const WRITE_PATIENCE: Duration = Duration::from_secs(5);

/// Connections to all watchdogs; each is made when it is used, and again when it breaks.
#[derive(Debug)]
pub(super) struct Client {
    watchdogs: Vec<(String, AdminClient<Channel>)>,
}

/// What all watchdogs say at one moment.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The URLs of those that did not answer.
    pub(super) silent: Vec<String>,
    /// The status, from one that knows a leader if there is one.
    pub(super) status: Option<ClusterStatus>,
}

impl Answers {
    /// The leader's URL and the head of the log, when there is a leader.
    pub(super) fn leader_and_head(&self) -> Option<(String, u64)> {
        let status = self.status.as_ref()?;
        Some((status.leader.as_ref()?.address.clone(), status.head))
    }
}

impl Client {
    /// A client for the watchdogs at these URLs.
    pub(super) fn new(endpoints: &[String]) -> anyhow::Result<Self> {
        let connect = |url: &String| -> anyhow::Result<_> {
            let endpoint = Endpoint::from_shared(url.clone())
                .with_context(|| format!("{url} is no address"))?
                .connect_timeout(PATIENCE)
                .tcp_nodelay(true)
                // Ends a stream from a watchdog that is frozen.
                .http2_keep_alive_interval(PATIENCE)
                .keep_alive_timeout(PATIENCE)
                .keep_alive_while_idle(true);
            Ok((url.clone(), AdminClient::new(endpoint.connect_lazy())))
        };
        Ok(Self { watchdogs: endpoints.iter().map(connect).collect::<Result<_, _>>()? })
    }

    /// Asks all of them for the status.
    pub(super) async fn ask_all(&self) -> Answers {
        let ask = |(url, client): &(String, AdminClient<Channel>)| {
            let (url, mut client) = (url.clone(), client.clone());
            async move {
                let request = StatusRequest { cluster: CLUSTER.to_owned() };
                match timeout(PATIENCE, client.status(request)).await {
                    Ok(Ok(status)) => Ok(status.into_inner()),
                    _ => Err(url),
                }
            }
        };
        let mut answers = Answers::default();
        for answer in join_all(self.watchdogs.iter().map(ask)).await {
            match answer {
                Ok(status) => {
                    let rank = |status: &ClusterStatus| status.leader.as_ref().map(|leader| leader.epoch);
                    if answers.status.as_ref().is_none_or(|best| rank(&status) > rank(best)) {
                        answers.status = Some(status);
                    }
                }
                Err(url) => answers.silent.push(url),
            }
        }
        answers
    }

    /// Appends to the log; answers the new head.
    pub(super) async fn append(&self, leader: &str, request: LogAppendRequest) -> Result<u64, Status> {
        let known = self.watchdogs.iter().find(|(url, _)| url == leader);
        let (_, client) =
            known.ok_or_else(|| Status::unavailable(format!("the leader {leader} is none of ours")))?;
        let reply = timeout(WRITE_PATIENCE, client.clone().log_append(request)).await;
        let reply = reply.map_err(|_| Status::deadline_exceeded("no answer to the append"))??;
        Ok(reply.into_inner().head)
    }

    /// Follows the record, at the `index`th watchdog, counted around.
    pub(super) async fn follow(
        &self,
        index: usize,
        request: EventsRequest,
    ) -> Result<Streaming<Event>, Status> {
        let (_, client) = &self.watchdogs[index % self.watchdogs.len()];
        let stream = timeout(PATIENCE, client.clone().events(request)).await;
        Ok(stream.map_err(|_| Status::deadline_exceeded("no answer"))??.into_inner())
    }
}
