//! Lives: what is remembered of them stands in the order of the record, and no safety fact is dropped.

use watchdog_core::history::{History, LIVES_KEPT};
use watchdog_core::ids::{Incarnation, Time};
use watchdog_core::observation::Obituary;
use watchdog_core::plan::{Outcome, PlanStatus};
use watchdog_core::record::Body;

use crate::fold::{Record, closed, ended, folded, intended, planned, recorded, start, term};
use crate::world::{life, obituary, replica};

/// A life named `bits` is ordered and begins.
fn born(record: &mut Record, count: u64, bits: u128) {
    let plan = planned(1, count, start(bits));
    record.write(recorded(&plan)).write(intended(&plan)).write(closed(&plan, Outcome::Done));
    record.write(ended(&plan, PlanStatus::Done));
}

fn died(bits: u128, stamp: u64) -> Body {
    Body::Died { obituary: obituary("a", bits, "h1", Time(stamp)) }
}

fn names(history: &History) -> Vec<Incarnation> {
    history.lives[&replica("a")].iter().map(|life| life.incarnation).collect()
}

#[test]
fn a_life_just_started_is_remembered_whatever_its_name_says() {
    let mut record = Record::default();
    record.write(term());
    // An earlier leader, whose clock was hours ahead, named these.
    for count in 0..2 * LIVES_KEPT as u64 {
        born(&mut record, count + 1, 1_000_000 + u128::from(count));
        record.write(died(1_000_000 + u128::from(count), 10 * count));
    }
    record.write(term());
    born(&mut record, 900, 5);
    let history = record.history();
    let newest = history.lives[&replica("a")].back().unwrap();
    assert_eq!((newest.incarnation, newest.obituary.is_some()), (life(5), false));
    assert!(history.is_ours(&replica("a"), life(5)));
    assert_eq!(history.newest_name, Some(life(1_000_000 + 2 * LIVES_KEPT as u128 - 1)));
}

#[test]
fn who_is_not_proven_dead_is_never_forgotten() {
    let mut record = Record::default();
    record.write(term());
    born(&mut record, 1, 7);
    for count in 0..5 * LIVES_KEPT as u64 {
        born(&mut record, count + 2, 100 + u128::from(count));
        record.write(died(100 + u128::from(count), 10 * count));
    }
    let history = record.history();
    assert_eq!(names(&history).len(), LIVES_KEPT + 1);
    assert_eq!(names(&history)[0], life(7));
    assert!(history.is_succeeded(&replica("a"), life(7)));
}

#[test]
fn a_death_that_was_forgotten_is_not_told_of_again() {
    let mut record = Record::default();
    record.write(term());
    for count in 0..3 * LIVES_KEPT as u64 {
        born(&mut record, count + 1, 500 - u128::from(count));
        record.write(died(500 - u128::from(count), 1_000 + count));
    }
    let history = record.history();
    let at = |bits, on, stamp| obituary("a", bits, on, Time(stamp));
    let table = [
        ("remembered", at(500 - 47, "h1", 1_047), true),
        ("forgotten, and still in the group", at(500, "h1", 1_000), true),
        ("a stranger that died since", at(900, "h1", 1_048), false),
        ("another host, whose clock says nothing about this one", at(901, "h2", 3), false),
    ];
    for (story, obituary, known) in table {
        assert_eq!(history.knows_death(&obituary), known, "{story}");
    }
}

/// What is told, the record of it, and the lives that are seen, the newest first.
type Row = (&'static str, Vec<Vec<Body>>, Vec<u128>);

#[test]
fn which_life_is_the_newest_is_said_by_the_record() {
    let dead = |bits| died(bits, 50);
    let begun = |bits| {
        let plan = planned(1, u64::try_from(bits).unwrap(), start(bits));
        vec![recorded(&plan), intended(&plan), closed(&plan, Outcome::Done), ended(&plan, PlanStatus::Done)]
    };
    let table: [Row; 5] = [
        // story | record | lives that are seen, the newest first
        ("ordered later", vec![begun(9), vec![dead(9)], begun(5)], vec![5, 9]),
        ("a stranger that runs beside ours came before it", vec![begun(5)], vec![5, 9]),
        ("a stranger after one that died came after it", vec![begun(9), vec![dead(9)]], vec![4, 9]),
        ("a stranger's death tells nothing of ours", vec![begun(5), vec![dead(9)]], vec![5, 9]),
        ("strangers that died stand as it was told", vec![vec![dead(9)], vec![dead(3)]], vec![3, 9]),
    ];
    for (story, bodies, order) in table {
        let history = folded(bodies.into_iter().flatten());
        let ranks: Vec<usize> =
            order.iter().map(|bits| history.rank(&replica("a"), (life(*bits), None))).collect();
        assert!(ranks.is_sorted_by(|newer, older| newer > older), "{story}: {ranks:?}");
    }
}

#[test]
fn a_life_that_was_forgotten_is_older_than_all() {
    let mut record = Record::default();
    record.write(term());
    for count in 0..2 * LIVES_KEPT as u64 {
        born(&mut record, count + 1, 500 - u128::from(count));
        record.write(died(500 - u128::from(count), 1_000 + count));
    }
    let history = record.history();
    let first: Obituary = obituary("a", 500, "h1", Time(1_000));
    let rank = |bits, obituary| history.rank(&replica("a"), (life(bits), obituary));
    assert!(rank(500, Some(&first)) < rank(500 - 31, None));
    assert!(
        names(&history).iter().all(|it| history.rank(&replica("a"), (*it, None)) > rank(500, Some(&first)))
    );
}
