//! Vetting: each safeguard of the linter, shown a plan that is bad in just that way.

use std::mem::discriminant;

use watchdog_core::finding::FaultKind;
use watchdog_core::history::OpenPlan;
use watchdog_core::ids::{Epoch, PlanId, Version};
use watchdog_core::input::PlanInput;
use watchdog_core::plan::{Act, Plan};
use watchdog_core::planner::plan;
use watchdog_core::policy::Remedy;
use watchdog_core::vet::{Objection, vet};

use crate::words::happen;
use crate::world::{World, host, incarnation, replica};

type Spoil = fn(&mut Plan);

/// Plans for one story, and vets for another: what a linter is for is a planner that missed something.
fn objections(story: &str, spoil: Spoil, missed: &str) -> (Vec<Objection>, Plan) {
    let mut world = World::new(3, 3);
    lines(story).for_each(|line| happen(&mut world, line));
    let input = world.input();
    let mut plan = plan(&input).plan.unwrap_or_else(|| panic!("{story}: no plan"));
    assert_eq!(vet(&plan, &input), [], "{story}: good before it is spoilt");
    spoil(&mut plan);
    lines(missed).for_each(|line| happen(&mut world, line));
    let convictions = input.convictions;
    let input = PlanInput { convictions, ..world.input() };
    (vet(&plan, &input), plan)
}

fn lines(story: &str) -> impl Iterator<Item = &str> {
    story.split(", ").filter(|line| !line.is_empty())
}

fn keep(_: &mut Plan) {}

fn without(plan: &mut Plan, unwanted: fn(&Act) -> bool) {
    plan.steps.retain(|step| !unwanted(&step.act));
    renumber(plan);
}

fn renumber(plan: &mut Plan) {
    for (index, step) in plan.steps.iter_mut().enumerate() {
        step.id = plan.id.step(index);
    }
}

fn act(plan: &mut Plan, word: &str) -> usize {
    plan.steps.iter().position(|step| step.act.word() == word).unwrap()
}

fn start_with(plan: &mut Plan, other: u64) {
    for step in &mut plan.steps {
        match &mut step.act {
            Act::Start { version, .. } | Act::Load { to: version, .. } | Act::MarkStable { version, .. } => {
                *version = Version(other);
            }
            _ => {}
        }
    }
}

fn return_to(plan: &mut Plan, other: u64) {
    for step in &mut plan.steps {
        if let Act::Reject { to, .. } = &mut step.act {
            *to = Version(other);
        }
    }
}

