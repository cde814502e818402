//! Steady: since when a life has been as it is, by the clock of who watches.

use watchdog_core::condition::{is_healthy, is_serving};
use watchdog_core::ids::Time;
use watchdog_core::observation::{Health, Life, Probed, ReplicaSeen};

use crate::world::{host, life, member, process, state};

/// What is done to a life between two looks.
type Turn = fn(&mut Life);
/// What it tells, when each turn was seen, and since when it is steady then.
type Story<'a> = (&'a str, &'a [(u64, Turn)], u64);

fn seen(with: Turn) -> ReplicaSeen {
    let mut fine = Life { process: Some(process()), member: Some(member()), ..Life::on(host("h1")) };
    with(&mut fine);
    ReplicaSeen { lives: [(life(1), fine)].into(), ..ReplicaSeen::default() }
}

fn watched(turns: &[(u64, Turn)]) -> ReplicaSeen {
    let mut before: Option<ReplicaSeen> = None;
    for (at, turn) in turns {
        let mut now = seen(*turn);
        now.carry_over(before.as_ref(), Time(*at));
        before = Some(now);
    }
    before.unwrap()
}

#[test]
fn whoever_changed_is_steady_from_then_on() {
    let fine: Turn = |_| {};
    let table: [Story; 7] = [
        ("first sight", &[(10, fine)], 10),
        ("unchanged", &[(10, fine), (20, fine), (30, fine)], 10),
        ("unhealthy for a while", &[(10, fine), (20, |it| unwell(it)), (30, fine), (40, fine)], 30),
        (
            "its probe failed for a while",
            &[(10, fine), (20, |it| probed(it, Probed::Failing)), (30, fine)],
            30,
        ),
        ("another state", &[(10, |it| holds(it, "other")), (20, fine), (30, fine)], 20),
        ("out of the group for a while", &[(10, fine), (20, |it| it.member = None), (30, fine)], 30),
        (
            "its stamps move, and it does not",
            &[(10, fine), (20, |it| it.member.as_mut().unwrap().stamp = Time(9_999_999))],
            10,
        ),
    ];
    for (story, turns, since) in table {
        assert_eq!(watched(turns).lives[&life(1)].steady_since, Time(since), "{story}");
    }
    let mut broken = watched(&[(10, fine), (20, fine)]);
    broken.unwatched();
    let mut again = seen(fine);
    again.carry_over(Some(&broken), Time(50));
    assert_eq!(again.lives[&life(1)].steady_since, Time(50), "nobody looked meanwhile");
    assert!(again.embeds);
}

#[test]
fn of_one_that_left_the_group_nobody_knows_what_it_holds() {
    let fine: Turn = |_| {};
    let gone = watched(&[(10, fine), (20, |it| it.member = None)]);
    let gone = &gone.lives[&life(1)];
    assert!(gone.is_mute && is_serving(gone) && !is_healthy(gone));
    let never = watched(&[(10, |it| it.member = None), (20, |it| it.member = None)]);
    let never = &never.lives[&life(1)];
    assert!(!never.is_mute && is_healthy(never), "a program that embeds nothing is asked by its probe");
}

fn unwell(life: &mut Life) {
    life.member.as_mut().unwrap().health = Health::Unhealthy;
}

fn probed(life: &mut Life, probe: Probed) {
    life.process.as_mut().unwrap().probe = probe;
}

fn holds(life: &mut Life, what: &str) {
    life.member.as_mut().unwrap().loaded.state_hash = state(what);
}
