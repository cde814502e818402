//! Events: the record as a stream that can be followed.

use futures_util::stream::BoxStream;
use tonic::Status;
use watchdog_core::ids::{ClusterId, Sequence, Time};
use watchdog_core::record::Entry;
use watchdog_core::tell::tell;
use watchdog_proto::admin as wire;

use super::tap::{Gone, PATIENCE, Tap, tap};
use super::{invalid, log};
use crate::clock::{self, rfc3339};
use crate::cluster::Handle;
use crate::cluster::books::Batches as _;

/// A stream of events.
pub(crate) type EventStream = BoxStream<'static, Result<wire::Event, Status>>;

/// Events that wait for a slow reader; beyond it the reader is waited for a while, and the leader never is.
const BUFFERED: usize = 256;

/// The record from where the request says, and on, when it follows.
pub(crate) fn stream(handle: Handle, request: &wire::EventsRequest) -> Result<EventStream, Status> {
    let since = request.since.as_deref().map(clock::parse).transpose();
    let since = since.map_err(|error| invalid("since", &error))?.unwrap_or_default();
    let cluster = handle.world.lock().cluster.clone();
    let after = place("since_sequence", request.since_sequence)?;
    let (events, stream) = tap(BUFFERED, PATIENCE);
    let tail = Tail { handle, cluster, after, since, events };
    let follow = request.follow;
    tokio::spawn(async move {
        // An error means that the reader has gone, or has been told.
        let _ = tail.run(follow).await;
    });
    Ok(stream)
}

/// A place in the record, of which none is as far as no database can count.
pub(crate) fn place(field: &str, number: u64) -> Result<Sequence, Status> {
    if number > i64::MAX.cast_unsigned() {
        return Err(invalid(field, &format!("{number} is beyond the last place that the record can have")));
    }
    Ok(Sequence(number))
}

/// The longest detail of an event.
const DETAIL_BYTES_MAX: usize = 1024 * 1024;

struct Tail {
    handle: Handle,
    cluster: ClusterId,
    after: Sequence,
    since: Time,
    events: Tap<wire::Event>,
}

impl Tail {
    async fn run(mut self, follow: bool) -> Result<(), Gone> {
        let mut recorded = self.handle.world.recorded();
        loop {
            recorded.mark_unchanged();
            self.drain().await?;
            if !follow {
                return Ok(());
            }
            tokio::select! {
                changed = recorded.changed() => changed.map_err(|_| Gone)?,
                () = self.events.closed() => return Err(Gone),
            }
        }
    }

    async fn drain(&mut self) -> Result<(), Gone> {
        loop {
            let entries = match self.handle.journal.entries_after(&self.cluster, self.after).await {
                Ok(entries) => entries,
                Err(error) => {
                    self.send(Err(log::journal(&error))).await?;
                    return Err(Gone);
                }
            };
            let Some(last) = entries.last() else { return Ok(()) };
            self.after = last.sequence;
            for entry in entries.iter().filter(|entry| entry.at >= self.since) {
                self.send(Ok(view(entry, DETAIL_BYTES_MAX))).await?;
            }
        }
    }

    async fn send(&self, event: Result<wire::Event, Status>) -> Result<(), Gone> {
        self.events.send(event).await
    }
}

/// The whole entry, unless it would burst a message; then it is read where it stands, in the journal.
fn detail(entry: &Entry, kind: &str, bytes_max: usize) -> String {
    let whole = serde_json::to_string(&entry.body).unwrap_or_default();
    if whole.len() <= bytes_max {
        return whole;
    }
    serde_json::json!({ "kind": kind, "too_large": whole.len() }).to_string()
}

/// An entry as an event, whose detail is left out when it is longer than that.
pub(crate) fn view(entry: &Entry, detail_bytes_max: usize) -> wire::Event {
    let told = tell(&entry.body);
    wire::Event {
        sequence: entry.sequence.0,
        at: rfc3339(entry.at),
        epoch: entry.epoch.0,
        by: entry.by.clone(),
        kind: told.kind.to_owned(),
        replica: told.replica.map(ToString::to_string),
        plan: told.plan.map(ToString::to_string),
        message: told.message,
        detail_json: detail(entry, told.kind, detail_bytes_max),
    }
}
