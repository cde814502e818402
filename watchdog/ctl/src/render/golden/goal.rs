//! Goal: goals, their progress and plans computed again, as people see them.

use serde_json::json;

use super::super::{
    GoalLines, Replayed, goal, goal_applied, goal_diff, goal_ended, goal_failed, goal_list, goal_moved,
    goal_progress, replayed,
};
use super::*;

fn replica_of_goal(letter: char, stage: &str) -> GoalReplicaView {
    GoalReplicaView { replica: format!("demo-{letter}"), stage: stage.into(), ..GoalReplicaView::default() }
}

pub(crate) fn rolling() -> GoalView {
    let loading = GoalReplicaView {
        percent: Some(45),
        progress: Some("fetching weights".into()),
        ..replica_of_goal('b', "moving")
    };
    GoalView {
        id: "fraud-model-2".into(),
        status: "rolling".into(),
        gist: "set model/fraud, remove rule/old".into(),
        reason: "fewer false alarms".into(),
        by: "alice@desk".into(),
        declared_at: "2026-05-01T11:59:00Z".into(),
        begun_at: Some("2026-05-01T11:59:01Z".into()),
        base: Some(11),
        to: Some(13),
        stage: Some("batch".into()),
        stage_detail: Some("1 of 4 replicas hold version 13; demo-b is on its way".into()),
        replicas: vec![
            replica_of_goal('a', "arrived"),
            loading,
            replica_of_goal('c', "left"),
            replica_of_goal('d', "left"),
        ],
        refusals: vec![refusal(
            Some("demo-c"),
            "touching it would disturb more than 1: already disturbed: demo-b",
        )],
        ..GoalView::default()
    }
}

pub(crate) fn soaking() -> GoalView {
    GoalView {
        stage: Some("final_soak".into()),
        stage_detail: Some("4 of 4 replicas hold version 13; all soak before it is stable".into()),
        soak_until: Some("2026-05-01T12:00:08Z".into()),
        replicas: "abcd".chars().map(|letter| replica_of_goal(letter, "arrived")).collect(),
        refusals: Vec::new(),
        ..rolling()
    }
}

fn ended(status: &str, why: &str) -> GoalView {
    GoalView {
        status: status.into(),
        why: why.into(),
        ended_at: Some("2026-05-01T12:00:08Z".into()),
        stage: None,
        stage_detail: None,
        replicas: Vec::new(),
        refusals: Vec::new(),
        ..rolling()
    }
}

#[test]
fn a_goal_is_told_in_full() {
    compare("goal-rolling", &goal(&rolling(), &paper(None)));
    let narrow = goal(&rolling(), &paper(Some(60)));
    assert!(narrow.lines().all(|line| line.chars().count() <= 60), "{narrow}");
    compare("goal-narrow", &narrow);
    compare("goal-soaking", &goal(&soaking(), &paper(None)));
    compare(
        "goal-rejected",
        &goal(&ended("rejected", "demo-b died on it 3 times, and lives on version 11"), &paper(None)),
    );
}

#[test]
fn goals_are_listed_with_what_they_ask_for() {
    let pending = GoalView { id: "goal-7".into(), base: None, to: None, ..ended("pending", "") };
    let restart = GoalView {
        id: "goal-6".into(),
        gist: "restart".into(),
        base: Some(13),
        to: Some(13),
        ..ended("achieved", "")
    };
    let reply = GoalListReply { goals: vec![pending, rolling(), restart, ended("rejected", "it died")] };
    compare("goal-list", &goal_list(&reply, &paper(None)));
    assert_eq!(goal_list(&GoalListReply::default(), &paper(None)), "No goal has been declared yet.\n");
}

