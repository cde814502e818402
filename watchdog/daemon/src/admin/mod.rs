//! Admin: the gRPC service that operators and their tools talk to.
//!
//! Any watchdog answers reads from what it knows; writes are the leader's, and a
//! follower says who that is in the `watchdog-leader` metadata.

pub(crate) mod asker;
pub(crate) mod cause;
pub(crate) mod events;
mod examine;
pub(crate) mod goal_view;
pub(crate) mod goals;
pub(crate) mod log;
pub(crate) mod plans;
pub(crate) mod tap;
pub(crate) mod views;
pub(crate) mod why;
pub(crate) mod writes;

use std::collections::BTreeMap;
use std::sync::Arc;

use tonic::{Request, Response, Status};
use watchdog_core::ids::ClusterId;
use watchdog_proto::admin as wire;
use watchdog_proto::admin::admin_server::Admin;

use self::asker::asker;
use crate::cluster::Handle;

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct AdminService {
    clusters: Arc<BTreeMap<ClusterId, Handle>>,
}

impl AdminService {
    /// Serves these clusters.
    pub(crate) fn new(clusters: Arc<BTreeMap<ClusterId, Handle>>) -> Self {
        Self { clusters }
    }

    /// All of them.
    pub(crate) fn clusters(&self) -> &Arc<BTreeMap<ClusterId, Handle>> {
        &self.clusters
    }

    /// The cluster that a request names.
    pub(crate) fn cluster(&self, name: &str) -> Result<&Handle, Status> {
        let id = ClusterId::new(name).map_err(|error| invalid("cluster", &error))?;
        self.clusters.get(&id).ok_or_else(|| {
            let known: Vec<_> = self.clusters.keys().map(ClusterId::as_str).collect();
            Status::not_found(format!("cluster: {name} is not known here; known: {}", known.join(", ")))
        })
    }
}

/// A field of a request is wrong.
pub(crate) fn invalid(field: &str, what: &dyn std::fmt::Display) -> Status {
    Status::invalid_argument(format!("{field}: {what}"))
}

