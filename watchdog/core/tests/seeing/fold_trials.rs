//! Fold trials: stories of replicas that are moved, fail there and are tried on the stable version.

use watchdog_core::finding::{Conviction, FaultKind, Subject};
use watchdog_core::history::History;
use watchdog_core::ids::Time;
use watchdog_core::plan::{Outcome, Plan, PlanStatus};
use watchdog_core::policy::Remedy;
use watchdog_core::record::Body;

use crate::fold::{closed, ended, exited, folded, recorded};
use crate::fold_goals::{begun, names, released, rolls, stable, with};
use crate::world::{host, replica};

fn closed_at(plan: &Plan, index: usize, outcome: Outcome) -> Body {
    Body::Closed {
        plan: plan.id.clone(),
        step: plan.steps[index].id.clone(),
        outcome,
        error: Some("no luck".into()),
        blame: None,
    }
}

fn convicted(name: &str, kind: FaultKind, since: u64) -> Body {
    let mut conviction: Conviction = exited();
    conviction.finding.kind = kind;
    conviction.finding.subject = Subject::Replica(replica(name));
    conviction.since = Time(since);
    Body::Convicted { conviction }
}

#[test]
fn moves_and_trials_count_from_the_moment_that_their_plan_runs() {
    type Row = (&'static str, Vec<Body>, &'static str, &'static str, &'static str);
    let (roll, trial) = (rolls(1, Remedy::Roll, &["a", "b"]), rolls(2, Remedy::Trial, &["b"]));
    let again = rolls(3, Remedy::Roll, &["b"]);
    let asked = PlanStatus::AwaitingApproval;
    let table: Vec<Row> = vec![
        // story | record | moved | on trial | failures that were tolerated
        ("rolled", vec![recorded(&roll)], "a b", "", ""),
        ("asked about", vec![with(&roll, asked)], "", "", ""),
        ("approved", vec![with(&roll, asked), ended(&roll, PlanStatus::Running)], "a b", "", ""),
        ("declined", vec![with(&roll, asked), ended(&roll, PlanStatus::Cancelled)], "", "", ""),
        ("its order failed", vec![recorded(&roll), ended(&roll, PlanStatus::Failed)], "a b", "", ""),
        (
            "superseded, for all that it did",
            vec![recorded(&roll), ended(&roll, PlanStatus::Superseded)],
            "a b",
            "",
            "",
        ),
        ("tried on stable", vec![recorded(&roll), recorded(&trial)], "a b", "b", ""),
        ("and moved again", vec![recorded(&roll), recorded(&trial), recorded(&again)], "a b", "", "b"),
    ];
    for (story, bodies, moved, on_trial, failures) in table {
        let history = folded([stable(7), begun("g", 8, 9)].into_iter().chain(bodies));
        let rollout = history.rollout.unwrap();
        let seen =
            (names(rollout.moved.keys()), names(rollout.trials.keys()), names(rollout.failures.iter()));
        assert_eq!(seen, (moved.to_owned(), on_trial.to_owned(), failures.to_owned()), "{story}");
    }
    assert!(folded([stable(7), recorded(&roll)]).rollout.is_none(), "without a goal nobody is moved");
    let history =
        folded([stable(7), begun("g", 8, 9), with(&roll, asked), ended(&roll, PlanStatus::Running)]);
    assert_eq!(history.forgiven[&replica("b")], Time(5_000), "a version gets its own tries");
}

