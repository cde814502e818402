//! Watching: a persistent recursive watch that survives reconnects, which the client's own does not.
//!
//! ```text
//! stand ──► events … Disconnected … SyncConnected ──► stand again (the old one is kept meanwhile) ──► Resync ──► …
//! ```
//!
//! The client panics in [`PersistentWatcher::changed`] when its session's task is dropped without a last word, which
//! happens only while a whole runtime is torn down; the task that follows then ends with it, and so does its channel.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use zookeeper_client::{
    AddWatchMode, Client, Error, EventType, PersistentWatcher, SessionState, WatchedEvent,
};

use crate::delay::Delay;
use crate::tree::Change;

/// How long one try to stand again may take.
const TRY: Duration = Duration::from_secs(2);

/// Asks for a watch of everything at or below `prefix`.
pub(crate) async fn stand(client: &Client, prefix: &str) -> Result<PersistentWatcher, Error> {
    client.watch(prefix, AddWatchMode::PersistentRecursive).await
}

/// Tells what the watch tells, and that everything must be read again after each reconnect; ends with the session.
///
/// Answers those who are `waiting` once everything that the client has so far is told.
pub(crate) async fn follow(
    client: &Client,
    prefix: &str,
    mut watcher: PersistentWatcher,
    (changes, waiting): (&mpsc::UnboundedSender<Change>, &mut mpsc::UnboundedReceiver<oneshot::Sender<()>>),
) {
    loop {
        let event = tokio::select! {
            // In this order: whoever waits is answered when nothing is left to tell.
            biased;
            event = watcher.changed() => event,
            Some(waiting) = waiting.recv() => {
                // Whoever waited may be gone.
                let _ = waiting.send(());
                continue;
            }
        };
        let WatchedEvent { event_type, session_state, path, .. } = event;
        let told = match (event_type, session_state) {
            (EventType::Session, SessionState::SyncConnected) => {
                // The old one is dropped only when the new one stands: its drop would else take the watch away.
                let Some(again) = stand_again(client, prefix).await else { return };
                watcher = again;
                changes.send(Change::Resync)
            }
            (EventType::Session, state) if state.is_terminated() => return,
            (EventType::Session, _) => Ok(()),
            _ => changes.send(Change::Path(path)),
        };
        if told.is_err() {
            return;
        }
    }
}

/// Nothing when the session is over.
async fn stand_again(client: &Client, prefix: &str) -> Option<PersistentWatcher> {
    let mut delay = Delay::default();
    while !client.state().is_terminated() {
        if let Ok(Ok(watcher)) = tokio::time::timeout(TRY, stand(client, prefix)).await {
            return Some(watcher);
        }
        delay.pause().await;
    }
    None
}
