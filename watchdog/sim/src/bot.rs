//! Bot: an operator who follows only what `status` offers, and must get every state back to well.
//!
//! ```text
//! all harm is over ─► at rest ─► well? ──yes──► a way out was found
//!                       ▲          │ no
//!                       └── follow the gentlest offer that was tried least ──► none left, or too many turns: violation
//! ```

use std::collections::BTreeMap;

use serde_json::json;
use watchdog_core::goal::Goal;
use watchdog_core::ids::ReplicaId;
use watchdog_core::offers::{Command, Offer, line, offers};
use watchdog_core::plan::PlanStatus;
use watchdog_core::replica::ReplicaSpec;
use watchdog_core::state::Key;

use crate::audit::Violation;
use crate::dog::{Mind, Wish};
use crate::mutant::Safeguard;
use crate::rest::told;
use crate::world::World;

/// How many offers are followed at most.
const TURNS_MAX: u32 = 60;
/// How long it is waited for what comes of one.
const TURN_MS: u64 = 240_000;
/// How often it is looked meanwhile.
const LOOK_EVERY_MS: u64 = 5_000;

/// Follows offers until all is well; a violation when that never comes.
pub(crate) fn find_way_out(world: &mut World) {
    // A mutant that is not about the way out may have none.
    let other = world.mutant.is_some_and(|mutant| mutant != Safeguard::Offers);
    if world.violation.is_some() || is_broken(world) || other {
        return;
    }
    let Some(mut what) = unwell(world) else { return };
    world.figures.ways_sought += 1;
    // From here on nobody else tells the watchdogs anything.
    world.nemesis.is_over = true;
    let mut followed: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..TURNS_MAX {
        match what_after_a_turn(world) {
            None => {
                world.figures.ways_found += 1;
                return;
            }
            Some(still) => what = still,
        }
        if world.violation.is_some() {
            return;
        }
        let offers = world.offers();
        let times = |offer: &Offer| followed.get(&gist(&offer.command)).copied().unwrap_or_default();
        // What gives much up comes when all else was tried, and tried again.
        let Some(offer) = offers.into_iter().min_by_key(|offer| times(offer) + reluctance(&offer.command))
        else {
            // What goes on by itself needs nobody.
            if is_under_way(world) {
                continue;
            }
            break;
        };
        world.say(|_| format!("the bot: {} ({})", offer.line, offer.sentence));
        *followed.entry(gist(&offer.command)).or_default() += 1;
        world.follow(&offer.command);
    }
    if world.violation.is_none() {
        let tried: Vec<&str> = followed.keys().map(String::as_str).collect();
        let tried = if tried.is_empty() { "nothing".to_owned() } else { tried.join(", ") };
        let what = format!("{what}; offered was {tried}, and it did not help");
        world.complain(Violation { audit: "way-out", at: world.now, what, known: None });
    }
}

/// What it comes to: to withdraw one goal after the other is to do the same again.
fn gist(command: &Command) -> String {
    match command {
        Command::Withdraw { .. } => "goal withdraw".to_owned(),
        Command::Supersede { .. } => "goal apply --supersede".to_owned(),
        Command::Redeclare { replica, anew: false } => format!("goal apply for {replica}"),
        Command::Redeclare { replica, anew: true } => {
            format!("goal apply for another in the place of {replica}")
        }
        Command::Approve { .. } => "plan approve".to_owned(),
        Command::Decline { .. } => "plan reject".to_owned(),
        command => line(command).replace("watchdogctl ", ""),
    }
}

fn reluctance(command: &Command) -> u32 {
    match command {
        Command::Resume
        | Command::Release { .. }
        | Command::Approve { .. }
        | Command::ReleaseStorm
        | Command::Redeclare { .. } => 0,
        Command::Restore { .. } | Command::Decline { .. } => 2,
        Command::Withdraw { .. } | Command::Supersede { .. } => 3,
    }
}

/// Waits for what comes of a turn; answers what is not well after it.
fn what_after_a_turn(world: &mut World) -> Option<String> {
    let end = world.now + TURN_MS;
    loop {
        let what = unwell(world)?;
        if world.now >= end || world.violation.is_some() {
            return Some(what);
        }
        let next = world.now + LOOK_EVERY_MS;
        world.run_until(next);
    }
}

