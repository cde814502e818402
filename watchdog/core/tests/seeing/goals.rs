//! Goals: stories of what each replica should hold while a goal rolls, and what is no fault then.

use watchdog_core::goal::{Pace, PaceWish};
use watchdog_core::ids::{PlanId, Version};
use watchdog_core::observation::Health;
use watchdog_core::plan::PlanStatus;
use watchdog_core::policy::Policy;
use watchdog_core::rollout::{Move, Rollout, Trial, expected};

use crate::assess::tell;
use crate::world::{World, ago, host, loaded, replica, state};

/// Version 9 rolls; `a` was ordered to it and holds it.
fn rolls(world: &mut World) {
    world.target.head = Version(9);
    let plan = PlanId::numbered(watchdog_core::ids::Epoch(1), 3);
    world.history.rollout = Some(Rollout {
        goal: "g".parse().unwrap(),
        base: Version(8),
        to: Version(9),
        state_hash: state("v9"),
        pace: Pace::resolve(&PaceWish::default(), &Policy::default()),
        restart: false,
        started_at: ago(60_000),
        guard: None,
        earlier: [state("v8")].into(),
        moved: [(replica("a"), Move { plan, at: ago(30_000), volunteer: false })].into(),
        trials: [].into(),
        failures: Vec::new(),
        adds: [].into(),
        edits: [].into(),
        arrived: [].into(),
    });
    world.member("a").loaded = loaded("v9");
}

fn is_tried(world: &mut World, name: &str) {
    let plan = PlanId::numbered(watchdog_core::ids::Epoch(1), 4);
    let trial = Trial { plan, host: Some(host("h1")), at: ago(5_000), well_at: None, failed: None };
    world.history.rollout.as_mut().unwrap().trials.insert(replica(name), trial);
}

#[test]
fn each_replica_should_hold_what_it_was_ordered_to() {
    let mut world = World::healthy();
    let holds = |world: &World, name| expected(&replica(name), &world.target, &world.history).version;
    assert_eq!(holds(&world, "a"), Version(7));
    rolls(&mut world);
    assert_eq!((holds(&world, "a"), holds(&world, "b")), (Version(9), Version(7)));
    is_tried(&mut world, "a");
    assert_eq!(holds(&world, "a"), Version(7), "who failed there is tried on what is stable");
}

