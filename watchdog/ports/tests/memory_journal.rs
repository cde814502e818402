//! Memory journal: the fake passes the contract, and its switches do what they say.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use uuid::Uuid;
use watchdog_core::ids::{Epoch, Sequence, Time};
use watchdog_core::record::Body;
use watchdog_ports::contract::led_cluster;
use watchdog_ports::fake::{MemoryJournal, Outage};
use watchdog_ports::healing_log::{HealingLog as _, Write};
use watchdog_ports::journal_error::{JournalError, Remedy};

watchdog_ports::journal_contract!(async { (MemoryJournal::new(), ()) });

#[tokio::test]
async fn outages_are_what_they_say() {
    let journal = MemoryJournal::new();
    let cluster = led_cluster(&journal).await;
    let write = Write {
        cluster: cluster.clone(),
        epoch: Epoch(1),
        request: Uuid::new_v4(),
        at: Time(1),
        by: "one".to_owned(),
        bodies: vec![Body::Resumed],
        inputs: Vec::new(),
    };
    // The outage, whether a write during it is there afterwards, and whether reads work.
    let table = [(Outage::Gone, 1, false), (Outage::Full, 1, true), (Outage::AnswersLost, 2, false)];
    for (outage, entries, readable) in table {
        journal.set_outage(outage);
        let error: JournalError = journal.write(write.clone()).await.unwrap_err();
        assert_eq!(error.remedy(), Remedy::Retry, "{outage:?}");
        assert_eq!(journal.highest_term(&cluster).await.is_ok(), readable, "{outage:?}");
        journal.set_outage(Outage::None);
        assert_eq!(journal.entries(&cluster, Sequence(0), 9).await.unwrap().len(), entries, "{outage:?}");
    }
    assert_eq!(journal.write(write).await.unwrap()[0].sequence, Sequence(2));
}
