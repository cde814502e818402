//! Safety: whom nobody may touch now, and how many may be disturbed at once.
//!
//! ```text
//! the cluster: obstacle, blind, paused ──► nothing is done
//! a replica:   quarantined, held, touched by another plan, agent unsealed ──► Refusal
//! the budget:  serving ──► |disturbed ∪ it| ≤ max_disturbed     down ──► heals under way < heals_parallel
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::condition::is_serving;
use crate::finding::Subject;
use crate::history::{Intent, OpenPlan, Quarantine};
use crate::ids::{HostId, PlanId, ReplicaId};
use crate::input::PlanInput;
use crate::observation::{HostSeen, Sight};
use crate::plan::{Agent, PlanStatus};
use crate::planner::case::{Case, home, lives, serves};
use crate::policy::Remedy;
use crate::refusal::{NAMES_MAX, Reason, Refusal};

/// Why nothing may be done in the whole cluster; empty when something may.
pub fn cluster_refusals(input: &PlanInput) -> Vec<Refusal> {
    let whole = |reason| Refusal { subject: None, reason };
    let mut refusals: Vec<Refusal> =
        input.obstacles.iter().filter(|refusal| refusal.subject.is_none()).cloned().collect();
    if let Sight::Blind { since, why } = &input.observation.sight {
        refusals.push(whole(Reason::Blind { since: *since, why: why.clone() }));
    }
    if let Some(pause) = input.history.pause.as_ref().filter(|pause| pause.stands(input.now)) {
        let (by, why, until) = (pause.by.clone(), pause.reason.clone(), pause.until);
        refusals.push(whole(Reason::Paused { by, why, until }));
    }
    refusals
}

/// Whether the replica may be touched at all, whatever the budget says.
///
/// # Errors
///
/// Who or what forbids it.
pub fn may_touch(replica: &ReplicaId, input: &PlanInput) -> Result<(), Reason> {
    if let Some(quarantine) = standing_quarantine(replica, input) {
        return Err(Reason::Quarantined { why: quarantine.why.clone() });
    }
    may_touch_released(replica, input)
}

/// The quarantine that a replica is under; one that is not declared is under none: what nobody declares holds nothing back.
pub fn standing_quarantine<'a>(replica: &ReplicaId, input: &'a PlanInput) -> Option<&'a Quarantine> {
    input.history.quarantined.get(replica).filter(|_| input.replicas.contains_key(replica))
}

/// The same as [`may_touch`] for one whose quarantine, if it is under one, does not count.
///
/// # Errors
///
/// As [`may_touch`].
pub(crate) fn may_touch_released(replica: &ReplicaId, input: &PlanInput) -> Result<(), Reason> {
    hold_on(replica.as_str(), input)?;
    // A second life on a host that is held is touched with the first.
    let alive = lives(input, replica).filter(|(_, life)| life.is_alive()).map(|(_, life)| &life.host);
    for host in home(input, replica).into_iter().chain(alive) {
        hold_on(host.as_str(), input)?;
    }
    if let Some(obstacle) = obstacle_to(replica, input) {
        return Err(obstacle.clone());
    }
    if let Some(plan) = open_plan_of(replica, input) {
        return Err(Reason::PlanOpen { plan: plan.clone() });
    }
    is_sealed(replica, input)?;
    match open_intents(input).find(|intent| intent.replica.as_ref() == Some(replica)) {
        Some(intent) => Err(Reason::PlanOpen { plan: intent.plan.clone() }),
        None => Ok(()),
    }
}

/// Whether a replica or host is held.
///
/// # Errors
///
/// Who holds it, and why.
pub fn hold_on(name: &str, input: &PlanInput) -> Result<(), Reason> {
    match input.history.holds.get(name).filter(|hold| hold.stands(input.now)) {
        Some(hold) => {
            Err(Reason::Held { target: name.to_owned(), by: hold.by.clone(), why: hold.reason.clone() })
        }
        None => Ok(()),
    }
}

