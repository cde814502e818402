//! Fold goals: stories of goals in the record, and what history makes of them.

use std::collections::BTreeSet;

use watchdog_core::finding::{FaultKind, Subject};
use watchdog_core::goal::errand::{Errand, errand};
use watchdog_core::goal::{Goal, GoalStatus, Pace, PaceWish};
use watchdog_core::history::History;
use watchdog_core::ids::{Epoch, GoalId, PlanId, ReplicaId, Time, Version};
use watchdog_core::plan::{Act, Heal, Plan, PlanStatus, Step};
use watchdog_core::policy::{Policy, Remedy};
use watchdog_core::record::{Body, Entry, Mark};
use watchdog_core::state::Hash;

use crate::fold::{Record, ended, folded, recorded, term};
use crate::world::{host, life, plan, replica, state};

fn goal(name: &str) -> GoalId {
    name.parse().unwrap()
}

pub(crate) fn declared(name: &str, supersede: bool) -> Body {
    let spec = Goal { restart: true, ..Goal::default() };
    Body::GoalDeclared { goal: goal(name), request: name.to_owned(), spec, supersede, may_loosen: true }
}

pub(crate) fn begun(name: &str, base: u64, to: u64) -> Body {
    begun_under(name, (base, to), None)
}

fn begun_under(name: &str, (base, to): (u64, u64), guard: Option<Policy>) -> Body {
    Body::GoalBegun {
        goal: goal(name),
        base: Version(base),
        to: Version(to),
        state_hash: state(&format!("v{to}")),
        pace: Pace::resolve(&PaceWish::default(), &Policy::default()),
        restart: false,
        guard: guard.map(Box::new),
        adds: BTreeSet::new(),
        edits: BTreeSet::new(),
    }
}

pub(crate) fn over(name: &str, status: GoalStatus) -> Body {
    Body::GoalEnded { goal: goal(name), status, why: "it is told".to_owned() }
}

pub(crate) fn stable(version: u64) -> Body {
    mark(version, Mark::Stable)
}

pub(crate) fn mark(version: u64, mark: Mark) -> Body {
    let state_hash = Some(state(&format!("v{version}")));
    Body::Marked { version: Version(version), mark, state_hash, why: "it is told".to_owned() }
}

pub(crate) fn undone(name: Option<&str>) -> Body {
    Body::Undone { goal: name.map(goal), to: Version(99), changes: 2 }
}

pub(crate) fn released(target: &str) -> Body {
    Body::Released { target: target.to_owned() }
}

/// The `count`th plan, that brings each of `names` to a candidate or tries it on the stable version.
pub(crate) fn rolls(count: u64, remedy: Remedy, names: &[&str]) -> Plan {
    let id = PlanId::numbered(Epoch(1), count);
    let mut rolls =
        plan("a", remedy, Act::Probe { incarnation: life(1), version: Version(9), state_hash: state("v9") });
    let heal = |name: &&str| Heal { replica: replica(name), ..rolls.heals[0].clone() };
    let step = |(index, name): (usize, &&str)| Step {
        id: id.step(index),
        replica: Some(replica(name)),
        act: Act::Start { host: host("h1"), incarnation: life(40 + index as u128), version: Version(9) },
        ..rolls.steps[0].clone()
    };
    let (heals, steps) = (names.iter().map(heal).collect(), names.iter().enumerate().map(step).collect());
    (rolls.heals, rolls.steps, rolls.id) = (heals, steps, id);
    rolls
}

pub(crate) fn with(plan: &Plan, status: PlanStatus) -> Body {
    Body::PlanRecorded { plan: plan.clone(), status }
}

pub(crate) fn names<'a>(replicas: impl Iterator<Item = &'a ReplicaId>) -> String {
    replicas.map(ReplicaId::as_str).collect::<Vec<_>>().join(" ")
}

