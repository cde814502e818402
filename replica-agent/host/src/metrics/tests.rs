//! Tests: the counters that are folded from the ledger's entries.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use prometheus_client::registry::Registry;
use watchdog_core::desk::Kind;
use watchdog_core::ids::{Epoch, Incarnation, Version};
use watchdog_core::state::Hash;
use watchdog_membership::records::{FORMAT, ObituaryRecord};

use super::counters::Counters;
use crate::fault::{Blame, Fault};
use crate::ledger::{Body, Book, Entry, Life, Outcome, ProcessKey};

struct Fold {
    counters: Counters,
    book: Book,
}

impl Fold {
    fn take(&mut self, entry: Entry) {
        self.counters.entry(&entry, &self.book);
        self.book.apply(entry);
    }

    fn text(&self) -> String {
        let mut registry = Registry::default();
        self.counters.register(&mut registry);
        watchdog_telemetry::metrics::text(&registry).unwrap()
    }
}

fn spawned(fold: &mut Fold, number: u128) {
    let incarnation = Incarnation::from_u128(number);
    let life = Life {
        cluster: "demo".parse().unwrap(),
        replica: "demo-a".parse().unwrap(),
        incarnation,
        program: "x".into(),
        parameters: std::collections::BTreeMap::new(),
        epoch: Epoch(1),
        version: Version(1),
        state_hash: Hash::default(),
        lease_ms: None,
        probes: Vec::new(),
        started_with: None,
    };
    let process = ProcessKey { pid: 1, start_ticks: 1, boot_id: "boot".into() };
    fold.take(Entry::Intended { life });
    fold.take(Entry::Spawned(Body { incarnation, process, group: None }));
}

fn dead(number: u128, status: &str) -> Entry {
    let obituary = ObituaryRecord {
        format: FORMAT,
        replica: "demo-a".parse().unwrap(),
        incarnation: Incarnation::from_u128(number),
        host: "h1".parse().unwrap(),
        status: status.into(),
        tree_gone: true,
        at_ms: 1,
    };
    Entry::Dead { cluster: "demo".parse().unwrap(), obituary }
}

#[test]
fn what_the_ledger_holds_is_counted_once() {
    let book = Book::new("instance".into(), "h1".parse().unwrap());
    let mut fold = Fold { counters: Counters::default(), book };
    spawned(&mut fold, 1);
    fold.take(dead(1, "signal 9 (SIGKILL)"));
    fold.take(dead(1, "signal 9 (SIGKILL)"));
    spawned(&mut fold, 2);
    fold.take(dead(2, "exit 0"));
    fold.take(dead(3, "exit 7"));
    fold.take(dead(4, "never started"));
    fold.take(dead(5, "unknown"));
    let (cluster, step) = ("demo".parse().unwrap(), "1-1-1".parse().unwrap());
    fold.take(Entry::Begun {
        cluster,
        step,
        replica: "demo-a".parse().unwrap(),
        incarnation: Incarnation::from_u128(1),
        act: Kind::Kill,
    });
    let done = |step: &str, outcome| Entry::Done {
        cluster: "demo".parse().unwrap(),
        step: step.parse().unwrap(),
        outcome,
    };
    fold.take(done("1-1-1", Outcome::failed("no such process", Fault::new("stuck", Blame::Host))));
    fold.take(done("1-1-2", Outcome::default()));
    let text = fold.text();
    for expected in [
        "watchdog_agent_starts_total{came=\"first\"} 1\n",
        "watchdog_agent_starts_total{came=\"again\"} 1\n",
        "watchdog_agent_deaths_total{cause=\"signal\"} 1\n",
        "watchdog_agent_deaths_total{cause=\"exit_zero\"} 1\n",
        "watchdog_agent_deaths_total{cause=\"exit_nonzero\"} 1\n",
        "watchdog_agent_deaths_total{cause=\"never_started\"} 1\n",
        "watchdog_agent_deaths_total{cause=\"unknown\"} 1\n",
        "watchdog_agent_orders_total{act=\"kill\",outcome=\"failed\"} 1\n",
        "watchdog_agent_orders_total{act=\"snapshot\",outcome=\"done\"} 1\n",
        "watchdog_agent_orders_total{act=\"start\",outcome=\"done\"} 0\n",
        "watchdog_agent_orders_refused_total{reason=\"older_epoch\"} 0\n",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
}
