//! Supervisor: keeps the processes of this host: starts, adopts, watches, ends and buries them.
//!
//! ```text
//! start ─┐                     ┌─► probes ─► board (what is published)
//!        ├─► Kept ─► watch over ┤
//! adopt ─┘                     └─► end ─► rest of the tree ─► ledger ─► obituary
//! ```
//!
//! It restarts nothing by itself: an end is a fact for the leader.

mod adopt;
mod clear;
pub(crate) mod family;
mod handle;
mod kept;
mod kill;
pub(crate) mod proc;
mod spares;
mod spawn;
mod tree;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use watchdog_core::ids::{ClusterId, Epoch, Incarnation, ReplicaId};
use watchdog_membership::link::Link;
use watchdog_membership::presence::Presence;
use watchdog_membership::records::{FORMAT, HostRecord, ObituaryRecord};
use watchdog_trust::Dialer;

use crate::clock;
use crate::config::Config;
use crate::dirs::Dirs;
use crate::guardian::Leases;
use crate::ledger::{Entry, Ledger, LedgerError};
use crate::probes;

pub(crate) use handle::Handle;
pub(crate) use kept::{AskNow, Kept};
pub(crate) use spawn::{SpawnError, with_causes};
pub(crate) use tree::Tree;

use clear::Census;
use spares::Spares;
use tree::Groups;

/// The keeper of processes.
pub(crate) struct Supervisor {
    pub(crate) config: Arc<Config>,
    pub(crate) dirs: Dirs,
    pub(crate) boot_id: String,
    pub(crate) ledger: Ledger,
    pub(crate) leases: Leases,
    groups: Option<Groups>,
    spares: Arc<Spares>,
    census: Census,
    kept: Mutex<BTreeMap<Incarnation, Arc<Kept>>>,
    boards: BTreeMap<ClusterId, watch::Sender<Presence>>,
    links: Mutex<BTreeMap<ClusterId, Link>>,
    /// How it reaches the agents embedded in replicas.
    pub(crate) dialer: Dialer,
}

impl Supervisor {
    /// A supervisor that keeps nothing yet, and is reached at `address`.
    pub(crate) fn new(
        config: Arc<Config>,
        dirs: Dirs,
        ledger: Ledger,
        (address, dialer): (&str, Dialer),
    ) -> std::io::Result<Self> {
        let boot_id = proc::boot_id()?;
        // The link, not what it points to: it also works when the binary was replaced meanwhile.
        let launcher = PathBuf::from("/proc/self/exe");
        let groups = if config.cgroups { Groups::find(dirs.root()) } else { None };
        if groups.is_none() {
            tracing::info!("no control groups: process trees are found by session and environment");
        }
        let presence = |cluster: &ClusterId| {
            let (instance, epoch) = ledger.read(|book| (book.instance.clone(), book.epoch(cluster)));
            let host = HostRecord {
                format: FORMAT,
                host: config.host.clone(),
                instance,
                address: address.to_owned(),
                pid: std::process::id(),
                boot_id: boot_id.clone(),
                inventory_complete: false,
                epoch,
                session: String::new(),
            };
            Presence { host, processes: BTreeMap::new(), obituaries: BTreeMap::new() }
        };
        let board = |cluster: &ClusterId| (cluster.clone(), watch::Sender::new(presence(cluster)));
        let boards = config.clusters.iter().map(board).collect();
        Ok(Self {
            leases: Leases::new(dirs.clone(), launcher.clone()),
            boot_id,
            kept: Mutex::default(),
            config,
            dirs,
            ledger,
            groups: groups.clone(),
            spares: Arc::new(Spares::new(launcher, groups)),
            census: Census::default(),
            boards,
            links: Mutex::default(),
            dialer,
        })
    }

    /// Whether an exclusive replica can be ended so that nothing of it is left, which only a control group proves; or
    /// the owner of this host has said that it may run all the same.
    pub(crate) fn takes_exclusive(&self) -> bool {
        self.groups.is_some() || self.config.exclusive_without_cgroups
    }

    /// Keeps launchers ready for as long as we live.
    pub(crate) fn make_spares(&self) {
        if let Some(groups) = &self.groups {
            groups.sweep();
        }
        tokio::spawn(self.spares.clone().keep_filled());
    }

    /// Takes away what only we need; replicas go on.
    pub(crate) async fn leave(&self) {
        self.spares.empty().await;
        if let Some(groups) = &self.groups {
            groups.leave();
        }
    }

