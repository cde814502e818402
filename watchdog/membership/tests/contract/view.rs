//! View: the observation of a cluster, at the cost of what changed.

use std::collections::BTreeSet;
use std::time::Instant;

use super::*;
use watchdog_core::ids::{Incarnation, ReplicaId, Version};
use watchdog_core::observation::Flashes;
use watchdog_membership::election::Contender;
use watchdog_membership::member::Member;
use watchdog_membership::obituary::declare_dead;
use watchdog_membership::picture::Delta;
use watchdog_membership::records::{MemberRecord, encode};
use watchdog_membership::tree::TreeError;
use watchdog_membership::view::View;

fn replica(name: &str) -> ReplicaId {
    name.parse().unwrap()
}

/// Refreshes at each change until the picture is as wanted; answers all that changed on the way.
async fn until(view: &mut View, what: &str, wanted: impl Fn(&View) -> bool) -> Delta {
    let mut delta = Delta::default();
    soon(what, async {
        loop {
            match view.refresh().await {
                Ok(more) => delta.absorb(more),
                Err(error) => assert!(error.is_passing(), "{what}: {error:?}"),
            }
            if wanted(view) {
                return;
            }
            tokio::time::timeout(Duration::from_millis(200), view.changed()).await.unwrap_or(());
        }
    })
    .await;
    delta
}

pub(crate) async fn what_comes_and_goes_between_two_readings_is_told(world: &World) {
    let (watcher, agent) = (world.open().await, world.open().await);
    let mut view = View::open(watcher, paths()).await.unwrap();
    let joined = Member::join(Arc::clone(&agent), &paths(), member("demo-a", 1)).await.unwrap();
    joined.leave().await.unwrap();
    let host = paths().host(&"h1".parse().unwrap());
    agent.commit(vec![create(&host, Mode::Ephemeral)]).await.unwrap();
    agent.commit(vec![delete(&host)]).await.unwrap();
    let delta = view.look(&BTreeSet::new()).await.unwrap();
    let hosts = BTreeSet::from(["h1".parse().unwrap()]);
    let members = BTreeSet::from([replica("demo-a")]);
    assert_eq!(delta.flashes, Flashes { hosts, members, ..Flashes::default() });
    assert!(!delta.unwatched);
    // What was seen, and then went, is no flash.
    let joined = Member::join(agent, &paths(), member("demo-b", 2)).await.unwrap();
    let is_there = |view: &View| view.picture().members.contains_key(&replica("demo-b"));
    until(&mut view, "a member", is_there).await;
    joined.leave().await.unwrap();
    let delta = until(&mut view, "its end", |view| !is_there(view)).await;
    assert_eq!(delta.flashes, Flashes::default());
}

