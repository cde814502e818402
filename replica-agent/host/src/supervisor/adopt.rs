//! Adopt: after a restart, finds again what runs and declares dead what does not.
//!
//! ```text
//! ledger: pid, start time, boot ──still that process?──yes──► kept
//! /proc: carries our directory  ──known and not dead?──────► kept, or recorded first
//! everything else without an obituary ─────────────────────► obituary
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use watchdog_core::ids::Incarnation;
use watchdog_membership::environment;

use super::handle::Handle;
use super::kept::Kept;
use super::spawn::LIFE;
use super::tree::Tree;
use super::{Supervisor, proc};
use crate::ledger::{ActKind, Entry, Fate, LedgerError, Life, Outcome, ProcessKey};

/// How an inventory went, for the log.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Inventory {
    /// Found alive.
    pub(crate) adopted: usize,
    /// Found dead.
    pub(crate) buried: usize,
    /// Alive although declared dead, and so ended.
    pub(crate) ended: usize,
}

/// A process that carries an incarnation of ours.
struct Carrier {
    life: Life,
    key: ProcessKey,
    /// Whether it is the main process: the launcher made that the leader of its session; others inherit the variables.
    leads: bool,
}

impl Supervisor {
    /// Takes stock; afterwards everything of ours that runs is kept, and everything else has an obituary.
    ///
    /// # Errors
    ///
    /// When the disk does not take what was found.
    pub(crate) async fn take_stock(self: &Arc<Self>) -> Result<Inventory, LedgerError> {
        let mut inventory = Inventory::default();
        let carried = self.carried();
        let dead = self.ledger.read(|book| book.dead.keys().copied().collect::<Vec<_>>());
        for carrier in carried.values().filter(|carrier| dead.contains(&carrier.life.incarnation)) {
            let Carrier { life, key, .. } = carrier;
            tracing::warn!(replica = %life.replica, incarnation = %life.incarnation, pid = key.pid, "it runs although it was declared dead; it is ended");
            let tree = Tree::of_process(self.groups.as_ref(), key.pid);
            self.clear(&tree, life.incarnation, Some(key.pid)).await;
            inventory.ended += 1;
        }
        let mut found = carried;
        found.retain(|incarnation, _| !dead.contains(incarnation));
        watchdog_crash_points::crash_point!("host.stock.begun");
        let living = self.ledger.read(|book| book.living.clone());
        for (incarnation, living) in living {
            let leading = found.remove(&incarnation).filter(|carrier| carrier.leads);
            let process = match living.process {
                Some(key) => Some(key).filter(|key| self.is_main(key)),
                None => leading.map(|carrier| carrier.key),
            };
            if let Some(kept) = process.and_then(|key| self.adopt(living.life.clone(), key)) {
                if kept.revise(|standing| standing.loaded.clone_from(&living.loaded)) {
                    self.publish(&kept);
                }
                inventory.adopted += 1;
            } else {
                self.bury_absent(&living.life).await?;
                inventory.buried += 1;
                watchdog_crash_points::crash_point!("host.stock.buried");
            }
        }
        for carrier in found.into_values() {
            self.take_unknown(carrier, &mut inventory).await?;
        }
        watchdog_crash_points::crash_point!("host.stock.taken");
        self.settle_open_steps().await?;
        Ok(inventory)
    }

    /// Adopts what the ledger does not know; what is left of one whose main process is gone is ended.
    async fn take_unknown(
        self: &Arc<Self>,
        carrier: Carrier,
        inventory: &mut Inventory,
    ) -> Result<(), LedgerError> {
        let Carrier { life, key, leads } = carrier;
        let group = match Tree::of_process(self.groups.as_ref(), key.pid) {
            Tree::Group(path) => Some(path),
            Tree::Session => None,
        };
        let entries = vec![
            Entry::Intended { life: life.clone() },
            Entry::Spawned { incarnation: life.incarnation, process: key.clone(), group },
        ];
        self.ledger.record_fact(entries).await?;
        tracing::warn!(replica = %life.replica, incarnation = %life.incarnation, pid = key.pid, leads, "found a replica that the ledger does not know");
        if leads && self.adopt(life.clone(), key).is_some() {
            inventory.adopted += 1;
            return Ok(());
        }
        inventory.buried += 1;
        self.bury_absent(&life).await
    }

    fn is_alive(&self, key: &ProcessKey) -> bool {
        key.boot_id == self.boot_id
            && proc::Stat::of(key.pid)
                .is_some_and(|stat| stat.start_ticks == key.start_ticks && !stat.is_dead())
    }

