//! Rest: whether a cluster has come to its goal, or to a refusal that names what a human must decide.

use std::collections::BTreeSet;

use watchdog_core::finding::Subject;
use watchdog_core::goal::errand::errand;
use watchdog_core::ids::{HostId, ReplicaId};
use watchdog_core::plan::PlanStatus;
use watchdog_core::planner::plan;
use watchdog_core::refusal::{Reason, Refusal, StormAwaits};
use watchdog_core::rollout::expected;

use crate::dog::Mind;
use crate::world::World;

/// What keeps it from rest; `None` when nothing does.
pub(crate) fn restless(world: &mut World) -> Option<String> {
    let Some(dog) = (0..world.dogs.len()).find(|dog| leads(world, *dog)) else {
        return Some("nobody leads".to_owned());
    };
    let mind = world.dogs[dog].mind.take()?;
    let found = unfinished(&mind)
        .or_else(|| needless_storm(world, &mind))
        .or_else(|| unserved(world, &mind))
        .or_else(|| replanned(world, dog, &mind));
    world.dogs[dog].mind = Some(mind);
    found
}

/// A storm that waits for hosts, although half of those are there on which the declared replicas live or lived last: only
/// when more of them are gone is it for a human to say that it is not this side which is cut off.
fn needless_storm(world: &World, mind: &Mind) -> Option<String> {
    let storm = mind
        .refusals
        .iter()
        .find(|refusal| matches!(refusal.reason, Reason::Storm { awaiting: StormAwaits::Hosts, .. }))?;
    let last = mind.log.replicas.keys().filter_map(|replica| world.journal.folded.lives.get(replica)?.back());
    let homes: BTreeSet<&HostId> = last.map(|life| &life.host).collect();
    let there = homes.iter().filter(|host| world.zoo.hosts.contains_key(**host)).count();
    (2 * there >= homes.len()).then(|| format!("{there} of {} hosts are there: {storm}", homes.len()))
}

fn leads(world: &World, dog: usize) -> bool {
    let epoch = world.dogs[dog].lead.as_ref().map(|lead| lead.epoch);
    epoch == Some(world.journal.term) && world.surely_leads_or_rests(dog)
}

fn unfinished(mind: &Mind) -> Option<String> {
    let history = &mind.history;
    if let Some(open) = history.open_plans.values().find(|open| open.status == PlanStatus::Running) {
        return Some(format!("plan {} is open: {}", open.plan.id, open.plan.reason));
    }
    if let Some((step, intent)) = history.open_intents.iter().next() {
        return Some(format!("step {step} is open at {}", intent.agent));
    }
    if let (Some(errand), false) = (errand(history), history.stable.is_none()) {
        return Some(format!("an errand is not run: {errand:?}").chars().take(200).collect());
    }
    let asks = history.open_plans.values().any(|open| open.status == PlanStatus::AwaitingApproval);
    let human = asks || mind.refusals.iter().any(|it| is_left(it, &mind.refusals, mind));
    match &history.rollout {
        Some(rollout) if !human => Some(format!("goal {} rolls on: {}", rollout.goal, told(&mind.refusals))),
        _ => None,
    }
}

/// Who is declared and neither well on what it should hold, nor left to a human for a reason.
fn unserved(world: &World, mind: &Mind) -> Option<String> {
    let excused: BTreeSet<&ReplicaId> = mind
        .refusals
        .iter()
        .filter(|refusal| is_left(refusal, &mind.refusals, mind))
        .filter_map(|refusal| match &refusal.subject {
            Some(Subject::Replica(replica)) => Some(replica),
            _ => None,
        })
        .collect();
    let awaiting =
        mind.history.open_plans.values().filter(|open| open.status == PlanStatus::AwaitingApproval);
    let asked: BTreeSet<&ReplicaId> =
        awaiting.flat_map(|open| open.plan.heals.iter().map(|it| &it.replica)).collect();
    let whole = mind.refusals.iter().any(|it| it.subject.is_none() && is_for_a_human(it));
    for replica in mind.log.replicas.keys() {
        let left = excused.contains(replica)
            || asked.contains(replica)
            || mind.history.quarantined.contains_key(replica);
        if left {
            continue;
        }
        let aim = expected(replica, &mind.log.target, &mind.history);
        let mut lives = world.lives.values().filter(|life| life.replica == *replica);
        // An earlier goal brought it where it is, and the one that rolls moves it on.
        let earlier = mind.history.rollout.as_ref().map(|rollout| &rollout.earlier);
        let right = |hash| hash == aim.state_hash || earlier.is_some_and(|earlier| earlier.contains(&hash));
        let well = lives.any(|life| life.well_since.is_some() && right(life.hash));
        if !well && !whole {
            return Some(format!("{replica} does not serve what it should: {}", told(&mind.refusals)));
        }
    }
    let strays = world.lives.values().find(|life| !mind.log.replicas.contains_key(&life.replica));
    let ours = strays.filter(|life| mind.history.is_ours(&life.replica, life.incarnation));
    ours.filter(|life| !excused.contains(&life.replica))
        .map(|life| format!("{} runs, and is not declared any more", life.replica))
}

