//! Live: the stream of server-sent events by which a page stays true.
//!
//! ```text
//! picture (all that is) ─► story (the newest of the record) ─► change, change, … beat, …
//! ```
//!
//! A page that comes again says which entry it saw last, in `Last-Event-ID` as browsers do, or in `after`.

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt as _};
use serde::Deserialize;
use tokio::sync::broadcast::Receiver;
use watchdog_core::ids::ClusterId;

use super::Feeds;

/// How long a page that was cut off waits before it comes again.
const COME_AGAIN: &[u8] = b"retry: 500\n\n";

#[derive(Deserialize)]
pub(super) struct From {
    after: Option<u64>,
}

/// Follows one cluster.
pub(super) async fn live(
    State(feeds): State<Feeds>,
    Path(cluster): Path<String>,
    Query(from): Query<From>,
    headers: HeaderMap,
) -> Response {
    let Some(feed) = ClusterId::new(&cluster).ok().and_then(|id| feeds.get(&id)) else {
        return (StatusCode::NOT_FOUND, "no such cluster here\n").into_response();
    };
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let Ok(follower) = feed.join(last.or(from.after)).await else {
        let again = [(header::RETRY_AFTER, "5")];
        return (StatusCode::SERVICE_UNAVAILABLE, again, "too many follow this cluster\n").into_response();
    };
    let first = [Bytes::from_static(COME_AGAIN)].into_iter().chain(follower.first);
    let frames = stream::iter(first).chain(stream::unfold(follower.rest, next));
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, Body::from_stream(frames.map(Ok::<_, std::convert::Infallible>))).into_response()
}

/// The next frame; none for one who fell behind, or when nobody tells any more.
async fn next(mut rest: Receiver<Bytes>) -> Option<(Bytes, Receiver<Bytes>)> {
    let frame = rest.recv().await.ok()?;
    Some((frame, rest))
}
