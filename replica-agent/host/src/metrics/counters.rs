//! Counters: what happened, folded from the ledger's entries where the ledger holds it.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use watchdog_core::desk::Kind;
use watchdog_core::ids::{Incarnation, ReplicaId};
use watchdog_telemetry::metrics::{Histograms, Labels, long, short};

use crate::ledger::{Book, Entry};
use crate::refusal::Refusal;

type Counts = Family<Labels, Counter>;

/// Every counter; clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Counters {
    orders: Counts,
    refused: Counts,
    order_seconds: Histograms,
    starts: Counts,
    deaths: Counts,
    probes: Counts,
    probe_seconds: Histograms,
    ledger_seconds: Histograms,
    ledger_errors: Counts,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            orders: Counts::default(),
            refused: Counts::default(),
            order_seconds: Histograms::new_with_constructor(long),
            starts: Counts::default(),
            deaths: Counts::default(),
            probes: Counts::default(),
            probe_seconds: Histograms::new_with_constructor(short),
            ledger_seconds: Histograms::new_with_constructor(short),
            ledger_errors: Counts::default(),
        }
    }
}

/// How a process came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// The first that we know of its replica.
    First,
    /// After another life of its replica had ended here.
    Again,
    /// It ran before we did.
    Adopted,
}

impl Came {
    const ALL: [Self; 3] = [Self::First, Self::Again, Self::Adopted];

    fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Again => "again",
            Self::Adopted => "adopted",
        }
    }
}

const CAUSES: [&str; 5] = ["exit_zero", "exit_nonzero", "signal", "never_started", "unknown"];
const ACTS: [Kind; 4] = [Kind::Start, Kind::Kill, Kind::Snapshot, Kind::Load];

impl Counters {
    /// Puts them into `registry`, each series at zero.
    pub(super) fn register(&self, registry: &mut Registry) {
        self.begin();
        let counts = [
            ("orders", "Orders that ended, by what became of them", &self.orders),
            ("orders_refused", "Orders that were not begun, by why", &self.refused),
            (
                "starts",
                "Processes that came into our care: the first of a replica here, another one, or adopted",
                &self.starts,
            ),
            ("deaths", "Processes of replicas that ended, by how", &self.deaths),
            ("probes", "Answers to probes", &self.probes),
            ("ledger_errors", "Writes that the ledger's disk did not take", &self.ledger_errors),
        ];
        for (name, help, family) in counts {
            registry.register(format!("{}_{name}", super::PREFIX), help, family.clone());
        }
        let times = [
            ("order", "Time from taking an order in to its end", &self.order_seconds),
            ("probe", "Time that a probe took to be answered, or to be given up", &self.probe_seconds),
            ("ledger_write", "Time until the ledger's disk had what was written", &self.ledger_seconds),
        ];
        for (name, help, family) in times {
            registry.register(format!("{}_{name}_seconds", super::PREFIX), help, family.clone());
        }
    }

    fn begin(&self) {
        for act in ACTS.map(word_of) {
            for outcome in ["done", "failed", "lost"] {
                drop(
                    self.orders
                        .get_or_create(&vec![("act", act.to_owned()), ("outcome", outcome.to_owned())]),
                );
            }
            drop(self.order_seconds.get_or_create(&vec![("act", act.to_owned())]));
        }
        for reason in Refusal::WORDS {
            drop(self.refused.get_or_create(&vec![("reason", reason.to_owned())]));
        }
        for came in Came::ALL {
            drop(self.starts.get_or_create(&vec![("came", came.word().to_owned())]));
        }
        for cause in CAUSES {
            drop(self.deaths.get_or_create(&vec![("cause", cause.to_owned())]));
        }
        for outcome in ["passed", "failed"] {
            drop(self.probes.get_or_create(&vec![("outcome", outcome.to_owned())]));
        }
        drop(self.probe_seconds.get_or_create(&Labels::new()));
        drop(self.ledger_seconds.get_or_create(&Labels::new()));
        drop(self.ledger_errors.get_or_create(&Labels::new()));
    }