fn obstacle_to<'a>(replica: &ReplicaId, input: &'a PlanInput) -> Option<&'a Reason> {
    let subject = Some(Subject::Replica(replica.clone()));
    input.obstacles.iter().find(|refusal| refusal.subject == subject).map(|refusal| &refusal.reason)
}

fn open_plan_of<'a>(replica: &ReplicaId, input: &'a PlanInput) -> Option<&'a PlanId> {
    let mut open = input.history.open_plans.values();
    let plan = open.find(|open| open.plan.heals(replica));
    plan.map(|open| &open.plan.id)
}

/// Intents of others than the leader itself, whose own steps (looking, marking, telling) touch nobody.
fn open_intents(input: &PlanInput) -> impl Iterator<Item = &Intent> {
    input.history.open_intents.values().filter(|intent| intent.agent != Agent::Leader)
}

/// Agents that may still carry out an earlier leader's order, because they have not taken our epoch.
pub fn unsealed(input: &PlanInput) -> BTreeSet<&Agent> {
    let older = open_intents(input).filter(|intent| intent.epoch < input.epoch);
    older.map(|intent| &intent.agent).filter(|agent| !input.history.sealed.contains(*agent)).collect()
}

/// Whether the agent of `host` has taken our epoch, as far as it must have.
///
/// # Errors
///
/// [`Reason::Unsealed`].
pub fn host_is_sealed(host: &HostId, input: &PlanInput) -> Result<(), Reason> {
    refuse_unsealed(input, |agent| matches!(agent, Agent::Host(other) if other == host))
}

fn is_sealed(replica: &ReplicaId, input: &PlanInput) -> Result<(), Reason> {
    refuse_unsealed(input, |agent| match agent {
        Agent::Host(host) => home(input, replica) == Some(host) || runs_on(replica, host, input),
        Agent::Replica(other, _) => other == replica,
        Agent::Leader => false,
    })?;
    let theirs = |intent: &&Intent| intent.replica.as_ref() == Some(replica);
    let agents: BTreeSet<&Agent> = open_intents(input).filter(theirs).map(|intent| &intent.agent).collect();
    refuse_unsealed(input, |agent| agents.contains(agent))
}

/// Whether one of its lives may run on `host`.
fn runs_on(replica: &ReplicaId, host: &HostId, input: &PlanInput) -> bool {
    lives(input, replica).any(|(_, life)| life.is_alive() && life.host == *host)
}

fn refuse_unsealed(input: &PlanInput, concerns: impl Fn(&Agent) -> bool) -> Result<(), Reason> {
    match unsealed(input).into_iter().find(|agent| concerns(agent)) {
        Some(agent) => Err(Reason::Unsealed { agent: agent.to_string() }),
        None => Ok(()),
    }
}

/// Why a replica counts as disturbed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disturbance {
    /// No life of it serves.
    Down,
    /// A plan is, or will be, touching it.
    Healing(PlanId),
    /// An order whose fate is not recorded may be touching it.
    Ordered(PlanId),
    /// The fate of an order stayed unknown, and it was not seen healthy since.
    Unsettled,
}

impl fmt::Display for Disturbance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down => f.write_str("it does not serve"),
            Self::Healing(plan) => write!(f, "plan {plan} is dealing with it"),
            Self::Ordered(plan) => write!(f, "an order of plan {plan} may be under way"),
            Self::Unsettled => f.write_str("what became of an order to it is not known"),
        }
    }
}

/// Plans that act; one that awaits approval touches nobody before it is looked at again.
fn running(input: &PlanInput) -> impl Iterator<Item = &OpenPlan> {
    input.history.open_plans.values().filter(|open| open.status == PlanStatus::Running)
}

