//! Next: literal lists of commands for every situation of a plan.

use watchdog_core::history::{OpenPlan, Progress, StepProgress};
use watchdog_core::ids::{StepId, Time};
use watchdog_core::next::{Command, next};
use watchdog_core::observation::{Health, Observation, Probed, Sight};
use watchdog_core::plan::{Act, Outcome, Plan, PlanStatus};
use watchdog_core::planner::plan;
use watchdog_core::state::Hash;

use crate::words::happen;
use crate::world::{NOW, World, ago, host, replica};

fn planned(story: &[&str]) -> (World, Plan) {
    let mut world = World::new(3, 3);
    for line in story {
        happen(&mut world, line);
    }
    let plan = plan(&world.input()).plan.unwrap();
    (world, plan)
}

/// Steps by their index, counted from 1: `1 done`, `2 sent 500` (ms ago), `3 failed`, `4 never`, `5 unknown`.
fn progress(plan: &Plan, story: &str) -> Progress {
    let mut progress = Progress::default();
    for line in story.split(", ").filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.split(' ').collect();
        let started_at = words.get(2).map_or(ago(100), |ms| ago(ms.parse().unwrap()));
        let (outcome, error) = match words[1] {
            "sent" => (None, None),
            "done" => (Some(Outcome::Done), None),
            "failed" => (Some(Outcome::Failed), Some("no luck".to_owned())),
            "mute" => (Some(Outcome::Failed), None),
            "never" => (Some(Outcome::Never), None),
            "unknown" => (Some(Outcome::Unknown), None),
            other => panic!("{other}"),
        };
        let step =
            StepProgress { started_at, finished_at: outcome.map(|_| NOW), outcome, error, blame: None };
        progress.steps.insert(step_id(plan, words[0].parse().unwrap()), step);
    }
    progress
}

fn step_id(plan: &Plan, number: usize) -> StepId {
    plan.steps[number - 1].id.clone()
}

fn told(plan: &Plan, status: PlanStatus, progress_story: &str, sight: &Observation) -> String {
    let open = OpenPlan { plan: plan.clone(), status, progress: progress(plan, progress_story) };
    let commands = next(&open, sight, NOW);
    assert_eq!(commands, next(&open, sight, NOW), "asked again it says the same");
    let told = |command: &Command| match command {
        Command::Send(step) => format!("send {step}"),
        Command::Close { step, outcome, error } => {
            format!("close {step} {outcome:?} {}", error.as_deref().unwrap_or("-"))
        }
        Command::Sleep { until } => format!("sleep {}", until.since_ms(NOW)),
        Command::Finish { status, why } => format!("{}: {why}", status.word()),
    };
    commands.iter().map(told).collect::<Vec<_>>().join(" | ")
}

#[test]
fn steps_of_one_replica_follow_each_other() {
    // restart: snapshot (optional), kill, start, probe
    let (world, plan) = planned(&["b hangs"]);
    let table = [
        ("", "send 5-1-1"),
        ("1 sent", ""),
        ("1 done", "send 5-1-2"),
        ("1 failed", "send 5-1-2"),
        ("1 never", "send 5-1-2"),
        ("1 unknown", "send 5-1-2"),
        ("1 done, 2 sent", ""),
        ("1 done, 2 done", "send 5-1-3"),
        ("1 done, 2 failed", "failed: step 5-1-2: kill b on h2: no luck"),
        ("1 done, 2 mute", "failed: step 5-1-2: kill b on h2: failed without a word"),
        ("1 done, 2 never", "failed: step 5-1-2: kill b on h2: was never begun, and never will be"),
        ("1 done, 2 unknown", "failed: step 5-1-2: kill b on h2: nobody knows what became of it"),
        ("1 done, 2 done, 3 done", "send 5-1-4"),
        ("1 done, 2 done, 3 done, 4 done", "done: every step is done"),
        ("1 failed, 2 done, 3 done, 4 done", "done: every step is done"),
        ("1 done, 2 done, 3 done, 4 failed", "failed: step 5-1-4: probe b expecting v7: no luck"),
        (
            "1 done, 2 done, 3 done, 4 sent 30000",
            "close 5-1-4 Failed not healthy within 30000 ms: it is not seen",
        ),
        ("1 done, 2 done, 3 done, 4 sent 29999", "sleep 1"),
    ];
    for (story, expected) in table {
        let sight = &world.input.observation;
        assert_eq!(told(&plan, PlanStatus::Running, story, sight), expected, "{story}");
    }
}

#[test]
fn replicas_go_side_by_side() {
    // a: start, probe; c: start, probe
    let (world, plan) = planned(&["a exits", "c exits"]);
    let table = [
        ("", "send 5-1-1 | send 5-1-3"),
        ("1 sent", "send 5-1-3"),
        ("1 done, 3 sent", "send 5-1-2"),
        ("1 failed, 3 sent", ""),
        ("1 failed, 3 done, 4 sent 1000", "sleep 29000"),
        ("1 done, 2 sent 2000, 3 done, 4 sent 1000", "sleep 28000"),
        ("1 done, 2 sent 2000, 3 done", "send 5-1-4 | sleep 28000"),
        ("1 failed, 3 done, 4 done", "failed: step 5-1-1: start a on h1 with v7: no luck"),
        ("1 failed, 3 failed", "failed: step 5-1-1: start a on h1 with v7: no luck, and 1 more"),
        ("1 done, 2 done, 3 done, 4 done", "done: every step is done"),
    ];
    for (story, expected) in table {
        let sight = &world.input.observation;
        assert_eq!(told(&plan, PlanStatus::Running, story, sight), expected, "{story}");
    }
}

