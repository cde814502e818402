//! Tree: nodes, commits, lists and watches.

use super::*;
use watchdog_membership::tree::{Refused, TreeError};

pub(crate) async fn commits_are_all_or_nothing(world: &World) {
    let tree = world.open().await;
    tree.commit(vec![create("/a", Mode::Persistent), create("/dir/e", Mode::Ephemeral)]).await.unwrap();
    let table = [
        ("a check of nothing", vec![set("/a", None), check("/no", None)], 1, Refused::Missing),
        ("a second create", vec![set("/a", None), create("/a", Mode::Persistent)], 1, Refused::Exists),
        ("an old version", vec![create("/b", Mode::Persistent), set("/a", Some(7))], 1, Refused::BadVersion),
        ("an old check", vec![check("/a", Some(3)), set("/a", None)], 0, Refused::BadVersion),
        ("a parent in use", vec![set("/a", None), delete("/dir")], 1, Refused::NotEmpty),
        ("a delete of nothing", vec![set("/a", None), delete("/no")], 1, Refused::Missing),
        ("a set of nothing", vec![set("/no", None)], 0, Refused::Missing),
    ];
    for (story, operations, index, reason) in table {
        let path = operations[index].path().to_owned();
        let error = tree.commit(operations).await.unwrap_err();
        assert_eq!(error.refused(), Some((index, reason)), "{story}: {error:?}");
        assert!(
            matches!(&error, TreeError::Refused { path: named, .. } if *named == path),
            "{story}: {error:?}"
        );
        let node = read(tree.as_ref(), "/a").await.unwrap();
        assert_eq!((node.version, node.data.as_slice()), (0, &b"x"[..]), "{story}");
        assert_eq!(read(tree.as_ref(), "/b").await, None, "{story}");
    }
    let done = tree.commit(vec![check("/a", Some(0)), set("/a", Some(0)), delete("/dir/e")]).await.unwrap();
    assert_eq!(done, ["/a", "/a", "/dir/e"]);
    assert_eq!(read(tree.as_ref(), "/a").await.unwrap().version, 1);
}

pub(crate) async fn parents_are_made(world: &World) {
    let tree = world.open().await;
    let made = tree.commit(vec![create("/p/q/r", Mode::Ephemeral), create("/p/s", Mode::Persistent)]).await;
    assert_eq!(made.unwrap(), ["/p/q/r", "/p/s"]);
    assert_eq!(tree.list("/").await.unwrap().iter().filter(|path| path.starts_with("/p")).count(), 4);
    let parent = read(tree.as_ref(), "/p/q").await.unwrap();
    assert_eq!(parent.owner, None);
    tree.close().await;
    let other = world.open().await;
    assert_eq!(other.list("/p").await.unwrap(), ["/p/q", "/p/s"]);
    // A refusal that is no parent's stays a refusal.
    let error = other.commit(vec![create("/p/t/u", Mode::Persistent), check("/no", None)]).await.unwrap_err();
    assert_eq!(error.refused(), Some((1, Refused::Missing)));
}

pub(crate) async fn a_create_and_its_delete_fit_in_one_commit(world: &World) {
    let tree = world.open().await;
    let trick = || vec![create("/o/1", Mode::Persistent), delete("/o/1"), create("/m/1", Mode::Ephemeral)];
    tree.commit(trick()).await.unwrap();
    assert_eq!(tree.list("/o").await.unwrap(), Vec::<String>::new());
    tree.commit(vec![create("/o/1", Mode::Persistent), delete("/m/1")]).await.unwrap();
    let error = tree.commit(trick()).await.unwrap_err();
    assert_eq!(error.refused(), Some((0, Refused::Exists)));
}

