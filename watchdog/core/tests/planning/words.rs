//! Words: the language in which stories are told, a line a happening.

use watchdog_core::blame::Blame;
use watchdog_core::finding::{FaultKind, Subject};
use watchdog_core::ids::{Epoch, Time, Version};
use watchdog_core::observation::{Health, Loaded, Probed, Sight};
use watchdog_core::plan::{Agent, Outcome, PlanStatus};
use watchdog_core::policy::{Autonomy, Limit, Remedy};
use watchdog_core::refusal::{Reason, Refusal};
use watchdog_core::state::Hash;

use crate::goal_words;
use crate::world::{NOW, World, ago, host, incarnation, obituary, pause_until, replica};

/// Lets one line of a story happen.
pub(crate) fn happen(world: &mut World, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let known = match words[..] {
        ["cluster", replicas, hosts] => {
            *world = World::new(number(replicas), number(hosts));
            true
        }
        ["policy", ref rest @ ..] => policy(world, rest),
        ["host", name, ref rest @ ..] => of_host(world, name, rest),
        [
            "hold" | "pause" | "blind" | "obstacle" | "release-storm" | "fenced" | "unfounded" | "fresh"
            | "pass" | "sealed",
            ..,
        ] => of_cluster(world, &words),
        ["goal", ref rest @ ..] => goal_words::of_goal(world, rest),
        ["unjudged"] => {
            world.unjudged = true;
            true
        }
        [
            "abandoned" | "proven-bad" | "stable" | "started-well" | "stable-since" | "declined" | "asked"
            | "undoing" | "no-goal",
            ..,
        ] => goal_words::of_cluster(world, &words),
        // What was tried last: nobody knows what became of it.
        [name, "fate-unknown"] => {
            let last = world.input.history.heals.get_mut(&replica(name)).and_then(|heals| heals.back_mut());
            let missed = last.and_then(|heal| heal.missed.as_mut());
            missed.is_some_and(|missed| {
                (missed.outcome, missed.blame) = (Outcome::Unknown, Blame::Channel);
                true
            })
        }
        [name, "past", remedy, status, on, ended] => {
            world.remember_heal(name, (self::remedy(remedy), self::status(status), on), ago(number(ended)));
            true
        }
        [name, ref rest @ ..] => {
            of_replica(world, name, rest)
                || of_record(world, name, rest)
                || goal_words::of_replica(world, name, rest)
        }
        [] => false,
    };
    assert!(known, "no such happening: {line}");
}

fn of_replica(world: &mut World, name: &str, words: &[&str]) -> bool {
    match words {
        ["exits"] => world.die(name, None),
        ["newest-exits"] => {
            let newest = world.seen(name).lives.keys().next_back().copied();
            world.die(name, newest);
        }
        ["vanishes", ms] => world.vanish(name, ago(number(ms))),
        ["hangs"] => {
            let process = world.process(name);
            (process.probe, process.detail, process.round) = (Probed::Failing, "no answer".to_owned(), 9);
        }
        ["sick"] => world.member(name).health = Health::Unhealthy,
        ["starting"] => {
            world.member(name).health = Health::Starting;
            world.member(name).since = ago(100);
        }
        ["drifts", version] => {
            world.member(name).loaded =
                Loaded { version: Version(number(version)), state_hash: Hash::of(b"other") };
        }
        ["renumbered", version] => world.member(name).loaded.version = Version(number(version)),
        ["lies"] => world.member(name).loaded.state_hash = Hash::of(b"other"),
        ["doubles", on] => {
            let it = world.unused();
            world.be_born(name, (it, &host(on)), ago(1_000));
        }
        ["born-unseen", on] => {
            let it = world.unused();
            world.be_born(name, (it, &host(on)), ago(600));
            world.seen(name).lives.remove(&it);
            world.seen(name).absent_since = Some(ago(900));
        }
        ["unproven", it] => {
            let it = incarnation(number(it));
            world.seen(name).lives.remove(&it);
            let past = world.input.history.lives.get_mut(&replica(name)).unwrap();
            past.iter_mut().find(|past| past.incarnation == it).unwrap().obituary = None;
        }
        ["never"] => {
            world.vanish(name, ago(1_000));
            world.input.history.lives.remove(&replica(name));
            world.seen(name).embeds = false;
        }
        ["healthy-for", ms] => {
            world.member(name).since = ago(number(ms));
            world.process(name).since = ago(number(ms));
        }
        ["memberless"] => world.life(name).member = None,
        // Its main process is dead, and nothing proves that its workers are.
        ["leaves-workers"] => {
            world.life(name).obituary.as_mut().unwrap().tree_gone = false;
            let past = world.input.history.lives.entry(replica(name)).or_default().iter_mut();
            past.filter_map(|life| life.obituary.as_mut()).for_each(|obituary| obituary.tree_gone = false);
        }
        ["agentless"] => world.life(name).process = None,
        _ => return false,
    }
    true
}

