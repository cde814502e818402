//! Session: the tree over one session of the client.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::try_join_all;
use tokio::sync::{mpsc, oneshot, watch};
use zookeeper_client::{
    Client, CreateMode, Error, MultiReadResult, MultiWriteError, MultiWriteResult, SessionState,
};

use super::batches::batches;
use super::connect::{directory, options};
use super::{faults, watching};
use crate::tree::{Change, Mode, Node, Operation, Refused, Session, Tree, TreeError};

/// How many requests for reads are under way at once.
const READS_AT_ONCE: usize = 4;
/// How long a request may take at least: an ensemble that lost its leader needs up to 0.7 s for another.
const REQUEST_TIMEOUT_MIN: Duration = Duration::from_secs(2);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
/// How often parents are made when they vanish between their making and the commit.
const PARENT_TRIES: usize = 3;
/// How many parents are made at once.
const PARENTS_AT_ONCE: usize = 64;

/// A session with an ensemble.
pub(crate) struct ZooKeeperTree {
    /// Taken out by close: the client ends its session when its last clone is dropped.
    client: Mutex<Option<Client>>,
    session_id: u64,
    timeout: Duration,
    /// Whether what we create is ours alone.
    owned: bool,
    state: watch::Receiver<Session>,
    /// Dropped with us; everything that runs for this tree ends with it.
    alive: watch::Sender<bool>,
    /// To each watch, for those who wait until it has told all.
    watches: Mutex<Vec<mpsc::UnboundedSender<oneshot::Sender<()>>>>,
}

impl ZooKeeperTree {
    pub(crate) fn new(client: Client, owned: bool) -> Self {
        let (alive, _) = watch::channel(true);
        let state = follow_state(&client);
        Self {
            session_id: client.session_id().0.cast_unsigned(),
            timeout: client.session_timeout(),
            client: Mutex::new(Some(client)),
            owned,
            state,
            alive,
            watches: Mutex::default(),
        }
    }

    fn client(&self) -> Result<Client, TreeError> {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        client.ok_or(TreeError::Expired)
    }

    /// Waits until every watch has told what the client has.
    async fn all_told(&self) {
        let mut answers = Vec::new();
        self.watches.lock().unwrap_or_else(PoisonError::into_inner).retain(|watch| {
            let (answer, told) = oneshot::channel();
            answers.push(told);
            watch.send(answer).is_ok()
        });
        for told in answers {
            // A watch that ended has nothing more to tell.
            let _ = told.await;
        }
    }

    fn limit(&self) -> Duration {
        (self.timeout * 2 / 3).max(REQUEST_TIMEOUT_MIN)
    }

