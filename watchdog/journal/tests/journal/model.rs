//! Model: random operations do to each database what they do to the journal in memory, and answer alike.
//!
//! `WATCHDOG_OPERATIONS` says how many on each database. Each case is a fresh cluster and one seed.

use std::fmt::{Debug, Write as _};

use serde_json::json;
use uuid::Uuid;
use watchdog_core::change::{Change, Head};
use watchdog_core::ids::{ClusterId, Epoch, PlanId, Sequence, Time, Version, WatchdogId};
use watchdog_core::state::Key;
use watchdog_journal::Journal;
use watchdog_ports::contract::fresh_cluster;
use watchdog_ports::fake::MemoryJournal;
use watchdog_ports::healing_log::{HealingLog, PlanInputRecord, Write};
use watchdog_ports::journal_error::JournalError;
use watchdog_ports::metadata_log::{Append, MetadataLog};

use crate::support::{PATIENT, asked, escalated, fresh_postgres, sqlite_url};

/// Operations of one case.
const OPERATIONS: u64 = 40;

/// A tiny generator of numbers (splitmix64): the same seed asks the same.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// What is asked.
#[derive(Debug, Clone)]
enum Operation {
    OpenTerm(Epoch, WatchdogId),
    HighestTerm,
    Write(Write),
    Append(Append),
    Head,
    Entries(Sequence, u32),
    Log(Version, u32),
    State(Version),
    PlanInput(PlanId),
    Verify,
}

/// What the next operations are drawn from.
struct Asker {
    dice: Dice,
    cluster: ClusterId,
    epoch: u64,
    asked: Vec<Operation>,
}

impl Asker {
    fn of(seed: u64) -> Self {
        Self { dice: Dice(seed), cluster: fresh_cluster(), epoch: 0, asked: Vec::new() }
    }

    /// The next operation, on top of what the model holds.
    async fn next(&mut self, model: &MemoryJournal) -> Operation {
        let operation = match self.dice.roll(16) {
            0..=1 => self.open_term(),
            2..=5 => self.write(),
            6..=9 => self.append(model).await,
            // Asked again, as by somebody who heard no answer.
            10 | 11 if !self.asked.is_empty() => {
                let index = self.dice.roll(self.asked.len() as u64);
                return self.asked[usize::try_from(index).unwrap()].clone();
            }
            12 => Operation::Entries(
                Sequence(self.dice.roll(40)),
                u32::try_from(self.dice.roll(20)).unwrap() + 1,
            ),
            13 => Operation::Log(
                Version(self.dice.roll(20) + 1),
                u32::try_from(self.dice.roll(20)).unwrap() + 1,
            ),
            14 => Operation::State(Version(self.dice.roll(12))),
            15 => Operation::PlanInput(PlanId::numbered(Epoch(self.dice.roll(4)), self.dice.roll(4))),
            _ => [Operation::HighestTerm, Operation::Head, Operation::Verify]
                [usize::try_from(self.dice.roll(3)).unwrap()]
            .clone(),
        };
        if matches!(operation, Operation::OpenTerm(..) | Operation::Write(_) | Operation::Append(_)) {
            self.asked.push(operation.clone());
        }
        operation
    }

    /// Mostly the term that stands, sometimes an older one or one that was never opened.
    fn some_epoch(&mut self) -> Epoch {
        let epoch = match self.dice.roll(6) {
            0 => self.epoch.saturating_sub(1),
            1 => self.epoch + 1,
            _ => self.epoch,
        };
        Epoch(epoch)
    }

    fn open_term(&mut self) -> Operation {
        let epoch = self.epoch + self.dice.roll(3);
        self.epoch = self.epoch.max(epoch);
        let watchdog = ["one", "two"][usize::try_from(self.dice.roll(2)).unwrap()];
        Operation::OpenTerm(Epoch(epoch), WatchdogId::new(watchdog).unwrap())
    }

    fn write(&mut self) -> Operation {
        let epoch = self.some_epoch();
        let bodies = (0..=self.dice.roll(3)).map(|index| escalated(&format!("entry {index}"))).collect();
        let input = |number| PlanInputRecord {
            plan: PlanId::numbered(epoch, number),
            core_version: "0.1.0".to_owned(),
            input: format!("{{\"number\":{number}}}"),
        };
        let inputs = if self.dice.roll(3) == 0 { vec![input(self.dice.roll(4))] } else { Vec::new() };
        let (cluster, request, at) = (self.cluster.clone(), Uuid::new_v4(), Time(self.dice.roll(1_000)));
        Operation::Write(Write { cluster, epoch, request, at, by: "one".to_owned(), bodies, inputs })
    }

