//! Kill: this program runs itself as a writer and kills it; what was acknowledged is there.
//!
//! `WATCHDOG_KILLS` says how often on each database.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use watchdog_core::ids::{ClusterId, Sequence};
use watchdog_journal::Journal;
use watchdog_ports::contract::led_cluster;
use watchdog_ports::healing_log::HealingLog;
use watchdog_ports::metadata_log::MetadataLog as _;

use crate::support::{PATIENT, append, asked, fresh_postgres, sqlite_url, write};

const URL: &str = "JOURNAL_TEST_WRITER_URL";
const CLUSTER: &str = "JOURNAL_TEST_WRITER_CLUSTER";
/// A log is left behind after so many kills, so that reading all of it stays cheap.
const KILLS_OF_ONE_LOG: u64 = 25;

/// The writer, killed on drop.
struct Writer(Child);

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Not a test of its own: what the killed process does. Says each head and each sequence once it is acknowledged.
#[tokio::test(flavor = "multi_thread")]
async fn writer() {
    let (Ok(url), Ok(cluster)) = (std::env::var(URL), std::env::var(CLUSTER)) else { return };
    let cluster = ClusterId::new(cluster).unwrap();
    let journal = Journal::open(&url, PATIENT).await.unwrap();
    let mut head = journal.head(&cluster).await.unwrap();
    loop {
        head = journal.append(append(&cluster, head, 3)).await.unwrap();
        let entries = journal.write(write(&cluster, 1, &["a", "b"])).await.unwrap();
        println!("\nacknowledged {} {}", head.version, entries[1].sequence);
    }
}

/// What a writer had acknowledged when it was killed in the middle of the next: the head and the newest entry.
fn kill_a_writer(url: &str, cluster: &ClusterId, round: u64) -> (u64, u64) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kill::writer", "--nocapture"]).env(URL, url);
    command.env(CLUSTER, cluster.as_str()).stdout(Stdio::piped());
    let mut writer = Writer(command.spawn().unwrap());
    let output = BufReader::new(writer.0.stdout.take().unwrap());
    let (mut acknowledged, mut lines) = ((0, 0), 0);
    for line in output.lines() {
        let line = line.unwrap();
        let mut words = line.split(' ');
        if words.next() == Some("acknowledged") {
            let mut number = || words.next().unwrap().parse::<u64>().unwrap();
            acknowledged = (number(), number());
            lines += 1;
        }
        // At another moment of the next ones each time; what it still says is heard too.
        if lines == 3 + round % 7 {
            std::thread::sleep(Duration::from_micros(round * 137 % 2_500));
            let _ = writer.0.kill();
        }
    }
    assert!(lines >= 3 + round % 7, "the writer ended by itself");
    acknowledged
}

/// Kills writers; answers how often something stood there of which nobody had been told.
async fn kill_many(url: &str, kills: u64) -> u64 {
    let journal = Journal::open(url, PATIENT).await.unwrap();
    let mut cluster = led_cluster(&journal).await;
    let mut unheard = 0;
    for round in 0..kills {
        if round % KILLS_OF_ONE_LOG == 0 {
            cluster = led_cluster(&journal).await;
        }
        let acknowledged = kill_a_writer(url, &cluster, round);
        let head = journal.head(&cluster).await.unwrap();
        assert!(head.version.0 >= acknowledged.0, "{head:?} {acknowledged:?}");
        assert_eq!(head.version.0 % 3, 0, "appends are whole");
        let entries = HealingLog::entries(&journal, &cluster, Sequence(0), 100_000).await.unwrap();
        assert!(entries.len() as u64 >= acknowledged.1, "{acknowledged:?}");
        assert_eq!(entries.len() % 2, 1, "writes are whole");
        assert_eq!(journal.verify(&cluster).await.unwrap().broken, None);
        unheard += u64::from(head.version.0 > acknowledged.0 || entries.len() as u64 > acknowledged.1);
    }
    unheard
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_writer_loses_nothing_acknowledged_on_sqlite() {
    let directory = tempfile::tempdir().unwrap();
    let kills = asked("WATCHDOG_KILLS", 20);
    let unheard = kill_many(&sqlite_url(&directory), kills).await;
    println!("figure kills_sqlite {kills}\nfigure unheard_sqlite {unheard}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_writer_loses_nothing_acknowledged_on_postgresql() {
    let kills = asked("WATCHDOG_KILLS", 20);
    let unheard = kill_many(&fresh_postgres().await, kills).await;
    println!("figure kills_postgres {kills}\nfigure unheard_postgres {unheard}");
}
