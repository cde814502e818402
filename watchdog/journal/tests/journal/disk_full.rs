//! Disk full: a tiny file system fills up; nothing acknowledged is lost, and it works again with room.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use watchdog_core::change::Head;
use watchdog_core::ids::Sequence;
use watchdog_journal::Journal;
use watchdog_ports::contract::led_cluster;
use watchdog_ports::healing_log::HealingLog;
use watchdog_ports::journal_error::JournalError;
use watchdog_ports::metadata_log::MetadataLog as _;

use crate::support::{PATIENT, append, sqlite_url, write};

/// A file system of 2 MB, unmounted on drop.
struct Tiny(tempfile::TempDir);

impl Tiny {
    /// `None` for who may not mount.
    fn mount() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=2m", "watchdog-test"]).arg(directory.path());
        let mounted = mount.status().is_ok_and(|status| status.success());
        mounted.then_some(Self(directory))
    }
}

impl Drop for Tiny {
    fn drop(&mut self) {
        // Lazily: connections may still be closing.
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// Takes all the room that is left, but for `spare` bytes.
fn fill(path: &Path, spare: u64) {
    let mut file = std::fs::File::create(path).unwrap();
    let block = [0; 4_096];
    while file.write_all(&block).is_ok() {}
    let length = file.metadata().unwrap().len();
    file.set_len(length.saturating_sub(spare)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_loses_nothing_acknowledged() {
    let Some(tiny) = Tiny::mount() else {
        eprintln!("not allowed to mount: nothing tested");
        return;
    };
    let journal = Journal::open(&sqlite_url(&tiny.0), PATIENT).await.unwrap();
    let cluster = led_cluster(&journal).await;
    let filler = tiny.0.path().join("filler");
    let (mut head, mut written) = (Head::default(), 1);
    for spare in [0, 4_096, 20_000, 100_000] {
        fill(&filler, spare);
        let refused_append = loop {
            let change = append(&cluster, head, 3);
            match journal.append(change.clone()).await {
                Ok(new) => head = new,
                Err(error) => break (change, error),
            }
        };
        let refused_write = loop {
            let request = write(&cluster, 1, &[&"x".repeat(3_000)]);
            match journal.write(request.clone()).await {
                Ok(_) => written += 1,
                Err(error) => break (request, error),
            }
        };
        for error in [&refused_append.1, &refused_write.1] {
            assert!(matches!(error, JournalError::Full { .. }), "{spare} bytes spare: {error:?}");
        }
        assert_eq!(journal.head(&cluster).await.unwrap(), head, "reads go on");
        let entries = HealingLog::entries(&journal, &cluster, Sequence(0), 9_999).await.unwrap();
        assert_eq!(entries.len(), written);
        std::fs::remove_file(&filler).unwrap();
        head = journal.append(refused_append.0).await.unwrap();
        journal.write(refused_write.0).await.unwrap();
        written += 1;
    }
    let other = Journal::open(&sqlite_url(&tiny.0), PATIENT).await.unwrap();
    let verification = other.verify(&cluster).await.unwrap();
    assert_eq!((verification.entries, verification.broken), (head.version.0, None));
    assert_eq!(HealingLog::entries(&other, &cluster, Sequence(0), 9_999).await.unwrap().len(), written);
}
