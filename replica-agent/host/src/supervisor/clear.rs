//! Clear: ends what is left of a replica when its main process has ended, and says whether all of it is proven gone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::Supervisor;
use super::family::{self, Member, Seen};
use super::proc::Session;
use super::tree::Tree;
use crate::ledger::Body;

/// A process that is still there so long after SIGKILL is stuck in the kernel.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often we kill what is born while we kill, where there is no group.
const SWEEPS_MAX: usize = 5;

/// Looks over all processes, shared by everybody who asks at the same time: when a hundred replicas die at once, a
/// hundred looks would cost more than all their replacements.
#[derive(Default)]
pub(super) struct Census {
    begun: AtomicU64,
    last: Mutex<(u64, Arc<Vec<Seen>>)>,
}

impl Census {
    /// All processes, as of a moment after the call.
    async fn take(&self) -> Arc<Vec<Seen>> {
        let ticket = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if last.0 <= ticket {
            let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
            // A look that panicked saw nothing; then nothing is found to kill, and nothing is claimed to be proven.
            let seen = tokio::task::spawn_blocking(family::look).await.unwrap_or_default();
            *last = (number, Arc::new(seen));
        }
        last.1.clone()
    }
}

impl Supervisor {
    /// Ends what is left; answers whether all of it is proven gone. `known` are members that were seen before.
    ///
    /// Only a group can prove it. Without one what is left is ended behind the caller's back, because nothing of what
    /// the caller can say depends on it.
    pub(crate) async fn clear(self: &Arc<Self>, body: &Body, had: Had) -> bool {
        let tree = Tree::recorded(body.group.clone());
        if matches!(tree, Tree::Session) {
            tokio::spawn(self.clone().clear_session(body.clone(), had));
            return false;
        }
        let started = Instant::now();
        while !tree.is_empty() {
            if started.elapsed() > PATIENCE {
                return false;
            }
            tree.kill();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // The kernel may be busy with another group for milliseconds; nobody waits for this one.
        drop(tokio::task::spawn_blocking(move || tree.remove()));
        true
    }

    async fn clear_session(self: Arc<Self>, body: Body, had: Had) {
        for _ in 0..SWEEPS_MAX {
            let all = self.census.take().await;
            let ours = family::of(&body, &all, (had.session, &had.members));
            if family::kill(&ours) == 0 {
                return;
            }
        }
    }

    /// Everything of a life that can be found now; a group tells it by itself.
    pub(super) async fn members(&self, body: &Body) -> BTreeSet<Member> {
        if body.group.is_some() {
            return BTreeSet::new();
        }
        let all = self.census.take().await;
        family::of(body, &all, (None, &BTreeSet::new()))
    }
}

/// What is known of a life whose main process is gone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Had {
    /// Its session, as far as it can be told from one that gets the same number later.
    pub(crate) session: Option<Session>,
    /// What was found of it while its main process lived.
    pub(crate) members: BTreeSet<Member>,
}
