//! Rolling properties: what holds of every rollout in random worlds, and that it comes to an end.

use std::collections::BTreeSet;

use watchdog_core::condition::is_healthy_on;
use watchdog_core::finding::Subject;
use watchdog_core::goal::Canary;
use watchdog_core::ids::{ReplicaId, Time};
use watchdog_core::input::PlanInput;
use watchdog_core::plan::{Act, Plan};
use watchdog_core::planner::case::serves;
use watchdog_core::planner::plan;
use watchdog_core::policy::Remedy;
use watchdog_core::record::Mark;
use watchdog_core::render;
use watchdog_core::rollout::Rollout;

use crate::properties::{random_world, worlds};
use crate::rolling::CANDIDATE;

fn rolled(plan: &Plan) -> BTreeSet<&ReplicaId> {
    plan.heals.iter().filter(|heal| heal.remedy == Remedy::Roll).map(|heal| &heal.replica).collect()
}

/// Since when a replica holds the candidate, well, in the one life that it has.
fn holds_since(replica: &ReplicaId, rollout: &Rollout, input: &PlanInput) -> Option<Time> {
    let lives = &input.observation.replicas.get(replica)?.lives;
    let alive: Vec<_> = lives.iter().filter(|(_, life)| life.is_alive()).collect();
    let [(it, life)] = alive[..] else { return None };
    let anew = input
        .history
        .lives
        .get(replica)?
        .iter()
        .any(|past| past.incarnation == *it && past.at >= rollout.started_at);
    let member = life.member.as_ref().map(|member| member.since);
    let process = life.process.as_ref().map(|process| process.since);
    let there = is_healthy_on(life, &rollout.aim(&input.target)) && (anew || !rollout.restart);
    there.then(|| member.max(process).unwrap_or_default())
}

#[test]
fn nobody_goes_beyond_the_canary_before_it_has_soaked() {
    let mut moves = 0;
    for seed in 0..worlds() {
        let (world, story) = random_world(seed);
        let input = world.input();
        let (Some(plan), Some(rollout)) = (plan(&input).plan, &input.history.rollout) else { continue };
        // Who does not serve endangers nobody, and is brought up out of turn.
        let rolled: BTreeSet<&ReplicaId> =
            rolled(&plan).into_iter().filter(|replica| serves(&input, replica)).collect();
        if rolled.is_empty() {
            continue;
        }
        moves += 1;
        let soaked = |replica: &ReplicaId| {
            let since =
                holds_since(replica, rollout, &input).filter(|_| rollout.expects(replica) || rollout.restart);
            since.is_some_and(|since| input.now.since_ms(since) >= rollout.pace.soak_ms)
        };
        let sent: Vec<&ReplicaId> = rollout.sent().filter(|it| input.replicas.contains_key(*it)).collect();
        let may = match &rollout.pace.canary {
            Canary::Count(count) => {
                let count = *count as usize;
                let holds = |it: &&&ReplicaId| holds_since(it, rollout, &input).is_some();
                let there = sent.iter().filter(holds).count();
                // One that took it while it ran, and is started on it now, is one all the same.
                let others = sent.iter().filter(holds).filter(|it| !rolled.contains(**it)).count();
                others + rolled.len() <= count
                    || there > count
                    || sent.iter().filter(|it| soaked(it)).count() >= count
            }
            Canary::Replicas(chosen) => {
                let canary: Vec<_> = chosen.iter().filter(|it| input.replicas.contains_key(*it)).collect();
                let further = sent.iter().any(|it| !chosen.contains(it));
                further
                    || rolled.iter().all(|it| chosen.contains(it))
                    || (!canary.is_empty() && canary.iter().all(|it| soaked(it)))
            }
        };
        assert!(may, "seed {seed}:\n{story}\n{}", render::plan(&plan));
    }
    let worlds = worlds();
    assert!(moves > worlds / 20, "only {moves} of {worlds} worlds moved anybody");
}

