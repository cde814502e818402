//! Adopt: after a restart, finds again what runs and declares dead what does not.
//!
//! ```text
//! ledger: pid, start time, boot ──still that process?──yes──► kept
//! /proc: carries our directory  ──known and not dead?──────► kept, or recorded first
//! everything else without an obituary ─────────────────────► obituary
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use watchdog_core::desk::{Settled, settle};
use watchdog_core::ids::Incarnation;
use watchdog_core::observation::Obituary;
use watchdog_membership::environment;

use super::clear::Had;
use super::handle::Handle;
use super::kept::Kept;
use super::spawn::LIFE;
use super::tree::Tree;
use super::{Supervisor, proc};
use crate::ledger::{Body, Entry, Fate, LedgerError, Life, Outcome, ProcessKey};

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
            let body = self.found_body(life.incarnation, key.clone());
            let had = Had { members: self.members(&body).await, ..Had::default() };
            self.clear(&body, had).await;
            inventory.ended += 1;
        }
        let mut found = carried;
        found.retain(|incarnation, _| !dead.contains(incarnation));
        watchdog_crash_points::crash_point!("host.stock.begun");
        let living = self.ledger.read(|book| book.living.clone());
        for (incarnation, living) in living {
            let leading = found.remove(&incarnation).filter(|carrier| carrier.leads);
            let body = match living.body {
                Some(body) => Some(body).filter(|body| self.is_main(&body.process)),
                None => leading.map(|carrier| self.found_body(incarnation, carrier.key)),
            };
            if let Some(kept) = body.and_then(|body| self.adopt(living.life.clone(), body)) {
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
        let pid = key.pid;
        let body = self.found_body(life.incarnation, key);
        let entries = vec![Entry::Intended { life: life.clone() }, Entry::Spawned(body.clone())];
        self.ledger.record_fact(entries).await?;
        tracing::warn!(replica = %life.replica, incarnation = %life.incarnation, pid, leads, "found a replica that the ledger does not know");
        if leads && self.adopt(life.clone(), body).is_some() {
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

    /// What belongs to a life whose record is lost.
    fn found_body(&self, incarnation: Incarnation, process: ProcessKey) -> Body {
        let group = Tree::of_process(self.groups.as_ref(), process.pid).group();
        Body { incarnation, process, group }
    }

    fn adopt(self: &Arc<Self>, life: Life, body: Body) -> Option<Arc<Kept>> {
        let pidfd = proc::open(body.process.pid, || self.is_main(&body.process))?;
        let handle = match Handle::new(pidfd) {
            Ok(handle) => handle,
            Err(error) => {
                tracing::error!(%error, "a live process can't be watched");
                return None;
            }
        };
        if let Some(lease_ms) = life.lease_ms {
            self.leases.resume(&life, lease_ms, &body);
        }
        let mut kept = Kept::new(life, body, handle);
        kept.adopted = true;
        self.ledger.counters.adopted();
        Some(self.keep(kept))
    }

    async fn bury_absent(self: &Arc<Self>, life: &Life) -> Result<(), LedgerError> {
        let body = self.ledger.read(|book| book.living.get(&life.incarnation)?.body.clone());
        let rebooted = body.as_ref().is_some_and(|body| body.process.boot_id != self.boot_id);
        let tree_gone = rebooted
            || match &body {
                Some(body) => self.clear(body, Had::default()).await,
                // It was never launched, because that is recorded before; what carries it is ended all the same.
                None => tokio::task::spawn_blocking({
                    let incarnation = life.incarnation;
                    move || proc::kill_carriers(incarnation)
                })
                .await
                .is_ok_and(|found| found == 0),
            };
        let status = if rebooted { Obituary::REBOOTED } else { Obituary::UNSEEN };
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
        for ((cluster, step), (kind, replica, incarnation)) in open {
            let obituary =
                self.ledger.read(|book| book.dead.get(&incarnation).map(|dead| dead.obituary.clone()));
            let kept = self.find(incarnation);
            let runs = kept.map(|kept| (replica, incarnation, kept.body.process.clone()));
            let done = |outcome| Entry::Done { cluster: cluster.clone(), step: step.clone(), outcome };
            let entry = match settle(kind, runs, obituary) {
                Settled::Runs(process) => done(Outcome { process: Some(process), ..Outcome::default() }),
                Settled::Dead(obituary) => done(Outcome { obituary: Some(obituary), ..Outcome::default() }),
                Settled::Lost => Entry::Lost { cluster, step },
            };
            self.ledger.record_fact(vec![entry]).await?;
        }
        Ok(())
    }
}
