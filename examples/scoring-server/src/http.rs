//! HTTP: what customers and probes ask.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use replica_agent::{Application, Condition, Version};
use serde_json::json;

use crate::model::{What, decide};
use crate::scorer::Scorer;

/// The routes; those that break things only when `debug`.
pub(crate) fn router(scorer: Arc<Scorer>, debug: bool) -> Router {
    let mut router = Router::new()
        .route("/score", get(score).layer(from_fn_with_state(scorer.clone(), part)))
        .route("/version", get(version))
        .route("/healthz", get(healthz));
    if debug {
        router = router.route("/debug/drift", post(drift)).route("/debug/lie", post(lie));
    }
    router.layer(from_fn_with_state(scorer.clone(), hang)).with_state(scorer)
}

/// Answers nothing while the process plays dead.
async fn hang(State(scorer): State<Arc<Scorer>>, request: Request, next: Next) -> Response {
    if scorer.goes_wrong(What::Hang) {
        std::future::pending::<()>().await;
    }
    next.run(request).await
}

/// Still answers while it drains, for those who have not heard of it yet, and tells them to connect to another next time.
async fn part(State(scorer): State<Arc<Scorer>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if scorer.is_draining() {
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

type Answer = Result<Json<serde_json::Value>, (StatusCode, String)>;

fn unavailable(reason: &str) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n"))
}

async fn score(State(scorer): State<Arc<Scorer>>, Query(asked): Query<BTreeMap<String, String>>) -> Answer {
    let memory = scorer.memory().ok_or_else(|| unavailable("nothing is loaded yet"))?;
    let name = asked.get("model").or_else(|| memory.models.keys().next());
    let name = name.ok_or_else(|| unavailable("no model is declared"))?;
    let unknown = || (StatusCode::NOT_FOUND, format!("there is no model {name:?}\n"));
    let model = memory.models.get(name).ok_or_else(unknown)?;
    let features = features(&asked)?;
    let right = model.score(&features);
    let score = if memory.goes_wrong(scorer.replica(), What::WrongAnswer) { 1.0 - right } else { right };
    Ok(Json(json!({
        "score": score,
        "decision": decide(memory.rules.values(), score),
        "model": name,
        "version": memory.version,
        "replica": scorer.replica(),
        "incarnation": scorer.incarnation(),
    })))
}

fn features(asked: &BTreeMap<String, String>) -> Result<BTreeMap<String, f64>, (StatusCode, String)> {
    let number = |(name, text): (&String, &String)| match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((name.clone(), value)),
        _ => Err((StatusCode::BAD_REQUEST, format!("feature {name}: {text:?} is not a number\n"))),
    };
    asked.iter().filter(|(name, _)| *name != "model").map(number).collect()
}

async fn version(State(scorer): State<Arc<Scorer>>) -> Answer {
    let memory = scorer.memory().ok_or_else(|| unavailable("nothing is loaded yet"))?;
    Ok(Json(json!({
        "version": memory.version,
        "state_hash": memory.state.hash(),
        "models": memory.models.keys().collect::<Vec<_>>(),
        "rules": memory.rules.keys().collect::<Vec<_>>(),
        "replica": scorer.replica(),
        "incarnation": scorer.incarnation(),
    })))
}

/// Draining is healthy: whoever probes must not restart what was told to take no work.
async fn healthz(State(scorer): State<Arc<Scorer>>) -> Response {
    match (scorer.live(), scorer.ready()) {
        (Condition::Bad(reason), _) | (_, Condition::Bad(reason)) => unavailable(&reason).into_response(),
        (Condition::Good, Condition::Good) => "ok\n".into_response(),
    }
}

#[derive(serde::Deserialize)]
struct Drift {
    version: Option<u64>,
}

async fn drift(State(scorer): State<Arc<Scorer>>, Query(drift): Query<Drift>) -> Response {
    match scorer.drift(drift.version.map(Version)) {
        Ok(()) => "drifted\n".into_response(),
        Err(error) => unavailable(&error.to_string()).into_response(),
    }
}

async fn lie(State(scorer): State<Arc<Scorer>>) -> &'static str {
    scorer.lie();
    "lying\n"
}
