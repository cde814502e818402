//! History: everything that was written down about a run, by whomever, in one place for the checks.

use std::collections::BTreeMap;

use anyhow::Context as _;
use serde_json::Value;
use watchdog_core::plan::{Plan, Step};
use watchdog_core::record::{Body, Entry};

use crate::customer::Experience;
use crate::fault::Kind;
use crate::ledger::{self, Begun, Ledger};
use crate::nemesis::{Act, Fallen};
use crate::net::{EACH, Node};
use crate::operator::Declared;
use crate::stage::Stage;
use crate::witness::Life;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// The healing log, as it stands in the database.
    pub entries: Vec<Entry>,
    /// The last version of the metadata log.
    pub head: u64,
    /// What the host agents wrote down, by host.
    pub ledgers: BTreeMap<String, Ledger>,
    /// What the embedded agents wrote down, by host and replica.
    pub embedded: BTreeMap<(String, String), Vec<Begun>>,
    /// Which processes ran.
    pub lives: Vec<Life>,
    /// What the nemesis did.
    pub acts: Vec<Act>,
    /// Whose program ended without the nemesis having ended it.
    pub fallen: Vec<Fallen>,
    /// What was found in logs that no program of ours may ever say, with where.
    pub panics: Vec<String>,
    /// What the operator declared.
    pub declared: Vec<Declared>,
    /// What the customer experienced.
    pub customer: Experience,
    /// What `log verify` said against the log.
    pub verify_failed: Option<String>,
    /// What was still open when the cluster should have been at rest.
    pub still_open: Option<String>,
    /// What happened while all watchdogs and agents were cut off from ZooKeeper.
    pub cut_off: Option<CutOff>,
}

/// What happened while all watchdogs and agents were cut off from ZooKeeper.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CutOff {
    /// For how long.
    pub lasted_ms: u64,
    /// Steps that were recorded to be sent, or that agents began, meanwhile.
    pub acts: usize,
    /// Replicas that died meanwhile or at the return, and may not.
    pub died: Vec<String>,
    /// Questions that nobody answered meanwhile.
    pub failed: usize,
    /// Questions that were answered meanwhile.
    pub answered: u64,
}

impl History {
    /// Reads what stands on the disks and in the database; the caller adds what it saw itself.
    ///
    /// # Errors
    ///
    /// If something can't be read, for then nothing is proven.
    pub fn read(stage: &Stage) -> anyhow::Result<Self> {
        let mut history = Self { entries: record(stage)?, head: head(stage)?, ..Self::default() };
        for index in 0..EACH {
            let node = Node::Host(index);
            let disk = stage.site.disk(node);
            history.ledgers.insert(node.name(), ledger::read(&disk)?);
            for (replica, begun) in ledger::read_embedded(&disk)? {
                history.embedded.insert((node.name(), replica), begun);
            }
            for name in [node.name(), Node::Dog(index).name()] {
                let log = std::fs::read(stage.site.log(&name)).context("read a log")?;
                history.panics.extend(panics(&name, &String::from_utf8_lossy(&log)));
            }
        }
        let output = stage.ctl(&["log", "verify"])?;
        let said = [output.stdout, output.stderr].concat();
        history.verify_failed =
            (!output.status.success()).then(|| String::from_utf8_lossy(&said).trim().to_owned());
        Ok(history)
    }

    /// Every plan that was recorded.
    pub fn plans(&self) -> impl Iterator<Item = (&Entry, &Plan)> {
        self.entries.iter().filter_map(|entry| match &entry.body {
            Body::PlanRecorded { plan, .. } => Some((entry, plan)),
            _ => None,
        })
    }

    /// Every step of every plan, by its id.
    pub fn steps(&self) -> BTreeMap<&str, &Step> {
        self.plans().flat_map(|(_, plan)| &plan.steps).map(|step| (step.id.as_str(), step)).collect()
    }

    /// Whether the clock of a watchdog was ever set wrong, so that its times say nothing.
    pub fn clock_was_stepped(&self, watchdog: &str) -> bool {
        let stepped = |act: &Act| act.kind == Kind::ClockStep && act.target.starts_with(watchdog);
        self.acts.iter().any(stepped)
    }

    /// How many steps agents have begun.
    pub fn begun(&self) -> usize {
        let embedded: usize = self.embedded.values().map(Vec::len).sum();
        embedded + self.ledgers.values().map(|ledger| ledger.begun.len()).sum::<usize>()
    }
}

fn panics<'a>(name: &'a str, log: &'a str) -> impl Iterator<Item = String> + 'a {
    log.lines().filter(|line| line.contains("panicked at")).map(move |line| format!("{name}: {line}"))
}

/// What the agents of all hosts have begun, without the database.
///
/// # Errors
///
/// If a disk can't be read.
pub fn begun(stage: &Stage) -> anyhow::Result<usize> {
    let mut history = History::default();
    for index in 0..EACH {
        let disk = stage.site.disk(Node::Host(index));
        history.ledgers.insert(index.to_string(), ledger::read(&disk)?);
        for (replica, begun) in ledger::read_embedded(&disk)? {
            history.embedded.insert((index.to_string(), replica), begun);
        }
    }
    Ok(history.begun())
}

fn record(stage: &Stage) -> anyhow::Result<Vec<Entry>> {
    let text = stage.sql(
        "SELECT json_build_object('sequence', sequence, 'at', at_ms, 'epoch', epoch, 'by', written_by, \
         'body', body::json) FROM record ORDER BY sequence",
    )?;
    // A JSON value of the database may go over several lines.
    let values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
    values
        .map(|value| serde_json::from_value(value?).map_err(anyhow::Error::from))
        .collect::<anyhow::Result<_>>()
        .context("understand the record")
}

fn head(stage: &Stage) -> anyhow::Result<u64> {
    let text = stage.sql("SELECT coalesce(max(version), 0) FROM change")?;
    text.trim().parse().context("read the head of the log")
}