#[test]
fn a_goals_difference_is_counted_and_annotated() {
    let line = |key: &str, before: Option<&str>, after: Option<&str>| DiffLine {
        operation: String::new(),
        key: key.into(),
        before_json: before.map(str::to_owned),
        after_json: after.map(str::to_owned),
    };
    let lines = vec![
        line("model/fraud", Some(r#"{"uri":"m8"}"#), Some(r#"{"uri":"m9"}"#)),
        line("rule/new", None, Some("7")),
        line("rule/old", Some("[]"), None),
    ];
    let notes =
        vec!["goal x rolls; this one would wait for its end, or take over with --supersede".to_owned()];
    let reply = GoalDiffReply { head: 14, lines, added: 1, changed: 1, removed: 1, notes };
    compare("goal-diff", &goal_diff(&reply, &paper(None)));
    let moved = goal_moved(&reply, &paper(None));
    assert!(
        moved.starts_with("The head is 14 now; on top of it the goal comes to:\n~ model/fraud\n"),
        "{moved}"
    );
    let notes = vec!["every replica would be started anew, one after the other".to_owned()];
    let nothing = GoalDiffReply { notes, ..GoalDiffReply::default() };
    assert_eq!(
        goal_diff(&nothing, &paper(None)),
        "No changes: the state is as the goal wants it.\n\
         Note: every replica would be started anew, one after the other.\n"
    );
    let applied = GoalApplyReply { id: "g".into(), status: "pending".into(), ..GoalApplyReply::default() };
    assert_eq!(goal_applied(&applied, &paper(None)), "goal g is pending.\n");
}

#[test]
fn progress_is_a_block_that_fits_or_lines_that_say_what_is_new() {
    let mut drawn = String::new();
    let mut many = rolling();
    many.replicas.extend((0..20).map(|_| replica_of_goal('x', "left")));
    let pending = GoalView { status: "pending".into(), ..ended("pending", "") };
    for view in [&pending, &rolling(), &soaking(), &many] {
        drawn += &goal_progress(view, &paper(Some(70)));
    }
    assert!(drawn.lines().all(|line| line.chars().count() < 70), "{drawn}");
    compare("goal-progress", &drawn);

    let mut lines = GoalLines::default();
    let mut further = rolling();
    further.replicas[1].percent = Some(60);
    let done = ended("achieved", "every replica has held version 13, healthy, for 10s");
    let all = [&pending, &rolling(), &further, &soaking(), &done];
    let drawn: String = all.into_iter().map(|view| lines.line(view, &paper(None))).collect();
    compare("goal-lines", &drawn);
    assert_eq!(drawn.lines().count(), 4, "percents alone are no news on paper");

    assert_eq!(
        goal_ended(&done, &paper(None)),
        "Goal fraud-model-2 is achieved: every replica has held version 13, healthy, for 10s.\n"
    );
    let rejected = ended("rejected", "demo-b died on it");
    assert_eq!(goal_ended(&rejected, &paper(None)), "");
    assert!(goal_failed(&rejected).starts_with("goal fraud-model-2 was rejected: demo-b died on it\n"));
}

#[test]
fn a_rolling_goal_stands_in_the_status() {
    let mut status = healthy();
    status.goal = Some("fraud-model-2".into());
    status.goal_stage = rolling().stage_detail;
    compare("status-rolling", &super::super::status(&status, &paper(None)));
}

#[test]
fn a_plan_shows_how_far_its_steps_are_and_whom_it_waits_for() {
    let mut view = plan_view("running");
    view.steps[2] = StepView {
        percent: Some(45),
        progress: Some("fetching weights".into()),
        finished_at: None,
        ..step("load", "running")
    };
    compare("plan-progress", &plan(&view, &paper(None)));
    let waiting = plan(&plan_view("awaiting_approval"), &paper(None));
    assert!(
        waiting
            .contains("\nIt awaits approval: watchdogctl plan approve 7-3, or watchdogctl plan reject 7-3\n"),
        "{waiting}"
    );
}

#[test]
fn a_plan_computed_again_is_the_same_or_says_where_not() {
    let recorded = json!({"id": "7-3", "steps": [{"why": "a", "kind": "load"}], "reason": "x"});
    let same = Replayed {
        id: "7-3".into(),
        same: true,
        core_version: "0.1.0".into(),
        recorded_core_version: "0.1.0".into(),
        recomputed: Some(recorded.clone()),
        recorded,
        refusals: Vec::new(),
    };
    assert_eq!(
        replayed(&same, &paper(None)),
        "The same plan: plan 7-3, computed again from its input, is the same byte for byte (core 0.1.0).\n"
    );
    let other = json!({"id": "7-3", "steps": [{"why": "b", "kind": "load"}, {"why": "c"}], "reason": "x"});
    let other =
        Replayed { same: false, recorded_core_version: "0.0.9".into(), recomputed: Some(other), ..same };
    compare("replay-differs", &replayed(&other, &paper(None)));
    let nothing = Replayed { recomputed: None, refusals: vec!["demo-b: paused".into()], ..other };
    compare("replay-nothing", &replayed(&nothing, &paper(None)));
}
