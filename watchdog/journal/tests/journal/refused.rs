//! Refused: the disk says no at each of the first writes of a new journal, once for good and once in passing.
//!
//! ```text
//! strace -e inject=write:error=ENOSPC:when=3+ ─► writer ─► acknowledged …, refused ─► opened again: all is there
//! ```
//! `WATCHDOG_WRITES` says at how many writes. The writer is this program, and the kernel's answers are strace's.

use std::path::Path;
use std::process::{Command, Stdio};

use watchdog_core::ids::{ClusterId, Epoch, Sequence, Time, WatchdogId};
use watchdog_journal::Journal;
use watchdog_ports::healing_log::HealingLog;
use watchdog_ports::metadata_log::MetadataLog as _;

use crate::support::{PATIENT, append, asked, write};

const URL: &str = "JOURNAL_TEST_REFUSED_URL";
/// A writer that is never refused ends after so many appends.
const APPENDS_MAX: u64 = 200;

fn cluster() -> ClusterId {
    ClusterId::new("refused").unwrap()
}

/// Not a test of its own: what runs under strace. Says what is acknowledged, and ends at the first refusal.
#[tokio::test]
async fn writer() {
    let Ok(url) = std::env::var(URL) else { return };
    if let Err(error) = write_on(&url).await {
        println!("\nrefused {error}");
    }
}

async fn write_on(url: &str) -> Result<(), watchdog_ports::journal_error::JournalError> {
    let journal = Journal::open(url, PATIENT).await?;
    let cluster = cluster();
    journal.open_term(&cluster, Epoch(1), &WatchdogId::new("one").unwrap(), Time(1)).await?;
    let mut head = journal.head(&cluster).await?;
    for _ in 0..APPENDS_MAX {
        head = journal.append(append(&cluster, head, 3)).await?;
        let entries = journal.write(write(&cluster, 1, &["a", "b"])).await?;
        println!("\nacknowledged {} {}", head.version, entries[1].sequence);
    }
    Ok(())
}

/// Runs a writer whose calls fail as `injected` says; answers what it had acknowledged, and its refusal.
fn run_writer(directory: &Path, url: &str, (calls, how): (&str, &str)) -> ((u64, u64), Option<String>) {
    let mut command = Command::new("strace");
    command.args(["-f", "-q", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
    command.args(["-e", &format!("inject={calls}:{how}")]);
    // Only the journal's own files; what the writer tells us goes through.
    for file in ["journal.db", "journal.db-wal", "journal.db-journal"] {
        command.arg("-P").arg(directory.join(file));
    }
    command.arg(std::env::current_exe().unwrap()).args(["--exact", "refused::writer", "--nocapture"]);
    let output = command
        .env(URL, url)
        .stdin(Stdio::null())
        .output()
        .expect("strace is installed by `cargo xtask install`");
    let (mut acknowledged, mut refusal) = ((0, 0), None);
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some(numbers) = line.strip_prefix("acknowledged ") {
            let (version, sequence) = numbers.split_once(' ').unwrap();
            acknowledged = (version.parse().unwrap(), sequence.parse().unwrap());
        } else if let Some(said) = line.strip_prefix("refused ") {
            refusal = Some(said.to_owned());
        }
    }
    (acknowledged, refusal)
}

/// A journal that was refused opens again with all that it had acknowledged, and goes on.
async fn stands(url: &str, acknowledged: (u64, u64), story: &str) {
    let journal =
        Journal::open(url, PATIENT).await.unwrap_or_else(|error| panic!("{story}: {error}: {error:?}"));
    let cluster = cluster();
    let head = journal.head(&cluster).await.unwrap();
    assert!(head.version.0 >= acknowledged.0, "{story}: {head:?} {acknowledged:?}");
    assert_eq!(head.version.0 % 3, 0, "{story}: appends are whole");
    let entries = HealingLog::entries(&journal, &cluster, Sequence(0), 100_000).await.unwrap();
    assert!(entries.len() as u64 >= acknowledged.1, "{story}: {acknowledged:?}");
    assert_eq!(journal.verify(&cluster).await.unwrap().broken, None, "{story}");
    let epoch = Epoch(journal.highest_term(&cluster).await.unwrap().0.max(1));
    journal.open_term(&cluster, epoch, &WatchdogId::new("one").unwrap(), Time(1)).await.unwrap();
    journal.append(append(&cluster, head, 3)).await.unwrap_or_else(|error| panic!("{story}: {error:?}"));
    journal.close().await;
}

async fn refuse_each(kinds: &[(&str, &str)]) -> u64 {
    let writes = asked("WATCHDOG_WRITES", 6);
    for number in 1..=writes {
        for (calls, error) in kinds {
            let directory = tempfile::tempdir().unwrap();
            let url = format!("sqlite:{}/journal.db", directory.path().display());
            let how = error.replace('@', &number.to_string());
            let (acknowledged, refusal) = run_writer(directory.path(), &url, (calls, &how));
            let story = format!("{calls}:{how}");
            assert!(refusal.is_some(), "{story}: nobody was refused, after {acknowledged:?}");
            stands(&url, acknowledged, &story).await;
        }
    }
    writes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_from_any_write_on_loses_nothing_acknowledged() {
    let writes = refuse_each(&[("write,pwrite64", "error=ENOSPC:when=@+")]).await;
    println!("figure full {writes}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_at_any_write_or_sync_loses_nothing_acknowledged() {
    let writes =
        refuse_each(&[("write,pwrite64", "error=EIO:when=@"), ("fsync,fdatasync", "error=EIO:when=@")]).await;
    println!("figure broken {writes}");
}