    /// Waits for an answer to something that changes nothing.
    async fn ask<T>(
        &self,
        operation: &'static str,
        path: &str,
        request: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, TreeError> {
        match tokio::time::timeout(self.limit(), request).await {
            Ok(answer) => answer.map_err(|error| faults::read(operation, path, &error)),
            Err(_) => Err(TreeError::Unavailable { operation, source: "no answer in time".into() }),
        }
    }

    async fn commit_once(&self, client: &Client, operations: &[Operation]) -> Result<Vec<String>, TreeError> {
        let mut writer = client.new_multi_writer();
        for operation in operations {
            let added = match operation {
                Operation::Check { path, version } => writer.add_check_version(path, version.unwrap_or(-1)),
                Operation::Set { path, data, version } => writer.add_set_data(path, data, *version),
                Operation::Delete { path, version } => writer.add_delete(path, *version),
                Operation::Create { path, data, mode } => {
                    writer.add_create(path, data, &options(create_mode(*mode), self.owned))
                }
            };
            added.map_err(|error| faults::write("commit", operation.path(), &error))?;
        }
        let path = |index: usize| operations.get(index).map_or("", Operation::path);
        let results = match tokio::time::timeout(self.limit(), writer.commit()).await {
            Ok(Ok(results)) => results,
            Ok(Err(MultiWriteError::RequestFailed { source })) => {
                return Err(faults::write("commit", path(0), &source));
            }
            Ok(Err(MultiWriteError::OperationFailed { index, source })) => {
                return Err(faults::operation(index, path(index), &source));
            }
            Err(_) => return Err(TreeError::Unknown { operation: "commit", source: None }),
        };
        let created = results.into_iter().zip(operations).map(|(result, operation)| match result {
            MultiWriteResult::Create { path, .. } => path,
            _ => operation.path().to_owned(),
        });
        Ok(created.collect())
    }

    /// Makes the parents of all that is to be created, as far as the commit does not make them itself.
    async fn make_parents(&self, client: &Client, operations: &[Operation]) -> Result<(), TreeError> {
        let created = operations.iter().filter(|operation| matches!(operation, Operation::Create { .. }));
        let created: BTreeSet<&str> = created.map(Operation::path).collect();
        let parents = created.iter().filter_map(|path| path.rfind('/').map(|end| &path[..end]));
        let parents: BTreeSet<&str> =
            parents.filter(|parent| !parent.is_empty() && !created.contains(parent)).collect();
        let options = directory(self.owned);
        let parents: Vec<&str> = parents.into_iter().collect();
        for group in parents.chunks(PARENTS_AT_ONCE) {
            let made = group.iter().map(|parent| {
                let made = client.mkdir(parent, &options);
                self.ask("make a parent", parent, made)
            });
            try_join_all(made).await?;
        }
        Ok(())
    }

    async fn read_batch(&self, client: &Client, paths: &[String]) -> Result<Vec<Option<Node>>, TreeError> {
        let mut reader = client.new_multi_reader();
        for path in paths {
            reader.add_get_data(path).map_err(|error| faults::read("read", path, &error))?;
        }
        let results = self.ask("read", "/", reader.commit()).await?;
        let nodes = paths.iter().zip(results).map(|(path, result)| match result {
            MultiReadResult::Data { data, stat } => Ok(Some(Node {
                data,
                created: stat.czxid,
                modified: stat.mzxid,
                version: stat.version,
                owner: (stat.ephemeral_owner != 0).then_some(stat.ephemeral_owner.cast_unsigned()),
            })),
            MultiReadResult::Error { err: Error::NoNode } => Ok(None),
            MultiReadResult::Error { err } => Err(faults::read("read", path, &err)),
            _ => Err(odd_answer("read")),
        });
        nodes.collect()
    }

    /// The paths of the children of all of these.
    async fn children(&self, client: &Client, parents: &[String]) -> Result<Vec<String>, TreeError> {
        let mut reader = client.new_multi_reader();
        for parent in parents {
            reader.add_get_children(parent).map_err(|error| faults::read("list", parent, &error))?;
        }
        let results = self.ask("list", "/", reader.commit()).await?;
        let mut found = Vec::new();
        for (parent, result) in parents.iter().zip(results) {
            let slash = if parent.ends_with('/') { "" } else { "/" };
            match result {
                MultiReadResult::Children { children } => {
                    found.extend(children.into_iter().map(|child| format!("{parent}{slash}{child}")));
                }
                // It went while we looked.
                MultiReadResult::Error { err: Error::NoNode } => {}
                MultiReadResult::Error { err } => return Err(faults::read("list", parent, &err)),
                _ => return Err(odd_answer("list")),
            }
        }
        Ok(found)
    }
}

fn odd_answer(operation: &'static str) -> TreeError {
    TreeError::Unavailable { operation, source: "the server answered something else".into() }
}

fn create_mode(mode: Mode) -> CreateMode {
    match mode {
        Mode::Persistent => CreateMode::Persistent,
        Mode::Ephemeral => CreateMode::Ephemeral,
        Mode::EphemeralSequential => CreateMode::EphemeralSequential,
    }
}

/// Translates the states of the client, until it says the last one.
fn follow_state(client: &Client) -> watch::Receiver<Session> {
    let translate = |state: SessionState| match state {
        SessionState::SyncConnected => Session::Connected,
        SessionState::Disconnected | SessionState::ConnectedReadOnly => Session::Suspended,
        SessionState::Expired | SessionState::AuthFailed | SessionState::Closed => Session::Expired,
    };
    let mut states = client.state_watcher();
    // Looked at after the watcher stands, so that no change falls between.
    let (sender, receiver) = watch::channel(translate(states.peek_state()));
    tokio::spawn(async move {
        loop {
            let state = translate(states.changed().await);
            sender.send_if_modified(|current| std::mem::replace(current, state) != state);
            if state == Session::Expired {
                return;
            }
        }
    });
    receiver
}

#[async_trait]
impl Tree for ZooKeeperTree {
    fn session_id(&self) -> u64 {
        self.session_id
    }

