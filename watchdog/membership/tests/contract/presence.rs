//! Presence: a host agent's records, through losses of its session.

use std::collections::BTreeMap;

use super::*;
use tokio::sync::watch;
use watchdog_core::ids::Incarnation;
use watchdog_membership::presence::{Presence, Present, keep_present};
use watchdog_membership::records::{ProbeState, ProcessRecord, decode};

fn nothing_but_the_host() -> Presence {
    Presence { host: host(), processes: BTreeMap::new(), obituaries: BTreeMap::new() }
}

fn with_processes(lives: impl Iterator<Item = u128>) -> Presence {
    let processes = lives.map(|life| (Incarnation::from_u128(life), Arc::new(process("demo-a", life))));
    Presence { processes: processes.collect(), ..nothing_but_the_host() }
}

fn keep(url: &str, presence: Presence) -> (watch::Sender<Presence>, Present) {
    let (sender, receiver) = watch::channel(presence);
    (sender, keep_present(connector(url, options(url)).unwrap(), paths(), receiver))
}

fn process_path(life: u128) -> String {
    paths().process(&"demo-a".parse().unwrap(), Incarnation::from_u128(life))
}

fn host_path() -> String {
    paths().host(&"h1".parse().unwrap())
}

async fn processes(tree: &dyn Tree) -> usize {
    let listed = tree.list(&paths().processes()).await.unwrap();
    listed.iter().filter(|path| paths().place(path).is_some()).count()
}

pub(crate) async fn what_is_present_is_published_and_taken_back(world: &World) {
    let other = world.open().await;
    let (presence, present) = keep(&world.url(), with_processes(1..=250));
    node_becomes(other.as_ref(), &host_path(), "present", |node| node.is_some()).await;
    assert_eq!(processes(other.as_ref()).await, 250, "the host comes last, as its inventory is complete");
    // One changes, one goes, one dies, one is new.
    let dead = Incarnation::from_u128(3);
    presence.send_modify(|presence| {
        let changed = ProcessRecord { probe: ProbeState::Failing, ..process("demo-a", 1) };
        presence.processes.insert(Incarnation::from_u128(1), Arc::new(changed));
        presence.processes.remove(&Incarnation::from_u128(2));
        presence.obituaries.insert(dead, Arc::new(obituary("demo-a", 3)));
        presence.processes.insert(Incarnation::from_u128(251), Arc::new(process("demo-a", 251)));
    });
    let mut declared = present.declared();
    soon("declared", declared.wait_for(|declared| declared.contains(&dead))).await.unwrap();
    node_becomes(other.as_ref(), &process_path(2), "gone", |node| node.is_none()).await;
    node_becomes(other.as_ref(), &process_path(251), "new", |node| node.is_some()).await;
    assert_eq!(read(other.as_ref(), &process_path(3)).await, None);
    assert!(read(other.as_ref(), &paths().obituary(dead)).await.is_some());
    let changed = read(other.as_ref(), &process_path(1)).await.unwrap();
    let record: ProcessRecord = decode("1", &changed.data).unwrap();
    assert_eq!((record.probe, changed.version), (ProbeState::Failing, 1));
    presence.send_modify(|presence| presence.obituaries.clear());
    soon("forgotten", declared.wait_for(|declared| !declared.contains(&dead))).await.unwrap();
    present.leave().await;
    other.sync().await.unwrap();
    assert_eq!((processes(other.as_ref()).await, read(other.as_ref(), &host_path()).await), (0, None));
}

pub(crate) async fn presence_comes_back_after_expiry(world: &World) {
    let (proxy, url) = world.proxy().await;
    let other = world.open().await;
    let (presence, _present) = keep(&url, with_processes(1..=3));
    let first = node_becomes(other.as_ref(), &host_path(), "present", |node| node.is_some()).await.unwrap();
    proxy.silence();
    node_becomes(other.as_ref(), &host_path(), "expired", |node| node.is_none()).await;
    presence.send_modify(|presence| {
        presence.obituaries.insert(Incarnation::from_u128(2), Arc::new(obituary("demo-a", 2)));
    });
    proxy.close();
    proxy.open();
    let second = node_becomes(other.as_ref(), &host_path(), "back", |node| node.is_some()).await.unwrap();
    assert_ne!(first.owner, second.owner);
    assert_eq!(processes(other.as_ref()).await, 2);
    assert!(read(other.as_ref(), &paths().obituary(Incarnation::from_u128(2))).await.is_some());
    // A host agent that comes back while its earlier session still stands takes its nodes over.
    let mut doomed = world.doomed().await;
    doomed.tree.commit(vec![create(&process_path(9), Mode::Ephemeral)]).await.unwrap();
    doomed.kill();
    presence.send_modify(|presence| {
        presence.processes.insert(Incarnation::from_u128(9), Arc::new(process("demo-a", 9)));
    });
    let owner = second.owner;
    node_becomes(other.as_ref(), &process_path(9), "taken over", |node| {
        node.is_some_and(|n| n.owner == owner)
    })
    .await;
}

pub(crate) async fn the_epoch_is_seen_and_confirmed(world: &World) {
    let (proxy, url) = world.proxy().await;
    let (_presence, present) = keep(&url, nothing_but_the_host());
    let link = present.link().clone();
    let (mut confirmations, mut epochs) = (link.confirmations(), link.epoch_seen());
    soon("a confirmation", confirmations.wait_for(Option::is_some)).await.unwrap();
    assert_eq!(*epochs.borrow(), None);
    let leader = world.open().await;
    let term = super::election::lead(&leader, "w1").await;
    let seen = soon("the epoch", epochs.wait_for(Option::is_some)).await.unwrap().clone().unwrap();
    assert_eq!((seen.epoch, seen.leader.as_str()), (term.epoch(), "w1"));
    let before = link.last_confirmed();
    soon("another", confirmations.wait_for(|at| *at > before)).await.unwrap();
    proxy.silence();
    let tree = link.tree().expect("a session");
    state_becomes(tree.as_ref(), Session::Suspended).await;
    let silent = std::time::Instant::now();
    state_becomes(tree.as_ref(), Session::Expired).await;
    assert!(link.last_confirmed().unwrap() < silent, "nothing is confirmed by silence");
    proxy.close();
    proxy.open();
    soon("confirmed again", confirmations.wait_for(|at| at.is_some_and(|at| at > silent))).await.unwrap();
    assert_eq!(epochs.borrow().as_ref().unwrap().epoch, term.epoch());
}
