//! Acts: what pages of ours order by POST; the same functions as over gRPC, under the name of whoever is logged in.
//!
//! The guard has seen who it is, what they may, and that a page of ours has sent it.

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::Extensions;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use tonic::{Response, Status};
use watchdog_proto::admin as wire;

use super::Answer;
use crate::admin::asker::asker_over_http;
use crate::admin::{AdminService, writes};
use crate::cluster::Handle;
use crate::cluster::operator::Asker;

/// A reason and a duration are much shorter.
const BODY_BYTES_MAX: usize = 16 * 1024;

/// The routes below `/api/v1`.
pub(super) fn router() -> Router<AdminService> {
    Router::new()
        .route("/{cluster}/pause", post(pause))
        .route("/{cluster}/resume", post(resume))
        .route("/{cluster}/plans/{id}/approve", post(approve))
        .route("/{cluster}/plans/{id}/reject", post(reject))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// Why, and for how long; without the latter until `resume`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pause {
    reason: String,
    #[serde(default)]
    for_ms: u64,
}

type Done = Answer<wire::Done>;

async fn pause(
    State(admin): State<AdminService>,
    Path(cluster): Path<String>,
    extensions: Extensions,
    body: Result<Json<Pause>, JsonRejection>,
) -> Done {
    let order = async {
        let asker = asker_over_http(&extensions)?;
        let Json(body) = body.map_err(|error| Status::invalid_argument(error.body_text()))?;
        let handle = admin.cluster(&cluster)?;
        let Pause { reason, for_ms } = body;
        let request = wire::PauseRequest { cluster: cluster.clone(), reason, by: String::new(), for_ms };
        writes::pause(handle, asker, request).await
    };
    done(order.await)
}

async fn resume(
    State(admin): State<AdminService>,
    Path(cluster): Path<String>,
    extensions: Extensions,
) -> Done {
    let order = async {
        let asker = asker_over_http(&extensions)?;
        writes::resume(admin.cluster(&cluster)?, asker).await
    };
    done(order.await)
}

async fn approve(
    State(admin): State<AdminService>,
    Path((cluster, id)): Path<(String, String)>,
    extensions: Extensions,
) -> Done {
    let order = async {
        let (handle, asker, request) = decision(&admin, (&cluster, id), &extensions)?;
        writes::plan_approve(handle, asker, request).await
    };
    done(order.await)
}

async fn reject(
    State(admin): State<AdminService>,
    Path((cluster, id)): Path<(String, String)>,
    extensions: Extensions,
) -> Done {
    let order = async {
        let (handle, asker, request) = decision(&admin, (&cluster, id), &extensions)?;
        writes::plan_reject(handle, asker, request).await
    };
    done(order.await)
}

/// What is decided on, and by whom; the request does not say so again.
fn decision<'a>(
    admin: &'a AdminService,
    (cluster, id): (&str, String),
    extensions: &Extensions,
) -> Result<(&'a Handle, Asker, wire::PlanDecisionRequest), Status> {
    let asker = asker_over_http(extensions)?;
    let request = wire::PlanDecisionRequest { cluster: cluster.to_owned(), id, by: String::new() };
    Ok((admin.cluster(cluster)?, asker, request))
}

fn done(outcome: Result<Response<wire::Done>, Status>) -> Done {
    Answer(outcome.map(Response::into_inner))
}
