//! Outdated: what waits for a human's answer stops waiting when the question is not the right one any more.

use watchdog_core::history::{OpenPlan, Progress};
use watchdog_core::plan::PlanStatus;
use watchdog_core::planner::assemble::status_of;
use watchdog_core::planner::outdated::outdated;
use watchdog_core::planner::plan;

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
        let mut world = World::new(3, 3);
        lines(asked).for_each(|line| happen(&mut world, line));
        let input = world.input();
        let plan = plan(&input).plan.unwrap_or_else(|| panic!("{asked}: nothing is asked"));
        let status = status_of(&plan, &input.policy);
        assert_eq!(status, PlanStatus::AwaitingApproval, "{asked}");
        let id = plan.id.clone();
        world
            .input
            .history
            .open_plans
            .insert(id.clone(), OpenPlan { plan, status, progress: Progress::default() });
        for line in lines(then) {
            match line {
                "no rollout" => world.input.history.rollout = None,
                "b agrees" => world.member("b").loaded = world.member("a").loaded,
                line => happen(&mut world, line),
            }
        }
        let input = world.input();
        let found = outdated(&input.history, &input.convictions, (&input.policy, input.replicas.len()));
        assert_eq!(found.contains(&id), over, "{asked}; then {then}");
    }
}

fn lines(story: &str) -> impl Iterator<Item = &str> {
    story.split(", ").filter(|line| !line.is_empty())
}
