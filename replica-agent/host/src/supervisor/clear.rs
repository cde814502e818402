//! Clear: ends what is left of a replica when its main process has ended, and says whether all of it is proven gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use watchdog_core::ids::Incarnation;
use watchdog_membership::environment;

use super::Supervisor;
use super::proc::{self, Session, Stat};
use super::tree::Tree;

/// A process that is still there so long after SIGKILL is stuck in the kernel.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often we kill what is born while we kill, where there is no group.
const SWEEPS_MAX: usize = 5;

/// A live process, as one look over all of them found it.
#[derive(Debug)]
struct Seen {
    pid: u32,
    stat: Stat,
    incarnation: Option<String>,
}

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
            let seen = tokio::task::spawn_blocking(look).await.unwrap_or_default();
            *last = (number, Arc::new(seen));
        }
        last.1.clone()
    }
}

fn look() -> Vec<Seen> {
    let see = |pid: u32| {
        let stat = Stat::of(pid).filter(|stat| !stat.is_dead())?;
        let incarnation =
            proc::environment(pid).and_then(|mut variables| variables.remove(environment::INCARNATION));
        Some(Seen { pid, stat, incarnation })
    };
    proc::pids().into_iter().filter_map(see).collect()
}

impl Supervisor {
    /// Ends what is left; answers whether all of it is proven gone.
    ///
    /// Only a group can prove it. Without one what is left is ended behind the caller's back, because nothing of what
    /// the caller can say depends on it.
    pub(crate) async fn clear(
        self: &Arc<Self>,
        tree: &Tree,
        incarnation: Incarnation,
        main: Option<u32>,
    ) -> bool {
        if matches!(tree, Tree::Session) {
            tokio::spawn(self.clone().clear_session(incarnation, main.map(Session::of)));
            return false;
        }
        let started = Instant::now();
        while !tree.is_empty() {
            if started.elapsed() > PATIENCE {
                return false;
            }
            tree.kill(incarnation, main);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // The kernel may be busy with another group for milliseconds; nobody waits for this one.
        let tree = tree.clone();
        drop(tokio::task::spawn_blocking(move || tree.remove()));
        true
    }

    async fn clear_session(self: Arc<Self>, incarnation: Incarnation, session: Option<Session>) {
        let name = incarnation.to_string();
        for _ in 0..SWEEPS_MAX {
            let all = self.census.take().await;
            let ours = |seen: &&Seen| {
                seen.incarnation.as_ref() == Some(&name)
                    || session.is_some_and(|session| session.holds(&seen.stat))
            };
            let ours: Vec<u32> = all.iter().filter(ours).map(|seen| seen.pid).collect();
            if ours.is_empty() {
                return;
            }
            // Each is looked at again through its handle, so that a reused number is never signalled.
            for pid in ours {
                proc::kill_carrier(pid, incarnation, session);
            }
        }
    }
}
