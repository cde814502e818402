//! Absent: stories of replicas that died, vanished, or were never started.

use watchdog_core::observation::{Presence, Sight};

use crate::assess::tell;
use crate::world::{ago, obituary, replica};

#[test]
fn the_dead_and_the_missing() {
    tell(&[
        ("all are well", |_| {}, ""),
        ("its host agent saw it exit", |w| w.dies("a"), "a exited"),
        (
            "the obituary is pruned from the group, the record has it",
            |w| {
                w.vanishes("a", 10);
                w.past("a").obituary = Some(obituary("a", 1, "h1", ago(10)));
            },
            "a exited",
        ),
        (
            "an older life died, the newer one is there",
            |w| {
                w.dies("a");
                w.ordered("a", 9, "h1");
                w.runs("a", 9, "h1");
            },
            "",
        ),
        (
            "an obituary beats a session that lingers",
            |w| {
                w.dies("a");
                w.member("a");
            },
            "a exited",
        ),
        (
            "the newest life died, an older one that nobody ended runs on",
            |w| {
                w.ordered("a", 9, "h2");
                w.runs("a", 9, "h2");
                w.life("a").obituary = Some(obituary("a", 9, "h2", ago(10)));
            },
            "",
        ),
        (
            "the newest is not seen and has no obituary, an older one has",
            |w| {
                w.dies("a");
                w.ordered("a", 9, "h1");
            },
            "a missing",
        ),
        ("its agent, all counted, lists no such process", |w| w.vanishes("a", 10), "a missing"),
        (
            "the same when it is plain",
            |w| {
                w.is_plain("a", Some("v7"));
                w.vanishes("a", 10);
            },
            "a missing",
        ),
        (
            "gone, and its agent is still counting",
            |w| {
                w.vanishes("a", 10);
                w.host("h1").inventory_complete = false;
            },
            "a missing?",
        ),
        (
            "gone, plain, and its agent is still counting: wait for it",
            |w| {
                w.is_plain("a", Some("v7"));
                w.vanishes("a", 10);
                w.host("h1").inventory_complete = false;
            },
            "",
        ),
        (
            "gone, plain, and its agent counts for longer than a lease",
            |w| {
                w.is_plain("a", Some("v7"));
                w.vanishes("a", 10_000);
                w.host("h1").inventory_complete = false;
            },
            "a missing?",
        ),
        (
            "never started, all hosts counted",
            |w| {
                w.vanishes("a", 10);
                w.history.lives.remove(&replica("a"));
            },
            "a missing",
        ),
        (
            "never started, a host is still counting",
            |w| {
                w.vanishes("a", 10);
                w.seen("a").embeds = false;
                w.history.lives.remove(&replica("a"));
                w.host("h2").inventory_complete = false;
            },
            "",
        ),
        (
            "never started, and no host is there: nothing was ordered, so it can't run",
            |w| {
                w.host("h1").presence = Presence::Gone { since: ago(50) };
                w.host("h2").presence = Presence::Gone { since: ago(50) };
                w.vanishes("a", 10);
                w.history.lives.remove(&replica("a"));
            },
            "a missing",
        ),
        (
            "declared just now, never looked for",
            |w| {
                w.observation.replicas.remove(&replica("a"));
                w.history.lives.remove(&replica("a"));
            },
            "a missing",
        ),
        (
            "its declaration can't be read, and it is dead all the same",
            |w| {
                w.replicas.insert(replica("a"), Err("no hosts".to_owned()));
                w.dies("a");
            },
            "a exited",
        ),
        ("undeclared, and running: not a fault of a replica of ours", |w| w.runs("z", 99, "h1"), ""),
        (
            "the observer is blind",
            |w| {
                w.dies("a");
                w.vanishes("b", 60_000);
                w.observation.sight = Sight::Blind { since: ago(5), why: "no session".to_owned() };
            },
            "",
        ),
    ]);
}
