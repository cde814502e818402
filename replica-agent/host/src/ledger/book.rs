//! Book: what the ledger's entries add up to.

use std::collections::BTreeMap;

use watchdog_core::desk::Kind;
use watchdog_core::ids::{ClusterId, Epoch, HostId, Incarnation, ReplicaId, StepId};
use watchdog_membership::records::{LoadedRecord, ObituaryRecord};

use super::entry::{Body, Entry, FORMAT, Life, Outcome};

/// How many ended steps and how many dead incarnations are remembered. A step that is repeated after so many
/// others is of an older epoch, which the fence refuses anyway.
const REMEMBERED: usize = 4096;

/// The fold of a ledger.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Book {
    /// The random id of this state.
    pub(crate) instance: String,
    /// Whose it is.
    pub(crate) host: HostId,
    /// The highest epoch seen.
    pub(crate) epochs: BTreeMap<ClusterId, Epoch>,
    /// Every remembered step.
    pub(crate) steps: BTreeMap<(ClusterId, StepId), StepEntry>,
    /// Every incarnation without an obituary.
    pub(crate) living: BTreeMap<Incarnation, Living>,
    /// Every remembered obituary.
    pub(crate) dead: BTreeMap<Incarnation, Dead>,
    /// Grows with each step and each obituary, so that the oldest can be told.
    count: u64,
}

/// A remembered step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StepEntry {
    /// What it was begun as; `None` for a step that has no effect and so is only recorded at its end.
    pub(crate) begun: Option<(Kind, ReplicaId, Incarnation)>,
    /// What became of it.
    pub(crate) fate: Fate,
    count: u64,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fate {
    /// No end is recorded.
    Open,
    /// It ended.
    Done(Box<Outcome>),
    /// It can't be known.
    Lost,
    /// It was given up before it was begun.
    Never,
}

/// An incarnation without an obituary.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Living {
    /// What was ordered.
    pub(crate) life: Life,
    /// What belongs to it; `None` between the intent and the start.
    pub(crate) body: Option<Body>,
    /// What we loaded on its behalf.
    pub(crate) loaded: Option<LoadedRecord>,
}

/// A dead incarnation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Dead {
    /// Of which cluster.
    pub(crate) cluster: ClusterId,
    /// The proof.
    pub(crate) obituary: ObituaryRecord,
    /// Whether the coordination service was told.
    pub(crate) published: bool,
    count: u64,
}

impl Book {
    /// An empty one.
    pub(crate) fn new(instance: String, host: HostId) -> Self {
        Self {
            instance,
            host,
            epochs: BTreeMap::new(),
            steps: BTreeMap::new(),
            living: BTreeMap::new(),
            dead: BTreeMap::new(),
            count: 0,
        }
    }

    /// The highest epoch seen of a cluster.
    pub(crate) fn epoch(&self, cluster: &ClusterId) -> Epoch {
        self.epochs.get(cluster).copied().unwrap_or_default()
    }

    /// Takes more facts.
    pub(crate) fn apply_all(&mut self, entries: Vec<Entry>) {
        for entry in entries {
            self.apply(entry);
        }
    }

    /// Takes one more fact.
    pub(crate) fn apply(&mut self, entry: Entry) {
        self.count += 1;
        let count = self.count;
        match entry {
            Entry::Ledger { instance, host, .. } => (self.instance, self.host) = (instance, host),
            Entry::Epoch { cluster, epoch } => {
                let highest = self.epochs.entry(cluster).or_default();
                *highest = epoch.max(*highest);
            }
            Entry::Begun { cluster, step, replica, incarnation, act } => {
                let begun = Some((act, replica, incarnation));
                self.steps.insert((cluster, step), StepEntry { begun, fate: Fate::Open, count });
            }
            // Whoever was declared dead never lives again.
            Entry::Intended { life } if self.dead.contains_key(&life.incarnation) => {}
            Entry::Intended { life } => {
                self.living.insert(life.incarnation, Living { life, body: None, loaded: None });
            }
            Entry::Spawned(body) => {
                if let Some(living) = self.living.get_mut(&body.incarnation) {
                    living.body = Some(body);
                }
            }
            Entry::Loaded { incarnation, loaded } => {
                if let Some(living) = self.living.get_mut(&incarnation) {
                    living.loaded = Some(loaded);
                }
            }
            Entry::Done { cluster, step, outcome } => {
                self.settle(cluster, step, Fate::Done(Box::new(outcome)));
            }
            Entry::Lost { cluster, step } => self.settle(cluster, step, Fate::Lost),
            Entry::Never { cluster, step } => self.settle(cluster, step, Fate::Never),
            Entry::Dead { cluster, obituary } => {
                self.living.remove(&obituary.incarnation);
                self.dead.insert(obituary.incarnation, Dead { cluster, obituary, published: false, count });
            }
            Entry::Published { incarnation } => {
                if let Some(dead) = self.dead.get_mut(&incarnation) {
                    dead.published = true;
                }
            }
        }
        self.forget();
    }

