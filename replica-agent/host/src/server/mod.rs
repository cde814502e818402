//! Server: the gRPC face of the host agent.

mod examine;
pub(crate) mod order;
mod replies;
mod trace;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tracing::Instrument as _;
use watchdog_core::ids::ReplicaId;
use watchdog_proto::agent::agent_server::Agent;
use watchdog_proto::agent::{
    ActEvent, ActRequest, ExamineReply, ExamineRequest, LookReply, LookRequest, Progress, SealReply,
    SealRequest, act_event,
};

use crate::desk::{Answer, Desk};
use crate::fault::{Blame, Fault};
use crate::ledger::{Book, Outcome};
use crate::probes;
use crate::refusal::Refusal;
use replies::{obituary_reply, result_reply, sealed_reply};

/// How often somebody who waits for a long act hears that it goes on.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);
/// How many obituaries of one replica an answer holds, the latest ones.
const OBITUARIES_MAX: usize = 16;

/// The service.
pub(crate) struct Server {
    pub(crate) desk: Arc<Desk>,
}

type Events = Pin<Box<dyn Stream<Item = Result<ActEvent, Status>> + Send>>;

#[tonic::async_trait]
impl Agent for Server {
    type ActStream = Events;

    async fn act(&self, request: Request<ActRequest>) -> Result<Response<Events>, Status> {
        let traced = trace::of(request.metadata());
        let refused = |refusal: &Refusal| self.desk.supervisor.ledger.counters.refused(refusal);
        let (order, act) =
            order::understand(&self.desk.supervisor.config, request.into_inner()).inspect_err(refused)?;
        let step = order.step.clone();
        let span = trace::span(&order, &act, traced);
        let answer = span.in_scope(|| self.desk.take(order, act)).inspect_err(|refusal| {
            refused(refusal);
            tracing::warn!(%step, %refusal, "an order is refused");
        })?;
        let (events, stream) = mpsc::channel(4);
        tokio::spawn(tell(answer, events));
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }

    async fn seal(&self, request: Request<SealRequest>) -> Result<Response<SealReply>, Status> {
        let span = trace::seal(trace::of(request.metadata()));
        let request = request.into_inner();
        let order::Seal { cluster, epoch, steps } =
            order::understand_seal(&self.desk.supervisor.config, &request)?;
        let instance = self.instance();
        // Of another instance's steps this one knows nothing, and "never" would be a lie.
        let are_ours = request.target == instance;
        self.desk.seal((&cluster, epoch), (&steps, are_ours)).instrument(span).await?;
        let sealed = steps.iter().map(|step| sealed_reply(step, self.desk.fate(&cluster, (step, are_ours))));
        Ok(Response::new(SealReply { steps: sealed.collect(), instance }))
    }

    async fn look(&self, request: Request<LookRequest>) -> Result<Response<LookReply>, Status> {
        let request = request.into_inner();
        let supervisor = &self.desk.supervisor;
        let (cluster, replicas) = order::understand_look(&supervisor.config, &request)?;
        let asked = |replica: &ReplicaId| replicas.is_empty() || replicas.contains(replica);
        let mut kept = supervisor.of_cluster(&cluster);
        kept.retain(|kept| asked(&kept.life.replica));
        if !replicas.is_empty() {
            join_all(kept.iter().map(|kept| probes::look(kept))).await;
        }
        let obituaries = supervisor.ledger.read(|book| latest_obituaries(book, &cluster, asked));
        let processes = kept.iter().filter(|kept| supervisor.find(kept.life.incarnation).is_some());
        Ok(Response::new(LookReply {
            instance: self.instance(),
            processes: processes.map(|kept| kept.report()).collect(),
            obituaries,
            loaded: None,
        }))
    }

    async fn examine(&self, request: Request<ExamineRequest>) -> Result<Response<ExamineReply>, Status> {
        let objections = examine::examine(&self.desk.supervisor, request.into_inner()).await?;
        Ok(Response::new(ExamineReply { objections }))
    }
}

impl Server {
    fn instance(&self) -> String {
        self.desk.supervisor.ledger.read(|book| book.instance.clone())
    }
}

fn latest_obituaries(
    book: &Book,
    cluster: &watchdog_core::ids::ClusterId,
    asked: impl Fn(&ReplicaId) -> bool,
) -> Vec<watchdog_proto::agent::Obituary> {
    let dead = book.dead.values().filter(|dead| dead.cluster == *cluster && asked(&dead.obituary.replica));
    let mut dead: Vec<_> = dead.map(|dead| &dead.obituary).collect();
    dead.sort_by(|a, b| (&a.replica, b.at_ms).cmp(&(&b.replica, a.at_ms)));
    let mut count = 0;
    let mut last = None;
    dead.retain(|obituary| {
        count = if last == Some(&obituary.replica) { count + 1 } else { 1 };
        last = Some(&obituary.replica);
        count <= OBITUARIES_MAX
    });
    dead.into_iter().map(obituary_reply).collect()
}

/// Tells the result of a step, and until then that it goes on.
async fn tell(mut answer: Answer, events: mpsc::Sender<Result<ActEvent, Status>>) {
    let event = |event| Ok(ActEvent { event: Some(event) });
    loop {
        let ended = wait_a_while(&mut answer).await;
        let is_over = ended.is_some();
        let told = match ended {
            Some(outcome) => act_event::Event::Result(result_reply(&outcome)),
            None => act_event::Event::Progress(Progress { message: "it goes on".into(), percent: 0 }),
        };
        // The caller may have gone away; the result stays to be asked for again.
        if events.send(event(told)).await.is_err() || is_over {
            return;
        }
    }
}

async fn wait_a_while(answer: &mut Answer) -> Option<Outcome> {
    match tokio::time::timeout(PROGRESS_EVERY, answer.wait_for(Option::is_some)).await {
        Ok(Ok(outcome)) => outcome.clone(),
        Ok(Err(_)) => Some(Outcome::failed(
            "the step's task ended without a result; look, and plan anew",
            Fault::new("task", Blame::Agent),
        )),
        Err(_) => None,
    }
}
