//! Acts: what may be ordered from the page, until people have names: on loopback, from this very page only.
//!
//! A request must come from our own origin and carry the header that only a page of this origin can read.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tonic::{Code, Status};
use watchdog_proto::admin as wire;

use crate::admin::{AdminService, writes};

/// Who acts.
const BY: &str = "dashboard";
/// What another origin can't set.
const CSRF: &str = "x-watchdog-csrf";

#[derive(Clone)]
struct Desk {
    admin: AdminService,
    csrf: Arc<str>,
}

/// The routes, below `/api/v1`.
pub(super) fn routes(admin: &AdminService) -> Router {
    let csrf: Arc<str> = uuid::Uuid::new_v4().to_string().into();
    Router::new()
        .route("/whoami", get(whoami))
        .route("/{cluster}/pause", post(pause))
        .route("/{cluster}/resume", post(resume))
        .route("/{cluster}/plans/{id}/approve", post(approve))
        .route("/{cluster}/plans/{id}/reject", post(reject))
        .with_state(Desk { admin: admin.clone(), csrf })
}

#[derive(Serialize)]
struct Whoami {
    name: &'static str,
    role: &'static str,
    csrf: String,
}

async fn whoami(State(desk): State<Desk>) -> Json<Whoami> {
    Json(Whoami { name: BY, role: "admin", csrf: desk.csrf.to_string() })
}

impl Desk {
    /// Why an order is not taken, when it is not.
    fn refusal(&self, headers: &HeaderMap) -> Option<Response> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let origin = text(header::ORIGIN.as_str());
        let ours = origin.split_once("://").is_some_and(|(_, host)| host == text(header::HOST.as_str()));
        if ours && text(CSRF) == &*self.csrf {
            return None;
        }
        let error = "this order does not come from this watchdog's own page";
        Some((StatusCode::FORBIDDEN, Json(json!({ "error": error }))).into_response())
    }
}

fn answer(done: Result<tonic::Response<wire::Done>, Status>) -> Response {
    let status = match done {
        Ok(done) => return Json(done.into_inner()).into_response(),
        Err(status) => status,
    };
    let code = match status.code() {
        Code::InvalidArgument => StatusCode::BAD_REQUEST,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::FailedPrecondition | Code::Aborted => StatusCode::CONFLICT,
        _ => StatusCode::SERVICE_UNAVAILABLE,
    };
    let leader = status.metadata().get("watchdog-leader").and_then(|address| address.to_str().ok());
    (code, Json(json!({ "error": status.message(), "leader": leader }))).into_response()
}

#[derive(Deserialize)]
struct Pause {
    reason: String,
    #[serde(default)]
    for_ms: u64,
}

async fn pause(
    State(desk): State<Desk>,
    Path(cluster): Path<String>,
    headers: HeaderMap,
    Json(Pause { reason, for_ms }): Json<Pause>,
) -> Response {
    if let Some(refused) = desk.refusal(&headers) {
        return refused;
    }
    match desk.admin.cluster(&cluster) {
        Ok(handle) => {
            let request = wire::PauseRequest { cluster, reason, by: BY.to_owned(), for_ms };
            answer(writes::pause(handle, request).await)
        }
        Err(status) => answer(Err(status)),
    }
}

async fn resume(State(desk): State<Desk>, Path(cluster): Path<String>, headers: HeaderMap) -> Response {
    if let Some(refused) = desk.refusal(&headers) {
        return refused;
    }
    match desk.admin.cluster(&cluster) {
        Ok(handle) => answer(writes::resume(handle, BY.to_owned()).await),
        Err(status) => answer(Err(status)),
    }
}

async fn approve(State(desk): State<Desk>, path: Path<(String, String)>, headers: HeaderMap) -> Response {
    decide(&desk, path, (&headers, true)).await
}

async fn reject(State(desk): State<Desk>, path: Path<(String, String)>, headers: HeaderMap) -> Response {
    decide(&desk, path, (&headers, false)).await
}

async fn decide(
    desk: &Desk,
    Path((cluster, id)): Path<(String, String)>,
    (headers, yes): (&HeaderMap, bool),
) -> Response {
    if let Some(refused) = desk.refusal(headers) {
        return refused;
    }
    let handle = match desk.admin.cluster(&cluster) {
        Ok(handle) => handle,
        Err(status) => return answer(Err(status)),
    };
    let request = wire::PlanDecisionRequest { cluster, id, by: BY.to_owned() };
    answer(if yes {
        writes::plan_approve(handle, request).await
    } else {
        writes::plan_reject(handle, request).await
    })
}
