//! Survey: who has arrived at the candidate, who is on the way, and who comes next.

use std::collections::BTreeSet;

use crate::condition::is_healthy_on;
use crate::goal::Canary;
use crate::history::History;
use crate::ids::{Incarnation, ReplicaId, Time};
use crate::input::{PlanInput, Target};
use crate::observation::Life;
use crate::planner::case::{lives, settled_since};

use super::Rollout;
use super::verdict::{Verdict, verdict};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey<'a> {
    /// Healthy on the candidate.
    pub arrived: Vec<&'a ReplicaId>,
    /// Ordered there, and not there (any more).
    pub under_way: Vec<&'a ReplicaId>,
    /// Tried on the stable version because they failed; nothing is known yet, or it is the host's fault.
    pub on_trial: Vec<&'a ReplicaId>,
    /// To be moved, the next first.
    pub left: Vec<&'a ReplicaId>,
    /// Whether only the canary is moved now.
    pub is_canary: bool,
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
        is_canary: false,
        arrived_at: rollout.started_at,
    };
    let mut again = Vec::new();
    for replica in input.replicas.keys() {
        match rollout.trials.get(replica).map(|trial| verdict(replica, trial, input)) {
            Some(Verdict::Blames) => again.push(replica),
            Some(Verdict::Waits { .. } | Verdict::Acquits) => survey.on_trial.push(replica),
            None => match arrival(replica, rollout, &aim, input) {
                Some(since) => {
                    survey.arrived.push(replica);
                    survey.arrived_at = survey.arrived_at.max(since.min(input.now));
                }
                None if is_under_way(replica, rollout, input) => survey.under_way.push(replica),
                None => survey.left.push(replica),
            },
        }
    }
    order(&mut survey, rollout, input);
    // Who failed and is tried again comes last, but a canary is no canary before it has arrived.
    if survey.is_canary {
        again.append(&mut survey.left);
        survey.left = again;
    } else {
        survey.left.append(&mut again);
    }
    survey
}

/// Since when the replica is where the rollout wants it; `None` when it is not.
fn arrival(replica: &ReplicaId, rollout: &Rollout, aim: &Target, input: &PlanInput) -> Option<Time> {
    let (incarnation, life) = only_life(input, replica)?;
    let there = is_healthy_on(life, aim)
        && (!rollout.restart || is_restarted(replica, incarnation, rollout, &input.history));
    there.then(|| settled_since(life))
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
        && !input
            .history
            .open_plans
            .values()
            .any(|open| open.plan.heals.iter().any(|heal| heal.replica == *replica));
    !kept
}

fn only_life<'a>(input: &'a PlanInput, replica: &ReplicaId) -> Option<(Incarnation, &'a Life)> {
    let mut alive = lives(input, replica).filter(|(_, life)| life.is_alive());
    alive.next().filter(|_| alive.next().is_none())
}

/// Who is next: chosen canaries, then those whom an earlier goal moved already, then by name.
fn order<'a>(survey: &mut Survey<'a>, rollout: &'a Rollout, input: &'a PlanInput) {
    let empty = BTreeSet::new();
    let chosen: BTreeSet<&ReplicaId> = match &rollout.pace.canary {
        Canary::Count(_) => empty,
        Canary::Replicas(chosen) => chosen.iter().collect(),
    };
    let ahead = |replica: &ReplicaId| {
        lives(input, replica)
            .any(|(_, life)| life.loaded().is_some_and(|held| rollout.earlier.contains(&held.state_hash)))
    };
    survey.left.sort_by_key(|replica| (!chosen.contains(*replica), !ahead(replica), *replica));
    survey.is_canary = match &rollout.pace.canary {
        Canary::Count(count) => rollout.sent().count() <= *count as usize && *count > 0,
        Canary::Replicas(_) => rollout.sent().all(|replica| chosen.contains(replica)),
    };
}

/// How many more belong to the canary.
pub fn canaries_left(survey: &Survey<'_>, rollout: &Rollout) -> usize {
    match &rollout.pace.canary {
        Canary::Count(count) => (*count as usize).saturating_sub(rollout.sent().count()).min(survey.left.len()),
        Canary::Replicas(chosen) => survey.left.iter().filter(|replica| chosen.contains(replica)).count(),
    }
}
