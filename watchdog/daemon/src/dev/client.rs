//! Client: asks whichever watchdog answers.

use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::join_all;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};
use watchdog_proto::admin::admin_client::AdminClient;
use watchdog_proto::admin::{
    ClusterStatus, Event, EventsRequest, GoalApplyReply, GoalApplyRequest, GoalRestoreRequest,
    GoalShowRequest, GoalView, LogAppendRequest, StatusRequest,
};
use watchdog_trust::Dialer;

use super::CLUSTER;

/// A frozen watchdog gives no error, only silence.
const PATIENCE: Duration = Duration::from_secs(1);
/// A write waits for the disk of the database.
const WRITE_PATIENCE: Duration = Duration::from_secs(5);

/// Connections to all watchdogs; each is made when it is used, and again when it breaks.
#[derive(Debug, Clone)]
pub(super) struct Client {
    watchdogs: Vec<(String, AdminClient<Channel>)>,
}

/// What all watchdogs say at one moment.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The URLs of those that did not answer.
    pub(super) silent: Vec<String>,
    /// The status, from one that knows a leader if there is one, and from the leader itself if it answers.
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
    pub(super) fn new(endpoints: &[String], dialer: &Dialer) -> anyhow::Result<Self> {
        let connect = |url: &String| -> anyhow::Result<_> {
            let tune = |endpoint: Endpoint| {
                endpoint
                    .connect_timeout(PATIENCE)
                    // Ends a stream from a watchdog that is frozen.
                    .http2_keep_alive_interval(PATIENCE)
                    .keep_alive_timeout(PATIENCE)
                    .keep_alive_while_idle(true)
            };
            Ok((url.clone(), AdminClient::new(dialer.channel(url, tune)?)))
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
                    Ok(Ok(status)) => Ok((url, status.into_inner())),
                    _ => Err(url),
                }
            }
        };
        let mut answers = Answers::default();
        let mut best = None;
        for answer in join_all(self.watchdogs.iter().map(ask)).await {
            match answer {
                Ok((url, status)) => {
                    let rank = status.leader.as_ref().map(|leader| (leader.epoch, leader.address == url));
                    if answers.status.is_none() || rank > best {
                        best = rank;
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
        let mut leader = self.at(leader)?;
        Ok(patiently(WRITE_PATIENCE, leader.log_append(request)).await?.head)
    }

    /// Declares a goal.
    pub(super) async fn declare(
        &self,
        leader: &str,
        request: GoalApplyRequest,
    ) -> Result<GoalApplyReply, Status> {
        let mut leader = self.at(leader)?;
        patiently(WRITE_PATIENCE, leader.goal_apply(request)).await
    }

    /// Makes an earlier version stable again; answers what the leader says.
    pub(super) async fn restore(&self, leader: &str, request: GoalRestoreRequest) -> Result<String, Status> {
        let mut leader = self.at(leader)?;
        Ok(patiently(WRITE_PATIENCE, leader.goal_restore(request)).await?.message)
    }

    /// One goal, as the leader sees it.
    pub(super) async fn goal(&self, leader: &str, id: &str) -> Result<GoalView, Status> {
        let request = GoalShowRequest { cluster: CLUSTER.to_owned(), id: id.to_owned() };
        let mut leader = self.at(leader)?;
        patiently(PATIENCE, leader.goal_show(request)).await
    }

    fn at(&self, url: &str) -> Result<AdminClient<Channel>, Status> {
        let known = self.watchdogs.iter().find(|(ours, _)| ours == url);
        let (_, client) = known.ok_or_else(|| Status::unavailable(format!("{url} is none of ours")))?;
        Ok(client.clone())
    }

    /// The record to its end, from the first watchdog that has it.
    ///
    /// # Errors
    ///
    /// If none answers.
    pub(super) async fn record(&self, request: EventsRequest) -> anyhow::Result<Vec<Event>> {
        let mut fault = Status::unavailable("there is no watchdog");
        for index in 0..self.watchdogs.len() {
            match timeout(WRITE_PATIENCE, self.read(index, request.clone())).await {
                Ok(Ok(events)) => return Ok(events),
                Ok(Err(status)) => fault = status,
                Err(_) => fault = Status::deadline_exceeded("no answer"),
            }
        }
        Err(fault).context("no watchdog tells the record")
    }

    async fn read(&self, index: usize, request: EventsRequest) -> Result<Vec<Event>, Status> {
        let mut stream = self.follow(index, request).await?;
        let mut events = Vec::new();
        while let Some(event) = stream.message().await? {
            events.push(event);
        }
        Ok(events)
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

/// Its answer, unless that takes too long.
async fn patiently<T>(
    patience: Duration,
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, Status> {
    let reply = timeout(patience, call).await.map_err(|_| Status::deadline_exceeded("no answer"))??;
    Ok(reply.into_inner())
}
