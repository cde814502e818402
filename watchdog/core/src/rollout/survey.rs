//! Survey: who has arrived at the candidate, who is on the way, and who comes next.
//!
//! Only who is declared counts: one that was moved and is undeclared since holds nobody up.

use std::collections::BTreeSet;

use crate::condition::{is_as_declared, is_healthy_on};
use crate::goal::Canary;
use crate::history::History;
use crate::ids::{Incarnation, ReplicaId, Time};
use crate::input::{PlanInput, Target};
use crate::observation::Life;
use crate::plan::PlanStatus;
use crate::planner::case::{lives, settled_since};
use crate::replica::ReplicaSpec;

use super::Rollout;
use super::verdict::{Verdict, verdict};
use super::volunteer::is_volunteer;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey<'a> {
    /// Healthy on the candidate, where they may live.
    pub arrived: Vec<&'a ReplicaId>,
    /// Ordered there and not there (any more), or about to be moved to a host where they may live.
    pub under_way: Vec<&'a ReplicaId>,
    /// Tried on the stable version because they failed; nothing is known yet, or it is the host's fault.
    pub on_trial: Vec<&'a ReplicaId>,
    /// To be moved, the next first.
    pub left: Vec<&'a ReplicaId>,
    /// Not declared any more, and still running: they are stopped before the goal is achieved.
    pub leaving: Vec<&'a ReplicaId>,
    /// Whether only the canary is moved now.
    pub is_canary: bool,
    /// How many of those who are left belong to the canary.
    pub canaries_left: usize,
    /// Whether some of those who are left don't serve, and so are moved out of turn.
    pub volunteers_left: bool,
    /// Whether replicas were chosen as the canary, and all of them are left.
    pub awaits_canary: bool,
    /// When the last of those who arrived did.
    pub arrived_at: Time,
}

/// Surveys the rollout that `input` tells of.
pub fn survey<'a>(rollout: &'a Rollout, input: &'a PlanInput) -> Survey<'a> {
    let aim = rollout.aim(&input.target);
    let mut survey = Survey {
        arrived: Vec::new(),
        under_way: Vec::new(),
        on_trial: Vec::new(),
        left: Vec::new(),
        leaving: leaving(input),
        is_canary: false,
        canaries_left: 0,
        volunteers_left: false,
        awaits_canary: false,
        arrived_at: rollout.started_at,
    };
    let mut again = Vec::new();
    for (replica, spec) in &input.replicas {
        match rollout.trials.get(replica).map(|trial| verdict(replica, trial, input)) {
            Some(Verdict::Blames | Verdict::Void) => again.push(replica),
            Some(Verdict::Waits { .. } | Verdict::Acquits) => survey.on_trial.push(replica),
            None => match arrival(replica, rollout, &aim, input) {
                // What our own plan is at may be over although it is still seen.
                _ if is_misplaced(replica, spec, input) || is_worked_on(replica, input) => {
                    survey.under_way.push(replica);
                }
                Some(since) => {
                    survey.arrived.push(replica);
                    survey.arrived_at = survey.arrived_at.max(since);
                }
                None if is_under_way(replica, rollout, input) => survey.under_way.push(replica),
                None => survey.left.push(replica),
            },
        }
    }
    order(&mut survey, again, (rollout, input));
    survey
}

/// Since when the replica is where the rollout wants it; `None` when it is not.
fn arrival(replica: &ReplicaId, rollout: &Rollout, aim: &Target, input: &PlanInput) -> Option<Time> {
    let (incarnation, life) = only_life(input, replica)?;
    let there = is_healthy_on(life, aim)
        && is_declared_so(replica, life, input)
        && (!rollout.restart || is_restarted(replica, incarnation, rollout, &input.history));
    // Whoever loads on behalf of a program that embeds nothing need not touch its own stamp.
    let ordered_at = rollout.moved.get(replica).map(|moved| moved.at);
    there.then(|| settled_since(replica, life, input).max(ordered_at.unwrap_or_default()))
}

/// Whether it runs with the program, parameters and probes that are declared.
fn is_declared_so(replica: &ReplicaId, life: &Life, input: &PlanInput) -> bool {
    input
        .replicas
        .get(replica)
        .and_then(|spec| spec.as_ref().ok())
        .is_none_or(|spec| is_as_declared(life, spec))
}

fn is_worked_on(replica: &ReplicaId, input: &PlanInput) -> bool {
    let mut running = input.history.open_plans.values().filter(|open| open.status == PlanStatus::Running);
    running.any(|open| open.plan.heals(replica))
}

