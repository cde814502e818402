//! Kill: this program runs itself as a writer and kills it; what was acknowledged is there.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use watchdog_core::ids::{ClusterId, Sequence};
use watchdog_journal::Journal;
use watchdog_ports::contract::led_cluster;
use watchdog_ports::healing_log::HealingLog;
use watchdog_ports::metadata_log::MetadataLog as _;

use crate::support::{PATIENT, append, sqlite_url, write};

const URL: &str = "JOURNAL_TEST_WRITER_URL";
const CLUSTER: &str = "JOURNAL_TEST_WRITER_CLUSTER";

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

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_writer_loses_nothing_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let url = sqlite_url(&directory);
    let journal = Journal::open(&url, PATIENT).await.unwrap();
    let cluster = led_cluster(&journal).await;
    for round in 0..20 {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "kill::writer", "--nocapture"]).env(URL, &url);
        command.env(CLUSTER, cluster.as_str()).stdout(Stdio::piped());
        let mut writer = Writer(command.spawn().unwrap());
        let output = BufReader::new(writer.0.stdout.take().unwrap());
        let mut acknowledged = (0, 0);
        let mut lines = 0;
        for line in output.lines() {
            let line = line.unwrap();
            let mut words = line.split(' ');
            if words.next() == Some("acknowledged") {
                let mut number = || words.next().unwrap().parse::<u64>().unwrap();
                acknowledged = (number(), number());
                lines += 1;
            }
            // In the middle of the next ones; what it still says is heard too.
            if lines == 5 + round {
                let _ = writer.0.kill();
            }
        }
        drop(writer);
        assert!(lines >= 5 + round, "the writer ended by itself");
        let head = journal.head(&cluster).await.unwrap();
        assert!(head.version.0 >= acknowledged.0, "{head:?} {acknowledged:?}");
        assert_eq!(head.version.0 % 3, 0, "appends are whole");
        let entries = HealingLog::entries(&journal, &cluster, Sequence(0), 100_000).await.unwrap();
        assert!(entries.len() as u64 >= acknowledged.1, "{acknowledged:?}");
        assert_eq!(entries.len() % 2, 1, "writes are whole");
        assert_eq!(journal.verify(&cluster).await.unwrap().broken, None);
    }
}
