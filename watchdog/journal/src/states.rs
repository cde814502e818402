//! States: the states that were read or made last, so that most questions need no fold.
//!
//! A state is known by its version *and* the hash of its entry, so what is
//! remembered of another history (a database put back from a backup) is never used.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use watchdog_core::change::{Head, LogEntry};
use watchdog_core::ids::{ClusterId, Version};
use watchdog_core::state::State;

/// A state, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) cluster: ClusterId,
    pub(crate) head: Head,
    pub(crate) state: Arc<State>,
}

/// How many states are remembered, of all clusters together.
const KNOWN_MAX: usize = 16;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct States(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// The one that was used last stands first.
    known: VecDeque<Known>,
    /// Where the newest snapshot of each cluster was taken, or tried.
    snapshots: BTreeMap<ClusterId, Version>,
}

impl States {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state at `version`, of whatever history.
    pub(crate) fn at(&self, cluster: &ClusterId, version: Version) -> Option<Known> {
        let inner = self.inner();
        inner.known.iter().find(|known| known.cluster == *cluster && known.head.version == version).cloned()
    }

    /// The state at exactly this place.
    pub(crate) fn get(&self, cluster: &ClusterId, head: Head) -> Option<Arc<State>> {
        let mut inner = self.inner();
        let index = inner.known.iter().position(|known| known.cluster == *cluster && known.head == head)?;
        let known = inner.known.remove(index)?;
        let state = known.state.clone();
        inner.known.push_front(known);
        Some(state)
    }

    pub(crate) fn put(&self, known: Known) {
        let mut inner = self.inner();
        inner.known.retain(|old| old.cluster != known.cluster || old.head.version != known.head.version);
        inner.known.push_front(known);
        inner.known.truncate(KNOWN_MAX);
    }

    /// Takes what `entries` did to `known`.
    pub(crate) fn advance(&self, known: Known, entries: &[LogEntry]) {
        let Some(last) = entries.last() else { return };
        // The remembered copy goes first, so that the state is moved and not copied.
        self.inner().known.retain(|old| old.cluster != known.cluster || old.head != known.head);
        let Known { cluster, mut state, .. } = known;
        let moved = Arc::make_mut(&mut state);
        for entry in entries {
            moved.apply(&entry.change.key, entry.change.after.as_ref());
        }
        self.put(Known { cluster, head: Head { version: last.version, hash: last.hash }, state });
    }

    /// Where the newest snapshot stands, as far as we know.
    pub(crate) fn snapshot(&self, cluster: &ClusterId) -> Option<Version> {
        self.inner().snapshots.get(cluster).copied()
    }

    pub(crate) fn set_snapshot(&self, cluster: &ClusterId, version: Version) {
        self.inner().snapshots.insert(cluster.clone(), version);
    }
}