#[expect(clippy::too_many_lines, reason = "a table, a row a safeguard")]
/// The same for goals: whose turn it is, what is proven bad, who holds what, and what costs no budget.
fn table_of_goals() -> Vec<(&'static str, Spoil, &'static str, &'static str)> {
    let (well, soak) = ("but another that was moved is not well", "but the canary has not soaked");
    let unproven = "would be rejected without proof";
    let stable = "stable 5, a given-up, a exits, b given-up, b exits";
    let leaving = "abandoned 9, c quarantined, c exits, a holds 9 5000";
    let last = "cluster 2 2, abandoned 9, a live, b quarantined, b exits, a holds 9 5000";
    vec![
        ("goal", keep, "no-goal", "but no goal rolls"),
        ("goal, a moved 9000", keep, "c trial 9000 failed", "but the goal is held"),
        ("goal, a moved 9000", keep, "c trial 9000", "but the version is to blame"),
        ("goal", keep, "unfounded", "but nothing is stable to come from"),
        ("goal, a moved 9000", keep, "a hangs", well),
        ("goal, a moved 9000", keep, "a holds 7 9000", well),
        ("goal, a moved 9000", keep, "c ordered 50", well),
        ("goal, a moved 9000", keep, "a moved 1999", soak),
        ("goal, a moved 9000", keep, "goal soak 9001", soak),
        ("goal, policy disturbed 2, goal canary 2", keep, "goal canary 1", soak),
        ("goal canary a, a moved 9000", keep, "a moved 1999", soak),
        ("goal canary a, a moved 9000", keep, "a trial 3000", soak),
        ("goal canary none", keep, "goal canary c", soak),
        ("goal restart-only, goal canary a, a ordered 9000, a reborn 8000", keep, "goal begun 7000", soak),
        ("goal, b trial 9000", keep, "b trial 4999", unproven),
        ("goal, b trial 9000", keep, "goal probation 9001", unproven),
        ("goal, b trial 9000", keep, "b trial 9000 failed", unproven),
        ("goal, b trial 9000", keep, "b trial 9000 at h3", unproven),
        ("goal, b trial 9000", keep, "b hangs", unproven),
        ("goal, b trial 9000", keep, "b drifts 6", unproven),
        ("goal, b trial 9000", keep, "b doubles h1", unproven),
        ("goal, b trial 9000", keep, "goal failures 1", unproven),
        ("goal, b trial 9000", keep, "no-goal", unproven),
        ("goal, b trial 9000", |p| return_to(p, 6), "", unproven),
        ("goal, b trial 9000", |p| return_to(p, 8), "", "step 5-1-1 is for version 8 instead of 7"),
        (stable, keep, "policy broken-stable 3", unproven),
        (stable, keep, "goal", unproven),
        (stable, keep, "undoing", unproven),
        (stable, |p| return_to(p, 4), "", unproven),
        ("goal, a moved 9000, a exits", |p| start_with(p, 7), "", "step 5-1-1 is for version 7 instead of 9"),
        ("goal, a moved 9000, c exits", |p| start_with(p, 9), "", "step 5-1-1 is for version 9 instead of 7"),
        ("goal", |p| start_with(p, 7), "", "step 5-1-1 is for version 7 instead of 9"),
        (
            "policy restart 0, goal, b moved 9000, b exits",
            |p| start_with(p, 9),
            "",
            "step 5-1-1 is for version 9 instead of 7",
        ),
        (
            "goal soak 0, a moved 5, b moved 5, c moved 5",
            |p| start_with(p, 7),
            "",
            "step 5-1-1 is for version 7 instead of 9",
        ),
        (
            "goal, a moved 9000, b moved 9000, c moved 9000",
            keep,
            "c moved 1999",
            "c has not held the version",
        ),
        ("goal, a moved 9000, b moved 9000, c moved 9000", keep, "c holds 7 9000", "c has not held the"),
        ("goal, a moved 9000, b moved 9000, c moved 9000", keep, "host h2 agent-gone 90", "b has not held"),
        (
            "goal, a moved 9000, b moved 9000, c moved 9000",
            keep,
            "a leaves, b leaves, c leaves",
            "no replica is declared that could have proven",
        ),
        ("policy restart 0, goal, b moved 9000, b exits", keep, "no-goal", "but it was not moved"),
        (leaving, keep, "a holds 6 5000", "2 replicas would be disturbed and 1 may be: a, c"),
        (leaving, keep, "b quarantined, b exits", "3 replicas would be disturbed and 1 may be"),
        (
            "cluster 4 4, abandoned 9, c quarantined, c exits, a holds 9 5000",
            keep,
            "b exits",
            "2 replicas would",
        ),
        (last, keep, "a not-live", "2 replicas would be disturbed and 1 may be: a, b"),
        ("cluster 4 4, c leaves", keep, "d leaves, d open stop", "2 replicas would be disturbed"),
        ("c leaves", keep, "c forgotten", "c is touched, but not convicted"),
        ("b exits", |p| p.heals[0].remedy = Remedy::Stop, "", "b is touched, but not convicted"),
    ]
}

#[test]
fn who_is_not_convicted_of_being_undeclared_is_not_stopped() {
    let mut world = World::new(3, 3);
    happen(&mut world, "c leaves");
    let input = world.input();
    let plan = plan(&input).plan.unwrap();
    assert_eq!(vet(&plan, &input), []);
    let mut convictions = input.convictions.clone();
    convictions[0].finding.kind = FaultKind::Unhealthy;
    for convictions in [Vec::new(), convictions] {
        let objections = vet(&plan, &PlanInput { convictions, ..input.clone() });
        assert_eq!(objections, [Objection::NotConvicted { replica: replica("c") }]);
    }
}

