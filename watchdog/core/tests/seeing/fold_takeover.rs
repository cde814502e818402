//! Fold takeover: what stays of a goal when another takes its place, and what came too late for it.

use watchdog_core::goal::GoalStatus;
use watchdog_core::goal::obsolete::obsolete;
use watchdog_core::ids::{PlanId, Version};
use watchdog_core::plan::{Act, Outcome, Plan, PlanStatus};
use watchdog_core::policy::{Policy, Remedy};
use watchdog_core::record::Body;

use crate::fold::{Record, closed, ended, folded, intended, recorded, term};
use crate::fold_goals::{begun, over, rolls, stable};
use crate::world::{host, life, plan, replica, state};

fn awaiting(plan: &Plan) -> Body {
    Body::PlanRecorded { plan: plan.clone(), status: PlanStatus::AwaitingApproval }
}

#[test]
fn whoever_holds_the_very_state_that_takes_over_is_there_already() {
    let (roll, trial) = (rolls(1, Remedy::Roll, &["a", "b"]), rolls(2, Remedy::Trial, &["b"]));
    let same = |name: &str| match begun(name, 9, 9) {
        Body::GoalBegun { goal, base, to, pace, restart, guard, adds, edits, .. } => {
            Body::GoalBegun { goal, base, to, state_hash: state("v9"), pace, restart, guard, adds, edits }
        }
        other => other,
    };
    let story = [stable(7), begun("g", 8, 9), recorded(&roll), recorded(&trial)];
    let history = folded(story.into_iter().chain([over("g", GoalStatus::Superseded), same("next")]));
    let rollout = history.rollout.unwrap();
    assert_eq!(rollout.moved.keys().collect::<Vec<_>>(), [&replica("a")], "who was on trial is not there");
    assert!(rollout.earlier.is_empty() && rollout.trials.is_empty());
}

#[test]
fn a_trial_that_ended_elsewhere_than_where_it_failed_counts_for_nothing() {
    let (roll, trial) = (rolls(1, Remedy::Roll, &["b"]), rolls(2, Remedy::Trial, &["b"]));
    let away = |to: &str| {
        let mut plan = rolls(3, Remedy::Relocate, &["b"]);
        plan.steps[0].act = Act::Start { host: host(to), incarnation: life(77), version: Version(7) };
        plan
    };
    let again = rolls(4, Remedy::Roll, &["b"]);
    for (to, failures) in [("h1", 1), ("h2", 0)] {
        let plan = away(to);
        let history = folded([
            stable(7),
            begun("g", 8, 9),
            recorded(&roll),
            recorded(&trial),
            ended(&trial, PlanStatus::Done),
            recorded(&plan),
            intended(&plan),
            ended(&plan, PlanStatus::Done),
            recorded(&again),
        ]);
        let rollout = history.rollout.unwrap();
        assert_eq!((rollout.failures.len(), rollout.trials.len()), (failures, 0), "{to}");
    }
}

#[test]
fn a_trial_of_one_that_this_goal_never_moved_says_nothing() {
    let trial = rolls(1, Remedy::Trial, &["b"]);
    let history = folded([
        stable(7),
        begun("g", 8, 9),
        awaiting(&trial),
        over("g", GoalStatus::Superseded),
        begun("next", 9, 10),
        ended(&trial, PlanStatus::Running),
    ]);
    assert!(history.rollout.unwrap().trials.is_empty());
}

#[test]
fn the_plans_of_a_goal_end_with_it() {
    let roll = rolls(1, Remedy::Roll, &["a"]);
    let (running, asked) = (rolls(2, Remedy::Trial, &["b"]), rolls(3, Remedy::Trial, &["c"]));
    let mut reject = rolls(4, Remedy::Roll, &[]);
    reject.steps = rolls(4, Remedy::Roll, &["x"]).steps;
    reject.steps[0].replica = None;
    reject.steps[0].act =
        Act::Reject { version: Version(9), state_hash: state("v9"), goal: None, to: Version(7) };
    let heal = rolls(5, Remedy::Restart, &["d"]);
    let history = folded([
        stable(7),
        begun("g", 8, 9),
        recorded(&roll),
        recorded(&running),
        awaiting(&asked),
        awaiting(&reject),
        recorded(&heal),
    ]);
    let all = |deciding: Option<&PlanId>| {
        obsolete(&history, deciding).map(|plan| plan.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(all(None), ["1-1", "1-3", "1-4"], "what runs to the stable version, and heals, stay");
    assert_eq!(all(Some(&reject.id)), ["1-1", "1-3"]);
}

#[test]
fn what_is_written_about_a_plan_that_is_over_came_too_late() {
    let heal = rolls(1, Remedy::Restart, &["a"]);
    let history =
        folded([recorded(&heal), ended(&heal, PlanStatus::Done), ended(&heal, PlanStatus::Cancelled)]);
    assert_eq!(history.heals[&replica("a")][0].status, PlanStatus::Done);
}

#[test]
fn the_guard_of_a_goal_stands_until_its_changes_are_taken_back() {
    let guard = Policy { strikes: 9, ..Policy::default() };
    let guarded = match begun("g", 8, 9) {
        Body::GoalBegun { goal, base, to, state_hash, pace, restart, adds, edits, .. } => {
            let guard = Some(Box::new(guard.clone()));
            Body::GoalBegun { goal, base, to, state_hash, pace, restart, guard, adds, edits }
        }
        other => other,
    };
    let mut record = Record::default();
    for body in [term(), stable(7), guarded, over("g", GoalStatus::Withdrawn)] {
        record.write(body);
        let history = watchdog_core::history::History::replay(&record.entries);
        let stands = history.rollout.is_some() || history.undoing.is_some();
        assert_eq!(history.guard(), stands.then_some(&guard));
    }
    record.write(crate::fold_goals::undone(Some("g")));
    assert_eq!(watchdog_core::history::History::replay(&record.entries).guard(), None);
}

#[test]
fn one_that_was_declared_anew_and_was_well_is_missed_whatever_goal_takes_over() {
    let adds = |name: &str, (base, to)| match begun(name, base, to) {
        Body::GoalBegun { goal, base, to, state_hash, pace, restart, guard, edits, .. } => {
            let adds = [replica("a")].into();
            Body::GoalBegun { goal, base, to, state_hash, pace, restart, guard, adds, edits }
        }
        other => other,
    };
    let look = Act::Probe { incarnation: life(1), version: Version(9), state_hash: state("v9") };
    let looks = plan("a", Remedy::Roll, look);
    let seen = |outcome| [recorded(&looks), intended(&looks), closed(&looks, outcome)];
    let born = || [stable(7), adds("g", (8, 9))].into_iter();
    let next = || [over("g", GoalStatus::Superseded), begun("next", 9, 10)].into_iter();
    let again = || [over("g", GoalStatus::Superseded), adds("next", (9, 10))].into_iter();
    let table: Vec<(&str, Vec<Body>, bool)> = vec![
        // story | record | whether it is a newborn, which nobody misses
        ("declared", born().collect(), true),
        ("seen well", born().chain(seen(Outcome::Done)).collect(), false),
        ("seen ill", born().chain(seen(Outcome::Failed)).collect(), true),
        ("seen well, then another goal", born().chain(seen(Outcome::Done)).chain(next()).collect(), false),
        ("another goal, and never seen well", born().chain(next()).collect(), true),
        ("declared anew once more", born().chain(seen(Outcome::Done)).chain(again()).collect(), true),
    ];
    for (story, record, newborn) in table {
        assert_eq!(folded(record).is_newborn(&replica("a")), newborn, "{story}");
    }
}
