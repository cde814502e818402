//! Cancelled: calls that are dropped at any moment are done wholly or not at all, and hold up nobody.

use std::time::Duration;

use watchdog_core::ids::Sequence;
use watchdog_journal::Journal;
use watchdog_ports::contract::led_cluster;
use watchdog_ports::healing_log::HealingLog;
use watchdog_ports::metadata_log::MetadataLog as _;

use crate::support::{PATIENT, append, fresh_urls, write};

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_call_is_done_wholly_or_not_at_all() {
    let (urls, _directory) = fresh_urls().await;
    for url in urls {
        let journal = Journal::open(&url, PATIENT).await.unwrap();
        let cluster = led_cluster(&journal).await;
        for step in 0..60 {
            let patience = Duration::from_micros(step * 50);
            let head = journal.head(&cluster).await.unwrap();
            let change = append(&cluster, head, 2);
            let request = write(&cluster, 1, &["a", "b"]);
            let _ = tokio::time::timeout(patience, journal.append(change.clone())).await;
            let _ = tokio::time::timeout(patience, journal.write(request.clone())).await;
            // Asked again, they are done once.
            assert_eq!(journal.append(change).await.unwrap().version.0, head.version.0 + 2, "{patience:?}");
            let written = journal.write(request).await.unwrap();
            assert_eq!(written[1].sequence, Sequence(2 * step + 3), "{patience:?}");
        }
        assert_eq!(journal.verify(&cluster).await.unwrap().entries, 120);
        assert_eq!(HealingLog::entries(&journal, &cluster, Sequence(0), 999).await.unwrap().len(), 121);
    }
}
