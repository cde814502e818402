//! Outdated: what waits for a human's answer stops waiting when the question is not the right one any more.

use watchdog_core::history::{OpenPlan, Progress};
use watchdog_core::ids::PlanId;
use watchdog_core::plan::PlanStatus;
use watchdog_core::planner::assemble::status_of;
use watchdog_core::planner::outdated::{outdated, refused};
use watchdog_core::planner::plan;
use watchdog_core::record::Body;

use crate::words::happen;
use crate::world::World;

#[test]
fn a_question_stands_as_long_as_it_is_the_right_one() {
    let table = [
        // what is asked about | what happens then | whether the question is over
        ("policy approve load, b drifts 6", "", false),
        ("policy approve load, b drifts 6", "b agrees", true),
        ("policy approve load, b drifts 6", "b exits", true),
        ("policy approve load, b drifts 6", "a exits", false),
        ("policy approve start, b exits", "", false),
        ("policy approve roll, goal", "", false),
        ("policy approve roll, goal", "a exits", true),
        ("policy approve roll, goal", "b exits", false),
        ("policy approve roll, goal", "no rollout", true),
    ];
    for (asked, then, over) in table {
        let (world, id) = asked_about(asked, then);
        let input = world.input();
        let found = outdated(&input.history, &input.convictions, (&input.policy, input.replicas.len()));
        assert_eq!(found.contains(&id), over, "{asked}; then {then}");
    }
}

#[test]
fn what_would_be_refused_by_now_is_asked_about_no_more_unless_that_passes() {
    let table = [
        // what is asked about | what happens then | why it is over
        ("policy approve restart, b hangs", "", None),
        ("policy approve restart, b hangs", "a exits", None),
        ("policy approve restart, b hangs", "pause", None),
        ("policy approve restart, b hangs", "hold b", None),
        ("policy approve restart, b hangs", "b on h1", Some("b may not live on h2")),
        (
            "policy approve start, b exits",
            "host h2 gone 9000",
            Some("needs the agent of h2, which is not there"),
        ),
        ("policy approve start, b exits", "goal, b ordered 9000", Some("is for version 7 instead of 9")),
    ];
    for (asked, then, over) in table {
        let (world, id) = asked_about(asked, then);
        let why = refused(&world.input()).into_iter().find_map(|body| match body {
            Body::PlanStatus { plan, status: PlanStatus::Superseded, why } if plan == id => Some(why),
            _ => None,
        });
        let right = over.map_or(why.is_none(), |over| why.as_ref().is_some_and(|why| why.contains(over)));
        assert!(right, "{asked}; then {then}: {why:?}");
    }
}

/// What is planned for a story waits for a human, while more happens.
fn asked_about(asked: &str, then: &str) -> (World, PlanId) {
    let mut world = World::new(3, 3);
    lines(asked).for_each(|line| happen(&mut world, line));
    let input = world.input();
    let plan = plan(&input).plan.unwrap_or_else(|| panic!("{asked}: nothing is asked"));
    let status = status_of(&plan, &input.policy);
    assert_eq!(status, PlanStatus::AwaitingApproval, "{asked}");
    let id = plan.id.clone();
    let open = OpenPlan { plan, status, progress: Progress::default() };
    world.input.history.open_plans.insert(id.clone(), open);
    for line in lines(then) {
        match line {
            "no rollout" => world.input.history.rollout = None,
            "b agrees" => world.member("b").loaded = world.member("a").loaded,
            line => happen(&mut world, line),
        }
    }
    (world, id)
}

fn lines(story: &str) -> impl Iterator<Item = &str> {
    story.split(", ").filter(|line| !line.is_empty())
}
