//! Reads: the read-only JSON that the page asks for beside what [`crate::http`] answers, in the shapes of `watchdogctl`.

use axum::extract::{Path, Query, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use tonic::Status;
use watchdog_core::ids::Sequence;
use watchdog_ports::healing_log::HealingLog;
use watchdog_proto::admin as wire;

use super::overview::{self, Line};
use crate::admin::{AdminService, events, goals, log, plans, views};
use crate::cluster::Handle;
use crate::http::Answer;

/// Entries of the record in a page when the asker says no number.
const EVENTS_DEFAULT: u32 = 200;
/// Entries of the record in a page at most.
const EVENTS_MAX: u32 = 1_000;
/// The longest detail of an entry here: all but pictures of processes fit, and those have a route of their own.
const DETAIL_BYTES_MAX: usize = 64 * 1024;

/// The routes, below `/api/v1`.
pub(super) fn routes(admin: &AdminService) -> Router {
    Router::new()
        .route("/overview", get(every_cluster))
        .route("/{cluster}/hosts", get(hosts))
        .route("/{cluster}/goals", get(goal_list))
        .route("/{cluster}/goals/{id}", get(goal_show))
        .route("/{cluster}/events", get(event_page))
        .route("/{cluster}/plans/{id}/snapshots", get(snapshots))
        .route("/{cluster}/log/diff", get(log_diff))
        .route("/{cluster}/log/state", get(log_state))
        .with_state(admin.clone())
}

type Admin = State<AdminService>;

/// The cluster, to be held across an await.
fn cluster(admin: &AdminService, name: &str) -> Result<Handle, Status> {
    admin.cluster(name).cloned()
}

async fn every_cluster(State(admin): Admin) -> Json<Vec<Line>> {
    Json(admin.clusters().values().map(|handle| handle.world.as_of_now(overview::line)).collect())
}

async fn hosts(State(admin): Admin, Path(name): Path<String>) -> Answer<Vec<wire::HostView>> {
    Answer(admin.cluster(&name).map(|handle| handle.world.as_of_now(views::status).hosts))
}

#[derive(Deserialize)]
struct Limit {
    limit: Option<u32>,
}

async fn goal_list(
    State(admin): Admin,
    Path(name): Path<String>,
    Query(page): Query<Limit>,
) -> Answer<wire::GoalListReply> {
    Answer(admin.cluster(&name).map(|handle| goals::list(handle, page.limit.unwrap_or_default())))
}

async fn goal_show(State(admin): Admin, Path((name, id)): Path<(String, String)>) -> Answer<wire::GoalView> {
    Answer(admin.cluster(&name).and_then(|handle| goals::show(handle, &id)))
}

/// Which entries: behind `after`, or the newest before `before`, or the newest of all.
#[derive(Deserialize)]
struct EventPage {
    after: Option<u64>,
    before: Option<u64>,
    limit: Option<u32>,
}

async fn event_page(
    State(admin): Admin,
    Path(name): Path<String>,
    Query(page): Query<EventPage>,
) -> Answer<Vec<wire::Event>> {
    let handle = match cluster(&admin, &name) {
        Ok(handle) => handle,
        Err(status) => return Answer(Err(status)),
    };
    Answer(read_events(&handle, &page).await)
}

async fn read_events(handle: &Handle, page: &EventPage) -> Result<Vec<wire::Event>, Status> {
    let (cluster, through) = {
        let world = handle.world.lock();
        (world.cluster.clone(), world.history.through)
    };
    for (field, number) in [("after", page.after), ("before", page.before)] {
        events::place(field, number.unwrap_or_default())?;
    }
    let limit = page.limit.unwrap_or(EVENTS_DEFAULT).clamp(1, EVENTS_MAX);
    let end = page.before.unwrap_or(u64::MAX).min(through.0.saturating_add(1));
    // Places have no gaps, so that a page can be counted back from its end.
    let after = page.after.unwrap_or_else(|| end.saturating_sub(u64::from(limit) + 1));
    let entries = HealingLog::entries(&*handle.journal, &cluster, Sequence(after), limit).await;
    let entries = entries.map_err(|error| log::journal(&error))?;
    let before = |entry: &&watchdog_core::record::Entry| page.before.is_none_or(|end| entry.sequence.0 < end);
    Ok(entries.iter().filter(before).map(|entry| events::view(entry, DETAIL_BYTES_MAX)).collect())
}

async fn snapshots(
    State(admin): Admin,
    Path((name, id)): Path<(String, String)>,
) -> Answer<wire::SnapshotsReply> {
    let handle = match cluster(&admin, &name) {
        Ok(handle) => handle,
        Err(status) => return Answer(Err(status)),
    };
    Answer(plans::snapshots(&handle, &id).await)
}

#[derive(Deserialize)]
struct Two {
    a: u64,
    b: u64,
}

async fn log_diff(
    State(admin): Admin,
    Path(name): Path<String>,
    Query(versions): Query<Two>,
) -> Answer<wire::LogDiffReply> {
    let handle = match cluster(&admin, &name) {
        Ok(handle) => handle,
        Err(status) => return Answer(Err(status)),
    };
    Answer(log::diff(&handle, (versions.a, versions.b)).await)
}

#[derive(Deserialize)]
struct Which {
    version: Option<u64>,
}

async fn log_state(
    State(admin): Admin,
    Path(name): Path<String>,
    Query(which): Query<Which>,
) -> Answer<wire::LogStateReply> {
    let handle = match cluster(&admin, &name) {
        Ok(handle) => handle,
        Err(status) => return Answer(Err(status)),
    };
    Answer(log::state(&handle, which.version).await)
}