    async fn append(&mut self, model: &MemoryJournal) -> Operation {
        let head = model.head(&self.cluster).await.unwrap();
        let mut state = model.state(&self.cluster, head.version).await.unwrap();
        let mut changes = Vec::new();
        for _ in 0..=self.dice.roll(3) {
            let key = Key::new(format!("model/m-{}", self.dice.roll(5))).unwrap();
            let after = (self.dice.roll(4) > 0).then(|| json!({ "weight": self.dice.roll(100) }));
            let change = Change::of(&state, key.clone(), after.clone());
            state.apply(&key, after.as_ref());
            changes.push(change);
        }
        if self.dice.roll(8) == 0 {
            // Composed on another state than the one that stands.
            changes[0].before = Some(json!("not what stands there"));
        }
        let expected = match self.dice.roll(8) {
            0 => Version(self.dice.roll(10)),
            _ => head.version,
        };
        let (cluster, epoch, request) = (self.cluster.clone(), self.some_epoch(), Uuid::new_v4());
        let (at, author) = (Time(self.dice.roll(1_000)), "one".to_owned());
        Operation::Append(Append { cluster, epoch, request, expected, at, author, goal: None, changes })
    }
}

/// An answer in full, or what its refusal says; causes are each database's own.
fn told<T: Debug>(answer: Result<T, JournalError>) -> String {
    match answer {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("refused: {error} ({:?})", error.remedy()),
    }
}

async fn answer<J: HealingLog + MetadataLog>(journal: &J, cluster: &ClusterId, ask: Operation) -> String {
    match ask {
        Operation::OpenTerm(epoch, dog) => told(journal.open_term(cluster, epoch, &dog, Time(1)).await),
        Operation::HighestTerm => told(journal.highest_term(cluster).await),
        Operation::Write(write) => told(journal.write(write).await),
        Operation::Append(append) => told(journal.append(append).await),
        Operation::Head => told(journal.head(cluster).await),
        Operation::Entries(after, limit) => told(HealingLog::entries(journal, cluster, after, limit).await),
        Operation::Log(from, limit) => told(MetadataLog::entries(journal, cluster, from, limit).await),
        Operation::State(version) => told(journal.state(cluster, version).await),
        Operation::PlanInput(plan) => told(journal.plan_input(cluster, &plan).await),
        Operation::Verify => told(journal.verify(cluster).await),
    }
}

/// One case; at its end also a journal that was opened anew must hold what the model holds.
async fn case(url: &str, journal: &Journal, seed: u64) -> (u64, u64) {
    let model = MemoryJournal::new();
    let mut asker = Asker::of(seed);
    let cluster = asker.cluster.clone();
    let (mut story, mut refused) = (String::new(), 0);
    for number in 0..OPERATIONS {
        let ask = asker.next(&model).await;
        let expected = answer(&model, &cluster, ask.clone()).await;
        let found = answer(journal, &cluster, ask.clone()).await;
        writeln!(story, "{number}: {ask:?}\n   model   {expected}\n   journal {found}").unwrap();
        assert_eq!(found, expected, "seed {seed}:\n{story}");
        refused += u64::from(expected.starts_with("refused"));
    }
    let anew = Journal::open(url, PATIENT).await.unwrap();
    for ask in
        [Operation::Entries(Sequence(0), 10_000), Operation::Log(Version(1), 10_000), Operation::Verify]
    {
        let expected = answer(&model, &cluster, ask.clone()).await;
        assert_eq!(answer(&anew, &cluster, ask).await, expected, "seed {seed}, opened anew:\n{story}");
    }
    anew.close().await;
    (OPERATIONS, refused)
}

async fn many(url: &str, name: &str) {
    let wanted = asked("WATCHDOG_OPERATIONS", 400);
    let journal = Journal::open(url, PATIENT).await.unwrap();
    let (mut done, mut refused) = (0, 0);
    for seed in 0.. {
        if done >= wanted {
            break;
        }
        let (more, refusals) = case(url, &journal, seed).await;
        done += more;
        refused += refusals;
    }
    println!("figure model_{name} {done}");
    assert!(refused > done / 20 && refused < done / 2, "{refused} of {done} refused: asked too narrowly");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_does_what_the_model_does() {
    let directory = tempfile::tempdir().unwrap();
    many(&sqlite_url(&directory), "sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_does_what_the_model_does() {
    many(&fresh_postgres().await, "postgres").await;
}

#[test]
fn a_head_that_differs_is_told_apart() {
    assert_ne!(told(Ok(Head::default())), told(Ok(Head { version: Version(1), ..Head::default() })));
}
