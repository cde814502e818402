//! Condition: a row a story, answered in the one word of the contract.

use watchdog_core::condition::{is_healthy_on, is_serving};
use watchdog_core::history::Quarantine;
use watchdog_core::observation::{Health, Probed, Sight};
use watchdog_core::plan::PlanStatus;

use crate::world::{World, ago, loaded, replica};

type Story = (&'static str, fn(&mut World), &'static str, u64);

#[test]
fn one_word_says_how_a_replica_is() {
    let table: &[Story] = &[
        // story | what happens to `a` | the word | since, milliseconds ago
        ("all is well", |_| {}, "healthy", 600_000),
        ("plain, and its probe passes", |w| w.is_plain("a", Some("v7")), "healthy", 600_000),
        ("drifted, but it serves", |w| w.member("a").loaded = loaded("v8"), "healthy", 600_000),
        ("its agent is away, it says that it is ready", |w| w.agent_goes("h1", 50), "healthy", 600_000),
        ("it says that it starts", |w| w.member("a").health = Health::Starting, "starting", 600_000),
        (
            "ordered, and not seen yet",
            |w| {
                w.dies("a");
                w.starting("a", 9, 100);
            },
            "starting",
            100,
        ),
        (
            "its process is there, its word is not",
            |w| {
                w.starting("a", 1, 100);
                w.leaves_group("a", 100);
                w.process("a").probe = Probed::Unknown;
            },
            "starting",
            600_000,
        ),
        (
            "ready, but its probe has not passed since its start",
            |w| {
                w.starting("a", 1, 100);
                w.process("a").probe = Probed::Failing;
            },
            "starting",
            600_000,
        ),
        ("it loads", |w| w.member("a").health = Health::Loading, "loading", 600_000),
        ("it drains", |w| w.member("a").health = Health::Draining, "draining", 600_000),
        (
            "it was told to end",
            |w| {
                w.process("a").stopping = true;
                w.process("a").since = ago(30);
            },
            "draining",
            30,
        ),
        ("it feels bad", |w| w.member("a").health = Health::Unhealthy, "unhealthy", 600_000),
        ("it hangs", |w| w.process("a").probe = Probed::Failing, "unresponsive", 600_000),
        ("it left the group and runs", |w| w.leaves_group("a", 20_000), "zombie", 20_000),
        (
            "plain, and nothing says that it works",
            |w| {
                w.is_plain("a", None);
                w.process("a").probe = Probed::Unknown;
            },
            "zombie",
            600_000,
        ),
        ("nobody knows where it is", |w| w.vanishes("a", 40), "missing", 40),
        (
            "never started",
            |w| {
                w.vanishes("a", 40);
                w.history.lives.clear();
            },
            "missing",
            40,
        ),
        ("it died", |w| w.dies("a"), "exited", 10),
        (
            "quarantined, and dead",
            |w| {
                w.dies("a");
                w.history
                    .quarantined
                    .insert(replica("a"), Quarantine { why: "five tries".to_owned(), on: None });
            },
            "quarantined",
            10,
        ),
        (
            "plain, and its agent is away for less than a lease",
            |w| {
                w.is_plain("a", Some("v7"));
                w.host_goes("h1", 70);
            },
            "unknown",
            70,
        ),
        (
            "the observer is blind",
            |w| {
                w.observation.sight = Sight::Blind { since: ago(5), why: "no session".to_owned() };
            },
            "unknown",
            5,
        ),
    ];
    for (story, happens, word, since) in table {
        let mut world = World::healthy();
        happens(&mut world);
        let condition = world.condition("a");
        assert_eq!(condition.state.word(), *word, "{story}");
        assert_eq!(condition.since, Some(ago(*since)), "{story}");
        let json = serde_json::to_value(condition.state).unwrap();
        assert_eq!(json, *word, "the word in JSON is the same");
    }
}

#[test]
fn serving_and_healthy_are_not_the_same() {
    type Row = (&'static str, fn(&mut World), bool, bool);
    let table: &[Row] = &[
        // story | what happens to `a` | serves | healthy on the target
        ("all is well", |_| {}, true, true),
        ("it loads, and serves meanwhile", |w| w.member("a").health = Health::Loading, true, false),
        ("it holds another version", |w| w.member("a").loaded = loaded("v8"), true, false),
        ("the same state under another number", |w| w.member("a").loaded = loaded("v7 as v9"), true, true),
        ("its probe fails", |w| w.process("a").probe = Probed::Failing, false, false),
        ("its agent is away", |w| w.agent_goes("h1", 50), true, true),
        ("it drains", |w| w.member("a").health = Health::Draining, false, false),
        ("it starts", |w| w.member("a").health = Health::Starting, false, false),
        ("it feels bad", |w| w.member("a").health = Health::Unhealthy, false, false),
        ("it was told to end", |w| w.process("a").stopping = true, false, false),
        ("plain, and its probe passes", |w| w.is_plain("a", Some("v7")), true, true),
        ("plain, and takes no state", |w| w.is_plain("a", None), true, true),
        (
            "plain, and no probe has answered",
            |w| {
                w.is_plain("a", Some("v7"));
                w.process("a").probe = Probed::Unknown;
            },
            false,
            false,
        ),
        ("dead by its obituary", |w| w.dies("a"), false, false),
    ];
    for (story, happens, serves, healthy) in table {
        let mut world = World::healthy();
        happens(&mut world);
        let target = world.target;
        let life = world.life("a");
        assert_eq!((is_serving(life), is_healthy_on(life, &target)), (*serves, *healthy), "{story}");
    }
}

#[test]
fn a_closed_plan_covers_nothing() {
    let mut world = World::healthy();
    world.starting("a", 1, 100);
    world.process("a").probe = Probed::Failing;
    assert_eq!(world.condition("a").state.word(), "starting");
    let open = world.history.open_plans.pop_first().unwrap().1;
    assert_eq!(open.status, PlanStatus::Running);
    assert_eq!(world.condition("a").state.word(), "unresponsive");
}