fn hashes(versions: &[u64]) -> Vec<Hash> {
    let mut hashes: Vec<Hash> = versions.iter().map(|version| state(&format!("v{version}"))).collect();
    hashes.sort();
    hashes
}

#[test]
fn goals_wait_roll_and_end() {
    type Row = (GoalStatus, Option<Mark>, bool, &'static [u64]);
    let start = || vec![stable(7), declared("g", false)];
    let history = folded(start());
    assert_eq!(
        (history.pending.len(), history.pending[0].by.as_str(), history.pending[0].at),
        (1, "ann", Time(3_000))
    );
    let next = Errand::Begin { goal: history.pending[0].clone(), over: None };
    assert_eq!(errand(&history), Some(next));

    let rolling = folded(start().into_iter().chain([begun("g", 8, 9)]));
    let rollout = rolling.rollout.as_ref().unwrap();
    assert_eq!((rollout.base, rollout.to, rollout.started_at), (Version(8), Version(9), Time(4_000)));
    assert!(rolling.pending.is_empty() && errand(&rolling).is_none());
    assert_eq!(rolling.marks[&Version(9)], Mark::Candidate);

    let table: [Row; 4] = [
        // how it ends | the mark of its candidate | rolls on | what is given up
        (GoalStatus::Achieved, Some(Mark::Candidate), false, &[]),
        (GoalStatus::Rejected, None, false, &[9]),
        (GoalStatus::Withdrawn, None, false, &[9]),
        // Until the goal that took over begins, this one is what rolls.
        (GoalStatus::Superseded, Some(Mark::Candidate), true, &[]),
    ];
    for (status, candidate, rolls_on, given_up) in table {
        let history = folded(start().into_iter().chain([begun("g", 8, 9), over("g", status)]));
        assert_eq!(history.marks.get(&Version(9)).copied(), candidate, "{status}");
        assert_eq!(history.rollout.is_some(), rolls_on, "{status}");
        assert_eq!(history.abandoned.iter().copied().collect::<Vec<_>>(), hashes(given_up), "{status}");
        assert_eq!(history.undoing.is_some(), !given_up.is_empty(), "{status}");
    }

    let withdrawn = folded(start().into_iter().chain([over("g", GoalStatus::Withdrawn)]));
    assert!(withdrawn.pending.is_empty() && withdrawn.undoing.is_none(), "nothing of it had begun");
    let other = folded(start().into_iter().chain([
        begun("g", 8, 9),
        declared("x", false),
        over("x", GoalStatus::Withdrawn),
    ]));
    assert!(other.rollout.is_some() && other.undoing.is_none(), "another one ended");
}

#[test]
fn what_a_rejected_goal_did_is_taken_back_before_the_next_begins() {
    let story = || {
        vec![
            stable(7),
            begun("g", 8, 9),
            declared("next", false),
            mark(9, Mark::Rejected),
            over("g", GoalStatus::Rejected),
        ]
    };
    let history = folded(story());
    assert_eq!((history.stable, history.marks[&Version(9)]), (Some(Version(7)), Mark::Rejected));
    let undoing = history.undoing.clone().unwrap();
    assert_eq!((undoing.goal.as_ref(), undoing.base), (Some(&goal("g")), Version(8)));
    assert_eq!(errand(&history), Some(Errand::Undo(undoing)));

    let other = folded(story().into_iter().chain([undone(None)]));
    assert!(other.undoing.is_some(), "something else was taken back");
    let history = folded(story().into_iter().chain([undone(Some("g"))]));
    assert!(matches!(errand(&history), Some(Errand::Begin { over: None, .. })));

    let again = folded(story().into_iter().chain([undone(Some("g")), begun("next", 12, 9)]));
    assert!(again.abandoned.is_empty(), "the next one wants that very state");
}

#[test]
fn a_goal_that_takes_over_inherits_base_guard_and_what_replicas_hold() {
    let guard = Policy { strikes: 9, ..Policy::default() };
    let roll = rolls(1, Remedy::Roll, &["a"]);
    let story = || {
        vec![
            stable(7),
            begun_under("g", (8, 9), Some(guard.clone())),
            recorded(&roll),
            declared("late", false),
            declared("next", true),
        ]
    };
    let history = folded(story());
    let Some(Errand::Begin { goal: next, over: before }) = errand(&history) else { panic!("it begins") };
    assert_eq!(
        (next.goal, before),
        (goal("next"), Some(goal("g"))),
        "who takes over need not wait for its turn"
    );

    let taken = || story().into_iter().chain([over("g", GoalStatus::Superseded), begun("next", 9, 10)]);
    let history = folded(taken());
    let rollout = history.rollout.as_ref().unwrap();
    assert_eq!((&rollout.goal, rollout.base, rollout.to), (&goal("next"), Version(8), Version(10)));
    assert_eq!(rollout.earlier.iter().copied().collect::<Vec<_>>(), hashes(&[9]));
    assert_eq!(rollout.guard.as_deref(), Some(&guard));
    assert!(rollout.moved.is_empty() && !history.marks.contains_key(&Version(9)));
    assert_eq!(history.forgiven[&replica("a")], Time(8_000), "its tries were on a version that is gone");
    let waiting: Vec<&str> = history.pending.iter().map(|pending| pending.goal.as_str()).collect();
    assert_eq!(waiting, ["late"], "who did not ask to take over waits on");

    let third = folded(taken().chain([over("next", GoalStatus::Superseded), begun("third", 10, 9)]));
    let rollout = third.rollout.as_ref().unwrap();
    assert_eq!(
        rollout.earlier.iter().copied().collect::<Vec<_>>(),
        hashes(&[10]),
        "what it wants is no earlier state"
    );

    let rejected = folded(taken().chain([over("next", GoalStatus::Rejected)]));
    assert_eq!(
        rejected.abandoned.iter().copied().collect::<Vec<_>>(),
        hashes(&[9, 10]),
        "all that led here is left"
    );
    assert_eq!(rejected.undoing.unwrap().base, Version(8));
}

#[test]
fn a_stable_version_that_is_doubted_gives_way_to_another_state() {
    let same = |version: u64, of: &str| Body::Marked {
        version: Version(version),
        mark: Mark::Stable,
        state_hash: Some(state(of)),
        why: String::new(),
    };
    let doubted = |bodies: Vec<Body>| folded(bodies.into_iter().chain([mark(9, Mark::Rejected)]));
    let history = doubted(vec![stable(5), stable(9)]);
    assert_eq!((history.stable, history.stable_at), (Some(Version(5)), Time(4_000)));
    assert_eq!(history.abandoned.iter().copied().collect::<Vec<_>>(), hashes(&[9]));
    let undoing = history.undoing.clone().unwrap();
    assert_eq!((undoing.goal.clone(), undoing.base), (None, Version(9)));
    assert_eq!(errand(&history), Some(Errand::Undo(undoing)));
    assert!(doubted(vec![stable(5), stable(9), undone(None)]).undoing.is_some());
    let back = folded([stable(5), stable(9), mark(9, Mark::Rejected), undone(None)]);
    assert!(back.undoing.is_none());
    let twice = doubted(vec![stable(5), same(7, "v9"), stable(9)]);
    assert_eq!(twice.stable, Some(Version(5)), "the same state is no way out");
    assert_eq!(doubted(vec![stable(9)]).stable, None);
    assert!(doubted(vec![stable(9)]).undoing.is_none(), "there is nothing to return to");
    let other = folded([stable(5), stable(9), mark(8, Mark::Rejected)]);
    assert_eq!((other.stable, other.undoing), (Some(Version(9)), None));
    let again = folded([stable(5), stable(9), mark(9, Mark::Rejected), undone(None), stable(9)]);
    assert!(again.abandoned.is_empty(), "what is proven again is not given up any more");
}

#[test]
fn what_a_human_declined_is_asked_again_when_it_is_about_something_else() {
    type Row = (&'static str, Body, bool);
    let roll = rolls(1, Remedy::Roll, &["a"]);
    let asked = PlanStatus::AwaitingApproval;
    let no =
        || [stable(7), begun("g", 8, 9), with(&roll, asked), ended(&roll, PlanStatus::Cancelled)].into_iter();
    let key = History::declined_key(Some(&replica("a")), Remedy::Roll);
    assert!(folded(no()).declined.contains_key(&key));
    let stopped = folded([stable(7), begun("g", 8, 9), recorded(&roll), ended(&roll, PlanStatus::Cancelled)]);
    assert!(stopped.declined.is_empty(), "to stop one that runs is no answer to a question");
    let cleared = |fault| Body::Cleared { subject: Subject::Replica(replica("a")), fault };
    let table: [Row; 5] = [
        ("another replica is released", released("b"), true),
        ("it is released", released("a"), false),
        ("a fault of it is gone", cleared(FaultKind::Exited), false),
        ("the goal is over", over("g", GoalStatus::Withdrawn), false),
        ("another goal takes over", begun("next", 9, 10), false),
    ];
    for (story, body, stands) in table {
        assert_eq!(folded(no().chain([body])).declined.contains_key(&key), stands, "{story}");
    }
}

#[test]
fn the_same_state_is_never_given_up_with_a_goal() {
    let restart = Body::GoalBegun {
        goal: goal("g"),
        base: Version(8),
        to: Version(8),
        state_hash: state("v7"),
        pace: Pace::resolve(&PaceWish::default(), &Policy::default()),
        restart: true,
        guard: None,
        adds: BTreeSet::new(),
        edits: BTreeSet::new(),
    };
    let history = folded([stable(7), restart, over("g", GoalStatus::Withdrawn)]);
    assert!(history.abandoned.is_empty());
    assert_eq!((history.stable, history.marks.len()), (Some(Version(7)), 1));
}

#[test]
fn what_replicas_should_hold_changed_when_the_record_says_so() {
    let (roll, heal) = (rolls(1, Remedy::Roll, &["a"]), rolls(2, Remedy::Restart, &["a"]));
    let bodies = [
        // what is written | whether all replicas must be looked at again
        (stable(7), true),
        (declared("g", false), false),
        (begun("g", 8, 9), true),
        (recorded(&roll), true),
        (ended(&roll, PlanStatus::Done), false),
        (recorded(&heal), false),
        (over("g", GoalStatus::Rejected), true),
        (undone(Some("g")), true),
        (undone(Some("g")), false),
    ];
    let mut record = Record::default();
    record.write(term());
    let mut history = History::replay(&record.entries);
    for (body, aims) in bodies {
        let before = history.aimed_at;
        record.write(body.clone());
        history.apply(record.entries.last().unwrap());
        assert_eq!(history.aimed_at != before, aims, "{body:?}");
    }
}

#[test]
fn old_records_and_old_histories_are_still_read() {
    let old = serde_json::json!({
        "sequence": 2, "at": 5, "epoch": 1, "by": "w1",
        "body": {"kind": "marked", "version": 7, "mark": "stable", "why": "soaked"}
    });
    let entry: Entry = serde_json::from_value(old).unwrap();
    let mut history = History::default();
    history.apply(&entry);
    assert_eq!((history.stable, history.marked_hashes.len()), (Some(Version(7)), 0));
    assert!(history.stable_before().is_none(), "what is not known is no way out");

    let mut told = serde_json::to_value(&history).unwrap();
    let fields = told.as_object_mut().unwrap();
    for new in
        ["marked_hashes", "stable_at", "pending", "rollout", "undoing", "abandoned", "aimed_at", "declined"]
    {
        assert!(fields.remove(new).is_some(), "{new}");
    }
    let read: History = serde_json::from_value(told).unwrap();
    assert_eq!((read.stable, read.rollout, read.pending.len()), (Some(Version(7)), None, 0));
}
