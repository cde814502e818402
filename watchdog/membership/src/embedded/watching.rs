//! Watching: a watch of the embedded service, that stands again after every loss of its stream.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tonic::{Response, Status, Streaming};
use watchdog_proto::coordination as proto;

use super::client::Line;
use crate::delay::Delay;
use crate::tree::Change;

type Events = Streaming<proto::WatchEvent>;

/// Asks for a watch, and waits until it stands.
pub(crate) async fn begin(line: &Line, prefix: &str) -> Result<Response<Events>, Status> {
    let request = proto::WatchRequest { session: line.session(), prefix: prefix.to_owned() };
    let mut events = line.client().watch(request).await?;
    match events.get_mut().message().await? {
        Some(_) => Ok(events),
        None => Err(Status::unavailable("the watch ended before it stood")),
    }
}

/// Tells what the watch tells, and that everything must be read again after each gap.
pub(crate) async fn follow(
    line: Arc<Line>,
    prefix: String,
    mut events: Events,
    changes: mpsc::UnboundedSender<Change>,
) {
    let told = async {
        loop {
            while let Ok(Some(proto::WatchEvent { path })) = events.message().await {
                if changes.send(Change::Path(path)).is_err() {
                    return;
                }
            }
            events = again(&line, &prefix).await;
            if changes.send(Change::Resync).is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = line.over() => {}
        () = changes.closed() => {}
        () = told => {}
    }
}

async fn again(line: &Line, prefix: &str) -> Events {
    let limit = line.timeout.max(Duration::from_secs(2));
    let mut delay = Delay::default();
    loop {
        if let Ok(Ok(events)) = tokio::time::timeout(limit, begin(line, prefix)).await {
            return events.into_inner();
        }
        delay.pause().await;
    }
}
