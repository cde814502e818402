//! Assess: a row a story, told in words of the world and answered in findings; `?` marks silence.

use watchdog_core::assess::{Scope, assess, check};
use watchdog_core::finding::Source;
use watchdog_core::observation::{Health, Presence, Probed};

use crate::world::{NOW, World, ago, host, life, replica};

pub(crate) type Story = (&'static str, fn(&mut World), &'static str);

pub(crate) fn tell(stories: &[Story]) {
    for (story, happens, expected) in stories {
        let mut world = World::healthy();
        happens(&mut world);
        assert_eq!(world.findings(), *expected, "{story}");
    }
}

#[test]
fn hosts_that_go_and_come_back() {
    tell(&[
        ("the agent of h2 dies, its replica serves on", |w| w.agent_goes("h2", 60_000), ""),
        ("h2 dies with all on it", |w| w.host_goes("h2", 10), "c missing?, host h2 host_gone?"),
        (
            "the agent goes, and with it the only word of a plain replica",
            |w| {
                w.is_plain("c", Some("v7"));
                w.host_goes("h2", 9_999);
            },
            "host h2 host_gone?",
        ),
        (
            "the same for as long as a lease",
            |w| {
                w.is_plain("c", Some("v7"));
                w.host_goes("h2", 10_000);
            },
            "c missing?, host h2 host_gone?",
        ),
        (
            "a replica dies while its agent is away",
            |w| {
                w.agent_goes("h1", 30_000);
                w.vanishes("a", 10);
            },
            "a missing?",
        ),
        (
            "h2 went down and came up: nothing from before runs",
            |w| {
                w.vanishes("c", 10);
                w.host("h2").boot_id = "boot-2".to_owned();
                w.host("h2").inventory_complete = false;
            },
            "c exited",
        ),
        (
            "h2 came up, and the replica runs there anew",
            |w| {
                w.host("h2").boot_id = "boot-2".to_owned();
            },
            "",
        ),
        (
            "a host that nobody may run on goes",
            |w| {
                for name in ["a", "b", "c"] {
                    w.spec(name).hosts = vec![host("h1")];
                }
                w.vanishes("c", 10);
                w.history.lives.remove(&replica("c"));
                w.host("h2").presence = Presence::Gone { since: ago(10) };
            },
            "c missing",
        ),
        (
            "its host was never seen in this term",
            |w| {
                w.vanishes("c", 20_000);
                w.observation.hosts.remove(&host("h2"));
            },
            "c missing?",
        ),
    ]);
}

#[test]
fn a_start_under_way_leaves_the_old_fault_until_the_new_life_is_seen() {
    tell(&[
        (
            "it died, and its successor is on its way",
            |w| {
                w.dies("a");
                w.starting("a", 9, 100);
            },
            "a exited",
        ),
        (
            "its successor is there and starts",
            |w| {
                w.dies("a");
                w.starting("a", 9, 100);
                w.runs("a", 9, "h1");
                w.member("a").health = Health::Starting;
                w.member("a").since = ago(50);
            },
            "",
        ),
        (
            "its successor could not be started",
            |w| {
                w.dies("a");
                w.starting("a", 9, 100);
                w.start_failed();
            },
            "a missing",
        ),
        (
            "its successor died too",
            |w| {
                w.dies("a");
                w.starting("a", 9, 100);
                w.runs("a", 9, "h1");
                w.dies("a");
            },
            "a exited",
        ),
        (
            "its successor never shows, for longer than a start may take",
            |w| {
                w.dies("a");
                w.starting("a", 9, 41_000);
            },
            "a missing",
        ),
        (
            "the first start ever is on its way",
            |w| {
                w.vanishes("a", 10);
                w.history.lives.remove(&replica("a"));
                w.starting("a", 9, 100);
            },
            "a missing",
        ),
    ]);
}

#[test]
fn evidence_says_whose_word_it_is_and_which_look() {
    let mut world = World::healthy();
    world.process("a").probe = Probed::Failing;
    world.dies("b");
    world.vanishes("c", 10);
    let findings = assess(&world.scene(), Scope::All);
    let evidence: Vec<_> = findings.iter().map(|it| (it.evidence.source, it.evidence.look)).collect();
    assert_eq!(evidence, [(Source::HostAgent, 50), (Source::HostAgent, 5), (Source::HostAgent, 5)]);
    assert_eq!(findings[0].incarnation, Some(life(1)));
    assert!(findings[1].detail.contains("exit 1"), "{}", findings[1].detail);
}

#[test]
fn only_those_asked_for_are_looked_at() {
    let mut world = World::healthy();
    world.dies("a");
    world.dies("b");
    let some = [replica("b"), replica("undeclared")].into_iter().collect();
    let scene = world.scene();
    let check = check(&scene, Scope::Only(&some));
    assert_eq!(check.findings.len(), 1);
    assert!(!check.looked.at(&replica("a")) && check.looked.at(&replica("b")));
}

#[test]
fn a_healthy_replica_is_assessed_alike_at_any_time() {
    let mut world = World::healthy();
    world.is_plain("b", Some("v7"));
    for later in [0, 1, 60_000, 3_600_000, u64::MAX / 2] {
        world.observation.at = NOW.plus_ms(later);
        assert_eq!(world.findings(), "", "{later} ms later");
        let scene = world.scene();
        assert_eq!(check(&scene, Scope::All).looked.restless().count(), 0, "nobody need look again");
    }
}