/// Parses a field of a request.
pub(crate) fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
    field: &str,
    text: &str,
) -> Result<T, Status> {
    text.parse().map_err(|error: T::Err| invalid(field, &error))
}

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Admin for AdminService {
    type EventsStream = events::EventStream;
    type GoalWatchStream = goals::GoalStream;

    async fn status(&self, request: Request<wire::StatusRequest>) -> Answer<wire::ClusterStatus> {
        let handle = self.cluster(&request.get_ref().cluster)?;
        Ok(Response::new(handle.world.as_of_now(views::status)))
    }

    async fn why(&self, request: Request<wire::WhyRequest>) -> Answer<wire::Verdict> {
        let request = request.get_ref();
        let handle = self.cluster(&request.cluster)?;
        let replica = parse("replica", &request.replica)?;
        handle.world.as_of_now(|world, now| why::verdict(world, &replica, now)).map(Response::new)
    }

    async fn plan_list(&self, request: Request<wire::PlanListRequest>) -> Answer<wire::PlanListReply> {
        let request = request.get_ref();
        let handle = self.cluster(&request.cluster)?;
        Ok(Response::new(plans::list(&handle.world.lock(), request.limit)))
    }

    async fn plan_show(&self, request: Request<wire::PlanShowRequest>) -> Answer<wire::PlanView> {
        let request = request.get_ref();
        let handle = self.cluster(&request.cluster)?;
        plans::show(&handle.world.lock(), &request.id).map(Response::new)
    }

    async fn plan_preview(&self, request: Request<wire::PlanPreviewRequest>) -> Answer<wire::PlanView> {
        let handle = self.cluster(&request.get_ref().cluster)?;
        Ok(Response::new(plans::preview(handle)))
    }

    async fn plan_snapshot(&self, request: Request<wire::PlanShowRequest>) -> Answer<wire::SnapshotsReply> {
        let request = request.get_ref();
        let handle = self.cluster(&request.cluster)?;
        plans::snapshots(handle, &request.id).await.map(Response::new)
    }

    async fn plan_cancel(&self, request: Request<wire::PlanCancelRequest>) -> Answer<wire::Done> {
        let asker = asker(&request, &request.get_ref().by)?;
        let request = request.into_inner();
        writes::plan_cancel(self.cluster(&request.cluster)?, asker, request).await
    }

    async fn plan_approve(&self, request: Request<wire::PlanDecisionRequest>) -> Answer<wire::Done> {
        let asker = asker(&request, &request.get_ref().by)?;
        let request = request.into_inner();
        writes::plan_approve(self.cluster(&request.cluster)?, asker, request).await
    }

    async fn plan_reject(&self, request: Request<wire::PlanDecisionRequest>) -> Answer<wire::Done> {
        let asker = asker(&request, &request.get_ref().by)?;
        let request = request.into_inner();
        writes::plan_reject(self.cluster(&request.cluster)?, asker, request).await
    }

    async fn plan_input(&self, request: Request<wire::PlanShowRequest>) -> Answer<wire::PlanInputReply> {
        let request = request.get_ref();
        let handle = self.cluster(&request.cluster)?;
        plans::input(handle, &request.id).await.map(Response::new)
    }

    async fn goal_diff(&self, request: Request<wire::GoalDiffRequest>) -> Answer<wire::GoalDiffReply> {
        let request = request.get_ref();
        goals::diff(self.cluster(&request.cluster)?, &request.goal_json).await.map(Response::new)
    }

    async fn goal_apply(&self, request: Request<wire::GoalApplyRequest>) -> Answer<wire::GoalApplyReply> {
        let asker = asker(&request, &request.get_ref().by)?;
        let request = request.into_inner();
        goals::apply(self.cluster(&request.cluster)?, asker, request).await
    }

    async fn goal_list(&self, request: Request<wire::GoalListRequest>) -> Answer<wire::GoalListReply> {
        let request = request.get_ref();
        Ok(Response::new(goals::list(self.cluster(&request.cluster)?, request.limit)))
    }

    async fn goal_show(&self, request: Request<wire::GoalShowRequest>) -> Answer<wire::GoalView> {
        let request = request.get_ref();
        goals::show(self.cluster(&request.cluster)?, &request.id).map(Response::new)
    }

    async fn goal_watch(&self, request: Request<wire::GoalShowRequest>) -> Answer<Self::GoalWatchStream> {
        let request = request.get_ref();
        goals::watch(self.cluster(&request.cluster)?.clone(), &request.id).map(Response::new)
    }

    async fn goal_withdraw(&self, request: Request<wire::GoalWithdrawRequest>) -> Answer<wire::Done> {
        let asker = asker(&request, &request.get_ref().by)?;
        let request = request.into_inner();
        goals::withdraw(self.cluster(&request.cluster)?, asker, request).await
    }

    async fn goal_restore(&self, request: Request<wire::GoalRestoreRequest>) -> Answer<wire::Done> {
        let asker = asker(&request, &request.get_ref().by)?;
        let request = request.into_inner();
        goals::restore(self.cluster(&request.cluster)?, asker, request).await
    }

    async fn log_list(&self, request: Request<wire::LogListRequest>) -> Answer<wire::LogListReply> {
        let request = request.get_ref();
        log::list(self.cluster(&request.cluster)?, request).await.map(Response::new)
    }

    async fn log_show(&self, request: Request<wire::LogShowRequest>) -> Answer<wire::LogEntry> {
        let request = request.get_ref();
        log::show(self.cluster(&request.cluster)?, request.version).await.map(Response::new)
    }

    async fn log_diff(&self, request: Request<wire::LogDiffRequest>) -> Answer<wire::LogDiffReply> {
        let request = request.get_ref();
        log::diff(self.cluster(&request.cluster)?, (request.a, request.b)).await.map(Response::new)
    }

    async fn log_state(&self, request: Request<wire::LogStateRequest>) -> Answer<wire::LogStateReply> {
        let request = request.get_ref();
        log::state(self.cluster(&request.cluster)?, request.version).await.map(Response::new)
    }

    async fn log_verify(&self, request: Request<wire::LogVerifyRequest>) -> Answer<wire::LogVerifyReply> {
        log::verify(self.cluster(&request.get_ref().cluster)?).await.map(Response::new)
    }

    async fn log_append(&self, request: Request<wire::LogAppendRequest>) -> Answer<wire::LogAppendReply> {
        let asker = asker(&request, &request.get_ref().author)?;
        let request = request.into_inner();
        writes::log_append(self.cluster(&request.cluster)?, asker, request).await
    }

    async fn pause(&self, request: Request<wire::PauseRequest>) -> Answer<wire::Done> {
        let asker = asker(&request, &request.get_ref().by)?;
        let request = request.into_inner();
        writes::pause(self.cluster(&request.cluster)?, asker, request).await
    }

    async fn resume(&self, request: Request<wire::ResumeRequest>) -> Answer<wire::Done> {
        let asker = asker(&request, &request.get_ref().by)?;
        let request = request.into_inner();
        writes::resume(self.cluster(&request.cluster)?, asker).await
    }

    async fn hold(&self, request: Request<wire::HoldRequest>) -> Answer<wire::Done> {
        let asker = asker(&request, &request.get_ref().by)?;
        let request = request.into_inner();
        writes::hold(self.cluster(&request.cluster)?, asker, request).await
    }

    async fn release(&self, request: Request<wire::ReleaseRequest>) -> Answer<wire::Done> {
        let asker = asker(&request, &request.get_ref().by)?;
        let request = request.into_inner();
        writes::release(self.cluster(&request.cluster)?, asker, request).await
    }

    async fn storm_release(&self, request: Request<wire::StormReleaseRequest>) -> Answer<wire::Done> {
        let asker = asker(&request, &request.get_ref().by)?;
        let request = request.into_inner();
        writes::storm_release(self.cluster(&request.cluster)?, asker, request).await
    }

    async fn events(&self, request: Request<wire::EventsRequest>) -> Answer<Self::EventsStream> {
        let request = request.into_inner();
        let handle = self.cluster(&request.cluster)?.clone();
        events::stream(handle, &request).map(Response::new)
    }

    async fn leader(&self, request: Request<wire::LeaderRequest>) -> Answer<wire::LeaderReply> {
        let handle = self.cluster(&request.get_ref().cluster)?;
        let world = handle.world.lock();
        Ok(Response::new(wire::LeaderReply {
            cluster: world.cluster.to_string(),
            leader: views::leader(&world),
        }))
    }

    async fn leader_resign(&self, request: Request<wire::LeaderResignRequest>) -> Answer<wire::Done> {
        let asker = asker(&request, &request.get_ref().by)?;
        let request = request.into_inner();
        writes::resign(self.cluster(&request.cluster)?, asker).await
    }
}