    fn settle(&mut self, cluster: ClusterId, step: StepId, fate: Fate) {
        let count = self.count;
        let entry = self.steps.entry((cluster, step));
        let entry = entry.or_insert(StepEntry { begun: None, fate: Fate::Open, count });
        entry.fate = fate;
    }

    /// Drops the oldest half of what is beyond the limit, so that the search for them is rare.
    fn forget(&mut self) {
        if self.steps.len() > 2 * REMEMBERED {
            let oldest = count_of_newest(self.steps.values().map(|step| step.count));
            self.steps.retain(|_, step| step.count >= oldest || step.fate == Fate::Open);
        }
        if self.dead.len() > 2 * REMEMBERED {
            let oldest = count_of_newest(self.dead.values().map(|dead| dead.count));
            self.dead.retain(|_, dead| dead.count >= oldest || !dead.published);
        }
    }

    /// The fewest entries that add up to this book.
    pub(crate) fn entries(&self) -> Vec<Entry> {
        let header =
            Entry::Ledger { format: FORMAT, instance: self.instance.clone(), host: self.host.clone() };
        let mut entries = vec![header];
        entries.extend(
            self.epochs
                .iter()
                .map(|(cluster, epoch)| Entry::Epoch { cluster: cluster.clone(), epoch: *epoch }),
        );
        for living in self.living.values() {
            let incarnation = living.life.incarnation;
            entries.push(Entry::Intended { life: living.life.clone() });
            entries.extend(living.body.clone().map(Entry::Spawned));
            entries.extend(living.loaded.clone().map(|loaded| Entry::Loaded { incarnation, loaded }));
        }
        let mut aged: Vec<(u64, Vec<Entry>)> =
            self.steps.iter().map(|(key, step)| (step.count, step_entries(key, step))).collect();
        aged.extend(self.dead.values().map(|dead| (dead.count, dead_entries(dead))));
        aged.sort_by_key(|(count, _)| *count);
        entries.extend(aged.into_iter().flat_map(|(_, entries)| entries));
        entries
    }
}

/// The count from which on the newest ones are remembered.
fn count_of_newest(counts: impl Iterator<Item = u64>) -> u64 {
    let mut counts: Vec<u64> = counts.collect();
    counts.sort_unstable();
    counts.len().checked_sub(REMEMBERED).map_or(0, |index| counts[index])
}

fn step_entries((cluster, step): &(ClusterId, StepId), entry: &StepEntry) -> Vec<Entry> {
    let (cluster, step) = (cluster.clone(), step.clone());
    let mut entries = Vec::new();
    if let Some((act, replica, incarnation)) = entry.begun.clone() {
        entries.push(Entry::Begun {
            cluster: cluster.clone(),
            step: step.clone(),
            replica,
            incarnation,
            act,
        });
    }
    match &entry.fate {
        Fate::Open => {}
        Fate::Done(outcome) => entries.push(Entry::Done { cluster, step, outcome: outcome.as_ref().clone() }),
        Fate::Lost => entries.push(Entry::Lost { cluster, step }),
        Fate::Never => entries.push(Entry::Never { cluster, step }),
    }
    entries
}

fn dead_entries(dead: &Dead) -> Vec<Entry> {
    let mut entries = vec![Entry::Dead { cluster: dead.cluster.clone(), obituary: dead.obituary.clone() }];
    if dead.published {
        entries.push(Entry::Published { incarnation: dead.obituary.incarnation });
    }
    entries
}
