//! Present: stories of replicas that run, and are not as they should be.

use watchdog_core::ids::Version;
use watchdog_core::observation::{Health, Probed};
use watchdog_core::plan::{Act, PlanStatus};
use watchdog_core::policy::Remedy;

use crate::assess::tell;
use crate::world::{NOW, ago, life, loaded, obituary, plan, replica, state};

#[test]
fn those_that_run_and_do_not_answer() {
    tell(&[
        ("its probe fails", |w| w.process("a").probe = Probed::Failing, "a unresponsive"),
        (
            "its probe fails, says the agent of a plain one",
            |w| {
                w.is_plain("a", Some("v7"));
                w.process("a").probe = Probed::Failing;
            },
            "a unresponsive",
        ),
        (
            "its probe fails while it is just being started",
            |w| {
                w.starting("a", 1, 5_000);
                w.process("a").probe = Probed::Failing;
            },
            "",
        ),
        (
            "its probe fails when its start should long be over",
            |w| {
                w.starting("a", 1, 41_000);
                w.process("a").probe = Probed::Failing;
            },
            "a unresponsive",
        ),
        (
            "its probe fails while it says that it starts",
            |w| {
                w.process("a").probe = Probed::Failing;
                w.member("a").health = Health::Starting;
                w.member("a").since = ago(39_000);
            },
            "",
        ),
        (
            "it says so for too long",
            |w| {
                w.process("a").probe = Probed::Failing;
                w.member("a").health = Health::Starting;
                w.member("a").since = ago(41_000);
            },
            "a unresponsive, a unhealthy",
        ),
        (
            "its probe fails because it was told to end",
            |w| {
                w.process("a").probe = Probed::Failing;
                w.process("a").stopping = true;
                w.process("a").since = ago(14_000);
            },
            "",
        ),
        (
            "it was told to end and does not",
            |w| {
                w.process("a").stopping = true;
                w.process("a").since = ago(16_000);
            },
            "a unresponsive",
        ),
        ("it left the group a moment ago", |w| w.leaves_group("a", 9_000), ""),
        ("it runs, and left the group for good", |w| w.leaves_group("a", 11_000), "a unresponsive?"),
        (
            "it is new: the group has missed its predecessor for long",
            |w| {
                w.leaves_group("a", 60_000);
                w.process("a").since = ago(3_000);
            },
            "",
        ),
        (
            "it never joined, but its probe passes: not a zombie, unless it embeds",
            |w| {
                w.is_plain("a", None);
            },
            "",
        ),
        (
            "it never joined, and no probe has ever answered",
            |w| {
                w.is_plain("a", None);
                w.process("a").probe = Probed::Unknown;
            },
            "a unresponsive?",
        ),
        (
            "the same, a moment after its start",
            |w| {
                w.is_plain("a", None);
                w.process("a").probe = Probed::Unknown;
                w.process("a").since = ago(9_000);
            },
            "",
        ),
        (
            "plain, loaded, and nobody declared a probe",
            |w| {
                w.is_plain("a", Some("v7"));
                w.process("a").probe = Probed::Unknown;
                w.spec("a").probes.clear();
            },
            "",
        ),
        (
            "dead by its obituary, but its children hold the session",
            |w| {
                w.dies("a");
                w.member("a");
                w.life("a").obituary.as_mut().unwrap().tree_gone = false;
            },
            "a exited, a unresponsive",
        ),
        ("two lives at once", |w| w.runs("a", 9, "h2"), "a duplicate"),
        (
            "two lives, one proven dead",
            |w| {
                w.life("a").obituary = Some(obituary("a", 1, "h1", NOW));
                w.runs("a", 9, "h2");
            },
            "",
        ),
        (
            "two lives, of which the newer hangs",
            |w| {
                w.ordered("a", 9, "h2");
                w.runs("a", 9, "h2");
                w.process("a").probe = Probed::Failing;
            },
            "a duplicate, a unresponsive",
        ),
    ]);
}