/// The declared replicas that are down and all that may be being touched, each with the gravest reason.
pub fn disturbed(input: &PlanInput) -> BTreeMap<ReplicaId, Disturbance> {
    let history = &input.history;
    let mut disturbed = BTreeMap::new();
    // Each reason takes the place of the lesser ones before it. Nobody waits for what became of one that is undeclared.
    let declared = |replica: &&ReplicaId| input.replicas.contains_key(*replica);
    for replica in history.unsettled.iter().filter(declared).filter(|it| !is_seen_well(it, input)) {
        disturbed.insert(replica.clone(), Disturbance::Unsettled);
    }
    for intent in open_intents(input) {
        let agent = match &intent.agent {
            Agent::Replica(replica, _) => Some(replica),
            Agent::Host(_) | Agent::Leader => None,
        };
        for replica in intent.replica.iter().chain(agent) {
            disturbed.insert(replica.clone(), Disturbance::Ordered(intent.plan.clone()));
        }
    }
    for plan in running(input).map(|open| &open.plan) {
        for heal in plan.heals.iter().filter(|heal| heal.remedy != Remedy::Quarantine) {
            disturbed.insert(heal.replica.clone(), Disturbance::Healing(plan.id.clone()));
        }
    }
    for replica in input.replicas.keys().filter(|replica| !serves(input, replica)) {
        // What a goal adds was never a part of what served, so that it is missed by nobody before it is there.
        if !input.history.is_newborn(replica) {
            disturbed.insert(replica.clone(), Disturbance::Down);
        }
    }
    disturbed
}

/// Whether those who would know say that it serves, whatever became of an order: and not before an agent that did not
/// answer is silenced by its own lease, because until then it may still carry the order out.
fn is_seen_well(replica: &ReplicaId, input: &PlanInput) -> bool {
    let heals = input.history.heals.get(replica).into_iter().flatten();
    let asked_until = heals.filter_map(|heal| heal.ended_at).max().unwrap_or_default();
    // The end was stamped by whoever led then, whose clock may have been behind ours.
    let asked_until = asked_until.max(input.observation.watched_since);
    let lease_ms = input.policy.lease_ms.saturating_add(input.policy.lease_margin_ms);
    if input.now < asked_until.plus_ms(lease_ms) {
        return false;
    }
    let present = |host| input.observation.hosts.get(host).is_some_and(HostSeen::is_present);
    let mut alive = lives(input, replica).filter(|(_, life)| life.is_alive());
    let only = alive.next().filter(|_| alive.next().is_none());
    only.is_some_and(|(_, life)| is_serving(life) && !life.is_mute && present(&life.host))
}

/// Whether a replica is leaving a version that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// It is not.
    Nothing,
    /// It is, and its load may interrupt its service.
    Bad,
    /// It is, and it serves on meanwhile.
    BadLive,
}

/// What a load of this case leaves.
pub fn leaves_bad_state(case: &Case) -> Leaving {
    let held = case.life().and_then(|(_, life)| life.loaded());
    // Nobody leaves what it should hold, whatever was said of it before.
    let bad = held.filter(|held| held.state_hash != case.target.state_hash);
    let bad = bad.is_some_and(|held| case.input.history.abandoned.contains(&held.state_hash));
    match (bad, case.spec.live_load) {
        (false, _) => Leaving::Nothing,
        (true, false) => Leaving::Bad,
        (true, true) => Leaving::BadLive,
    }
}

/// Whether a replica is quarantined, or gone with its host: nothing that we do brings it back soon.
fn is_lost(replica: &ReplicaId, input: &PlanInput) -> bool {
    let host = home(input, replica).and_then(|host| input.observation.hosts.get(host));
    let gone = host.is_some_and(|host| !host.is_present()) && !serves(input, replica);
    input.history.quarantined.contains_key(replica) || gone
}