pub(crate) async fn nodes_carry_their_stamps(world: &World) {
    let tree = world.open().await;
    let made = tree
        .commit(vec![
            create("/n/p", Mode::Persistent),
            create("/n/e", Mode::Ephemeral),
            create("/n/s-", Mode::EphemeralSequential),
        ])
        .await
        .unwrap();
    let second = tree.commit(vec![create("/n/s-", Mode::EphemeralSequential)]).await.unwrap();
    assert!(made[2].starts_with("/n/s-") && made[2] < second[0], "{made:?} {second:?}");
    let first = read(tree.as_ref(), "/n/p").await.unwrap();
    assert_eq!((first.version, first.owner), (0, None));
    assert_eq!(first.created, first.modified);
    let ephemeral = read(tree.as_ref(), &made[2]).await.unwrap();
    assert_eq!(ephemeral.owner, Some(tree.session_id()));
    tree.commit(vec![set("/n/p", Some(0))]).await.unwrap();
    let changed = read(tree.as_ref(), "/n/p").await.unwrap();
    assert_eq!((changed.version, changed.created, changed.data), (1, first.created, b"y".to_vec()));
    assert!(changed.modified > first.modified);
    tree.commit(vec![delete("/n/p"), create("/n/p", Mode::Persistent)]).await.unwrap();
    let again = read(tree.as_ref(), "/n/p").await.unwrap();
    assert_eq!(again.version, 0);
    assert!(again.created > changed.modified);
    assert_ne!(world.open().await.session_id(), tree.session_id());
    assert_eq!(tree.timeout_ms(), u64::try_from(world.timeout.as_millis()).unwrap());
}

pub(crate) async fn lists_and_reads_hold_thousands(world: &World) {
    let tree = world.open().await;
    let wanted: Vec<String> = (0..2500).map(|n| format!("/big/dir-{}/node-{n:05}", n % 50)).collect();
    for batch in wanted.chunks(250) {
        tree.commit(batch.iter().map(|path| create(path, Mode::Ephemeral)).collect()).await.unwrap();
    }
    let mut asked = wanted.clone();
    asked.insert(1234, "/big/none".into());
    let nodes = tree.read(&asked).await.unwrap();
    assert_eq!(nodes.len(), 2501);
    assert!(nodes.iter().enumerate().all(|(n, node)| node.is_some() == (n != 1234)));
    let listed = tree.list("/big").await.unwrap();
    assert_eq!(listed.len(), 2550);
    assert!(listed.is_sorted());
    assert_eq!(tree.list("/nothing").await.unwrap(), Vec::<String>::new());
    assert_eq!(tree.read(&[]).await.unwrap(), []);
}

pub(crate) async fn watches_tell_of_everything_below(world: &World) {
    let (tree, other) = (world.open().await, world.open().await);
    let mut deep = tree.watch("/w").await.unwrap();
    let mut exact = tree.watch("/w/a/b").await.unwrap();
    let path = |path: &str| Change::Path(path.into());
    // Beside it, and the same letters.
    other.commit(vec![create("/w2/x", Mode::Persistent)]).await.unwrap();
    other.commit(vec![create("/w/a/b", Mode::Persistent)]).await.unwrap();
    told(&mut deep, &path("/w/a/b")).await;
    assert_eq!(next(&mut exact).await, path("/w/a/b"));
    other.commit(vec![set("/w/a/b", None)]).await.unwrap();
    told(&mut deep, &path("/w/a/b")).await;
    assert_eq!(next(&mut exact).await, path("/w/a/b"));
    other.commit(vec![delete("/w/a/b")]).await.unwrap();
    told(&mut deep, &path("/w/a/b")).await;
    assert_eq!(next(&mut exact).await, path("/w/a/b"));
    // Twice on one path, and one of them dropped: the other goes on.
    let second = tree.watch("/w").await.unwrap();
    drop(second);
    tree.sync().await.unwrap();
    other.commit(vec![create("/w/c", Mode::Ephemeral)]).await.unwrap();
    told(&mut deep, &path("/w/c")).await;
    other.close().await;
    told(&mut deep, &path("/w/c")).await;
    assert_eq!(exact.try_recv().ok(), None);
    tree.close().await;
    soon("the end of the watch", async { while deep.recv().await.is_some() {} }).await;
}