    fn session(&self) -> watch::Receiver<Session> {
        self.state.clone()
    }

    fn timeout_ms(&self) -> u64 {
        u64::try_from(self.timeout.as_millis()).unwrap_or(u64::MAX)
    }

    async fn commit(&self, operations: Vec<Operation>) -> Result<Vec<String>, TreeError> {
        let client = self.client()?;
        let mut tries = 0;
        loop {
            match client.state() {
                SessionState::SyncConnected => {}
                SessionState::Disconnected | SessionState::ConnectedReadOnly => {
                    // The client would keep it, and send it when nobody wants it any more.
                    let source = "the connection is lost".into();
                    return Err(TreeError::Unavailable { operation: "commit", source });
                }
                _ => return Err(TreeError::Expired),
            }
            match self.commit_once(&client, &operations).await {
                Err(TreeError::Refused { index, reason: Refused::Missing, .. })
                    if tries < PARENT_TRIES
                        && matches!(operations.get(index), Some(Operation::Create { .. })) =>
                {
                    tries += 1;
                    self.make_parents(&client, &operations).await?;
                }
                other => return other,
            }
        }
    }

    async fn read(&self, paths: &[String]) -> Result<Vec<Option<Node>>, TreeError> {
        let client = self.client()?;
        let mut nodes = Vec::with_capacity(paths.len());
        for group in batches(paths).chunks(READS_AT_ONCE) {
            let reads = group.iter().map(|batch| self.read_batch(&client, batch));
            nodes.extend(try_join_all(reads).await?.into_iter().flatten());
        }
        Ok(nodes)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, TreeError> {
        let client = self.client()?;
        // Lists decide who leads and what is gone; a server that lags behind must not.
        self.ask("sync", "/", client.sync("/")).await?;
        let mut found = Vec::new();
        let mut level = vec![prefix.to_owned()];
        while !level.is_empty() {
            let mut below = Vec::new();
            for group in batches(&level).chunks(READS_AT_ONCE) {
                let reads = group.iter().map(|batch| self.children(&client, batch));
                below.extend(try_join_all(reads).await?.into_iter().flatten());
            }
            found.extend_from_slice(&below);
            level = below;
        }
        found.sort_unstable();
        Ok(found)
    }

    async fn sync(&self) -> Result<(), TreeError> {
        let client = self.client()?;
        self.ask("sync", "/", client.sync("/")).await?;
        // The client has every event by now; those who tell them on may not yet have.
        let told = self.all_told();
        tokio::time::timeout(self.limit(), told).await.map_err(|_| TreeError::Unavailable {
            operation: "sync",
            source: "a watch did not keep up".into(),
        })
    }

    async fn watch(&self, prefix: &str) -> Result<mpsc::UnboundedReceiver<Change>, TreeError> {
        let client = self.client()?;
        let watcher = self.ask("watch", prefix, watching::stand(&client, prefix)).await?;
        let (changes, receiver) = mpsc::unbounded_channel();
        let (asking, mut asked) = mpsc::unbounded_channel();
        self.watches.lock().unwrap_or_else(PoisonError::into_inner).push(asking);
        let mut alive = self.alive.subscribe();
        let prefix = prefix.to_owned();
        tokio::spawn(async move {
            tokio::select! {
                // Ends when it says so, and when the tree is dropped.
                _ = alive.wait_for(|alive| !*alive) => {}
                () = changes.closed() => {}
                () = watching::follow(&client, &prefix, watcher, (&changes, &mut asked)) => {}
            }
        });
        Ok(receiver)
    }

    async fn close(&self) {
        self.alive.send_replace(false);
        drop(self.client.lock().unwrap_or_else(PoisonError::into_inner).take());
        let mut state = self.state.clone();
        let closed = state.wait_for(|state| *state == Session::Expired);
        if tokio::time::timeout(CLOSE_TIMEOUT, closed).await.is_err() {
            tracing::debug!(
                session = self.session_id,
                "the session could not be closed; it ends by its time-out"
            );
        }
    }
}
