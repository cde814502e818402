//! Keeper: the one task that owns the tree; every request is a message to it.
//!
//! ```text
//! requests ──► [ all that wait ] ──► store ──► disk, once, if anything lasting changed ──► answers, watches
//!                                      │                     └─ failed: undo all, answer why
//! ticks ──► sessions that are overdue ─┘
//! ```
//!
//! Requests that wait together share one write to the disk, so a hundred
//! obituaries cost as much as one.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::disk::{self, Disk};
use super::store::{Fault, Millis, Settled, Store};
use crate::tree::{Node, Operation};

/// How often sessions are looked at.
const TICK: Duration = Duration::from_millis(25);
/// A tick later than this says that we slept, not that the sessions are dead.
const LATE: Duration = Duration::from_millis(250);
/// How many requests share a write.
const BATCH_MAX: usize = 512;
/// How many events a watch may be behind; beyond it the watch ends, and its client reads all again.
const WATCH_BACKLOG_MAX: usize = 65_536;

/// The answer to a request, and where it goes.
type Reply<T> = oneshot::Sender<Result<T, Fault>>;

/// What can be asked of the keeper.
#[derive(Debug)]
pub(crate) enum Request {
    /// Opens a session.
    Open { timeout_ms: u64, reply: Reply<u64> },
    /// A sign of life, and a mark for the session's watches, if it is not 0.
    Heartbeat { session: u64, mark: u64, reply: Reply<()> },
    /// Ends a session.
    Close { session: u64, reply: Reply<()> },
    /// Does all of the operations, or none.
    Commit { session: u64, operations: Vec<Operation>, reply: Reply<Vec<String>> },
    /// Reads nodes.
    Read { session: u64, paths: Vec<String>, reply: Reply<Vec<Option<Node>>> },
    /// Lists the paths below a prefix.
    List { session: u64, prefix: String, reply: Reply<Vec<String>> },
    /// Watches a prefix.
    Watch { session: u64, prefix: String, reply: Reply<mpsc::Receiver<News>> },
}

/// What a watch tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    /// This path was created, changed or deleted.
    Path(String),
    /// Everything that was committed before this mark was asked for has been told.
    Mark(u64),
}

/// An answer that waits for the disk.
type Answer = Box<dyn FnOnce(Option<&Fault>) + Send>;

struct Watch {
    session: u64,
    prefix: String,
    events: mpsc::Sender<News>,
}

/// The tree, its watches and its disk.
pub(crate) struct Keeper {
    store: Store,
    disk: Disk,
    watches: BTreeMap<u64, Watch>,
    next_watch: u64,
    answers: Vec<Answer>,
    /// Sessions, and the marks that they wait for.
    marks: Vec<(u64, u64)>,
    started: Instant,
    ticked: Instant,
}

impl Keeper {
    /// Starts from what the disk has.
    pub(crate) fn new(disk: Disk, transaction: i64, nodes: BTreeMap<String, Node>) -> Self {
        let store = Store::restore(transaction, nodes);
        let now = Instant::now();
        Self {
            store,
            disk,
            watches: BTreeMap::new(),
            next_watch: 0,
            answers: Vec::new(),
            marks: Vec::new(),
            started: now,
            ticked: now,
        }
    }

    /// Serves until nobody can ask any more, or `stop` resolves.
    pub(crate) async fn run(mut self, mut requests: mpsc::Receiver<Request>, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut waiting = Vec::with_capacity(BATCH_MAX);
        loop {
            tokio::select! {
                biased;
                () = &mut stop => return,
                count = requests.recv_many(&mut waiting, BATCH_MAX) => {
                    if count == 0 {
                        return;
                    }
                    for request in waiting.drain(..) {
                        self.serve(request).await;
                    }
                    self.flush().await;
                }
                _ = tick.tick() => {}
            }
            self.end_overdue().await;
        }
    }

    fn now(&self) -> Millis {
        Millis::try_from(self.started.elapsed().as_millis()).unwrap_or(Millis::MAX)
    }