/// Whether it runs where its declaration does not allow it to live: it is taken home, not moved to the candidate.
fn is_misplaced(replica: &ReplicaId, spec: &Result<ReplicaSpec, String>, input: &PlanInput) -> bool {
    let life = only_life(input, replica);
    life.zip(spec.as_ref().ok()).is_some_and(|((_, life), spec)| !spec.hosts.contains(&life.host))
}

/// Who runs on by our order although the log does not declare it any more.
pub(crate) fn leaving(input: &PlanInput) -> Vec<&ReplicaId> {
    let seen = input.observation.replicas.keys().filter(|replica| !input.replicas.contains_key(*replica));
    let ours = |replica: &&ReplicaId| {
        let mut alive = lives(input, replica).filter(|(_, life)| life.is_alive());
        alive.any(|(incarnation, _)| input.history.is_ours(replica, incarnation))
    };
    seen.filter(ours).collect()
}

/// Whether this life was ordered after the rollout began.
fn is_restarted(replica: &ReplicaId, incarnation: Incarnation, rollout: &Rollout, history: &History) -> bool {
    let mut ordered = history.lives.get(replica).into_iter().flatten();
    ordered.any(|life| life.incarnation == incarnation && life.at >= rollout.started_at)
}

/// Whether it was moved and the rest is healing; one that kept its old life although it should be started anew is not.
fn is_under_way(replica: &ReplicaId, rollout: &Rollout, input: &PlanInput) -> bool {
    if !rollout.moved.contains_key(replica) {
        return false;
    }
    let aim = rollout.aim(&input.target);
    let kept = rollout.restart
        && only_life(input, replica).is_some_and(|(_, life)| is_healthy_on(life, &aim))
        && !input.history.open_plans.values().any(|open| open.plan.heals(replica));
    !kept
}

fn only_life<'a>(input: &'a PlanInput, replica: &ReplicaId) -> Option<(Incarnation, &'a Life)> {
    let mut alive = lives(input, replica).filter(|(_, life)| life.is_alive());
    alive.next().filter(|_| alive.next().is_none())
}

/// Who is next: chosen canaries, then those whom an earlier goal moved already, then by name; and then who failed and
/// is tried again. But a canary is no canary before it has arrived, so one that failed is the next again.
fn order<'a>(
    survey: &mut Survey<'a>,
    again: Vec<&'a ReplicaId>,
    (rollout, input): (&'a Rollout, &'a PlanInput),
) {
    let chosen: BTreeSet<&ReplicaId> = match &rollout.pace.canary {
        Canary::Count(_) => BTreeSet::new(),
        Canary::Replicas(chosen) => chosen.iter().collect(),
    };
    let ahead = |replica: &ReplicaId| {
        lives(input, replica)
            .any(|(_, life)| life.loaded().is_some_and(|held| rollout.earlier.contains(&held.state_hash)))
    };
    // Who does not serve costs nothing and comes first, or the budget would wait for it for ever.
    let key =
        |replica: &ReplicaId| (!is_volunteer(replica, input), !chosen.contains(replica), !ahead(replica));
    survey.left.sort_by_key(|replica| (key(replica), *replica));
    // One that kept its life although it was ordered to be started anew was never there.
    // Nor is one that did not serve when it was moved a canary for those who do.
    let is_volunteer = |it: &ReplicaId| rollout.moved.get(it).is_some_and(|moved| moved.volunteer);
    let there =
        |it: &&ReplicaId| input.replicas.contains_key(*it) && !survey.left.contains(it) && !is_volunteer(it);
    let sent: Vec<&ReplicaId> = rollout.sent().filter(there).collect();
    survey.is_canary = match &rollout.pace.canary {
        Canary::Count(count) => sent.len() <= *count as usize && *count > 0,
        Canary::Replicas(_) => sent.iter().all(|replica| chosen.contains(replica)),
    };
    let is_awaited = |replica: &&ReplicaId| match &rollout.pace.canary {
        Canary::Count(count) => sent.len() < *count as usize,
        Canary::Replicas(_) => chosen.contains(*replica),
    };
    let (first, last): (Vec<_>, Vec<_>) =
        again.into_iter().partition(|it| survey.is_canary && is_awaited(it));
    survey.left.splice(0..0, first);
    survey.left.extend(last);
    let in_turn = || survey.left.iter().filter(|replica| !super::volunteer::is_volunteer(replica, input));
    survey.canaries_left = match &rollout.pace.canary {
        Canary::Count(count) => (*count as usize).saturating_sub(sent.len()).min(in_turn().count()),
        Canary::Replicas(_) => in_turn().filter(|replica| chosen.contains(*replica)).count(),
    };
    survey.volunteers_left = in_turn().count() < survey.left.len();
    let mut declared = chosen.iter().filter(|it| input.replicas.contains_key(**it)).peekable();
    survey.awaits_canary = declared.peek().is_some() && declared.all(|it| survey.left.contains(it));
}