#[test]
fn a_trial_ends_as_its_own_steps_do() {
    type Row = (&'static str, Vec<Body>, &'static str);
    let roll = rolls(1, Remedy::Roll, &["a", "b"]);
    let both = rolls(2, Remedy::Trial, &["a", "b"]);
    let failed =
        |story: [Body; 2]| story.into_iter().chain([ended(&both, PlanStatus::Failed)]).collect::<Vec<_>>();
    let close = |index, outcome| closed_at(&both, index, outcome);
    let table: Vec<Row> = vec![
        // story | record after the trials were ordered | how it is with b
        ("under way", vec![], "open"),
        ("done", vec![ended(&both, PlanStatus::Done)], "well"),
        (
            "it failed",
            failed([close(0, Outcome::Done), close(1, Outcome::Failed)]),
            "failed: start b on h1 with v9: no luck",
        ),
        ("the other one failed", failed([close(0, Outcome::Failed), close(1, Outcome::Done)]), "well"),
        ("nobody knows", failed([close(0, Outcome::Done), close(1, Outcome::Unknown)]), "open"),
        ("it was never begun", failed([close(0, Outcome::Done), close(1, Outcome::Never)]), "open"),
        ("a new leader", vec![ended(&both, PlanStatus::Superseded)], "open"),
        ("an operator stopped it", vec![ended(&both, PlanStatus::Cancelled)], "open"),
        (
            "it falls ill again",
            vec![ended(&both, PlanStatus::Done), convicted("b", FaultKind::Exited, 7_000)],
            "failed: exited: exit 1",
        ),
        (
            "the other one does",
            vec![ended(&both, PlanStatus::Done), convicted("a", FaultKind::Exited, 7_000)],
            "well",
        ),
        (
            "it runs where it may not",
            vec![ended(&both, PlanStatus::Done), convicted("b", FaultKind::Misplaced, 7_000)],
            "well",
        ),
        (
            "it runs twice",
            vec![ended(&both, PlanStatus::Done), convicted("b", FaultKind::Duplicate, 7_000)],
            "well",
        ),
        (
            "how often it died",
            vec![ended(&both, PlanStatus::Done), convicted("b", FaultKind::Flapping, 7_000)],
            "well",
        ),
        (
            "what it was convicted of before",
            vec![convicted("b", FaultKind::Exited, 4_000), ended(&both, PlanStatus::Done)],
            "well",
        ),
        (
            "it falls ill while the other is waited for",
            vec![convicted("b", FaultKind::Exited, 6_000), ended(&both, PlanStatus::Done)],
            "failed: exited: exit 1",
        ),
    ];
    for (story, bodies, expected) in table {
        let history =
            folded([stable(7), begun("g", 8, 9), recorded(&roll), recorded(&both)].into_iter().chain(bodies));
        let trial = history.rollout.unwrap().trials[&replica("b")].clone();
        let told = match (&trial.failed, trial.well_at) {
            (Some(why), _) => format!("failed: {why}"),
            (None, Some(_)) => "well".to_owned(),
            (None, None) => "open".to_owned(),
        };
        assert_eq!((told.as_str(), trial.host), (expected, Some(host("h1"))), "{story}");
    }
}

#[test]
fn whoever_looked_after_a_failed_trial_releases_it() {
    let (roll, trial) = (rolls(1, Remedy::Roll, &["a", "b"]), rolls(2, Remedy::Trial, &["b"]));
    let failed = || {
        [
            stable(7),
            begun("g", 8, 9),
            recorded(&roll),
            recorded(&trial),
            closed(&trial, Outcome::Failed),
            ended(&trial, PlanStatus::Failed),
        ]
        .into_iter()
    };
    let held = |history: &History| history.rollout.as_ref().unwrap().held().is_some();
    assert!(held(&folded(failed())));
    for (target, still_held) in [("b", false), ("h1", false), ("a", true), ("h2", true)] {
        let history = folded(failed().chain([released(target)]));
        assert_eq!(held(&history), still_held, "{target}");
        let before = history.was_released_since(&replica("b"), Time(1_000));
        let acted = history.witness.acted.contains(&replica("b"));
        assert_eq!((before, acted), (!still_held, still_held), "{target}: nothing is held against it");
        let rollout = history.rollout.unwrap();
        assert_eq!(rollout.moved.contains_key(&replica("b")), still_held, "{target}: it is moved anew");
        assert!(rollout.failures.is_empty());
    }
    let well =
        [stable(7), begun("g", 8, 9), recorded(&roll), recorded(&trial), ended(&trial, PlanStatus::Done)];
    let history = folded(well.into_iter().chain([released("b")]));
    assert!(history.rollout.unwrap().trials.contains_key(&replica("b")), "a trial that goes well goes on");
}
