//! Fake: a watchdog that says what a test tells it to, on a real socket and its own runtime, so that it can be killed.

mod goals;
mod program;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::{Notify, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use watchdog_proto::admin::admin_server::{Admin, AdminServer};
use watchdog_proto::admin::*;

pub(crate) use self::goals::{GoalScript, goal};
pub(crate) use self::program::{complained, ctl, fed, hung, nobody, on_a_terminal, piped, run, said};

/// What it knows and does.
#[derive(Debug, Default)]
pub(crate) struct Script {
    /// Whom it calls the leader; itself when the addresses are equal.
    pub(crate) leader: Option<LeaderView>,
    /// Its answer to writes, when it is not the leader: this one, in the metadata.
    pub(crate) redirect: Option<String>,
    /// A refusal of every request but `Leader`.
    pub(crate) refuses: Option<Status>,
    /// A refusal of `Leader` too.
    pub(crate) refuses_survey: Option<Status>,
    /// Writes are taken and never answered.
    pub(crate) mute: bool,
    /// The status; the leader is filled in.
    pub(crate) status: ClusterStatus,
    /// The record.
    pub(crate) events: Vec<Event>,
    /// The log's head; each entry is made up.
    pub(crate) head: u64,
    /// Whether the log is whole.
    pub(crate) broken_version: Option<u64>,
    /// Goals and what becomes of them.
    pub(crate) goals: GoalScript,
    /// What plans were computed from.
    pub(crate) plan_input: PlanInputReply,
    /// The writes that arrived, as `name who what`.
    pub(crate) writes: Vec<String>,
}

#[derive(Debug, Default)]
struct Shared {
    script: Mutex<Script>,
    changed: Notify,
}

/// A running fake; it ends on drop.
#[derive(Debug)]
pub(crate) struct Fake {
    runtime: Option<Runtime>,
    shared: Arc<Shared>,
    /// Where it answers.
    pub(crate) url: String,
}

impl Fake {
    /// Starts one that follows nobody.
    pub(crate) fn start() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let service = AdminServer::new(Service(Arc::clone(&shared), url.clone()));
        let incoming = TcpIncoming::from(listener);
        runtime.spawn(tonic::transport::Server::builder().add_service(service).serve_with_incoming(incoming));
        Self { runtime: Some(runtime), shared, url }
    }

    /// Starts one that leads in `epoch`.
    pub(crate) fn leading(epoch: u64) -> Self {
        let fake = Self::start();
        let leader = LeaderView { id: "watchdog-1".into(), address: fake.url.clone(), epoch };
        fake.script().leader = Some(leader);
        fake
    }

    /// Starts one that follows `leader`.
    pub(crate) fn following(leader: &Self) -> Self {
        let fake = Self::start();
        let view = leader.script().leader.clone();
        fake.script().leader = view;
        fake.script().redirect = Some(leader.url.clone());
        fake
    }

    /// What it knows; changes are seen by open streams after [`Fake::tell`].
    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.shared.script.lock().unwrap()
    }

    /// Appends events and tells those who follow.
    pub(crate) fn tell(&self, events: impl IntoIterator<Item = Event>) {
        self.script().events.extend(events);
        self.shared.changed.notify_waiters();
    }

    /// Lets a goal go on and tells those who watch it.
    pub(crate) fn go_on(&self, views: impl IntoIterator<Item = GoalView>) {
        self.script().goals.views.extend(views);
        self.shared.changed.notify_waiters();
    }

    /// Ends it with all its connections, as `kill -9` would.
    pub(crate) fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An event that an SRE would see.
pub(crate) fn event(sequence: u64) -> Event {
    Event {
        sequence,
        at: format!("2026-05-01T09:30:{:02}.000Z", sequence % 60),
        epoch: 7,
        by: "watchdog-1".into(),
        kind: "step_ended".into(),
        replica: Some("demo-b".into()),
        plan: Some("7-1".into()),
        message: format!("event {sequence}"),
        detail_json: "{}".into(),
    }
}

struct Service(Arc<Shared>, String);

