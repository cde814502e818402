//! Kill: ends one incarnation and everything that it started, and proves it.

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use watchdog_core::ids::{ClusterId, Incarnation, ReplicaId};
use watchdog_membership::records::{ObituaryRecord, Phase};

use super::{Kept, Supervisor, Tree, family, proc};
use crate::fault::{Blame, Blamed, Fault};
use crate::ledger::LedgerError;
use crate::refusal::Refusal;

/// How long a process may take to go after SIGKILL; longer means that it is stuck in the kernel.
const KILL_PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no obituary.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KillError {
    /// SIGKILL was sent and it is still there.
    #[error(
        "pid {pid} is still there {KILL_PATIENCE:?} after SIGKILL, in state {state}; it hangs in the kernel"
    )]
    Stuck {
        /// Which process.
        pid: u32,
        /// As /proc tells it; `D` waits for a device.
        state: char,
    },
    /// The disk did not take the record.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Blamed for KillError {
    fn fault(&self) -> Fault {
        match self {
            Self::Stuck { .. } => Fault::new("stuck", Blame::Host),
            Self::Ledger(error) => Refusal::from(error.clone()).fault(),
        }
    }
}

impl Supervisor {
    /// Ends a live process: SIGTERM and `grace`, then SIGKILL for its whole tree; at once if there is no grace.
    ///
    /// # Errors
    ///
    /// When it is stuck in the kernel.
    pub(crate) async fn end(&self, kept: &Arc<Kept>, grace: Duration) -> Result<ObituaryRecord, KillError> {
        if kept.revise(|standing| standing.phase = Phase::Stopping) {
            self.publish(kept);
        }
        // While its parents live everything of it can be found, also what has cleared its environment.
        kept.remember(self.members(&kept.body).await);
        if !grace.is_zero() {
            kept.signal(Signal::TERM);
            if let Ok(Some(obituary)) = tokio::time::timeout(grace, kept.buried()).await {
                return Ok(obituary);
            }
        }
        kept.signal(Signal::KILL);
        watchdog_crash_points::crash_point!("host.kill.signalled");
        Tree::recorded(kept.body.group.clone()).kill();
        family::kill(&kept.had().members);
        if let Ok(Some(obituary)) = tokio::time::timeout(KILL_PATIENCE, kept.buried()).await {
            return Ok(obituary);
        }
        let state = proc::Stat::of(kept.body.process.pid).map_or('?', |stat| stat.state);
        Err(KillError::Stuck { pid: kept.body.process.pid, state })
    }

    /// Declares dead what we do not keep. It can't start late: a start of a declared incarnation is refused.
    ///
    /// # Errors
    ///
    /// When the disk does not take it: then it might still start.
    pub(crate) async fn end_unknown(
        &self,
        cluster: &ClusterId,
        replica: ReplicaId,
        incarnation: Incarnation,
    ) -> Result<ObituaryRecord, KillError> {
        let found = tokio::task::spawn_blocking(move || proc::kill_carriers(incarnation)).await;
        // Whoever did start it without our knowledge is no proof of what else there is.
        let proven = found.is_ok_and(|found| found == 0);
        let obituary = self.obituary((replica, incarnation), "never started", proven);
        self.declare(cluster, obituary.clone()).await?;
        Ok(obituary)
    }
}
