//! Server: the gRPC face of the embedded agent: act, seal, look.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use futures_util::Stream;
use tonic::{Request, Response, Status as RpcStatus};
use tracing::Instrument as _;
use watchdog_core::ids::{Epoch, Incarnation, StepId};
use watchdog_proto::agent::agent_server::Agent;
use watchdog_proto::agent::{
    ActEvent, ActRequest, ExamineReply, ExamineRequest, LoadedReport, LookReply, LookRequest, SealReply,
    SealRequest, SealedStep, StepResult,
};

use crate::application::Condition;
use crate::checks::STUCK_AFTER;
use crate::desk::{Desk, Fate, Received};
use crate::identity::Identity;
use crate::load::{Loader, within};
use crate::order::{Act, Order, parse};
use crate::refusal::Refusal;
use crate::report::{Report, follow};
use crate::trace;

/// What all calls share.
pub(crate) struct Server {
    pub(crate) us: Identity,
    pub(crate) desk: Mutex<Desk>,
    pub(crate) loader: Loader,
}

impl Server {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Nothing in there panics halfway through a change.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns of an epoch from the group.
    pub(crate) fn learn(&self, epoch: Epoch) {
        let seen = {
            let mut desk = self.desk();
            desk.learn(epoch);
            desk.epoch()
        };
        self.show_epoch(seen);
    }

    /// Turns orders away until the guard is dropped: while the agent loads what it was started with.
    pub(crate) fn occupy(self: &Arc<Self>, step: StepId) -> Result<Occupied, Refusal> {
        let epoch = self.desk().epoch();
        self.desk().receive(epoch, &step, Instant::now()).map_err(Refusal::of_order)?;
        Ok(Occupied { server: self.clone(), step })
    }

    fn show_epoch(&self, seen: Epoch) {
        self.loader.status.send_if_modified(|status| {
            let newer = seen > status.epoch;
            status.epoch = status.epoch.max(seen);
            newer
        });
    }

    async fn carry_out(&self, act: Act, report: &Report) -> StepResult {
        match act {
            Act::Load(order) => {
                let outcome = self.loader.load(&order, report).await;
                let result = self.loader.told(&outcome);
                // Whoever has it drained and then loads another version wants it to serve: what it was drained for is over.
                if result.error.is_empty() && self.loader.status.borrow().draining {
                    let undrained = self.undrain(report).await;
                    return if undrained.error.is_empty() { result } else { undrained };
                }
                result
            }
            Act::Drain => {
                self.loader.status.send_modify(|status| status.draining = true);
                ended("drain", within(report, self.loader.application.drain()).await)
            }
            Act::Undrain => self.undrain(report).await,
        }
    }

    async fn undrain(&self, report: &Report) -> StepResult {
        let outcome = within(report, self.loader.application.undrain()).await;
        if outcome.is_ok() {
            self.loader.status.send_modify(|status| status.draining = false);
        }
        ended("undrain", outcome)
    }

    async fn run(self: Arc<Self>, order: Order, report: Report) {
        tracing::info!(step = %order.step, epoch = %order.epoch, "step begins");
        watchdog_crash_points::crash_point!("replica.step.begun");
        let (server, act, reporter) = (self.clone(), order.act, report.clone());
        let work = tokio::spawn(async move { server.carry_out(act, &reporter).await }.in_current_span());
        let result = work.await.unwrap_or_else(|_| {
            let error = "the application panicked".to_owned();
            StepResult { error, ..StepResult::default() }
        });
        if result.error.is_empty() {
            tracing::info!(step = %order.step, "step worked");
        } else {
            tracing::warn!(step = %order.step, error = result.error, "step failed");
        }
        watchdog_crash_points::crash_point!("replica.step.ended");
        // In this order, so that whoever hears the result can order the next step at once.
        self.desk().ended(&order.step, result.clone());
        report.finish(result);
    }

    fn fate(&self, step: &StepId, target: Incarnation) -> SealedStep {
        let fate = self.desk().fate((step, target == self.us.incarnation), Instant::now());
        let step = step.to_string();
        let (word, result, running_ms) = match fate {
            Fate::Done(result) => ("done", Some(*result), 0),
            Fate::Never => ("never", None, 0),
            Fate::Lost => ("lost", None, 0),
            Fate::Running(left) => ("running", None, u64::try_from(left.as_millis()).unwrap_or(u64::MAX)),
        };
        SealedStep { step, fate: word.to_owned(), result, running_ms }
    }