    /// Counts one entry that is on disk, and comes to `book` next.
    pub(crate) fn entry(&self, entry: &Entry, book: &Book) {
        match entry {
            Entry::Spawned(body) => {
                let came = if has_lived(book, body.incarnation) { Came::Again } else { Came::First };
                add(&self.starts, "came", came.word());
            }
            Entry::Done { cluster, step, outcome } => {
                let begun = book.steps.get(&(cluster.clone(), step.clone()));
                // What has no effect is on record only once it has ended.
                let begun = begun.and_then(|step| step.begun.as_ref());
                let act = begun.map_or(Kind::Snapshot, |(act, ..)| *act);
                self.order_ended(act, if outcome.error.is_empty() { "done" } else { "failed" });
            }
            Entry::Lost { cluster, step } => {
                let begun = book.steps.get(&(cluster.clone(), step.clone()));
                if let Some((act, ..)) = begun.and_then(|step| step.begun.as_ref()) {
                    self.order_ended(*act, "lost");
                }
            }
            Entry::Dead { obituary, .. } if !book.dead.contains_key(&obituary.incarnation) => {
                add(&self.deaths, "cause", cause_of(&obituary.status));
            }
            Entry::Dead { .. }
            | Entry::Ledger { .. }
            | Entry::Epoch { .. }
            | Entry::Begun { .. }
            | Entry::Intended { .. }
            | Entry::Never { .. }
            | Entry::Published { .. }
            | Entry::Loaded { .. } => {}
        }
    }

    /// Counts a process that ran before we did.
    pub(crate) fn adopted(&self) {
        add(&self.starts, "came", Came::Adopted.word());
    }

    /// Counts an order that is not carried out.
    pub(crate) fn refused(&self, refusal: &Refusal) {
        add(&self.refused, "reason", refusal.word());
    }

    /// Counts how long an order took.
    pub(crate) fn order_took(&self, act: Kind, took: Duration) {
        let labels = vec![("act", word_of(act).to_owned())];
        self.order_seconds.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Counts one answer to a probe, or the lack of it.
    pub(crate) fn probed(&self, passed: bool, took: Duration) {
        add(&self.probes, "outcome", if passed { "passed" } else { "failed" });
        self.probe_seconds.get_or_create(&Labels::new()).observe(took.as_secs_f64());
    }

    /// Counts one write of the ledger.
    pub(crate) fn written(&self, is_on_disk: bool, took: Duration) {
        self.ledger_seconds.get_or_create(&Labels::new()).observe(took.as_secs_f64());
        if !is_on_disk {
            self.ledger_errors.get_or_create(&Labels::new()).inc();
        }
    }

    fn order_ended(&self, act: Kind, outcome: &str) {
        let labels = vec![("act", word_of(act).to_owned()), ("outcome", outcome.to_owned())];
        self.orders.get_or_create(&labels).inc();
    }
}

fn add(family: &Counts, label: &'static str, word: &str) {
    family.get_or_create(&vec![(label, word.to_owned())]).inc();
}

fn word_of(act: Kind) -> &'static str {
    match act {
        Kind::Start => "start",
        Kind::Kill => "kill",
        Kind::Snapshot => "snapshot",
        Kind::Load => "load",
    }
}

/// Whether another life of the same replica has ended here.
fn has_lived(book: &Book, incarnation: Incarnation) -> bool {
    let Some(living) = book.living.get(&incarnation) else { return false };
    let same = |replica: &ReplicaId| *replica == living.life.replica;
    book.dead.values().any(|dead| dead.cluster == living.life.cluster && same(&dead.obituary.replica))
}

/// The kind of end that an obituary's status tells of.
fn cause_of(status: &str) -> &'static str {
    match status.split_whitespace().next() {
        Some("exit") if status.trim() == "exit 0" => "exit_zero",
        Some("exit") => "exit_nonzero",
        Some("signal") => "signal",
        Some("never") => "never_started",
        _ => "unknown",
    }
}