#[test]
fn a_probe_is_decided_by_what_is_seen() {
    type Change = fn(&mut World);
    let table: [(&str, Change, &str); 10] = [
        ("healthy", |_| {}, "close 5-1-2 Done -"),
        ("healthy under another number", |w| w.member("b").loaded.version.0 = 9, "close 5-1-2 Done -"),
        (
            "the right number, other content",
            |w| w.member("b").loaded.state_hash = Hash::of(b"x"),
            "sleep 29900",
        ),
        ("starting", |w| w.member("b").health = Health::Starting, "sleep 29900"),
        ("loading", |w| w.member("b").health = Health::Loading, "sleep 29900"),
        ("probes fail", |w| w.process("b").probe = Probed::Failing, "sleep 29900"),
        ("no probe has answered", |w| w.process("b").probe = Probed::Unknown, "close 5-1-2 Done -"),
        (
            "no member yet",
            |w| {
                w.life("b").member = None;
                w.process("b").probe = Probed::Unknown;
            },
            "sleep 29900",
        ),
        ("dead", |w| w.die("b", None), "close 5-1-2 Failed it died: signal 9 (SIGKILL)"),
        ("blind", |w| w.input.observation.sight = Sight::Blind { since: NOW, why: "x".into() }, ""),
    ];
    for (story, change, expected) in table {
        let (mut world, plan) = planned(&["b exits"]);
        let Act::Start { incarnation, .. } = plan.steps[0].act else { panic!("a start") };
        world.be_born("b", (incarnation, &host("h2")), NOW);
        change(&mut world);
        let sight = &world.input.observation;
        assert_eq!(told(&plan, PlanStatus::Running, "1 done, 2 sent", sight), expected, "{story}");
    }
}

#[test]
fn a_probe_that_runs_out_of_time_says_what_was_wrong() {
    type Change = fn(&mut World);
    let table: [(&str, Change, &str); 4] = [
        (
            "sick",
            |w| {
                w.member("b").health = Health::Unhealthy;
                w.member("b").detail = "no disk".into();
            },
            "no disk",
        ),
        ("mute", |w| w.member("b").health = Health::Starting, "it does not say why"),
        (
            "probes",
            |w| {
                w.process("b").probe = Probed::Failing;
                w.process("b").detail = "refused".into();
            },
            "refused",
        ),
        (
            "content",
            |w| w.member("b").loaded.state_hash = Hash::of(b"x"),
            "it says version 7 and holds 2d711642b726 instead of ",
        ),
    ];
    for (story, change, expected) in table {
        let (mut world, plan) = planned(&["b exits"]);
        let Act::Start { incarnation, .. } = plan.steps[0].act else { panic!("a start") };
        world.be_born("b", (incarnation, &host("h2")), NOW);
        change(&mut world);
        let said = told(&plan, PlanStatus::Running, "1 done, 2 sent 40000", &world.input.observation);
        let expected = format!("close 5-1-2 Failed not healthy within 30000 ms: {expected}");
        assert!(said.starts_with(&expected), "{story}: {said}");
    }
}

#[test]
fn nothing_is_sent_while_blind_or_before_approval_or_after_the_end() {
    let (mut world, plan) = planned(&["b exits"]);
    let table = [
        (PlanStatus::AwaitingApproval, ""),
        (PlanStatus::Done, ""),
        (PlanStatus::Failed, ""),
        (PlanStatus::Superseded, ""),
        (PlanStatus::Cancelled, ""),
        (PlanStatus::Running, "send 5-1-1"),
    ];
    for (status, expected) in table {
        assert_eq!(told(&plan, status, "", &world.input.observation), expected, "{status:?}");
    }
    world.input.observation.sight = Sight::Blind { since: Time(1), why: "x".into() };
    assert_eq!(told(&plan, PlanStatus::Running, "", &world.input.observation), "");
    assert_eq!(
        told(&plan, PlanStatus::Running, "1 done, 2 done", &world.input.observation),
        "done: every step is done"
    );
}

#[test]
fn a_plan_driven_to_its_end_sends_each_step_once() {
    let (mut world, plan) = planned(&["a exits", "b hangs", "c exits"]);
    let mut open =
        OpenPlan { plan: plan.clone(), status: PlanStatus::Running, progress: Progress::default() };
    let mut sent = Vec::new();
    for _ in 0..50 {
        for command in next(&open, &world.input.observation, NOW) {
            match command {
                Command::Send(id) => {
                    let step = plan.steps.iter().find(|step| step.id == id).unwrap();
                    let probe = matches!(step.act, Act::Probe { .. });
                    if let Act::Start { host, incarnation, .. } = &step.act {
                        let name = step.replica.clone().unwrap();
                        world.be_born(name.as_str(), (*incarnation, host), NOW);
                    }
                    let outcome = (!probe).then_some(Outcome::Done);
                    let fate = StepProgress {
                        started_at: NOW,
                        finished_at: None,
                        outcome,
                        error: None,
                        blame: None,
                    };
                    assert!(open.progress.steps.insert(id.clone(), fate).is_none(), "{id} is sent twice");
                    sent.push(id);
                }
                Command::Close { step, outcome, .. } => {
                    open.progress.steps.get_mut(&step).unwrap().outcome = Some(outcome);
                }
                Command::Sleep { .. } => panic!("nothing to wait for"),
                Command::Finish { status, .. } => {
                    assert_eq!((status, sent.len()), (PlanStatus::Done, plan.steps.len()));
                    return;
                }
            }
        }
    }
    panic!("it never ends: {:?}", replica("a"));
}