#[test]
fn those_that_hold_the_wrong_thing_or_feel_bad() {
    tell(&[
        ("it says that it is unhealthy", |w| w.member("a").health = Health::Unhealthy, "a unhealthy"),
        (
            "it drains, as a plan asked",
            |w| {
                let act = Act::Drain { incarnation: life(1) };
                let drain = plan("a", Remedy::Restart, act);
                w.starting("a", 1, 60_000);
                w.history.open_plans.values_mut().for_each(|open| open.plan = drain.clone());
                w.member("a").health = Health::Draining;
            },
            "",
        ),
        (
            "it drains, and the plan that would end that waits for a human",
            |w| {
                let act = Act::Drain { incarnation: life(1) };
                let drain = plan("a", Remedy::Restart, act);
                w.starting("a", 1, 60_000);
                for open in w.history.open_plans.values_mut() {
                    (open.plan, open.status) = (drain.clone(), PlanStatus::AwaitingApproval);
                }
                w.member("a").health = Health::Draining;
                w.member("a").since = ago(31_000);
            },
            "a unhealthy",
        ),
        (
            "it drains for a moment",
            |w| {
                w.member("a").health = Health::Draining;
                w.member("a").since = ago(29_000);
            },
            "",
        ),
        ("it drains, and nobody asked for that", |w| w.member("a").health = Health::Draining, "a unhealthy"),
        (
            "it loads",
            |w| {
                w.member("a").health = Health::Loading;
                w.member("a").since = ago(59_000);
            },
            "",
        ),
        ("it loads on and on, and nobody asked", |w| w.member("a").health = Health::Loading, "a unhealthy"),
        (
            "it loads for long, as a plan asked",
            |w| {
                w.rolling("a", 600_000);
                w.member("a").health = Health::Loading;
            },
            "",
        ),
        (
            "it loads for long, as the plan of an earlier leader asked, whose order is still open",
            |w| {
                w.intended("a");
                w.member("a").health = Health::Loading;
            },
            "",
        ),
        ("it holds another version", |w| w.member("a").loaded = loaded("v8"), "a wrong_version"),
        ("the same state under another number", |w| w.member("a").loaded = loaded("v7 as v9"), ""),
        ("it holds nothing yet, and runs", |w| w.member("a").loaded = loaded("nothing"), "a wrong_version"),
        (
            "it holds nothing yet, and starts",
            |w| {
                w.member("a").loaded = loaded("nothing");
                w.member("a").health = Health::Starting;
                w.member("a").since = ago(1_000);
            },
            "",
        ),
        (
            "it says v7 and holds something else",
            |w| {
                w.member("a").loaded = loaded("v8 as v7");
            },
            "a state_mismatch",
        ),
        (
            "it says the stable version under its older number and holds something else",
            |w| {
                w.target.version = Version(9);
                w.target.head = Version(9);
                w.member("a").loaded = loaded("v8 as v7");
            },
            "a state_mismatch",
        ),
        (
            "it says that it holds nothing, and holds something",
            |w| {
                w.member("a").loaded = loaded("v8 as nothing");
            },
            "a state_mismatch",
        ),
        (
            "the target moved",
            |w| {
                w.target.version = Version(8);
                w.target.stable = Some(Version(8));
                w.target.state_hash = state("v8");
            },
            "a wrong_version, b wrong_version, c wrong_version",
        ),
        (
            "plain, and its agent loaded another version for it",
            |w| {
                w.is_plain("a", Some("v6"));
            },
            "a wrong_version",
        ),
        (
            "its last load failed, and it still holds the wrong thing",
            |w| {
                w.member("a").loaded = loaded("v8");
                w.loaded_in_vain("a", 5_000, PlanStatus::Failed);
            },
            "a load_failed, a wrong_version",
        ),
        (
            "a load failed, the next one worked, and it drifted again",
            |w| {
                w.member("a").loaded = loaded("v8");
                w.loaded_in_vain("a", 5_000, PlanStatus::Failed);
                w.loaded_in_vain("a", 3_000, PlanStatus::Done);
            },
            "a wrong_version",
        ),
        (
            "a load failed, and it holds the right thing all the same",
            |w| {
                w.loaded_in_vain("a", 5_000, PlanStatus::Failed);
            },
            "",
        ),
        (
            "a load failed on the life before this one",
            |w| {
                w.member("a").loaded = loaded("v8");
                w.loaded_in_vain("a", 800_000, PlanStatus::Failed);
            },
            "a wrong_version",
        ),
        ("it died five times in two minutes and lives", |w| w.died_before("a", 5, 1_000), "a flapping"),
        ("it died four times", |w| w.died_before("a", 4, 1_000), ""),
        ("it died five times, the first of them too long ago", |w| w.died_before("a", 5, 117_000), ""),
        (
            "it died five times before a human released it",
            |w| {
                w.died_before("a", 5, 1_000);
                w.history.forgiven.insert(replica("a"), ago(500));
            },
            "",
        ),
        (
            "it died five times and is dead",
            |w| {
                w.died_before("a", 5, 1_000);
                w.dies("a");
            },
            "a exited, a flapping",
        ),
    ]);
}
