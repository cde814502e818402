//! Properties: what holds of every plan in random worlds; the same seed gives the same worlds.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use watchdog_core::ids::ReplicaId;
use watchdog_core::input::PlanInput;
use watchdog_core::plan::{Act, Step};
use watchdog_core::planner::plan;
use watchdog_core::safety;
use watchdog_core::vet::vet;

use crate::words::happen;
use crate::world::{NAMES, World};

/// How many worlds are drawn; the variable `WATCHDOG_WORLDS` says otherwise.
#[expect(clippy::disallowed_methods, reason = "how long a test goes on is no input of the core")]
pub(crate) fn worlds() -> u64 {
    static WORLDS: LazyLock<u64> = LazyLock::new(|| {
        let said = std::env::var("WATCHDOG_WORLDS").ok();
        said.map_or(6_000, |said| said.parse().unwrap())
    });
    *WORLDS
}

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

const RECORDS: [&str; 17] = [
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
    "on h2",
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
    "z stranger h1",
];

/// How a goal rolls.
const GOALS: [&str; 19] = [
    "goal prove",
    "goal canary 2",
    "goal canary a b",
    "goal canary b",
    "goal canary none",
    "goal batch 1",
    "goal soak 0",
    "goal soak 60000",
    "goal probation 0",
    "goal probation 60000",
    "goal failures 1",
    "goal failures 2",
    "goal restart",
    "goal restart-only",
    "goal same",
    "goal over 8",
    "goal begun 500",
    "policy restart 0",
    "policy load 0",
];

/// How far it is with a replica; before anything else happens to it.
const PROGRESS: [&str; 22] = [
    "fails-on 7",
    "edited",
    "setup other",
    "starts 3",
    "moved 9000",
    "moved 9000",
    "moved 9000",
    "moved 500",
    "ordered 3000",
    "trial 9000",
    "trial 9000",
    "trial 3000",
    "trial 9000 failed",
    "trial 9000 open",
    "trial 9000 in-place",
    "trial 9000 at h2",
    "holds 8 5000",
    "holds 9 5000",
    "failed-before",
    "reborn 3000",
    "died-on-it 5",
    "live",
];

/// What else stands in the record of goals.
const BESIDE: [&str; 24] = [
    "started-well 9",
    "a fails-on 7",
    "b fails-on 7",
    "b added",
    "proven-bad 9",
    "a leaves",
    "b leaves",
    "a past roll failed h1 400",
    "b past trial superseded h2 2000",
    "a given-up",
    "b given-up",
    "abandoned 9",
    "abandoned 8",
    "stable 5",
    "policy approve roll",
    "policy observe reject",
    "policy approve mark_stable",
    "policy approve trial",
    "policy observe stop",
    "policy disturbed 3",
    "declined reject",
    "a declined roll",
    "asked reject",
    "asked mark_stable",
];

pub(crate) fn random_world(seed: u64) -> (World, String) {
    let mut dice = Dice(seed);
    let (replicas, hosts) = (2 + dice.roll(5), 2 + dice.roll(3));
    let names = || NAMES.iter().take(usize::try_from(replicas).unwrap());
    let mut story = vec![format!("cluster {replicas} {hosts}")];
    if dice.roll(20) == 0 {
        story.push("unfounded".to_owned());
    }
    if dice.roll(2) == 0 {
        story.push("goal".to_owned());
        for _ in 0..dice.roll(4) {
            story.push(dice.pick(&GOALS).to_owned());
        }
        let busy = dice.roll(4);
        for name in names() {
            if dice.roll(4) < busy {
                story.push(format!("{name} {}", dice.pick(&PROGRESS)));
            }
        }
    }
    let faults = dice.roll(4);
    for name in names() {
        for _ in 0..dice.roll(3).min(faults) {
            story.push(format!("{name} {}", dice.pick(&RECORDS)));
        }
        if dice.roll(6) < faults {
            story.push(format!("{name} {}", dice.pick(&FAULTS)));
        }
    }
    for _ in 0..dice.roll(3) {
        story.push(dice.pick(&CLUSTER).to_owned());
    }
    for _ in 0..dice.roll(3) {
        story.push(dice.pick(&BESIDE).to_owned());
    }
    // Nothing is tried on the stable version where there is none, or none other.
    let alike = ["unfounded", "goal same", "goal restart-only"];
    if story.iter().any(|line| alike.contains(&line.as_str())) {
        story.retain(|line| !line.contains(" trial "));
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
    for seed in 0..worlds() {
        let (world, story) = random_world(seed);
        let input = world.input();
        let Some(plan) = plan(&input).plan else { continue };
        plans += 1;
        assert_eq!(vet(&plan, &input), [], "seed {seed}:\n{story}\n{plan:#?}");
    }
    let worlds = worlds();
    println!("figure worlds {worlds}\nfigure plans {plans}");
    assert!(plans > worlds / 3, "only {plans} of {worlds} worlds gave a plan");
}

#[test]
fn the_same_input_gives_the_same_plan_byte_for_byte() {
    for seed in 0..worlds() / 10 {
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
    for seed in 0..worlds() {
        let (world, story) = random_world(seed);
        let input = world.input();
        let decision = plan(&input);
        if decision.refusals.iter().any(|refusal| refusal.subject.is_none()) {
            continue;
        }
        for conviction in &input.convictions {
            let subject = &conviction.finding.subject;
            let refused = decision.refusals.iter().any(|refusal| refusal.subject.as_ref() == Some(subject));
            let healed = decision
                .plan
                .iter()
                .flat_map(|plan| &plan.convictions)
                .any(|it| it.finding.subject == *subject);
            let gives_up = decision.plan.iter().flat_map(|plan| &plan.steps).any(is_rejection);
            assert!(refused ^ healed || gives_up, "seed {seed}: {subject}\n{story}\n{decision:#?}");
        }
    }
}

/// What is proven bad is given up before anything else is done.
fn is_rejection(step: &Step) -> bool {
    matches!(step.act, Act::Reject { .. })
}

#[test]
fn plans_never_touch_more_serving_replicas_than_policy_allows() {
    for seed in 0..worlds() {
        let (world, story) = random_world(seed);
        let input = world.input();
        let Some(plan) = plan(&input).plan else { continue };
        let touched = || plan.heals.iter().filter(|heal| heal.disturbs).map(|heal| heal.replica.clone());
        let max = input.policy.max_disturbed.of(input.replicas.len());
        // Who leaves a version that was given up need not wait for those who are lost.
        if !input.history.abandoned.is_empty() {
            continue;
        }
        let disturbed: BTreeSet<ReplicaId> = safety::disturbed(&input).into_keys().chain(touched()).collect();
        assert!(touched().count() == 0 || disturbed.len() <= max, "seed {seed}:\n{story}");
    }
}

#[test]
fn planning_comes_to_an_end_when_all_steps_work() {
    for seed in 0..worlds() {
        let (mut world, story) = random_world(seed);
        let mut decisions = Vec::new();
        while let Some(plan) = plan(&world.input()).plan {
            world.carry_out(&plan);
            decisions.push(watchdog_core::render::plan(&plan));
            // What waits only for its delay may come as well.
            world.input.now = world.input.now.plus_ms(5_000);
            assert!(decisions.len() < 60, "seed {seed} goes round in circles:\n{story}\n{decisions:#?}");
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
    for seed in 0..worlds() / 3 {
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