impl Service {
    fn script(&self) -> MutexGuard<'_, Script> {
        self.0.script.lock().unwrap()
    }

    fn refusal(&self) -> Result<(), Status> {
        self.script().refuses.clone().map_or(Ok(()), Err)
    }

    async fn write(&self, what: String) -> Result<Response<Done>, Status> {
        let mute = {
            let mut script = self.script();
            script.writes.push(what.clone());
            script.mute
        };
        if mute {
            tokio::time::sleep(Duration::from_mins(10)).await;
        }
        self.refusal()?;
        let script = self.script();
        if script.leader.as_ref().is_some_and(|leader| leader.address == self.1) && script.redirect.is_none()
        {
            return Ok(Response::new(Done { message: format!("did {what}") }));
        }
        let mut status = Status::failed_precondition("this watchdog does not lead");
        if let Some(leader) = &script.redirect {
            status.metadata_mut().insert("watchdog-leader", leader.parse().unwrap());
        }
        Err(status)
    }
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Admin for Service {
    async fn status(&self, request: Request<StatusRequest>) -> Answer<ClusterStatus> {
        self.refusal()?;
        let script = self.script();
        let cluster = request.into_inner().cluster;
        Ok(Response::new(ClusterStatus { cluster, leader: script.leader.clone(), ..script.status.clone() }))
    }
    async fn why(&self, request: Request<WhyRequest>) -> Answer<Verdict> {
        self.refusal()?;
        let replica = request.into_inner().replica;
        Ok(Response::new(Verdict { replica, state: "healthy".into(), ..Verdict::default() }))
    }
    async fn plan_list(&self, _: Request<PlanListRequest>) -> Answer<PlanListReply> {
        self.refusal()?;
        Ok(Response::new(PlanListReply::default()))
    }
    async fn plan_show(&self, request: Request<PlanShowRequest>) -> Answer<PlanView> {
        self.refusal()?;
        Ok(Response::new(PlanView {
            id: request.into_inner().id,
            status: "done".into(),
            ..PlanView::default()
        }))
    }
    async fn plan_preview(&self, _: Request<PlanPreviewRequest>) -> Answer<PlanView> {
        self.refusal()?;
        Ok(Response::new(PlanView { status: "preview".into(), ..PlanView::default() }))
    }
    async fn plan_snapshot(&self, _: Request<PlanShowRequest>) -> Answer<SnapshotsReply> {
        self.refusal()?;
        Ok(Response::new(SnapshotsReply::default()))
    }
    async fn plan_cancel(&self, request: Request<PlanCancelRequest>) -> Answer<Done> {
        let it = request.into_inner();
        self.write(format!("cancel {} {}", it.by, it.id)).await
    }
    async fn plan_approve(&self, request: Request<PlanDecisionRequest>) -> Answer<Done> {
        let it = request.into_inner();
        self.write(format!("approve {} {}", it.by, it.id)).await
    }
    async fn plan_reject(&self, request: Request<PlanDecisionRequest>) -> Answer<Done> {
        let it = request.into_inner();
        self.write(format!("reject {} {}", it.by, it.id)).await
    }
    async fn plan_input(&self, request: Request<PlanShowRequest>) -> Answer<PlanInputReply> {
        self.refusal()?;
        Ok(Response::new(PlanInputReply { id: request.into_inner().id, ..self.script().plan_input.clone() }))
    }
    async fn goal_diff(&self, request: Request<GoalDiffRequest>) -> Answer<GoalDiffReply> {
        self.refusal()?;
        self.script().goals.diff(&request.into_inner()).map(Response::new)
    }
    async fn goal_apply(&self, request: Request<GoalApplyRequest>) -> Answer<GoalApplyReply> {
        let it = request.into_inner();
        self.write(format!("apply {}", it.by)).await?;
        self.script().goals.apply(it).map(Response::new)
    }
    async fn goal_list(&self, _: Request<GoalListRequest>) -> Answer<GoalListReply> {
        self.refusal()?;
        Ok(Response::new(GoalListReply {
            goals: self.script().goals.views.last().cloned().into_iter().collect(),
        }))
    }
    async fn goal_show(&self, request: Request<GoalShowRequest>) -> Answer<GoalView> {
        self.refusal()?;
        self.script().goals.known(&request.into_inner().id).map(Response::new)
    }
    type GoalWatchStream = ReceiverStream<Result<GoalView, Status>>;
    async fn goal_watch(&self, request: Request<GoalShowRequest>) -> Answer<Self::GoalWatchStream> {
        self.refusal()?;
        self.script().goals.known(&request.into_inner().id)?;
        Ok(Response::new(goals::watch(Arc::clone(&self.0))))
    }
    async fn goal_withdraw(&self, request: Request<GoalWithdrawRequest>) -> Answer<Done> {
        let it = request.into_inner();
        self.write(format!("withdraw {} {}", it.by, it.id)).await
    }
    async fn goal_restore(&self, request: Request<GoalRestoreRequest>) -> Answer<Done> {
        let it = request.into_inner();
        self.write(format!("restore {} {} {}", it.by, it.version, it.reason)).await
    }
    async fn log_list(&self, request: Request<LogListRequest>) -> Answer<LogListReply> {
        self.refusal()?;
        let (head, it) = (self.script().head, request.into_inner());
        let entry = |version| LogEntry {
            version,
            at: "2026-05-01T09:30:00Z".into(),
            key: format!("model/m{version}"),
            operation: "put".into(),
            ..LogEntry::default()
        };
        let entries = (it.from..=head).take(it.limit as usize).map(entry).collect();
        Ok(Response::new(LogListReply { entries, head, stable: (head > 1).then(|| head - 1) }))
    }
    async fn log_show(&self, request: Request<LogShowRequest>) -> Answer<LogEntry> {
        self.refusal()?;
        Ok(Response::new(LogEntry { version: request.into_inner().version, ..LogEntry::default() }))
    }
    async fn log_diff(&self, request: Request<LogDiffRequest>) -> Answer<LogDiffReply> {
        self.refusal()?;
        let it = request.into_inner();
        let line = DiffLine {
            operation: "put".into(),
            key: format!("model/from-{}-to-{}", it.a, it.b),
            before_json: Some("1".into()),
            after_json: Some("2".into()),
        };
        Ok(Response::new(LogDiffReply { lines: vec![line], changed: 1, ..LogDiffReply::default() }))
    }
    async fn log_state(&self, request: Request<LogStateRequest>) -> Answer<LogStateReply> {
        self.refusal()?;
        let version = request.into_inner().version.unwrap_or(self.script().head);
        let state_json = r#"{"model/fraud":{"uri":"m1"}}"#.to_owned();
        Ok(Response::new(LogStateReply { version, state_hash: "ab12".into(), state_json }))
    }
    async fn log_verify(&self, _: Request<LogVerifyRequest>) -> Answer<LogVerifyReply> {
        self.refusal()?;
        let script = self.script();
        let (ok, entries) = (script.broken_version.is_none(), script.head);
        let message = if ok { "" } else { "its hash does not follow from the one before" };
        let broken_version = script.broken_version;
        Ok(Response::new(LogVerifyReply { ok, entries, broken_version, message: message.into() }))
    }
    async fn log_append(&self, _: Request<LogAppendRequest>) -> Answer<LogAppendReply> {
        Err(Status::permission_denied("nothing here appends"))
    }
    async fn pause(&self, request: Request<PauseRequest>) -> Answer<Done> {
        let it = request.into_inner();
        self.write(format!("pause {} {} {}", it.by, it.for_ms, it.reason)).await
    }
    async fn resume(&self, request: Request<ResumeRequest>) -> Answer<Done> {
        self.write(format!("resume {}", request.into_inner().by)).await
    }
    async fn hold(&self, request: Request<HoldRequest>) -> Answer<Done> {
        let it = request.into_inner();
        self.write(format!("hold {} {} {} {}", it.by, it.target, it.for_ms, it.reason)).await
    }
    async fn release(&self, request: Request<ReleaseRequest>) -> Answer<Done> {
        let it = request.into_inner();
        self.write(format!("release {} {}", it.by, it.target)).await
    }
    async fn storm_release(&self, request: Request<StormReleaseRequest>) -> Answer<Done> {
        let it = request.into_inner();
        self.write(format!("storm-release {} {}", it.by, it.reason)).await
    }
    type EventsStream = ReceiverStream<Result<Event, Status>>;
    async fn events(&self, request: Request<EventsRequest>) -> Answer<Self::EventsStream> {
        self.refusal()?;
        let (it, shared) = (request.into_inner(), Arc::clone(&self.0));
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            let mut next = it.since_sequence;
            loop {
                let changed = shared.changed.notified();
                let news: Vec<Event> = {
                    let script = shared.script.lock().unwrap();
                    script.events.iter().filter(|event| event.sequence >= next).cloned().collect()
                };
                for event in news {
                    next = event.sequence + 1;
                    if sender.send(Ok(event)).await.is_err() {
                        return;
                    }
                }
                if !it.follow {
                    return;
                }
                tokio::select! { () = changed => {}, () = tokio::time::sleep(Duration::from_millis(50)) => {} }
            }
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
    async fn leader(&self, request: Request<LeaderRequest>) -> Answer<LeaderReply> {
        if let Some(status) = self.script().refuses_survey.clone() {
            return Err(status);
        }
        let leader = self.script().leader.clone();
        Ok(Response::new(LeaderReply { cluster: request.into_inner().cluster, leader }))
    }
    async fn leader_resign(&self, request: Request<LeaderResignRequest>) -> Answer<Done> {
        self.write(format!("resign {}", request.into_inner().by)).await
    }
}