#[expect(clippy::too_many_lines, reason = "a table, a row a safeguard")]
/// A story, how its plan is spoilt, what the planner missed, and the sentence of the objection.
fn table() -> Vec<(&'static str, Spoil, &'static str, &'static str)> {
    vec![
        ("b drifts 6", keep, "a exits", "2 replicas would be disturbed and 1 may be: a, b"),
        ("b drifts 6", keep, "a open load", "2 replicas would be disturbed"),
        ("b drifts 6", keep, "a intent h1", "2 replicas would be disturbed"),
        ("b drifts 6", keep, "a unsettled, host h1 agent-gone 100", "2 replicas would be disturbed"),
        ("b drifts 6", keep, "a unsettled, a past restart failed h1 11999", "2 replicas would be disturbed"),
        ("b drifts 6", keep, "a buried-alive", "2 replicas would be disturbed"),
        ("b drifts 6", keep, "policy disturbed 0", "1 replicas would be disturbed and 0 may be"),
        ("a exits, b exits", keep, "policy parallel 1", "2 replicas would be healed at once and 1 may be"),
        ("b exits", keep, "a open start, policy parallel 1", "2 replicas would be healed at once"),
        (
            "b exits",
            keep,
            "policy hourly 1, b past start done h1 9000",
            "b was healed 1 times within an hour",
        ),
        ("b exits", |p| p.heals.clear(), "", "b is touched, but the plan does not count it"),
        ("b exits", |p| p.heals[0].disturbs = true, "", "b is touched, but the plan does not count it"),
        ("b drifts 6", |p| p.heals[0].disturbs = false, "", "b is touched, but the plan does not count it"),
        (
            "b exits",
            |p| p.heals[0].remedy = Remedy::Quarantine,
            "",
            "b is touched, but the plan does not count",
        ),
        (
            "b exits",
            |p| p.steps.iter_mut().for_each(|step| step.replica = Some(replica("a"))),
            "",
            "a is touched, but not convicted",
        ),
        ("b drifts 6", keep, "b garbled", "b is touched, but not declared"),
        ("b drifts 6", keep, "b undeclared", "b is touched, but not declared"),
        ("b hangs", |p| without(p, |act| matches!(act, Act::Kill { .. })), "", "b would be started while"),
        (
            "b hangs",
            |p| {
                let at = act(p, "kill");
                p.steps[at].optional = true;
            },
            "",
            "b would be started while",
        ),
        (
            "b hangs",
            |p| {
                p.steps.swap(1, 2);
                renumber(p);
            },
            "",
            "b would be started while",
        ),
        ("b exits", keep, "b doubles h3", "b would be started while"),
        ("host h2 gone 13000", keep, "b exclusive", "b would be started while"),
        ("b exits", keep, "b exclusive, b leaves-workers", "b would be started while"),
        ("host h2 gone 13000", keep, "host h2 gone 3000", "b would be started while"),
        ("cluster 4 2, host h2 gone 13000", keep, "fenced 14000", "2 replicas that vanished silently"),
        (
            "host h2 gone 13000, host h3 gone 13000, release-storm 10",
            keep,
            "release-storm 20000",
            "2 replicas that",
        ),
        (
            "b hangs",
            |p| {
                p.steps.iter_mut().for_each(|step| {
                    if let Act::Kill { incarnation: it, .. } = &mut step.act {
                        *it = incarnation(3);
                    }
                });
            },
            "",
            "step 5-1-2 acts on 00000000-0000-0000-0000-000000000003",
        ),
        (
            "b hangs",
            |p| {
                p.steps.iter_mut().for_each(|step| {
                    if let Act::Kill { host: at, .. } = &mut step.act {
                        *at = host("h1");
                    }
                });
            },
            "",
            "step 5-1-2 acts on 00000000-0000-0000-0000-000000000002, which is no known life",
        ),
        ("b hangs", |p| p.steps[1].replica = None, "", "step 5-1-2 acts on"),
        ("b exits", keep, "pause", "the cluster is paused: tests"),
        ("b exits", keep, "blind", "this watchdog can't see: no session"),
        ("b exits", keep, "obstacle", "the journal ends at version 3"),
        ("b exits", keep, "obstacle b", "b: nothing is stable yet"),
        ("b exits", keep, "hold b", "b is held: tests"),
        ("b exits", keep, "hold h2", "h2 is held: tests"),
        ("b drifts 6", keep, "hold h2", "h2 is held: tests"),
        ("b exits", keep, "b quarantined", "b is quarantined"),
        ("b exits", keep, "a intent h2", "step 5-1-1 concerns host h2, which has not taken our epoch"),
        ("b exits", keep, "b intent h1", "step 5-1-1 concerns host h1"),
        ("b drifts 6, policy disturbed 2", keep, "b intent agent", "step 5-1-1 concerns b"),
        ("b exits", keep, "b open start", "b is being dealt with by plan 5-50"),
        ("b exits", keep, "b intent h2", "b is being dealt with by plan 4-9"),
        ("b exits", keep, "b on h1", "b may not live on h2"),
        ("b exits", keep, "host h2 gone 100", "step 5-1-1 needs the agent of h2"),
        (
            "b exits",
            |p| {
                if let Act::Start { version, .. } = &mut p.steps[0].act {
                    *version = Version(6);
                }
            },
            "",
            "step 5-1-1 is for version 6 instead of 7",
        ),
        (
            "b drifts 6",
            |p| {
                if let Act::Load { to, .. } = &mut p.steps[0].act {
                    *to = Version(8);
                }
            },
            "",
            "step 5-1-1 is for version 8 instead of 7",
        ),
        (
            "b exits",
            |p| {
                p.steps.iter_mut().for_each(|step| match &mut step.act {
                    Act::Start { incarnation: it, .. } | Act::Probe { incarnation: it, .. } => {
                        *it = incarnation(3);
                    }
                    _ => {}
                });
            },
            "",
            "step 5-1-1 would start 00000000-0000-0000-0000-000000000003, which is not fresh",
        ),
        ("b exits", |p| p.epoch = Epoch(4), "", "the plan is of epoch 4, and epoch 5 leads"),
        ("b exits", keep, "policy epoch 6", "the plan is of epoch 5, and epoch 6 leads"),
        ("b exits", |p| p.id = PlanId::numbered(Epoch(5), 0), "", "id 5-0 is not a fresh one of epoch 5"),
        ("b exits", |p| p.steps[1].id = p.steps[0].id.clone(), "", "id 5-1-1 is not a fresh one"),
        ("b exits", |p| p.steps.clear(), "", "the plan has no steps"),
        (
            "b hangs",
            |p| without(p, |act| matches!(act, Act::Snapshot { .. })),
            "",
            "step 5-1-1 destroys a process",
        ),
        ("b hangs", |p| p.steps[0].optional = false, "", "step 5-1-2 destroys a process"),
        (
            "b exits",
            |p| without(p, |act| matches!(act, Act::Probe { .. })),
            "",
            "the heal of b does not end by",
        ),
        ("b exits", |p| p.steps[1].optional = true, "", "the heal of b does not end by"),
        ("unfounded", keep, "a healthy-for 10", "a has not held the version, healthy, for the whole soak"),
        ("unfounded", keep, "b hangs", "b has not held the version"),
        ("unfounded", keep, "c doubles h1", "c has not held the version"),
        (
            "unfounded",
            |p| {
                if let Act::MarkStable { version, .. } = &mut p.steps[0].act {
                    *version = Version(6);
                }
            },
            "",
            "step 5-1-1 is for version 6 instead of 7",
        ),
    ]
}