#[test]
fn while_a_goal_rolls() {
    tell(&[
        ("who was moved holds the candidate, who was not what is stable", rolls, ""),
        (
            "who was moved is back on what is stable",
            |w| {
                rolls(w);
                w.member("a").loaded = loaded("v7");
            },
            "a wrong_version",
        ),
        (
            "who was not moved holds the candidate",
            |w| {
                rolls(w);
                w.member("b").loaded = loaded("v9");
            },
            "b wrong_version",
        ),
        (
            "a plan is moving it",
            |w| {
                rolls(w);
                w.rolling("a", 100);
                w.member("a").loaded = loaded("v7");
            },
            "",
        ),
        (
            "a plan that awaits approval moves nobody",
            |w| {
                rolls(w);
                w.rolling("b", 100);
                w.history.open_plans.values_mut().for_each(|open| open.status = PlanStatus::AwaitingApproval);
                w.member("b").loaded = loaded("v9");
            },
            "b wrong_version",
        ),
        (
            "its move failed",
            |w| {
                rolls(w);
                w.member("a").loaded = loaded("v7");
                w.loaded_in_vain("a", 5_000, PlanStatus::Failed);
            },
            "a load_failed, a wrong_version",
        ),
        (
            "a load failed before it was forgiven",
            |w| {
                rolls(w);
                w.member("a").loaded = loaded("v7");
                w.loaded_in_vain("a", 5_000, PlanStatus::Failed);
                w.history.forgiven.insert(replica("a"), ago(4_000));
            },
            "a wrong_version",
        ),
        (
            "it is tried on what is stable, and holds it",
            |w| {
                rolls(w);
                is_tried(w, "a");
                w.member("a").loaded = loaded("v7");
            },
            "",
        ),
        (
            "it is tried on what is stable, and still holds the candidate",
            |w| {
                rolls(w);
                is_tried(w, "a");
            },
            "a wrong_version",
        ),
        (
            "who was not moved holds what an earlier goal brought there",
            |w| {
                rolls(w);
                w.member("b").loaded = loaded("v8");
            },
            "",
        ),
        (
            "who was moved holds that",
            |w| {
                rolls(w);
                w.member("a").loaded = loaded("v8");
            },
            "a wrong_version",
        ),
        (
            "nothing is stable yet: what an earlier goal brought there is no place to wait at",
            |w| {
                rolls(w);
                (w.target.stable, w.target.version) = (None, Version(9));
                w.target.state_hash = state("v9");
                w.member("b").loaded = loaded("v8");
                w.member("c").loaded = loaded("v9");
            },
            "b wrong_version",
        ),
        (
            "it says the candidate and holds something else",
            |w| {
                rolls(w);
                w.member("a").loaded = loaded("v7 as v9");
            },
            "a state_mismatch",
        ),
        (
            "it says what is stable and holds the candidate",
            |w| {
                rolls(w);
                w.member("b").loaded = loaded("v9 as v7");
            },
            "b state_mismatch",
        ),
        (
            "who was not moved says the candidate and holds neither",
            |w| {
                rolls(w);
                w.member("b").loaded = loaded("v3 as v9");
            },
            "b state_mismatch",
        ),
        (
            "who was moved says what is stable and holds neither",
            |w| {
                rolls(w);
                w.member("a").loaded = loaded("v3 as v7");
            },
            "a state_mismatch",
        ),
        (
            "the candidate under another number is the candidate",
            |w| {
                rolls(w);
                w.member("a").loaded = loaded("v9 as v12");
            },
            "",
        ),
        (
            "it died on the candidate five times, since it was moved",
            |w| {
                rolls(w);
                w.died_before("a", 5, 1_000);
            },
            "a flapping",
        ),
        (
            "before it was moved",
            |w| {
                rolls(w);
                w.died_before("a", 5, 31_000);
                w.history.forgiven.insert(replica("a"), ago(30_000));
            },
            "",
        ),
        (
            "before it was tried on what is stable",
            |w| {
                rolls(w);
                is_tried(w, "a");
                w.member("a").loaded = loaded("v7");
                w.died_before("a", 5, 5_000);
            },
            "",
        ),
    ]);
}

#[test]
fn those_that_should_not_be_where_they_are() {
    tell(&[
        ("it runs where it may not live any more", |w| w.spec("a").hosts = vec![host("h2")], "a misplaced"),
        (
            "it does, and its agent is away",
            |w| {
                w.spec("a").hosts = vec![host("h2")];
                w.agent_goes("h1", 50);
            },
            "a misplaced",
        ),
        (
            "it is dead where it may not live",
            |w| {
                w.spec("a").hosts = vec![host("h2")];
                w.dies("a");
            },
            "a exited",
        ),
        (
            "its declaration can't be read: nobody says where it may live",
            |w| {
                w.replicas.insert(replica("a"), Err("no hosts".to_owned()));
            },
            "",
        ),
        (
            "two lives, the newer one misplaced",
            |w| {
                w.spec("a").hosts = vec![host("h1")];
                w.ordered("a", 9, "h2");
                w.runs("a", 9, "h2");
            },
            "a duplicate, a misplaced",
        ),
    ]);
    let mut world = World::healthy();
    world.replicas.remove(&replica("c"));
    let findings = |world: &World| {
        let all = watchdog_core::assess::assess(&world.scene(), watchdog_core::assess::Scope::All);
        let some = [replica("c"), replica("z")].into();
        let only = watchdog_core::assess::assess(&world.scene(), watchdog_core::assess::Scope::Only(&some));
        assert_eq!(all, only, "both scopes find the same");
        all.iter().map(crate::world::words).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(findings(&world), "c undeclared");
    world.member("c").health = Health::Unhealthy;
    assert_eq!(findings(&world), "c undeclared", "whatever else is wrong with it");
    world.runs("z", 99, "h1");
    assert_eq!(findings(&world), "c undeclared", "a stranger is not ours");
    world.history.lives.entry(replica("z")).or_default().push_back(watchdog_core::history::PastLife {
        incarnation: crate::world::life(98),
        host: host("h1"),
        at: ago(70),
        obituary: Some(crate::world::obituary("z", 98, "h1", ago(70))),
        buried_at: None,
    });
    assert_eq!(findings(&world), "c undeclared", "nor is one whose life before this one died");
    world.dies("c");
    assert_eq!(findings(&world), "", "the dead need no declaration");
}
