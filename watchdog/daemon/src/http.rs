//! HTTP: what load balancers, scripts and people read, on the port of the gRPC service.
//!
//! Everything here only reads; orders go over gRPC, and those of our own pages through [`acts`]. The dashboard's own
//! routes stand in [`crate::dashboard`].

mod acts;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tonic::{Code, Status};
use watchdog_core::ids::ClusterId;
use watchdog_proto::admin as wire;

use crate::admin::writes::LEADER_METADATA;
use crate::admin::{AdminService, log, plans, views, why};
use crate::cluster::Handle;
use crate::cluster::world::Role;

/// The routes of a watchdog that guards `clusters`.
pub(crate) fn router(clusters: Arc<BTreeMap<ClusterId, Handle>>) -> Router {
    let admin = AdminService::new(clusters.clone());
    let api = Router::new()
        .route("/{cluster}/status", get(status))
        .route("/{cluster}/why/{replica}", get(verdict))
        .route("/{cluster}/plans", get(plan_list))
        .route("/{cluster}/plans/{id}", get(plan_show))
        .route("/{cluster}/preview", get(preview))
        .route("/{cluster}/log", get(log_list))
        .route("/{cluster}/log/{version}", get(log_show))
        .merge(acts::router())
        .with_state(admin.clone());
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/leader", get(leader))
        .route("/api/v1/clusters", get(names))
        .with_state(clusters)
        .nest("/api/v1", api.merge(crate::dashboard::api(&admin)))
        .merge(crate::dashboard::pages())
}

type Clusters = State<Arc<BTreeMap<ClusterId, Handle>>>;

/// 200 when every cluster is seen and its journal read; 503 says which is not, and why.
async fn ready(State(clusters): Clusters) -> Response {
    let blind: Vec<String> = clusters
        .iter()
        .filter_map(|(id, handle)| {
            let status = handle.world.as_of_now(views::status);
            status.blind.map(|why| format!("{id}: {why}\n"))
        })
        .collect();
    if blind.is_empty() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, blind.concat()).into_response()
}

#[derive(Deserialize)]
struct Which {
    cluster: Option<String>,
}

/// 200 on the leader (of the cluster asked for, or of any), 503 elsewhere.
async fn leader(State(clusters): Clusters, Query(which): Query<Which>) -> Response {
    let leads = |(id, handle): (&ClusterId, &Handle)| {
        let asked = which.cluster.as_ref().is_none_or(|asked| asked == id.as_str());
        asked && handle.world.lock().role != Role::Follower
    };
    if clusters.iter().any(leads) {
        return "leader\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "not the leader\n").into_response()
}

async fn names(State(clusters): Clusters) -> Json<Vec<String>> {
    Json(clusters.keys().map(ToString::to_string).collect())
}

/// An answer, or the status of gRPC in the words of HTTP.
pub(crate) struct Answer<T>(pub(crate) Result<T, Status>);

#[derive(Serialize)]
struct Fault {
    error: String,
    /// Whom to ask instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    leader: Option<String>,
}

impl<T: Serialize> IntoResponse for Answer<T> {
    fn into_response(self) -> Response {
        match self.0 {
            Ok(answer) => Json(answer).into_response(),
            Err(status) => {
                let code = match status.code() {
                    Code::InvalidArgument => StatusCode::BAD_REQUEST,
                    Code::NotFound => StatusCode::NOT_FOUND,
                    Code::FailedPrecondition | Code::Aborted => StatusCode::CONFLICT,
                    Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
                    Code::Unauthenticated => StatusCode::UNAUTHORIZED,
                    Code::PermissionDenied => StatusCode::FORBIDDEN,
                    _ => StatusCode::INTERNAL_SERVER_ERROR,
                };
                let leader = status.metadata().get(LEADER_METADATA).and_then(|value| value.to_str().ok());
                let leader = leader.map(ToOwned::to_owned);
                (code, Json(Fault { error: status.message().to_owned(), leader })).into_response()
            }
        }
    }
}

async fn status(
    State(admin): State<AdminService>,
    Path(cluster): Path<String>,
) -> Answer<wire::ClusterStatus> {
    Answer(admin.cluster(&cluster).map(|handle| handle.world.as_of_now(views::status)))
}

async fn verdict(
    State(admin): State<AdminService>,
    Path((cluster, replica)): Path<(String, String)>,
) -> Answer<wire::Verdict> {
    Answer(admin.cluster(&cluster).and_then(|handle| {
        let replica = crate::admin::parse("replica", &replica)?;
        handle.world.as_of_now(|world, now| why::verdict(world, &replica, now))
    }))
}

#[derive(Deserialize)]
struct Page {
    from: Option<u64>,
    limit: Option<u32>,
}

async fn plan_list(
    State(admin): State<AdminService>,
    Path(cluster): Path<String>,
    Query(page): Query<Page>,
) -> Answer<wire::PlanListReply> {
    let limit = page.limit.unwrap_or_default();
    Answer(admin.cluster(&cluster).map(|handle| plans::list(&handle.world.lock(), limit)))
}

async fn plan_show(
    State(admin): State<AdminService>,
    Path((cluster, id)): Path<(String, String)>,
) -> Answer<wire::PlanView> {
    Answer(admin.cluster(&cluster).and_then(|handle| plans::show(&handle.world.lock(), &id)))
}

async fn preview(State(admin): State<AdminService>, Path(cluster): Path<String>) -> Answer<wire::PlanView> {
    Answer(admin.cluster(&cluster).map(plans::preview))
}

async fn log_list(
    State(admin): State<AdminService>,
    Path(cluster): Path<String>,
    Query(page): Query<Page>,
) -> Answer<wire::LogListReply> {
    let handle = match admin.cluster(&cluster) {
        Ok(handle) => handle.clone(),
        Err(status) => return Answer(Err(status)),
    };
    let (from, limit) = (page.from.unwrap_or_default(), page.limit.unwrap_or_default());
    Answer(log::list(&handle, &wire::LogListRequest { cluster, from, limit }).await)
}

async fn log_show(
    State(admin): State<AdminService>,
    Path((cluster, version)): Path<(String, u64)>,
) -> Answer<wire::LogEntry> {
    let handle = match admin.cluster(&cluster) {
        Ok(handle) => handle.clone(),
        Err(status) => return Answer(Err(status)),
    };
    Answer(log::show(&handle, version).await)
}
