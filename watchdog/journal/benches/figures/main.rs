//! Figures: what the log costs, beside its goals; `cargo bench -p watchdog-journal [-- CHANGES]` fails when one is missed.
//!
//! ```text
//! fill a log ─► appends of one change, in turns with bare INSERTs ─► writes with and without a plan's input
//!            ─► states of any version ─► proof of the whole log
//! ```
#![expect(clippy::unwrap_used, reason = "a bench that fails may panic")]

mod bare;
mod table;
mod work;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use watchdog_core::ids::{ClusterId, Version};
use watchdog_journal::{Journal, Options};
use watchdog_ports::contract::led_cluster;
use watchdog_ports::healing_log::HealingLog as _;
use watchdog_ports::metadata_log::MetadataLog;

use bare::Bare;
use table::{Goal, Table, micros, spread};

/// Singles are measured in turns of so many, so that what disturbs the machine disturbs both.
const TURN: u32 = 25;
const TURNS: u32 = 60;
/// Versions whose state is asked for.
const STATES: u64 = 60;

#[tokio::main]
async fn main() -> ExitCode {
    // `cargo test --benches` runs this too, without the word.
    if !std::env::args().any(|argument| argument == "--bench") {
        return ExitCode::SUCCESS;
    }
    let changes = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(1_000_000);
    let directory = tempfile::tempdir().unwrap();
    let mut table = Table::headed(&format!("{changes} changes of {} keys", work::KEYS));
    let file = format!("sqlite:{}/journal.db", directory.path().display());
    measure("SQLite", &file, changes, &mut table).await;
    let url = tokio::task::spawn_blocking(|| {
        use watchdog_tests::postgres::{Durability, Postgres};
        let server = Postgres::start(Durability::Synced).unwrap();
        let url = server.url();
        (server, url)
    });
    let (_server, url) = url.await.unwrap();
    measure("PostgreSQL", &url, changes, &mut table).await;
    table.verdict()
}

async fn measure(database: &'static str, url: &str, changes: u64, table: &mut Table) {
    table.on(database);
    let journal = open(url).await;
    let cluster = led_cluster(&journal).await;
    let filling = work::fill(&journal, &cluster, changes).await;
    table.note("append all, a thousand at a time", format!("{:.1?}", filling.iter().sum::<Duration>()));
    table.note("of that, a thousand changes", spread(&filling));
    singles(&journal, &cluster, url, table).await;
    writes(&journal, &cluster, table).await;
    states(&cluster, url, changes, table).await;
    let started = Instant::now();
    let verification = journal.verify(&cluster).await.unwrap();
    let took = started.elapsed();
    assert_eq!((verification.entries, verification.broken), (changes + u64::from(TURN * TURNS), None));
    let goal = Goal { text: "≤ 10 s", reached: took <= Duration::from_secs(10) };
    table.judge("verify all", &format!("{took:.1?}"), goal);
}

async fn open(url: &str) -> Journal {
    Journal::open(url, Options::default()).await.unwrap()
}

/// Appends of one change, as a share of what a bare INSERT of such a row reaches.
async fn singles(journal: &Journal, cluster: &ClusterId, url: &str, table: &mut Table) {
    let mut bare = Bare::open(url).await;
    let head = journal.head(cluster).await.unwrap();
    let mut state = journal.state(cluster, head.version).await.unwrap();
    let row = MetadataLog::entries(journal, cluster, head.version, 1).await.unwrap().remove(0);
    let mut expected = head.version;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        for _ in 0..TURN {
            let append = work::append(cluster, &mut state, expected..expected.next());
            ours.push(timed(journal.append(append)).await);
            expected = expected.next();
        }
        for _ in 0..TURN {
            theirs.push(bare.insert(&row).await);
        }
    }
    let (ours_per_s, theirs_per_s) = (rate(&ours), rate(&theirs));
    let share = 100.0 * ours_per_s / theirs_per_s;
    table.note("a bare INSERT of one row", spread(&theirs));
    table.note("an append of one change", spread(&ours));
    let measured = format!("{share:.0} % ({ours_per_s:.0}/s of {theirs_per_s:.0}/s)");
    // More than all says only that the machine was busy with something else.
    let goal = Goal { text: "≥ 50 %", reached: (50.0..=100.0).contains(&share) };
    table.judge("appends of one change, share of bare", &measured, goal);
}

/// How many a second when nobody disturbs; needs a machine that leaves a quarter of them alone.
fn rate(took: &[Duration]) -> f64 {
    1.0 / table::at(took, 25).as_secs_f64()
}

/// What the input of a plan adds to the write of its record.
async fn writes(journal: &Journal, cluster: &ClusterId, table: &mut Table) {
    let input = work::input(20 * 1024);
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for index in 0..1_000 {
        without.push(timed(journal.write(work::write(cluster, Vec::new()))).await);
        with.push(timed(journal.write(work::write(cluster, vec![work::planned(index, &input)]))).await);
    }
    table.note("a write of two entries", spread(&without));
    table.note("with the input of a plan, 20 KB", spread(&with));
    let added = table::at(&with, 50).saturating_sub(table::at(&without, 50));
    let goal = Goal { text: "≤ 500 µs", reached: added <= Duration::from_micros(500) };
    table.judge("added by the input, median", &micros(added), goal);
    let large = work::input(5_000_000);
    let took = timed(journal.write(work::write(cluster, vec![work::planned(0, &large)]))).await;
    table.note("with the input of a plan, 5 MB", micros(took));
}

/// The state at scattered versions, each asked of a journal that remembers nothing.
async fn states(cluster: &ClusterId, url: &str, changes: u64, table: &mut Table) {
    let mut took = Vec::new();
    for step in 1..=STATES {
        let version = Version(step * 7_919_993 % changes + 1);
        let journal = open(url).await;
        took.push(timed(journal.state(cluster, version)).await);
        journal.close().await;
    }
    let goal = Goal { text: "≤ 50 ms", reached: table::at(&took, 100) <= Duration::from_millis(50) };
    table.judge("the state at any version, cold", &spread(&took), goal);
}

async fn timed<T, E: std::fmt::Debug>(work: impl Future<Output = Result<T, E>>) -> Duration {
    let started = Instant::now();
    work.await.unwrap();
    started.elapsed()
}