/// What may still be touched, as one plan grows.
///
/// It is asked for each replica of a cluster that is all ill, so that nothing here may count them all anew.
#[derive(Debug, Clone)]
pub struct Budget {
    disturbed: BTreeSet<ReplicaId>,
    /// Those of them who can be helped; waiting for the others would keep replicas on a bad version.
    hopeful: BTreeSet<ReplicaId>,
    /// Those who can't be helped, disturbed or not.
    lost: BTreeSet<ReplicaId>,
    /// Those who serve and are not disturbed.
    at_work: BTreeSet<ReplicaId>,
    disturbed_max: usize,
    healing: usize,
    parallel: usize,
}

impl Budget {
    /// What may be touched beside everything that is under way.
    pub fn of(input: &PlanInput) -> Self {
        let heals = running(input).flat_map(|open| &open.plan.heals);
        let healing = heals.filter(|heal| !heal.disturbs && heal.remedy != Remedy::Quarantine).count();
        let disturbed: BTreeSet<ReplicaId> = disturbed(input).into_keys().collect();
        let lost: BTreeSet<ReplicaId> =
            input.replicas.keys().filter(|replica| is_lost(replica, input)).cloned().collect();
        let serving = input.replicas.keys().filter(|replica| serves(input, replica));
        Self {
            hopeful: disturbed.difference(&lost).cloned().collect(),
            at_work: serving.filter(|replica| !disturbed.contains(*replica)).cloned().collect(),
            disturbed,
            lost,
            disturbed_max: input.policy.max_disturbed.of(input.replicas.len()),
            healing,
            parallel: input.policy.heals_parallel as usize,
        }
    }

    /// Takes one heal out of the budget.
    ///
    /// # Errors
    ///
    /// A serving replica may not be touched when too many would be disturbed with it; a replica that is down
    /// costs nothing, but must wait while as many as allowed are being healed.
    pub fn admit(&mut self, replica: &ReplicaId, serving: bool) -> Result<(), Reason> {
        self.admit_if(replica, serving, Leaving::Nothing)
    }

    /// The same for one that may be leaving a bad version: whom nobody can help then stops nobody, if another serves.
    ///
    /// # Errors
    ///
    /// As [`Budget::admit`].
    pub fn admit_if(&mut self, replica: &ReplicaId, serving: bool, leaving: Leaving) -> Result<(), Reason> {
        if !serving {
            if self.healing >= self.parallel {
                return Err(Reason::Busy { healing: self.healing, max: self.parallel });
            }
            self.healing += 1;
            return Ok(());
        }
        let another_serves = self.at_work.len() > usize::from(self.at_work.contains(replica));
        let counted = match leaving {
            Leaving::Bad if another_serves => &self.hopeful,
            Leaving::BadLive => &self.hopeful,
            Leaving::Nothing | Leaving::Bad => &self.disturbed,
        };
        let others = counted.len() - usize::from(counted.contains(replica));
        if others + 1 > self.disturbed_max {
            let named = counted.iter().filter(|other| *other != replica).take(NAMES_MAX).cloned();
            let disturbed: Vec<ReplicaId> = named.collect();
            let more = others - disturbed.len();
            return Err(Reason::WouldDisturb { disturbed, more, max: self.disturbed_max });
        }
        if !self.lost.contains(replica) {
            self.hopeful.insert(replica.clone());
        }
        self.at_work.remove(replica);
        self.disturbed.insert(replica.clone());
        Ok(())
    }

    /// Whether a replica whose heal is in an open plan and has not begun may still be touched: by now, others may be down.
    ///
    /// # Errors
    ///
    /// [`Reason::WouldDisturb`].
    pub fn readmit(&mut self, replica: &ReplicaId, input: &PlanInput) -> Result<(), Reason> {
        let Some(Ok(spec)) = input.replicas.get(replica) else { return Ok(()) };
        if !serves(input, replica) {
            return Ok(());
        }
        let leaving = leaves_bad_state(&Case::sound(replica, spec, input));
        self.admit_if(replica, true, leaving)
    }
}
