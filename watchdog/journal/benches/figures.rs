//! Figures: what writes, old states and the proof of a long log cost; `cargo bench -p watchdog-journal [-- CHANGES]`.
#![expect(clippy::unwrap_used, reason = "a bench that fails may panic")]

use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;
use watchdog_core::change::Change;
use watchdog_core::ids::{ClusterId, Epoch, Time, Version};
use watchdog_core::record::Body;
use watchdog_core::state::{Key, State};
use watchdog_journal::{Journal, Options};
use watchdog_ports::contract::led_cluster;
use watchdog_ports::healing_log::{HealingLog as _, Write};
use watchdog_ports::metadata_log::{Append, MetadataLog as _};

const KEYS: u64 = 10_000;
const BATCH: u64 = 1_000;

#[tokio::main]
async fn main() {
    // `cargo test --benches` runs this too, without the word.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let changes = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let directory = tempfile::tempdir().unwrap();
    measure("SQLite", &format!("sqlite:{}/journal.db", directory.path().display()), changes).await;
    let url = tokio::task::spawn_blocking(|| {
        use watchdog_tests::postgres::{Durability, Postgres};
        let server = Postgres::start(Durability::Synced).unwrap();
        let url = server.url();
        (server, url)
    });
    let (_server, url) = url.await.unwrap();
    measure("PostgreSQL", &url, changes).await;
}

async fn measure(name: &str, url: &str, changes: u64) {
    let open = || async { Journal::open(url, Options::default()).await.unwrap() };
    let journal = open().await;
    let cluster = led_cluster(&journal).await;
    println!("{name}, {changes} changes of {KEYS} keys");
    let mut took = Vec::new();
    for _ in 0..500 {
        let started = Instant::now();
        journal.write(one_write(&cluster)).await.unwrap();
        took.push(started.elapsed());
    }
    line("a record write of two entries", took);
    let took = fill(&journal, &cluster, changes).await;
    println!("  {:<40} {:>9.1?}", "append all, a thousand at a time", took.iter().sum::<Duration>());
    line("of that, a thousand changes", took);
    let mut took = Vec::new();
    for step in 1..=40 {
        // A scattered version, asked of one who remembers nothing.
        let version = Version(step * 7_919_993 % changes + 1);
        let journal = open().await;
        let started = Instant::now();
        journal.state(&cluster, version).await.unwrap();
        took.push(started.elapsed());
        journal.close().await;
    }
    line("the state at any version", took);
    let started = Instant::now();
    let verification = journal.verify(&cluster).await.unwrap();
    assert_eq!((verification.entries, verification.broken), (changes, None));
    println!("  {:<40} {:>9.1?}", "verify all", started.elapsed());
}

async fn fill(journal: &Journal, cluster: &ClusterId, changes: u64) -> Vec<Duration> {
    let mut state = State::default();
    let mut took = Vec::new();
    for start in (0..changes).step_by(usize::try_from(BATCH).unwrap()) {
        let edits = (start..changes.min(start + BATCH)).map(|index| {
            let key = Key::new(format!("model/m-{}", index * 7_919 % KEYS)).unwrap();
            let after = json!({"revision": index, "uri": "s3://models/fraud", "threshold": 0.75});
            let change = Change::of(&state, key, Some(after));
            state.apply(&change.key, change.after.as_ref());
            change
        });
        let append = Append {
            cluster: cluster.clone(),
            epoch: Epoch(1),
            request: Uuid::new_v4(),
            expected: Version(start),
            at: Time(start),
            author: "bench".to_owned(),
            goal: None,
            changes: edits.collect(),
        };
        let started = Instant::now();
        journal.append(append).await.unwrap();
        took.push(started.elapsed());
    }
    took
}

fn one_write(cluster: &ClusterId) -> Write {
    let body = Body::Escalated { subject: None, message: "x".repeat(300) };
    Write {
        cluster: cluster.clone(),
        epoch: Epoch(1),
        request: Uuid::new_v4(),
        at: Time(1),
        by: "bench".to_owned(),
        bodies: vec![body.clone(), body],
    }
}

fn line(what: &str, mut took: Vec<Duration>) {
    took.sort();
    let at = |share: usize| took[(took.len() - 1) * share / 100];
    println!("  {what:<40} {:>9.1?} median, {:>9.1?} p95, {:>9.1?} worst", at(50), at(95), at(100));
}
