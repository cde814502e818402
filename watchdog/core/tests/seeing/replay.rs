//! Replay: folding everything at once, or bit by bit with pauses on disk, comes to the same.

use std::collections::BTreeSet;

use watchdog_core::goal::GoalStatus;
use watchdog_core::history::{History, LIVES_KEPT};
use watchdog_core::ids::{Epoch, Time};
use watchdog_core::plan::{Agent, Outcome, Plan, PlanStatus};
use watchdog_core::policy::Remedy;
use watchdog_core::record::{Body, Mark};

use crate::fold::{
    Record, closed, ended, exited, host_seen, intended, kill, marked, planned, recorded, start, term,
};
use crate::fold_goals::{begun, declared, mark, over, rolls, undone};
use crate::world::{host, obituary, replica};

/// A small generator (xorshift64), so that a seed names a story for ever.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// A record in which everything happens, in an order that makes no sense to anyone.
fn story(seed: u64, length: usize) -> Record {
    let mut dice = Dice(seed);
    let (mut record, mut plans, mut epoch): (Record, Vec<Plan>, u64) = (Record::default(), Vec::new(), 1);
    record.write(term());
    while record.entries.len() < length {
        let bits = u128::from(dice.roll(40));
        let known = |dice: &mut Dice, plans: &[Plan]| {
            let index = usize::try_from(dice.roll(plans.len().max(1) as u64)).unwrap();
            plans.get(index).cloned()
        };
        let body = match dice.roll(18) {
            0 => {
                epoch += 1;
                Some(term())
            }
            1 => {
                let act = if dice.roll(2) == 0 { start(bits) } else { kill(bits) };
                plans.push(planned(epoch, plans.len() as u64 + 1, act));
                plans.last().map(recorded)
            }
            2 | 3 => known(&mut dice, &plans).map(|plan| intended(&plan)),
            4 | 5 => {
                let outcomes = [Outcome::Done, Outcome::Failed, Outcome::Never, Outcome::Unknown];
                let outcome = outcomes[usize::try_from(dice.roll(4)).unwrap()];
                known(&mut dice, &plans).map(|plan| closed(&plan, outcome))
            }
            6 => {
                let ends = [PlanStatus::Done, PlanStatus::Failed, PlanStatus::Superseded];
                let end = ends[usize::try_from(dice.roll(3)).unwrap()];
                known(&mut dice, &plans).map(|plan| ended(&plan, end))
            }
            7 => Some(Body::Died { obituary: obituary("a", bits, "h1", Time(dice.roll(9_999))) }),
            8 => Some(host_seen(["boot-1", "boot-2"][usize::from(dice.roll(2) == 0)])),
            9 => {
                let marks = [Mark::Candidate, Mark::Stable, Mark::Rejected];
                Some(marked(dice.roll(9), marks[usize::try_from(dice.roll(3)).unwrap()]))
            }
            11..=16 => Some(of_goals(&mut dice, &mut plans, epoch)),
            10 => Some(Body::Quarantined { replica: replica("a"), why: "tries".to_owned() }),
            _ => Some(match dice.roll(4) {
                0 => Body::Released { target: "a".to_owned() },
                1 => Body::Convicted { conviction: exited() },
                2 => Body::Sealed { agent: Agent::Host(host("h1")) },
                _ => Body::Held { target: "a".to_owned(), reason: "disk".to_owned(), until: None },
            }),
        };
        if let Some(body) = body {
            record.write(body);
        }
    }
    record
}

/// What happens to goals, whether it makes sense or not.
fn of_goals(dice: &mut Dice, plans: &mut Vec<Plan>, epoch: u64) -> Body {
    let names = ["g", "next", "third"];
    let name = names[usize::try_from(dice.roll(3)).unwrap()];
    let to = 8 + dice.roll(4);
    match dice.roll(8) {
        0 => declared(name, dice.roll(2) == 0),
        1 | 2 => begun(name, to - 1, to),
        3 => {
            let ends =
                [GoalStatus::Achieved, GoalStatus::Rejected, GoalStatus::Superseded, GoalStatus::Withdrawn];
            over(name, ends[usize::try_from(dice.roll(4)).unwrap()])
        }
        4 => undone([None, Some(name)][usize::from(dice.roll(2) == 0)]),
        5 => mark(to, [Mark::Stable, Mark::Rejected][usize::from(dice.roll(2) == 0)]),
        _ => {
            let remedy = [Remedy::Roll, Remedy::Trial][usize::from(dice.roll(2) == 0)];
            let mut plan = rolls(plans.len() as u64 + 1, remedy, &["a", "b"]);
            plan.epoch = Epoch(epoch);
            plans.push(plan.clone());
            let status = [PlanStatus::Running, PlanStatus::AwaitingApproval][usize::from(dice.roll(3) == 0)];
            Body::PlanRecorded { plan, status }
        }
    }
}

#[test]
fn bit_by_bit_comes_to_the_same_as_all_at_once() {
    for seed in 1..=60 {
        let record = story(seed, 300);
        let mut history = History::default();
        for (index, entry) in record.entries.iter().enumerate() {
            history.apply(entry);
            if index % 17 == 0 {
                let kept = serde_json::to_string(&history).unwrap();
                history = serde_json::from_str(&kept).unwrap();
            }
            // A reader that asks again after a lost answer sees the last entries twice.
            record.entries[index.saturating_sub(3)..=index].iter().for_each(|entry| history.apply(entry));
        }
        assert_eq!(history, History::replay(&record.entries), "seed {seed}");
    }
}

#[test]
fn what_history_remembers_hangs_together() {
    for seed in 1..=60 {
        let record = story(seed, 400);
        let mut history = History::default();
        for entry in &record.entries {
            history.apply(entry);
            for lives in history.lives.values() {
                let names: BTreeSet<_> = lives.iter().map(|life| life.incarnation).collect();
                assert_eq!(names.len(), lives.len(), "seed {seed}: a life stands there once");
                let dead = lives.iter().filter(|life| life.obituary.is_some()).count();
                assert!(dead <= LIVES_KEPT, "seed {seed}: who is dead is forgotten some day");
            }
            for step in history.open_starts.keys() {
                assert!(history.open_intents.contains_key(step), "seed {seed}: a start without an intent");
            }
            assert!(history.open_plans.values().all(|open| open.status.is_open()), "seed {seed}");
            let wanted = history.rollout.as_ref().map(|rollout| rollout.state_hash);
            assert!(
                wanted.is_none_or(|it| !history.rollout.as_ref().unwrap().earlier.contains(&it)),
                "seed {seed}"
            );
            let stands = history.stable.is_none_or(|stable| history.marks[&stable] == Mark::Stable);
            assert!(stands, "seed {seed}: what is stable is marked so");
        }
    }
}