/// Whether something is broken that no command mends: a machine that is off, or whose agent is.
fn is_broken(world: &World) -> bool {
    world.hosts.iter().any(|host| host.replaced_by.is_none() && !host.is_up())
}

/// Whether a plan is being carried out.
fn is_under_way(world: &World) -> bool {
    let mut plans = mind_of_leader(world).into_iter().flat_map(|mind| mind.history.open_plans.values());
    plans.any(|open| open.status == PlanStatus::Running)
}

fn mind_of_leader(world: &World) -> Option<&Mind> {
    world.leader().and_then(|dog| world.dogs[dog].mind.as_deref())
}

/// What is not well; `None` when every declared replica serves what it should and nothing is left open.
fn unwell(world: &World) -> Option<String> {
    let Some(mind) = mind_of_leader(world) else { return Some("nobody leads".to_owned()) };
    let history = &mind.history;
    if let Some(rollout) = &history.rollout {
        return Some(format!("goal {} rolls on: {}", rollout.goal, told(&mind.refusals)));
    }
    if history.undoing.is_some() || !history.pending.is_empty() {
        return Some(format!("what a goal asks for is not done: {}", told(&mind.refusals)));
    }
    if let Some(plan) = history.open_plans.keys().next() {
        return Some(format!("plan {plan} is open"));
    }
    let quarantined = history.quarantined.keys().find(|it| mind.log.replicas.contains_key(*it));
    if let Some(replica) = quarantined {
        return Some(format!("{replica} is quarantined: {}", told(&mind.refusals)));
    }
    let hash = mind.log.target.state_hash;
    let serves = |replica: &ReplicaId| {
        let mut lives = world.lives.values().filter(|life| life.replica == *replica);
        lives.any(|life| life.well_since.is_some() && life.hash == hash)
    };
    let down = mind.log.replicas.keys().find(|replica| !serves(replica))?;
    Some(format!("{down} does not serve what it should: {}", told(&mind.refusals)))
}

impl World {
    /// What `status` offers now.
    fn offers(&self) -> Vec<Offer> {
        let Some((dog, mind)) = self.leader().zip(mind_of_leader(self)) else { return Vec::new() };
        if self.lacks(Safeguard::Offers) {
            return Vec::new();
        }
        offers(&mind.history, &mind.refusals, self.now_of(dog))
    }

    fn follow(&mut self, command: &Command) {
        let wish = match command {
            Command::Resume => Wish::Resume,
            Command::Release { target } => Wish::Release(target.clone()),
            Command::Approve { plan } => Wish::Approve(Some(plan.clone())),
            Command::Decline { plan } => Wish::Decline(Some(plan.clone())),
            Command::ReleaseStorm => Wish::ReleaseStorm,
            Command::Withdraw { .. } => Wish::Withdraw,
            Command::Restore { version } => Wish::Restore(*version),
            Command::Supersede { .. } => Wish::Declare(Box::new(self.version("good", None)), true),
            Command::Redeclare { replica, anew } => match self.declared_where_it_can_live(replica, *anew) {
                Some(goal) => Wish::Declare(Box::new(goal), true),
                None => return,
            },
        };
        self.wish(wish);
    }

    /// A goal that says of a replica that it lives on the machines that are there.
    fn declared_where_it_can_live(&self, replica: &ReplicaId, anew: bool) -> Option<Goal> {
        let state = self.journal.state(self.journal.head().version);
        let value = state.get(&Key::of_replica(replica))?;
        let mut spec: ReplicaSpec = serde_json::from_value(value.clone()).ok()?;
        let there = self.hosts.iter().zip(&self.setup.hosts).filter(|(host, _)| host.is_up());
        spec.hosts = there.map(|(_, name)| name.clone()).collect();
        let mut goal = Goal::default();
        let name = if anew {
            goal.remove.insert(Key::of_replica(replica));
            let spare = |name: &&ReplicaId| state.get(&Key::of_replica(name)).is_none();
            self.setup.spare.iter().find(spare)?.clone()
        } else {
            replica.clone()
        };
        goal.set.insert(Key::of_replica(&name), json!(spec));
        Some(goal)
    }
}
