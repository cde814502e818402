//! Pauses: what must not be healed, kept apart from the journal.

use std::collections::BTreeMap;

use super::*;
use watchdog_core::ids::Epoch;
use watchdog_membership::election::Contender;
use watchdog_membership::pauses::{PausesError, keep, kept};
use watchdog_membership::records::{PauseRecord, PausesRecord};
use watchdog_membership::term::{Term, TermError};

fn pause(reason: &str) -> PauseRecord {
    PauseRecord { by: "ann".to_owned(), reason: reason.to_owned(), until_ms: Some(7) }
}

pub(crate) async fn pauses_outlive_their_leader_and_are_fenced(world: &World) {
    let (one, two) = (world.open().await, world.open().await);
    let first = super::election::lead(&one, "w1").await;
    assert_eq!(kept(&first).await.unwrap(), PausesRecord::default());
    let holds = BTreeMap::from([("demo-a".to_owned(), pause("disk"))]);
    let record = PausesRecord { cluster: Some(pause("racks")), holds, ..PausesRecord::default() };
    // Each may be repeated.
    for record in [&record, &record] {
        keep(&first, record).await.unwrap();
        assert_eq!(kept(&first).await.unwrap(), *record);
    }
    let view = watchdog_membership::view::View::open(Arc::clone(&two), paths()).await.unwrap();
    assert_eq!(view.picture().pauses.as_ref().map(|stamped| &stamped.record), Some(&record));
    let contender = Contender::enter(Arc::clone(&two), paths(), contender("w2")).await.unwrap();
    one.close().await;
    soon("the second wins", contender.won()).await.unwrap();
    let second = Term::mint(contender, Epoch(0)).await.unwrap();
    assert_eq!(kept(&second).await.unwrap(), record);
    keep(&second, &PausesRecord::default()).await.unwrap();
    assert_eq!(kept(&second).await.unwrap(), PausesRecord::default());
    // Whoever leads no more keeps and ends nothing.
    let row = two.list(&paths().contenders()).await.unwrap().remove(0);
    two.commit(vec![delete(&row)]).await.unwrap();
    let error = keep(&second, &record).await.unwrap_err();
    assert!(matches!(error, TermError::Deposed { .. }), "{error:?}");
    let node = read(two.as_ref(), &paths().pauses()).await.unwrap();
    assert!(!String::from_utf8(node.data).unwrap().contains("racks"));
}

pub(crate) async fn pauses_that_cannot_be_read_are_not_none(world: &World) {
    let tree = world.open().await;
    let term = super::election::lead(&tree, "w1").await;
    for data in ["", "{}", "{\"format\":99}", "{\"format\":1,\"cluster\":3}"] {
        let node = read(tree.as_ref(), &paths().pauses()).await;
        let (path, data) = (paths().pauses(), data.as_bytes().to_vec());
        let write = match node {
            None => Operation::Create { path, data, mode: Mode::Persistent },
            Some(_) => Operation::Set { path, data, version: None },
        };
        tree.commit(vec![write]).await.unwrap();
        let error = kept(&term).await.unwrap_err();
        assert!(matches!(error, PausesError::Record { .. }), "{error:?}");
    }
    keep(&term, &PausesRecord::default()).await.unwrap();
    assert_eq!(kept(&term).await.unwrap(), PausesRecord::default());
}

pub(crate) async fn an_obituary_of_another_host_gives_way(world: &World) {
    use watchdog_membership::obituary::declare_dead;
    use watchdog_membership::records::ObituaryRecord;
    let tree = world.open().await;
    let truth = obituary("demo-a", 1);
    let forged =
        ObituaryRecord { host: "elsewhere".parse().unwrap(), status: "exit 9".to_owned(), ..truth.clone() };
    declare_dead(tree.as_ref(), &paths(), &forged).await.unwrap();
    declare_dead(tree.as_ref(), &paths(), &truth).await.unwrap();
    let later = ObituaryRecord { status: "unknown".to_owned(), ..truth.clone() };
    declare_dead(tree.as_ref(), &paths(), &later).await.unwrap();
    let node = read(tree.as_ref(), &paths().obituary(truth.incarnation)).await.unwrap();
    let stands: ObituaryRecord = watchdog_membership::records::decode("it", &node.data).unwrap();
    assert_eq!(stands, truth, "the first of its host stands");
}
