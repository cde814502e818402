//! Properties: what holds of every plan in random worlds; the same seed gives the same worlds.

use std::collections::BTreeSet;

use watchdog_core::ids::ReplicaId;
use watchdog_core::input::PlanInput;
use watchdog_core::plan::Act;
use watchdog_core::planner::plan;
use watchdog_core::safety;
use watchdog_core::vet::vet;

use crate::words::happen;
use crate::world::{NAMES, World};

const WORLDS: u64 = 3_000;

/// A tiny generator of numbers (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[usize::try_from(self.roll(words.len() as u64)).unwrap()]
    }
}

/// What can happen to a replica that still has its one life; at most one of these each.
const FAULTS: [&str; 14] = [
    "exits",
    "vanishes 3000",
    "vanishes 30000",
    "hangs",
    "sick",
    "starting",
    "drifts 6",
    "drifts 99",
    "lies",
    "doubles h1",
    "never",
    "agentless",
    "renumbered 6",
    "exits",
];

const RECORDS: [&str; 16] = [
    "exclusive",
    "quarantined",
    "open load",
    "open start",
    "intent h1",
    "intent h2",
    "intent agent",
    "intent leader",
    "unsettled",
    "flaps",
    "on h1",
    "past start failed h1 9000",
    "past restart failed h2 5000",
    "past load done h1 3000",
    "past relocate failed h2 2000",
    "past start done h1 100000",
];

const CLUSTER: [&str; 18] = [
    "policy disturbed 0",
    "policy disturbed 2",
    "policy share 0.5",
    "policy parallel 1",
    "policy hourly 1",
    "policy approve start",
    "policy observe load",
    "hold h1",
    "hold a",
    "hold h2 over",
    "host h1 unsure",
    "host h2 booted",
    "host h2 gone 4000",
    "host h2 gone 40000",
    "host h1 agent-gone 9000",
    "fenced 50000",
    "release-storm 1000",
    "unfounded",
];

fn random_world(seed: u64) -> (World, String) {
    let mut dice = Dice(seed);
    let (replicas, hosts) = (2 + dice.roll(5), 2 + dice.roll(3));
    let mut story = vec![format!("cluster {replicas} {hosts}")];
    for name in NAMES.iter().take(usize::try_from(replicas).unwrap()) {
        for _ in 0..dice.roll(3) {
            story.push(format!("{name} {}", dice.pick(&RECORDS)));
        }
        if dice.roll(2) == 0 {
            story.push(format!("{name} {}", dice.pick(&FAULTS)));
        }
    }
    for _ in 0..dice.roll(3) {
        story.push(dice.pick(&CLUSTER).to_owned());
    }
    let mut world = World::new(1, 1);
    for line in &story {
        happen(&mut world, line);
    }
    (world, story.join("\n"))
}

#[test]
fn the_linter_never_objects_to_the_planner() {
    let mut plans = 0;
    for seed in 0..WORLDS {
        let (world, story) = random_world(seed);
        let input = world.input();
        let Some(plan) = plan(&input).plan else { continue };
        plans += 1;
        assert_eq!(vet(&plan, &input), [], "seed {seed}:\n{story}\n{plan:#?}");
    }
    assert!(plans > WORLDS / 3, "only {plans} of {WORLDS} worlds gave a plan");
}

#[test]
fn the_same_input_gives_the_same_plan_byte_for_byte() {
    for seed in 0..WORLDS / 10 {
        let (world, story) = random_world(seed);
        let input = world.input();
        let text = serde_json::to_string(&input).unwrap();
        let again: PlanInput = serde_json::from_str(&text).unwrap();
        let decisions =
            [plan(&input), plan(&again)].map(|decision| serde_json::to_string(&decision).unwrap());
        assert_eq!(decisions[0], decisions[1], "seed {seed}:\n{story}");
    }
}

#[test]
fn whoever_is_convicted_is_healed_or_told_why_not() {
    for seed in 0..WORLDS {
        let (world, story) = random_world(seed);
        let input = world.input();
        let decision = plan(&input);
        if decision.refusals.iter().any(|refusal| refusal.subject.is_none()) {
            continue;
        }
        for conviction in &input.convictions {
            let subject = &conviction.finding.subject;
            let refused = decision.refusals.iter().any(|refusal| refusal.subject.as_ref() == Some(subject));
            let healed = decision.plan.iter().flat_map(|plan| &plan.convictions).any(|it| it == conviction);
            assert!(refused ^ healed, "seed {seed}: {subject}\n{story}\n{decision:#?}");
        }
    }
}

#[test]
fn plans_never_touch_more_serving_replicas_than_policy_allows() {
    for seed in 0..WORLDS {
        let (world, story) = random_world(seed);
        let input = world.input();
        let Some(plan) = plan(&input).plan else { continue };
        let touched = || plan.heals.iter().filter(|heal| heal.disturbs).map(|heal| heal.replica.clone());
        let max = input.policy.max_disturbed.of(input.replicas.len());
        let disturbed: BTreeSet<ReplicaId> = safety::disturbed(&input).into_keys().chain(touched()).collect();
        assert!(touched().count() == 0 || disturbed.len() <= max, "seed {seed}:\n{story}");
    }
}

#[test]
fn planning_comes_to_an_end_when_all_steps_work() {
    for seed in 0..WORLDS {
        let (mut world, story) = random_world(seed);
        let mut decisions = Vec::new();
        while let Some(plan) = plan(&world.input()).plan {
            world.carry_out(&plan);
            decisions.push(watchdog_core::render::plan(&plan));
            // What waits only for its delay may come as well.
            world.input.now = world.input.now.plus_ms(5_000);
            assert!(decisions.len() < 40, "seed {seed} goes round in circles:\n{story}\n{decisions:#?}");
        }
        let input = world.input();
        let healed = input.convictions.is_empty();
        let refused = !plan(&input).refusals.is_empty();
        assert!(healed || refused, "seed {seed} ends with faults and without a word:\n{story}");
    }
}

#[test]
fn a_healthy_cluster_gives_nothing_to_do() {
    for replicas in 1..=9 {
        for hosts in 1..=4 {
            let decision = plan(&World::new(replicas, hosts).input());
            assert_eq!((decision.plan, decision.refusals, decision.again_at), (None, Vec::new(), None));
        }
    }
}

#[test]
fn every_life_is_started_once() {
    for seed in 0..WORLDS / 3 {
        let (mut world, story) = random_world(seed);
        let mut started = BTreeSet::new();
        for _ in 0..10 {
            let Some(plan) = plan(&world.input()).plan else { break };
            for step in &plan.steps {
                if let Act::Start { incarnation, .. } = step.act {
                    assert!(started.insert(incarnation), "seed {seed}:\n{story}");
                }
            }
            world.carry_out(&plan);
        }
    }
}