#[test]
fn nobody_is_moved_by_a_goal_that_is_held_or_while_another_is_not_well() {
    for seed in 0..worlds() {
        let (world, story) = random_world(seed);
        let input = world.input();
        let (Some(plan), Some(rollout)) = (plan(&input).plan, &input.history.rollout) else { continue };
        if rolled(&plan).is_empty() {
            continue;
        }
        let failed = rollout.trials.iter().filter(|(_, trial)| trial.failed.is_some());
        let held = failed.map(|(replica, _)| replica).any(|replica| input.replicas.contains_key(replica));
        assert!(!held, "seed {seed}: held\n{story}");
        // What does not serve and was not moved yet may be brought up by the goal only.
        let ill = input.convictions.iter().any(|it| match &it.finding.subject {
            Subject::Replica(replica) => {
                let in_turn = serves(&input, replica) || rollout.moved.contains_key(replica);
                in_turn && input.replicas.contains_key(replica)
            }
            Subject::Host(_) => false,
        });
        let in_turn = rolled(&plan).iter().any(|replica| serves(&input, replica));
        assert!(!(ill && in_turn), "seed {seed}: something is wrong\n{story}");
        let given_up = |it: &&ReplicaId| {
            let quarantine = input.history.quarantined.get(*it);
            quarantine.is_some_and(|it| it.on.is_none_or(|on| on == rollout.state_hash))
        };
        assert!(!rolled(&plan).iter().any(given_up), "seed {seed}\n{story}");
    }
}

#[test]
fn nothing_is_marked_stable_that_a_declared_replica_does_not_hold() {
    let mut marks = 0;
    for seed in 0..worlds() {
        let (world, story) = random_world(seed);
        let input = world.input();
        let (Some(plan), Some(rollout)) = (plan(&input).plan, &input.history.rollout) else { continue };
        if !plan.steps.iter().any(|step| matches!(step.act, Act::MarkStable { .. })) {
            continue;
        }
        marks += 1;
        for replica in input.replicas.keys() {
            let since = holds_since(replica, rollout, &input);
            let long = since.is_some_and(|since| input.now.since_ms(since) >= rollout.pace.soak_ms);
            assert!(long, "seed {seed}: {replica}\n{story}");
        }
    }
    let worlds = worlds();
    assert!(marks > worlds / 400, "only {marks} of {worlds} worlds marked anything");
}

/// What waits in these stories waits for what never happens in them.
const ENDLESS: [&str; 4] = [" open ", "asked ", "intent ", "unsure"];

#[test]
fn a_goal_ends_when_all_steps_work_or_says_what_it_waits_for() {
    let mut ended = 0;
    for seed in 0..worlds() {
        let (mut world, story) = random_world(seed);
        if world.input.history.rollout.is_none() || ENDLESS.iter().any(|word| story.contains(word)) {
            continue;
        }
        let (mut told, mut idle) = (Vec::new(), 0);
        let last = loop {
            let input = world.input();
            let decision = plan(&input);
            if let Some(plan) = &decision.plan {
                told.push(render::plan(plan));
                assert!(told.len() < 80, "seed {seed} goes round in circles:\n{story}\n{told:#?}");
                world.carry_out(plan);
                world.input.now = world.input.now.plus_ms(10);
                idle = 0;
                continue;
            }
            // Strikes, grace and backing off need time and nothing else.
            idle += 1;
            if idle > 4 || world.input.history.rollout.is_none() {
                break decision;
            }
            world.input.now = decision.again_at.unwrap_or(world.input.now.plus_ms(45_000));
        };
        let history = &world.input.history;
        if history.rollout.is_none() {
            ended += 1;
            let mark = history.marks.get(&CANDIDATE);
            assert!(matches!(mark, Some(Mark::Stable | Mark::Rejected)), "seed {seed}: {mark:?}\n{story}");
            continue;
        }
        assert!(
            !last.refusals.is_empty(),
            "seed {seed} waits without a word:\n{story}\n{told:#?}\n{:#?}",
            history.rollout
        );
    }
    let worlds = worlds();
    assert!(ended > worlds / 20, "only {ended} of {worlds} worlds saw a goal end");
}