    async fn serve(&mut self, request: Request) {
        let now = self.now();
        match request {
            Request::Open { timeout_ms, reply } => {
                // Random, so that no session of an earlier life of this service is ever taken for a new one.
                let (number, _) = uuid::Uuid::new_v4().as_u64_pair();
                let session = number.max(1);
                self.store.open(session, timeout_ms, now);
                self.answer(reply, Ok(session));
            }
            Request::Heartbeat { session, mark, reply } => {
                let result = self.store.touch(session, now);
                if mark != 0 {
                    self.marks.push((session, mark));
                }
                self.answer(reply, result);
            }
            Request::Close { session, reply } => {
                // What came before it must be safe first: the end of a session cannot be undone.
                self.flush().await;
                self.end(session);
                self.answer(reply, Ok(()));
            }
            Request::Commit { session, operations, reply } => {
                let result = self.store.touch(session, now);
                let result = result.and_then(|()| self.store.commit(session, &operations));
                self.answer(reply, result);
            }
            Request::Read { session, paths, reply } => {
                let result = self.store.touch(session, now).map(|()| self.store.read(&paths));
                self.answer(reply, result);
            }
            Request::List { session, prefix, reply } => {
                let result = self.store.touch(session, now).map(|()| self.store.list(&prefix));
                self.answer(reply, result);
            }
            Request::Watch { session, prefix, reply } => {
                let result = self.store.touch(session, now).map(|()| self.watch(session, prefix));
                self.answer(reply, result);
            }
        }
    }

    fn watch(&mut self, session: u64, prefix: String) -> mpsc::Receiver<News> {
        let (events, receiver) = mpsc::channel(WATCH_BACKLOG_MAX);
        self.watches.insert(self.next_watch, Watch { session, prefix, events });
        self.next_watch += 1;
        receiver
    }

    /// Keeps the answer until the disk has what it speaks of.
    fn answer<T: Send + 'static>(&mut self, reply: Reply<T>, result: Result<T, Fault>) {
        self.answers.push(Box::new(move |disk| {
            // Whoever asked may be gone.
            let _ = reply.send(disk.map_or(result, |fault| Err(fault.clone())));
        }));
    }

    /// Makes what was done durable, then tells everybody.
    async fn flush(&mut self) {
        let fault = self.save().await.err();
        if let Some(fault) = &fault {
            tracing::error!(error = %fault, "coordination changes refused");
            self.store.revert_all();
        }
        let Settled { changed } = self.store.settle();
        self.publish(&changed);
        for (session, mark) in std::mem::take(&mut self.marks) {
            self.watches.retain(|_, watch| {
                watch.session != session || watch.events.try_send(News::Mark(mark)).is_ok()
            });
        }
        for answer in self.answers.drain(..) {
            answer(fault.as_ref());
        }
    }

    async fn save(&mut self) -> Result<(), Fault> {
        let transaction = self.store.transaction();
        if !self.store.must_save() && !self.disk.runs_short(transaction) {
            return Ok(());
        }
        let (path, bytes) = self.disk.prepare(transaction, self.store.persistent());
        let written = tokio::task::spawn_blocking(move || disk::write(&path, &bytes)).await;
        match written {
            Ok(Ok(())) => {
                self.disk.written(transaction);
                Ok(())
            }
            Ok(Err(error)) => Err(Fault::Disk { cause: error.to_string() }),
            Err(error) => Err(Fault::Disk { cause: error.to_string() }),
        }
    }

    fn publish(&mut self, changed: &std::collections::BTreeSet<String>) {
        if changed.is_empty() {
            return;
        }
        self.watches.retain(|_, watch| {
            let mut matching = changed.iter().filter(|path| covers(&watch.prefix, path));
            // A watch that is full or whose client is gone ends here; its client then reads everything again.
            matching.all(|path| watch.events.try_send(News::Path(path.clone())).is_ok())
                && !watch.events.is_closed()
        });
    }

    async fn end_overdue(&mut self) {
        let late = self.ticked.elapsed().saturating_sub(TICK);
        self.ticked = Instant::now();
        if late > LATE {
            tracing::warn!(
                late_ms = late.as_millis(),
                "the coordination service slept; sessions get that much longer"
            );
            self.store.extend(Millis::try_from(late.as_millis()).unwrap_or(0));
            return;
        }
        let overdue = self.store.overdue(self.now());
        if overdue.is_empty() {
            return;
        }
        for session in overdue {
            tracing::info!(session, "coordination session expired");
            self.end(session);
        }
        self.flush().await;
    }

    fn end(&mut self, session: u64) {
        self.store.close(session);
        let Settled { changed } = self.store.settle();
        self.publish(&changed);
        // After the news of its end, so that a watch sees its own session's nodes go; then the stream ends.
        self.watches.retain(|_, watch| watch.session != session);
    }
}

/// Whether `path` stands at or below `prefix`.
fn covers(prefix: &str, path: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn a_watch_covers_its_own_subtree_only() {
        let table = [
            ("/a", "/a", true),
            ("/a", "/a/b/c", true),
            ("/a", "/ab", false),
            ("/a/b", "/a", false),
            ("/", "/a", true),
        ];
        for (prefix, path, expected) in table {
            assert_eq!(covers(prefix, path), expected, "{prefix} {path}");
        }
    }
}
