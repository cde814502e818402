//! Presence: keeps what we say to each cluster in its coordination service, and hears from there who leads.
//!
//! ```text
//! supervisor's board ─► keep_present ─► hosts, processes, obituaries
//! desks, leases     ◄─ confirmations ◄─ epoch, read afresh
//! ```

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use watchdog_core::ids::ClusterId;
use watchdog_membership::presence::{Present, keep_present};
use watchdog_membership::records::Paths;
use watchdog_membership::tree::Connect;
use watchdog_membership::wire::{Digest, Options, connector};

use crate::clock;
use crate::config::Config;
use crate::floor::Floor;
use crate::ledger::Entry;
use crate::supervisor::Supervisor;

/// The way to the coordination service that the configuration names.
///
/// # Errors
///
/// When its url or its credentials can't be used.
pub(crate) fn connect(config: &Config) -> anyhow::Result<Arc<dyn Connect>> {
    let coordination = &config.coordination;
    let digest = match &coordination.auth_file {
        Some(path) => {
            let text = std::fs::read_to_string(path);
            let text =
                text.with_context(|| format!("coordination.auth_file: cannot read {}", path.display()))?;
            Some(
                text.parse::<Digest>()
                    .with_context(|| format!("coordination.auth_file: {}", path.display()))?,
            )
        }
        None => None,
    };
    let session_timeout = Duration::from_millis(coordination.session_timeout_ms);
    let tls = coordination.tls().map_err(|(key, reason)| anyhow::anyhow!("coordination.{key}: {reason}"))?;
    let options = Options { session_timeout, digest, tls };
    connector(&coordination.url, options).context("coordination.url")
}

/// Is present in a cluster until the answer is dropped or left.
pub(crate) fn join(
    supervisor: &Arc<Supervisor>,
    floor: &Arc<Floor>,
    connect: Arc<dyn Connect>,
    cluster: &ClusterId,
) -> Option<Present> {
    supervisor.show_session(cluster, floor.session(cluster));
    let present = keep_present(connect, Paths::new(cluster), supervisor.board(cluster)?);
    supervisor.join(cluster, present.link().clone());
    tokio::spawn(confirm(supervisor.clone(), floor.clone(), present.link().clone(), cluster.clone()));
    tokio::spawn(note_declared(supervisor.clone(), present.declared(), cluster.clone()));
    Some(present)
}

/// Brings each fresh reading of the epoch to the desk, and each proof that our session lives to the leases.
async fn confirm(
    supervisor: Arc<Supervisor>,
    floor: Arc<Floor>,
    link: watchdog_membership::link::Link,
    cluster: ClusterId,
) {
    let mut confirmations = link.confirmations();
    while confirmations.changed().await.is_ok() {
        let Some(at) = *confirmations.borrow_and_update() else { continue };
        let epoch = link.epoch_seen().borrow().as_ref().map(|record| record.epoch);
        if floor.confirm(&cluster, epoch, at) {
            supervisor.show_session(&cluster, floor.session(&cluster));
        }
        supervisor.leases.renew(&cluster, clock::boottime().saturating_sub(at.elapsed()));
        let Some(epoch) = epoch else { continue };
        if epoch > supervisor.ledger.read(|book| book.epoch(&cluster)) {
            let entry = Entry::Epoch { cluster: cluster.clone(), epoch };
            watchdog_crash_points::crash_point!("host.epoch.learnt");
            match supervisor.ledger.record_fact(vec![entry]).await {
                Ok(()) => {
                    watchdog_crash_points::crash_point!("host.epoch.recorded");
                    floor.recorded(&cluster, epoch);
                    supervisor.show_epoch(&cluster, epoch);
                }
                Err(error) => tracing::warn!(%error, "a newer epoch is known, and not on disk"),
            }
        }
    }
}

/// Forgets obituaries that the coordination service has.
async fn note_declared(
    supervisor: Arc<Supervisor>,
    mut declared: tokio::sync::watch::Receiver<std::collections::BTreeSet<watchdog_core::ids::Incarnation>>,
    cluster: ClusterId,
) {
    while declared.changed().await.is_ok() {
        let done = declared.borrow_and_update().clone();
        watchdog_crash_points::crash_point!("host.obituary.standing");
        for incarnation in &done {
            supervisor.ledger.note(Entry::Published { incarnation: *incarnation });
        }
        supervisor.revise(&cluster, |presence| {
            presence.obituaries.retain(|incarnation, _| !done.contains(incarnation));
        });
    }
}
