//! Clocks: a host whose clock is a day ahead or behind is told of like any other.

use watchdog_core::assess::{Scope, assess};
use watchdog_core::finding::FaultKind;
use watchdog_core::history::History;
use watchdog_core::ids::Time;
use watchdog_core::observation::{Health, Life, MemberSeen, Probed, ProcessSeen, ReplicaSeen};
use watchdog_core::record::Body;

use crate::fold::{Record, term};
use crate::world::{NOW, World, ago, host, life, member, obituary, process, replica};

const DAY_MS: u64 = 86_400_000;

/// What a clock shows that is so far off, the other way when it is `ahead`; the first of all moments when it can't.
fn shows(at: Time, off_ms: u64, ahead: bool) -> Time {
    if ahead { at.plus_ms(off_ms) } else { Time(at.0.saturating_sub(off_ms).max(1)) }
}

/// `a` turned `ms` ago to what it is now, as its own clock and that of its host stamped it.
fn turned(world: &mut World, ms: u64, stamp: Time, turn: fn(&mut ProcessSeen, &mut MemberSeen)) {
    let mut before: Option<ReplicaSeen> = None;
    for (at, is_turned) in [(ago(ms + 50), false), (ago(ms), true), (NOW, true)] {
        let (mut process, mut member) = (process(), member());
        if is_turned {
            turn(&mut process, &mut member);
            (process.stamp, member.stamp) = (stamp, stamp);
        }
        let alive = Life { process: Some(process), member: Some(member), ..Life::on(host("h1")) };
        let mut now = ReplicaSeen { look: 5, lives: [(life(1), alive)].into(), ..ReplicaSeen::default() };
        now.carry_over(before.as_ref(), at);
        before = Some(now);
    }
    world.observation.replicas.insert(replica("a"), before.unwrap());
}

#[test]
fn what_a_wrong_clock_stamped_is_measured_by_ours() {
    type Turn = fn(&mut ProcessSeen, &mut MemberSeen);
    let starts: Turn = |_, member| member.health = Health::Starting;
    let drains: Turn = |_, member| member.health = Health::Draining;
    let loads: Turn = |_, member| member.health = Health::Loading;
    let ends: Turn = |process, _| process.stopping = true;
    let fails: Turn = |process, member| {
        (process.probe, member.health) = (Probed::Failing, Health::Starting);
    };
    let table: [(&str, Turn, u64, &str); 10] = [
        // story | what `a` turned to | how long ago, ms | what is found
        ("it comes up", starts, 1_000, ""),
        ("it does not come up", starts, 41_000, "a unhealthy"),
        ("it comes up, and its probe fails so long", fails, 1_000, ""),
        ("its probe fails when it should be up", fails, 41_000, "a unresponsive, a unhealthy"),
        ("it drains for a moment", drains, 1_000, ""),
        ("it drains, and nobody asked for that", drains, 31_000, "a unhealthy"),
        ("it loads for a moment", loads, 1_000, ""),
        ("it loads on and on", loads, 61_000, "a unhealthy"),
        ("it was told to end", ends, 1_000, ""),
        ("it was told to end and does not", ends, 16_000, "a unresponsive"),
    ];
    for (story, turn, ms, expected) in table {
        for (off_ms, ahead) in [(0, true), (DAY_MS, true), (DAY_MS, false)] {
            let mut world = World::healthy();
            turned(&mut world, ms, shows(ago(ms), off_ms, ahead), turn);
            assert_eq!(world.findings(), expected, "{story}, {off_ms} ms ahead: {ahead}");
        }
    }
}

#[test]
fn deaths_are_counted_from_when_they_were_recorded() {
    let table = [
        // by how much the clock of its host is off, ms | ahead | how long after the deaths, ms | it flaps
        (0, true, 5_000, true),
        (DAY_MS, true, 5_000, true),
        (DAY_MS, false, 5_000, true),
        (0, true, 130_000, false),
        (DAY_MS, true, 130_000, false),
        (DAY_MS, true, DAY_MS / 2, false),
    ];
    for (off_ms, ahead, later_ms, flaps) in table {
        let mut record = Record::default();
        record.write(term());
        for bits in 101..=105_u32 {
            let stamp = shows(Time(u64::from(bits) * 1_000), off_ms, ahead);
            record.write(Body::Died { obituary: obituary("a", u128::from(bits), "h1", stamp) });
        }
        let mut world = World::healthy();
        let history = History::replay(&record.entries);
        world.observation.at = history.last_at.plus_ms(later_ms);
        world.history.lives = history.lives;
        let found = assess(&world.scene(), Scope::All);
        let found = found.iter().any(|finding| finding.kind == FaultKind::Flapping);
        assert_eq!(found, flaps, "{off_ms} ms off, ahead: {ahead}, {later_ms} ms later");
    }
}

#[test]
fn a_stamp_that_moved_says_that_something_happened_in_between() {
    let seen = |stamp| {
        let member = MemberSeen { stamp, ..member() };
        let fine = Life { process: Some(process()), member: Some(member), ..Life::on(host("h1")) };
        ReplicaSeen { lives: [(life(1), fine)].into(), ..ReplicaSeen::default() }
    };
    let table = [
        // stamps at two looks, 10 and 20 | since when it is so
        (7, 7, 10),
        (7, 8, 20),
        (8, 7, 20),
        (DAY_MS, DAY_MS, 10),
    ];
    for (first, second, since) in table {
        let (mut before, mut now) = (seen(Time(first)), seen(Time(second)));
        before.carry_over(None, Time(10));
        now.carry_over(Some(&before), Time(20));
        assert_eq!(now.lives[&life(1)].member.as_ref().unwrap().since, Time(since), "{first} then {second}");
    }
}