/// Planning again must come to nothing new.
fn replanned(world: &mut World, dog: usize, mind: &Mind) -> Option<String> {
    let input = world.plan_input_now(dog, mind)?;
    let decision = plan(&input);
    if let Some(drawn) = decision.plan {
        return Some(format!("planning again gives {}: {}", drawn.id, drawn.reason));
    }
    let waits = |refusal: &&Refusal| refusal.subject.is_some() && !is_left(refusal, &decision.refusals, mind);
    let late = decision.refusals.iter().find(waits);
    late.map(|refusal| format!("what stands in the way is no human's decision: {refusal}"))
}

/// Whether a refusal waits for a human, by itself or because those that it names do.
fn is_left(refusal: &Refusal, all: &[Refusal], mind: &Mind) -> bool {
    let asks = |it: &Refusal| is_for_a_human(it) || awaits_approval(it, mind);
    let mut left: BTreeSet<&ReplicaId> = mind.history.quarantined.keys().collect();
    left.extend(all.iter().filter(|it| asks(it)).filter_map(subject));
    // Who waits for one that waits for a human waits for a human.
    loop {
        let known = left.len();
        let waits = |it: &&Refusal| match &it.reason {
            Reason::WouldDisturb { disturbed, .. } => disturbed.iter().all(|it| left.contains(it)),
            _ => false,
        };
        let more: Vec<&ReplicaId> = all.iter().filter(waits).filter_map(subject).collect();
        left.extend(more);
        if left.len() == known {
            break;
        }
    }
    match &refusal.reason {
        Reason::WouldDisturb { disturbed, .. } => disturbed.iter().all(|it| left.contains(it)),
        _ => asks(refusal),
    }
}

fn subject(refusal: &Refusal) -> Option<&ReplicaId> {
    match &refusal.subject {
        Some(Subject::Replica(replica)) => Some(replica),
        Some(Subject::Host(_)) | None => None,
    }
}

fn awaits_approval(refusal: &Refusal, mind: &Mind) -> bool {
    let Reason::PlanOpen { plan } = &refusal.reason else { return false };
    mind.history.open_plans.get(plan).is_some_and(|open| open.status == PlanStatus::AwaitingApproval)
}

/// Why nothing is done, in the words of `status`.
pub(crate) fn told(refusals: &[Refusal]) -> String {
    let words: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    if words.is_empty() { "nobody says why".to_owned() } else { words.join("; ") }
}

/// Whether only a human, or the return of what is gone for ever, changes it.
fn is_for_a_human(refusal: &Refusal) -> bool {
    match &refusal.reason {
        Reason::Quarantined { .. }
        | Reason::Held { .. }
        | Reason::Paused { .. }
        | Reason::NotFenced { .. }
        | Reason::TreeNotGone { .. }
        | Reason::NoHost { .. }
        | Reason::Unreachable { .. }
        | Reason::NoStableVersion
        | Reason::NotDeclared
        | Reason::BadDeclaration { .. }
        | Reason::Autonomy { .. }
        | Reason::Declined { .. }
        | Reason::RolloutHeld { .. }
        // Why the goal can't start it is told beside it.
        | Reason::LeftToGoal { .. }
        | Reason::RolloutWaits { .. }
        // Whether it is one is seen beside.
        | Reason::Storm { awaiting: StormAwaits::Hosts, .. } => true,
        Reason::NoRemedy { fault } => *fault == watchdog_core::finding::FaultKind::HostGone,
        _ => false,
    }
}
