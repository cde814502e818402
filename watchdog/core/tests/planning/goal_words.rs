//! Goal words: what stories tell of goals, rollouts, trials and versions that are given up.
//!
//! ```text
//! goal                    version 9, another state than 7, rolls since a minute; `goal soak 500` and so on say how
//! b moved 3000            was ordered to the candidate 3 s ago and holds it, well, since then
//! b ordered 3000          was ordered to it then, whatever it holds
//! b holds 8 3000          holds version 8, well, since 3 s
//! b trial 6000            is tried on the stable version since 6 s, and well there
//! b trial 6000 failed     was not well there either;  … open: nobody knows what became of it
//! b reborn 3000           its life is one that was ordered 3 s ago
//! b given-up              was quarantined on the stable version
//! b fails-on 7            was started on version 7 and was not well
//! b added                 is declared anew by the goal, and was never started;  … edited: in another way
//! b untouched             nothing of what was ordered was begun on it;  … unreached: nor did the candidate get to it
//! goal prove              a replica must be started on the candidate;  `started-well 9` says that one was
//! ```

use std::collections::BTreeSet;

use watchdog_core::goal::Canary;
use watchdog_core::history::History;
use watchdog_core::ids::{PlanId, Version};
use watchdog_core::observation::Loaded;
use watchdog_core::plan::PlanStatus;
use watchdog_core::policy::Remedy;
use watchdog_core::record::Mark;
use watchdog_core::rollout::Undoing;
use watchdog_core::state::Hash;

use crate::rolling::{CANDIDATE, candidate, stranger, version};
use crate::words::{number, remedy};
use crate::world::{World, ago, host, replica, right};

pub(crate) fn of_goal(world: &mut World, words: &[&str]) -> bool {
    let rollout = world.rollout();
    let pace = &mut rollout.pace;
    match words {
        [] => {}
        ["canary", "none"] => pace.canary = Canary::Count(0),
        ["canary", first, ..] if first.parse::<u32>().is_ok() => pace.canary = Canary::Count(number(first)),
        ["canary", names @ ..] => {
            pace.canary = Canary::Replicas(names.iter().map(|it| replica(it)).collect());
        }
        ["batch", size] => pace.batch = number(size),
        ["soak", ms] => pace.soak_ms = number(ms),
        ["probation", ms] => pace.probation_ms = number(ms),
        ["failures", max] => pace.max_failures = number(max),
        ["restart"] => rollout.restart = true,
        ["prove"] => pace.prove_start = true,
        ["begun", ms] => rollout.started_at = ago(number(ms)),
        ["over", earlier] => drop(rollout.earlier.insert(version(number(earlier)))),
        ["same"] => {
            rollout.state_hash = right();
            world.input.history.marked_hashes.insert(CANDIDATE, right());
        }
        ["restart-only"] => {
            (rollout.restart, rollout.state_hash) = (true, right());
            world.input.history.marked_hashes.insert(CANDIDATE, right());
        }
        _ => return false,
    }
    true
}