pub(crate) async fn a_view_follows_what_changes(world: &World) {
    let (watcher, agent) = (world.open().await, world.open().await);
    let mut joined = Member::join(Arc::clone(&agent), &paths(), member("demo-a", 1)).await.unwrap();
    let mut view = View::open(watcher, paths()).await.unwrap();
    assert_eq!(view.picture().members[&replica("demo-a")].len(), 1);
    assert!(view.refresh().await.unwrap().is_empty());
    let quiet = view.picture().look;
    assert!(view.refresh().await.unwrap().is_empty());
    assert_eq!(view.picture().look, quiet, "nothing dirty, nothing read");

    joined.update(MemberRecord { version: Version(8), ..member("demo-a", 1) }).await.unwrap();
    let version = |view: &View| {
        let lives = view.picture().members.get(&replica("demo-a"))?;
        lives.get(&Incarnation::from_u128(1)).map(|life| life.record.version)
    };
    let delta = until(&mut view, "the update", |view| version(view) == Some(Version(8))).await;
    assert_eq!(delta.replicas, BTreeSet::from([replica("demo-a")]));
    assert!(view.picture().looked(&replica("demo-a")) > quiet);
    assert!(view.picture().looked(&replica("demo-b")) <= quiet);

    // A second life beside the first is seen as such.
    Member::join(Arc::clone(&agent), &paths(), member("demo-a", 2)).await.unwrap();
    until(&mut view, "two lives", |view| view.picture().members[&replica("demo-a")].len() == 2).await;
    declare_dead(agent.as_ref(), &paths(), &obituary("demo-a", 1)).await.unwrap();
    let one = |view: &View| {
        view.picture().obituaries.len() == 1 && view.picture().members[&replica("demo-a")].len() == 1
    };
    let delta = until(&mut view, "one life", one).await;
    assert_eq!(delta.obituaries, BTreeSet::from([Incarnation::from_u128(1)]));

    let leader = super::election::lead(&agent, "w1").await;
    let _second = Contender::enter(Arc::clone(&agent), paths(), contender("w2")).await.unwrap();
    let two = |view: &View| view.picture().epoch.is_some() && view.picture().contenders.len() == 2;
    let delta = until(&mut view, "the election", two).await;
    assert!(delta.epoch && delta.contenders);
    assert_eq!(view.picture().epoch.as_ref().unwrap().record.epoch, leader.epoch());
    let row: Vec<&str> = view.picture().row().map(|record| record.watchdog.as_str()).collect();
    assert_eq!(row, ["w1", "w2"]);

    agent.close().await;
    until(&mut view, "nobody", |view| {
        view.picture().members.is_empty() && view.picture().contenders.is_empty()
    })
    .await;
    assert_eq!(view.picture().obituaries.len(), 1);
}

pub(crate) async fn a_view_survives_a_cut_and_is_silent_about_the_unseen(world: &World) {
    let (proxy, url) = world.proxy().await;
    let (watcher, agent) = (open(&url).await, world.open().await);
    Member::join(Arc::clone(&agent), &paths(), member("demo-a", 1)).await.unwrap();
    let mut view = View::open(Arc::clone(&watcher), paths()).await.unwrap();
    proxy.close();
    state_becomes(watcher.as_ref(), Session::Suspended).await;
    let error = view.refresh().await.unwrap_err();
    assert!(matches!(error, TreeError::Unavailable { .. }), "{error:?}");
    assert!(view.look(&BTreeSet::from([replica("demo-a")])).await.is_err());
    // What happens meanwhile is seen afterwards, what went as well as what came.
    Member::join(Arc::clone(&agent), &paths(), member("demo-b", 2)).await.unwrap();
    agent.commit(vec![delete(&paths().member(&replica("demo-a"), Incarnation::from_u128(1)))]).await.unwrap();
    proxy.open();
    let seen = |view: &View| {
        let members = &view.picture().members;
        members.contains_key(&replica("demo-b")) && !members.contains_key(&replica("demo-a"))
    };
    let delta = until(&mut view, "the changes", seen).await;
    assert!(delta.resynced);
    watcher.close().await;
    let error = soon("the end", async {
        loop {
            view.changed().await;
            if let Err(error) = view.refresh().await {
                return error;
            }
        }
    })
    .await;
    assert!(matches!(error, TreeError::Expired), "{error:?}");
}