#[test]
fn every_safeguard_objects_to_what_it_guards_against() {
    for (story, spoil, missed, expected) in table().into_iter().chain(table_of_goals()) {
        let (objections, plan) = objections(story, spoil, missed);
        let said: Vec<String> = objections.iter().map(ToString::to_string).collect();
        let hit = said.iter().any(|said| said.contains(expected));
        assert!(hit, "{story} / {missed}: expected {expected:?}, got {said:#?}\n{plan:#?}");
    }
}

#[test]
fn every_kind_of_objection_is_raised_by_some_row() {
    let mut kinds = Vec::new();
    for (story, spoil, missed, _) in table().into_iter().chain(table_of_goals()) {
        for objection in objections(story, spoil, missed).0 {
            let kind = discriminant(&objection);
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
    }
    assert_eq!(kinds.len(), 29, "one row for each kind of objection, at least");
}

#[test]
fn a_plan_that_is_on_record_may_be_vetted_again() {
    let mut world = World::new(3, 3);
    happen(&mut world, "b exits");
    let planned = plan(&world.input()).plan.unwrap();
    world.open_plan("b", Remedy::Start, false);
    let (_, open) = world.input.history.open_plans.pop_first().unwrap();
    let open = OpenPlan { plan: planned.clone(), ..open };
    world.input.history.open_plans.insert(planned.id.clone(), open);
    world.input.history.plans_in_term = 1;
    assert_eq!(vet(&planned, &world.input()), []);
}