    /// The live process of an incarnation.
    pub(crate) fn find(&self, incarnation: Incarnation) -> Option<Arc<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&incarnation).cloned()
    }

    /// Every live process of a cluster.
    pub(crate) fn of_cluster(&self, cluster: &ClusterId) -> Vec<Arc<Kept>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.values().filter(|kept| kept.life.cluster == *cluster).cloned().collect()
    }

    /// Every live process.
    pub(crate) fn all(&self) -> Vec<Arc<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// From now on a cluster is read through `link`.
    pub(crate) fn join(&self, cluster: &ClusterId, link: Link) {
        self.links.lock().unwrap_or_else(PoisonError::into_inner).insert(cluster.clone(), link);
    }

    /// How a cluster is read, once we have joined it.
    pub(crate) fn link(&self, cluster: &ClusterId) -> Option<Link> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner).get(cluster).cloned()
    }

    /// What we say to a cluster, and each change of it.
    pub(crate) fn board(&self, cluster: &ClusterId) -> Option<watch::Receiver<Presence>> {
        self.boards.get(cluster).map(watch::Sender::subscribe)
    }

    /// Changes what we say to a cluster.
    pub(crate) fn revise(&self, cluster: &ClusterId, revise: impl FnOnce(&mut Presence)) {
        if let Some(board) = self.boards.get(cluster) {
            board.send_if_modified(|presence| {
                let before = presence.clone();
                revise(presence);
                before != *presence
            });
        }
    }

    /// Says that we have recorded an epoch.
    pub(crate) fn show_epoch(&self, cluster: &ClusterId, epoch: Epoch) {
        self.revise(cluster, |presence| presence.host.epoch = epoch.max(presence.host.epoch));
    }

    /// Shows which session orders must name.
    pub(crate) fn show_session(&self, cluster: &ClusterId, session: String) {
        self.revise(cluster, |presence| presence.host.session = session);
    }

    /// Shows what has changed about a process.
    pub(crate) fn publish(&self, kept: &Kept) {
        let incarnation = kept.life.incarnation;
        let record = self.find(incarnation).map(|kept| kept.record(&self.config.host));
        self.revise(&kept.life.cluster, |presence| match record {
            Some(record) => drop(presence.processes.insert(incarnation, Arc::new(record))),
            None => drop(presence.processes.remove(&incarnation)),
        });
    }

    /// Takes a process under our care: it is watched, probed and published from here on.
    fn keep(self: &Arc<Self>, kept: Kept) -> Arc<Kept> {
        let kept = Arc::new(kept);
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(kept.life.incarnation, kept.clone());
        self.publish(&kept);
        let watching = tokio::spawn(self.clone().watch_over(kept.clone()));
        probes::start(self, &kept, &watching.abort_handle());
        kept
    }

    async fn watch_over(self: Arc<Self>, kept: Arc<Kept>) {
        let status = kept.end().await;
        watchdog_crash_points::crash_point!("host.death.seen");
        let life = &kept.life;
        let tree_gone = self.clear(&kept.body, kept.had()).await;
        watchdog_crash_points::crash_point!("host.death.cleared");
        let obituary = self.obituary((life.replica.clone(), life.incarnation), &status, tree_gone);
        tracing::info!(replica = %life.replica, incarnation = %life.incarnation, status, tree_gone, "a replica has ended");
        if let Err(error) = self.record_death(&life.cluster, &obituary).await {
            tracing::error!(%error, "an obituary could not be recorded; it is published all the same");
        }
        watchdog_crash_points::crash_point!("host.death.recorded");
        // Before anybody can know of it, so that the replacement is not refused for the dead one's sake.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(&life.incarnation);
        self.show_death(&life.cluster, obituary.clone());
        kept.bury(obituary);
        watchdog_crash_points::crash_point!("host.death.shown");
        self.leases.release(life.incarnation);
        self.dirs.forget(life.incarnation);
    }

    /// Records that an incarnation is dead, and has it published.
    ///
    /// # Errors
    ///
    /// The disk did not take it; it is published all the same, because it is true.
    pub(crate) async fn declare(
        &self,
        cluster: &ClusterId,
        obituary: ObituaryRecord,
    ) -> Result<(), LedgerError> {
        let recorded = self.record_death(cluster, &obituary).await;
        self.show_death(cluster, obituary);
        recorded
    }

    async fn record_death(&self, cluster: &ClusterId, obituary: &ObituaryRecord) -> Result<(), LedgerError> {
        let dead = Entry::Dead { cluster: cluster.clone(), obituary: obituary.clone() };
        self.ledger.record_fact(vec![dead]).await
    }

    /// Has an obituary published, until the coordination service has it.
    pub(crate) fn show_death(&self, cluster: &ClusterId, obituary: ObituaryRecord) {
        self.revise(cluster, |presence| {
            presence.processes.remove(&obituary.incarnation);
            presence.obituaries.insert(obituary.incarnation, Arc::new(obituary));
        });
    }

    /// An obituary of now.
    pub(crate) fn obituary(
        &self,
        (replica, incarnation): (ReplicaId, Incarnation),
        status: &str,
        tree_gone: bool,
    ) -> ObituaryRecord {
        ObituaryRecord {
            format: FORMAT,
            replica,
            incarnation,
            host: self.config.host.clone(),
            status: status.to_owned(),
            tree_gone,
            at_ms: clock::now_ms(),
        }
    }
}
