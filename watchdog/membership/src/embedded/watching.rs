//! Watching: a watch of the embedded service, that stands again after every loss of its stream.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tonic::{Response, Status, Streaming};
use watchdog_proto::coordination as proto;

use super::client::Line;
use crate::delay::Delay;
use crate::tree::Change;

/// How far each watch of a session has told what was committed, in marks; see the protocol.
#[derive(Debug, Default)]
pub(crate) struct Marks {
    last: AtomicU64,
    passed: Mutex<Vec<watch::Receiver<u64>>>,
}

impl Marks {
    /// A mark that was never given.
    pub(crate) fn next(&self) -> u64 {
        self.last.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// How far each watch is.
    pub(crate) fn watches(&self) -> Vec<watch::Receiver<u64>> {
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        passed.retain(|passed| passed.has_changed().is_ok());
        passed.clone()
    }

    fn add(&self) -> watch::Sender<u64> {
        let (sender, receiver) = watch::channel(0);
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).push(receiver);
        sender
    }

    /// Everything so far, because whoever listens was told to read all again.
    fn all(&self) -> u64 {
        self.last.load(Ordering::SeqCst)
    }
}

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
    let passed = line.marks.add();
    let told = async {
        loop {
            while let Ok(Some(proto::WatchEvent { path, mark })) = events.message().await {
                if mark > 0 {
                    passed.send_replace(mark);
                } else if changes.send(Change::Path(path)).is_err() {
                    return;
                }
            }
            events = again(&line, &prefix).await;
            let all = line.marks.all();
            if changes.send(Change::Resync).is_err() {
                return;
            }
            passed.send_replace(all);
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