fn of_record(world: &mut World, name: &str, words: &[&str]) -> bool {
    match words {
        ["flaps"] => world.tell(name, FaultKind::Flapping),
        ["load-failed"] => world.tell(name, FaultKind::LoadFailed),
        ["told", "exited"] => world.tell(name, FaultKind::Exited),
        ["exclusive"] => world.spec(name).exclusive = true,
        ["on", hosts @ ..] => world.spec(name).hosts = hosts.iter().map(|it| host(it)).collect(),
        ["quarantined"] => {
            world.quarantine(name, None);
        }
        ["open", remedy] => {
            let disturbs = matches!(self::remedy(remedy), Remedy::Load | Remedy::Restart | Remedy::Roll);
            world.open_plan(name, self::remedy(remedy), disturbs);
        }
        ["intent", "agent"] => world.open_intent(name, Agent::Replica(replica(name), incarnation(1))),
        ["intent", "leader"] => world.open_intent(name, Agent::Leader),
        ["intent", on] => world.open_intent(name, Agent::Host(host(on))),
        // The record knows of its death, and the group still shows it.
        ["buried-alive"] => {
            let (it, life) = world.seen(name).lives.iter().next_back().unwrap();
            let proof = obituary(name, *it, &life.host);
            let past = world.input.history.lives.get_mut(&replica(name)).unwrap();
            past.back_mut().unwrap().obituary = Some(proof);
        }
        ["unsettled"] => {
            world.input.history.unsettled.insert(replica(name));
        }
        ["undeclared"] => {
            world.tell(name, FaultKind::WrongVersion);
            world.input.replicas.remove(&replica(name));
        }
        ["garbled"] => {
            world.tell(name, FaultKind::WrongVersion);
            world.input.replicas.insert(replica(name), Err("no hosts".to_owned()));
        }
        ["since", ms] => {
            let since = ago(number(ms));
            let subject = Subject::Replica(replica(name));
            for conviction in world.input().convictions {
                if conviction.finding.subject == subject {
                    let key = format!("{name}/{}", conviction.finding.kind);
                    let past = watchdog_core::finding::Conviction { since, ..conviction };
                    world.input.history.convictions.insert(key, past);
                }
            }
        }
        _ => return false,
    }
    true
}

fn of_host(world: &mut World, name: &str, words: &[&str]) -> bool {
    if let ["was-here", ms] = words {
        world.add_host(&host(name));
        world.lose_host(name, ago(number(ms)), false);
        return true;
    }
    let seen = world.input.observation.hosts.get_mut(&host(name)).unwrap();
    match words {
        ["gone", ms] => world.lose_host(name, ago(number(ms)), true),
        ["agent-gone", ms] => world.lose_host(name, ago(number(ms)), false),
        ["unsure"] => seen.inventory_complete = false,
        ["booted"] => "boot-2".clone_into(&mut seen.boot_id),
        _ => return false,
    }
    true
}

fn of_cluster(world: &mut World, words: &[&str]) -> bool {
    let forever = pause_until(None);
    let input = &mut world.input;
    match words {
        ["hold", name] => drop(input.history.holds.insert((*name).to_owned(), forever)),
        ["hold", name, "until", ms] => {
            let hold = pause_until(Some(Time(NOW.0 + number::<u64>(ms))));
            input.history.holds.insert((*name).to_owned(), hold);
        }
        ["hold", name, "over"] => {
            let hold = pause_until(Some(ago(1)));
            input.history.holds.insert((*name).to_owned(), hold);
        }
        ["pause"] => input.history.pause = Some(forever),
        ["pause", "over"] => input.history.pause = Some(pause_until(Some(ago(1)))),
        ["blind"] => input.observation.sight = Sight::Blind { since: ago(9), why: "no session".to_owned() },
        ["obstacle"] => {
            let reason = Reason::JournalBehind { journal: Version(3), expected: Version(7) };
            input.obstacles.push(Refusal { subject: None, reason });
        }
        ["obstacle", name] => {
            let subject = Some(Subject::Replica(replica(name)));
            input.obstacles.push(Refusal { subject, reason: Reason::NoStableVersion });
        }
        ["release-storm", ms] => input.history.storm_released_at = Some(ago(number(ms))),
        ["fenced", ms] => input.observation.fenced_write_at = Some(ago(number(ms))),
        ["unfounded"] => {
            (input.target.stable, input.history.stable) = (None, None);
            input.history.marks.clear();
            input.history.marked_hashes.clear();
        }
        ["fresh", count] => input.fresh.truncate(number(count)),
        ["pass", ms] => input.now = input.now.plus_ms(number(ms)),
        ["sealed", on] => drop(input.history.sealed.insert(Agent::Host(host(on)))),
        _ => return false,
    }
    true
}

fn policy(world: &mut World, words: &[&str]) -> bool {
    let policy = &mut world.input.policy;
    match words {
        ["disturbed", max] => policy.max_disturbed = Limit::Count(number(max)),
        ["share", share] => policy.max_disturbed = Limit::Share(share.parse().unwrap()),
        ["parallel", max] => policy.heals_parallel = number(max),
        ["hourly", max] => policy.heals_per_hour = number(max),
        ["load", tries] => policy.tries.load = number(tries),
        ["restart", tries] => policy.tries.restart = number(tries),
        ["relocate", tries] => policy.tries.relocate = number(tries),
        ["approve", remedy] => drop(policy.autonomy.insert(self::remedy(remedy), Autonomy::Approve)),
        ["auto", remedy] => drop(policy.autonomy.insert(self::remedy(remedy), Autonomy::Auto)),
        ["broken-stable", count] => policy.broken_stable = number(count),
        ["observe", remedy] => drop(policy.autonomy.insert(self::remedy(remedy), Autonomy::Observe)),
        ["epoch", epoch] => world.input.epoch = Epoch(number(epoch)),
        _ => return false,
    }
    true
}

pub(crate) fn remedy(word: &str) -> Remedy {
    serde_json::from_value(word.into()).unwrap_or_else(|_| panic!("no such remedy: {word}"))
}

fn status(word: &str) -> PlanStatus {
    serde_json::from_value(word.into()).unwrap_or_else(|_| panic!("no such status: {word}"))
}

pub(crate) fn number<N: std::str::FromStr>(word: &str) -> N {
    word.parse().unwrap_or_else(|_| panic!("not a number: {word}"))
}