#[expect(clippy::too_many_lines, reason = "a table is as long as there are words")]
pub(crate) fn of_replica(world: &mut World, name: &str, words: &[&str]) -> bool {
    let on_candidate = Loaded { version: CANDIDATE, state_hash: candidate() };
    match words {
        ["ordered", ms] => world.ordered(name, number(ms)),
        ["moved", ms] => {
            world.ordered(name, number(ms));
            let state_hash = world.rollout().state_hash;
            world.holds(name, Loaded { version: CANDIDATE, state_hash }, number(ms));
        }
        ["candidate"] => world.member(name).loaded = on_candidate,
        ["holds", held, ms] => {
            let held: u64 = number(held);
            world.holds(name, Loaded { version: Version(held), state_hash: version(held) }, number(ms));
        }
        ["trial", ms, rest @ ..] => {
            world.ordered(name, number::<u64>(ms) + 5_000);
            let at = ago(number(ms));
            let trial = world.on_trial(name, number(ms));
            match rest {
                [] => trial.well_at = Some(at),
                ["open"] => {}
                ["failed"] => trial.failed = Some("exited: signal 9".to_owned()),
                ["in-place"] => (trial.well_at, trial.host) = (Some(at), None),
                ["at", on] => (trial.well_at, trial.host) = (Some(at), Some(host(on))),
                _ => return false,
            }
        }
        ["failed-before"] => world.rollout().failures.push(replica(name)),
        ["declined", remedy] => {
            let key = History::declined_key(Some(&replica(name)), self::remedy(remedy));
            world.input.history.declined.insert(key, PlanId::numbered(world.input.epoch, 30));
        }
        ["asked", remedy] => {
            world.open_plan(name, self::remedy(remedy), true);
            let open = world.input.history.open_plans.values_mut().next_back().unwrap();
            open.status = PlanStatus::AwaitingApproval;
        }
        ["leaves"] => drop(world.input.replicas.remove(&replica(name))),
        ["stranger", on] => stranger(world, name, on),
        ["forgotten"] => drop(world.input.history.lives.remove(&replica(name))),
        ["not-live"] => world.spec(name).live_load = false,
        ["live"] => world.spec(name).live_load = true,
        ["given-up"] => {
            world.quarantine(name, Some(right()));
            world.remember_heal(name, (Remedy::Quarantine, PlanStatus::Done, "h1"), ago(2_000));
        }
        ["loading", ms] => {
            world.member(name).health = watchdog_core::observation::Health::Loading;
            world.member(name).since = ago(number(ms));
        }
        ["reborn", ms] => {
            let (on, it) = (world.life(name).host.clone(), world.unused());
            world.die(name, None);
            world.seen(name).lives.clear();
            world.be_born(name, (it, &on), ago(number(ms)));
        }
        ["fails-on", on] => {
            let starts = world.input.history.starts.entry(version(number(on))).or_default();
            starts.failed.insert(replica(name));
        }
        ["added"] => {
            world.seen(name).lives.clear();
            world.seen(name).absent_since = Some(ago(60_000));
            world.input.history.lives.remove(&replica(name));
            world.rollout().adds.insert(replica(name));
        }
        ["edited"] => drop(world.rollout().edits.insert(replica(name))),
        ["setup", setup] => world.process(name).setup = Some(Hash::of(setup.as_bytes())),
        ["starts", times] => {
            world.input.history.witness.starts.insert(replica(name), number(times));
        }
        ["untouched"] => drop(world.input.history.witness.acted.remove(&replica(name))),
        ["unreached"] => world.input.history.witness.reached.clear(),
        ["died-on-it", times] => died(world, name, number(times)),
        _ => return false,
    }
    true
}

pub(crate) fn of_cluster(world: &mut World, words: &[&str]) -> bool {
    let history = &mut world.input.history;
    match words {
        ["proven-bad", gone] => drop(history.proven_bad.insert(version(number(gone)))),
        ["abandoned", gone] => drop(history.abandoned.insert(version(number(gone)))),
        ["stable", earlier] => {
            history.marks.insert(Version(number(earlier)), Mark::Stable);
            history.marked_hashes.insert(Version(number(earlier)), version(number(earlier)));
        }
        ["stable", earlier, "same"] => {
            history.marks.insert(Version(number(earlier)), Mark::Stable);
            history.marked_hashes.insert(Version(number(earlier)), right());
        }
        ["started-well", on] => {
            history.starts.entry(version(number(on))).or_default().proven = true;
            history.witness.started_well.insert(version(number(on)));
        }
        ["stable-since", ms] => history.stable_at = ago(number(ms)),
        ["declined", remedy] => {
            let key = History::declined_key(None, self::remedy(remedy));
            history.declined.insert(key, PlanId::numbered(world.input.epoch, 30));
        }
        ["asked", remedy] => world.asked(self::remedy(remedy)),
        ["no-goal"] => history.rollout = None,
        ["undoing"] => {
            history.undoing = Some(Undoing {
                goal: None,
                base: Version(7),
                why: String::new(),
                guard: None,
                edits: BTreeSet::new(),
            });
        }
        _ => return false,
    }
    true
}

/// It died so often since it was ordered to the candidate; its present life is newer.
fn died(world: &mut World, name: &str, times: u64) {
    let on = world.life(name).host.clone();
    for index in 0..times {
        let it = world.unused();
        let at = ago(900 - 100 * index);
        let obituary = watchdog_core::observation::Obituary { at, ..crate::world::obituary(name, it, &on) };
        let past = watchdog_core::history::PastLife {
            incarnation: it,
            host: on.clone(),
            at: ago(1_000),
            obituary: Some(obituary),
            buried_at: None,
        };
        world.input.history.lives.entry(replica(name)).or_default().push_front(past);
    }
}