    /// Whether it is alive and the main process of a replica.
    ///
    /// The kernel tells the start of a process to ten milliseconds only, so a stranger that was given the number right
    /// after our replica was started looks the same. But ours leads a session of its own, as the launcher had it do,
    /// and can't leave it.
    fn is_main(&self, key: &ProcessKey) -> bool {
        self.is_alive(key) && proc::Stat::of(key.pid).is_some_and(|stat| stat.session == key.pid)
    }

    fn adopt(self: &Arc<Self>, life: Life, key: ProcessKey) -> Option<Arc<Kept>> {
        let pidfd = proc::open(key.pid, || self.is_main(&key))?;
        let handle = match Handle::new(pidfd) {
            Ok(handle) => handle,
            Err(error) => {
                tracing::error!(%error, "a live process can't be watched");
                return None;
            }
        };
        let tree = Tree::of_process(self.groups.as_ref(), key.pid);
        if let Some(lease_ms) = life.lease_ms {
            self.leases.resume(&life, lease_ms, &tree);
        }
        let mut kept = Kept::new(life, key, handle, tree);
        kept.adopted = true;
        self.ledger.counters.adopted();
        Some(self.keep(kept))
    }

    async fn bury_absent(self: &Arc<Self>, life: &Life) -> Result<(), LedgerError> {
        let (rebooted, group) = self.ledger.read(|book| {
            let living = book.living.get(&life.incarnation);
            let process = living.and_then(|living| living.process.as_ref());
            let rebooted = process.is_some_and(|process| process.boot_id != self.boot_id);
            (rebooted, living.and_then(|living| living.group.clone()))
        });
        let tree_gone = rebooted || self.clear(&Tree::recorded(group), life.incarnation, None).await;
        let status = if rebooted { "rebooted" } else { "unknown" };
        let obituary = self.obituary((life.replica.clone(), life.incarnation), status, tree_gone);
        self.leases.release(life.incarnation);
        self.dirs.forget(life.incarnation);
        self.declare(&life.cluster, obituary).await
    }

    /// Every process that carries our directory in its environment, the main one of each incarnation.
    fn carried(&self) -> BTreeMap<Incarnation, Carrier> {
        let mut found: BTreeMap<Incarnation, Carrier> = BTreeMap::new();
        for carrier in proc::pids().into_iter().filter_map(|pid| self.read_carrier(pid)) {
            let better = |other: &Carrier| carrier.leads && !other.leads;
            if found.get(&carrier.life.incarnation).is_none_or(better) {
                found.insert(carrier.life.incarnation, carrier);
            }
        }
        found
    }

    fn read_carrier(&self, pid: u32) -> Option<Carrier> {
        let stat = proc::Stat::of(pid).filter(|stat| !stat.is_dead())?;
        let variables = proc::environment(pid)?;
        let life: Life = serde_json::from_str(variables.get(LIFE)?).ok()?;
        // The path tells our replicas from those of another host agent of the same name.
        let ours = self.dirs.state(&life.cluster, &life.replica);
        let is_ours = self.config.clusters.contains(&life.cluster)
            && variables.get(environment::STATE_FILE).is_some_and(|path| *path == ours.to_string_lossy());
        let key = ProcessKey { pid, start_ticks: stat.start_ticks, boot_id: self.boot_id.clone() };
        (is_ours && self.is_alive(&key)).then_some(Carrier { life, key, leads: stat.session == pid })
    }

    /// Says of each step that was begun before a crash how it ended, as far as looking can tell.
    async fn settle_open_steps(&self) -> Result<(), LedgerError> {
        let open = self.ledger.read(|book| {
            let open = book.steps.iter().filter(|(_, step)| step.fate == Fate::Open);
            open.filter_map(|(key, step)| Some((key.clone(), step.begun.clone()?))).collect::<Vec<_>>()
        });
        for ((cluster, step), (act, replica, incarnation)) in open {
            let obituary =
                self.ledger.read(|book| book.dead.get(&incarnation).map(|dead| dead.obituary.clone()));
            let kept = self.find(incarnation);
            let entry = match (act, kept, obituary) {
                (ActKind::Start, Some(kept), _) => {
                    let process = Some((replica, incarnation, kept.key.clone()));
                    Entry::Done { cluster, step, outcome: Outcome { process, ..Outcome::default() } }
                }
                (ActKind::Kill, None, Some(obituary)) => {
                    let outcome = Outcome { obituary: Some(obituary), ..Outcome::default() };
                    Entry::Done { cluster, step, outcome }
                }
                _ => Entry::Lost { cluster, step },
            };
            self.ledger.record_fact(vec![entry]).await?;
        }
        Ok(())
    }
}