    async fn loaded(&self) -> LoadedReport {
        let fresh = self.loader.checks.ask(STUCK_AFTER).await;
        let answered = fresh.is_some();
        let vitals = fresh.unwrap_or_else(|| self.loader.checks.latest().borrow().clone());
        let status = self.loader.status.borrow().clone();
        let detail = match (&vitals.live, &vitals.ready) {
            _ if !answered => "the application does not answer its own checks".to_owned(),
            (Condition::Bad(reason), _) | (_, Condition::Bad(reason)) => reason.clone(),
            (Condition::Good, Condition::Good) => {
                status.loading.map_or_else(String::new, |version| format!("loading version {version}"))
            }
        };
        LoadedReport {
            replica: self.us.replica.to_string(),
            incarnation: self.us.incarnation.to_string(),
            version: vitals.version.unwrap_or(status.version).0,
            state_hash: vitals.state_hash.to_string(),
            live: answered && vitals.live == Condition::Good,
            ready: answered && vitals.ready == Condition::Good,
            draining: status.draining,
            detail,
        }
    }
}

/// Orders are turned away while this lives.
pub(crate) struct Occupied {
    server: Arc<Server>,
    step: StepId,
}

impl Drop for Occupied {
    fn drop(&mut self) {
        self.server.desk().free(&self.step);
    }
}

fn ended(what: &str, outcome: Result<(), std::time::Duration>) -> StepResult {
    let error = match outcome {
        Ok(()) => String::new(),
        Err(after) => format!("{what} has not ended within {} ms", after.as_millis()),
    };
    StepResult { error, ..StepResult::default() }
}

/// [`Server`] as tonic wants it.
pub(crate) struct Service(pub(crate) Arc<Server>);

#[tonic::async_trait]
impl Agent for Service {
    type ActStream = Pin<Box<dyn Stream<Item = Result<ActEvent, RpcStatus>> + Send>>;

    async fn act(&self, request: Request<ActRequest>) -> Result<Response<Self::ActStream>, RpcStatus> {
        let server = &self.0;
        let traced = trace::of(request.metadata());
        let order = Order::parse(request.into_inner(), &server.us)?;
        let received = server.desk().receive(order.epoch, &order.step, Instant::now() + order.patience);
        // Also of what is refused: an order for a busy agent may bring a newer epoch.
        let seen = server.desk().epoch();
        server.show_epoch(seen);
        let standing = match received.map_err(Refusal::of_order)? {
            Received::Repeated(standing) => standing,
            Received::Begun(sender, standing) => {
                let report = Report::new(sender, order.patience);
                let span = trace::span(&order.step, order.act.word(), traced);
                tokio::spawn(server.clone().run(order, report).instrument(span));
                standing
            }
        };
        Ok(Response::new(Box::pin(follow(standing))))
    }

    async fn seal(&self, request: Request<SealRequest>) -> Result<Response<SealReply>, RpcStatus> {
        let (server, request) = (&self.0, request.into_inner());
        server.us.check_cluster("cluster", &request.cluster)?;
        let target: Incarnation = parse("target", &request.target)?;
        let steps: Vec<StepId> =
            request.steps.iter().map(|step| parse("steps", step)).collect::<Result<_, _>>()?;
        let epoch = Epoch(request.epoch);
        let at_desk = |refused| Refusal::AtDesk { field: "epoch", refused };
        server.desk().seal(epoch, (&steps, target == server.us.incarnation)).map_err(at_desk)?;
        watchdog_crash_points::crash_point!("replica.seal.passed");
        server.show_epoch(epoch);
        let steps = steps.iter().map(|step| server.fate(step, target)).collect();
        Ok(Response::new(SealReply { steps, instance: server.us.incarnation.to_string() }))
    }

    async fn look(&self, request: Request<LookRequest>) -> Result<Response<LookReply>, RpcStatus> {
        let (server, request) = (&self.0, request.into_inner());
        server.us.check_cluster("cluster", &request.cluster)?;
        let instance = server.us.incarnation.to_string();
        let asked = request.replicas.is_empty()
            || request.replicas.iter().any(|replica| replica == server.us.replica.as_str());
        let loaded = if asked { Some(server.loaded().await) } else { None };
        Ok(Response::new(LookReply { instance, loaded, ..LookReply::default() }))
    }

    async fn examine(&self, _: Request<ExamineRequest>) -> Result<Response<ExamineReply>, RpcStatus> {
        Err(RpcStatus::failed_precondition(
            "an embedded agent starts nothing; its host agent is the one to ask",
        ))
    }
}