pub(crate) async fn what_cannot_be_read_is_named(world: &World) {
    let (watcher, agent) = (world.open().await, world.open().await);
    let path = |name: &str, life: u128| paths().member(&replica(name), Incarnation::from_u128(life));
    let node = |path: String, data: Vec<u8>| Operation::Create { path, data, mode: Mode::Ephemeral };
    let newer = br#"{"format":99}"#.to_vec();
    let nodes = vec![
        node(path("demo-a", 1), b"not json".to_vec()),
        node(path("demo-b", 2), newer),
        node(path("demo-c", 3), encode(&member("demo-d", 3))),
        node(format!("{}/odd", paths().members()), b"a parent of nothing".to_vec()),
        node(path("demo-e", 5), encode(&member("demo-e", 5))),
    ];
    agent.commit(nodes).await.unwrap();
    let mut view = View::open(watcher, paths()).await.unwrap();
    let named: Vec<&String> = view.picture().malformed.keys().collect();
    assert_eq!(named, [&path("demo-a", 1), &path("demo-b", 2), &path("demo-c", 3)]);
    assert!(view.picture().malformed[&path("demo-b", 2)].contains("format 99"));
    assert_eq!(view.picture().members.len(), 1);
    let data = encode(&member("demo-a", 1));
    agent.commit(vec![Operation::Set { path: path("demo-a", 1), data, version: None }]).await.unwrap();
    let delta = until(&mut view, "mended", |view| view.picture().malformed.len() == 2).await;
    assert!(delta.malformed);
    assert!(view.picture().members.contains_key(&replica("demo-a")));
    // One that turns bad is forgotten, not kept as it was.
    let bad = Operation::Set { path: path("demo-e", 5), data: Vec::new(), version: None };
    agent.commit(vec![bad]).await.unwrap();
    until(&mut view, "forgotten", |view| !view.picture().members.contains_key(&replica("demo-e"))).await;
}

pub(crate) async fn a_look_sees_what_was_committed_before(world: &World) {
    let (watcher, agent) = (world.open().await, world.open().await);
    let mut view = View::open(watcher, paths()).await.unwrap();
    let suspects = BTreeSet::from([replica("demo-a"), replica("demo-b")]);
    let mut looked = view.picture().looked(&replica("demo-b"));
    for life in 1..=50 {
        let joined = Member::join(Arc::clone(&agent), &paths(), member("demo-a", life)).await.unwrap();
        view.look(&suspects).await.unwrap();
        assert!(view.picture().lives(&replica("demo-a")).contains(&Incarnation::from_u128(life)));
        joined.leave().await.unwrap();
        view.look(&suspects).await.unwrap();
        assert_eq!(view.picture().lives(&replica("demo-a")), BTreeSet::new());
        let now = view.picture().looked(&replica("demo-b"));
        assert!(now > looked, "a look at one of which nothing stands is a look");
        looked = now;
    }
}

pub(crate) async fn ten_thousand_members_cost_what_changes(world: &World) {
    const MEMBERS: u128 = 10_000;
    let (watcher, agent) = (world.open().await, world.open().await);
    let name = |n: u128| format!("demo-{n}");
    let path = |n: u128| paths().member(&replica(&name(n)), Incarnation::from_u128(n));
    let lives: Vec<u128> = (0..MEMBERS).collect();
    // Parents first, or each commit would make its own, one by one.
    for batch in lives.chunks(500) {
        let parents =
            batch.iter().map(|n| create(&format!("{}/{}", paths().members(), name(*n)), Mode::Persistent));
        agent.commit(parents.collect()).await.unwrap();
        let nodes = batch.iter().map(|n| Operation::Create {
            path: path(*n),
            data: encode(&member(&name(*n), *n)),
            mode: Mode::Ephemeral,
        });
        agent.commit(nodes.collect()).await.unwrap();
    }
    let begun = Instant::now();
    let mut view = View::open(watcher, paths()).await.unwrap();
    let opened = begun.elapsed();
    assert_eq!(view.picture().members.len(), 10_000);
    let begun = Instant::now();
    assert!(view.refresh().await.unwrap().is_empty());
    let quiet = begun.elapsed();
    let data = |n: u128| encode(&MemberRecord { version: Version(99), ..member(&name(n), n) });
    let updates =
        (0..100).map(|n| Operation::Set { path: path(n * 100), data: data(n * 100), version: None });
    agent.commit(updates.collect()).await.unwrap();
    view.tree().sync().await.unwrap();
    let begun = Instant::now();
    let delta = view.refresh().await.unwrap();
    let changed = begun.elapsed();
    assert_eq!(delta.replicas.len(), 100);
    println!("10,000 members: open {opened:?}, nothing changed {quiet:?}, 1 % changed {changed:?}");
    assert!(quiet < Duration::from_millis(50), "{quiet:?}");
    view.refresh().await.unwrap();
}
