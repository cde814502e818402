//! Reject: give up a version that was proven bad: a candidate by itself, what was stable with a human's consent.
//!
//! ```text
//! more replicas failed on the candidate and are well on stable than may ──► reject the candidate
//! one that the goal declares can't be started so, anywhere ──► reject the candidate
//! several replicas given up on the stable version ──► fall back to the stable version before it (by default: ask)
//! ```

use crate::condition::is_healthy_on;
use crate::finding::Subject;
use crate::history::PastHeal;
use crate::ids::ReplicaId;
use crate::input::PlanInput;
use crate::ladder::was_well_since;
use crate::plan::{Act, Plan};
use crate::policy::Remedy;
use crate::refusal::Refusal;
use crate::rollout::verdict::{condemned, held_by};

use super::case::Case;
use super::draft::Draft;
use super::{assemble, may};

/// The plan that rejects something now; or why it is not rejected although it should be.
pub fn due(input: &PlanInput, refusals: &mut Vec<Refusal>) -> Option<Plan> {
    let (remedy, draft, reason) = candidate(input).or_else(|| stable(input))?;
    let asked = input.history.open_plans.values().any(|open| open.plan.remedies().any(|it| it == remedy));
    if asked {
        return None;
    }
    if let Err(reason) = may(remedy, None, input) {
        refusals.push(Refusal { subject: None, reason });
        return None;
    }
    Some(assemble::of_cluster(input, draft, reason))
}

fn candidate(input: &PlanInput) -> Option<(Remedy, Draft, String)> {
    let rollout = input.history.rollout.as_ref()?;
    let blaming = condemned(rollout, input)?;
    let (version, to) = (rollout.to, input.target.stable?);
    let who = names(&blaming);
    let why =
        format!("{who} failed on version {version} and is well on the stable one: the version is at fault");
    let goal = Some(rollout.goal.clone());
    let act = Act::Reject { version, state_hash: rollout.state_hash, goal, to };
    let reason = format!("goal {}: {why}", rollout.goal);
    Some((Remedy::Reject, Draft::new(&input.policy, act, why), reason))
}

/// The plan that rejects the candidate because `replica`, which its goal declares anew or in another way, was started so as
/// often and wherever it may, and is not well: that declaration is part of the version.
pub(super) fn of_declaration(case: &Case, why: &str) -> Option<Plan> {
    let (input, replica) = (case.input, case.replica);
    let rollout = input.history.rollout.as_ref()?;
    let (version, to) =
        (rollout.to, input.target.stable.filter(|_| rollout.declares(replica) && rollout.expects(replica))?);
    // One that was well as it is declared, on whatever state, fell ill for another reason; so did one that was given up for
    // heals before.
    let moved_at = rollout.moved.get(replica).map(|moved| moved.at.max(rollout.started_at))?;
    let heals = input.history.heals.get(replica).into_iter().flatten();
    let starts = heals.filter(|heal| heal.at >= moved_at && heal.host.is_some() && heal.is_try()).count();
    // One that flaps may be well just now.
    let is_well = case.life().is_some_and(|(_, life)| is_healthy_on(life, &case.target));
    if is_well
        || was_well_since(case, rollout.started_at)
        || starts < input.policy.tries.restart.max(1) as usize
    {
        return None;
    }
    may(Remedy::Reject, None, input).ok()?;
    let why = format!("{replica} can't be run as version {version} declares it: {why}");
    let goal = Some(rollout.goal.clone());
    let reason = format!("goal {}: {why}", rollout.goal);
    let act = Act::Reject { version, state_hash: rollout.state_hash, goal, to };
    Some(assemble::of_cluster(input, Draft::new(&input.policy, act, why), reason))
}

/// Doubts the stable version when too many replicas had to be given up on it, and there is one before it.
fn stable(input: &PlanInput) -> Option<(Remedy, Draft, String)> {
    let version = input.history.stable?;
    if input.history.undoing.is_some() {
        return None;
    }
    let (to, _) = input.history.stable_before()?;
    // What a goal that rolls has still to move may come up yet.
    let lost = |replica: &&ReplicaId| is_given_up(replica, input) && !awaits_goal(replica, input);
    let given_up: Vec<&ReplicaId> = input.replicas.keys().filter(lost).collect();
    if given_up.len() < input.policy.broken_stable_of(input.replicas.len()) {
        return None;
    }
    let state_hash = *input.history.marked_hashes.get(&version)?;
    let who = names(&given_up);
    let why = format!(
        "{who} had to be given up on version {version}, which was stable; version {to} was before it"
    );
    let reason = format!("{why}; they would be released, and everybody would return to it");
    let act = Act::Reject { version, state_hash, goal: None, to };
    Some((Remedy::FallBack, Draft::new(&input.policy, act, why), reason))
}

/// Whether the goal that rolls, and is not held, brings it to another state yet.
fn awaits_goal(replica: &ReplicaId, input: &PlanInput) -> bool {
    let Some(rollout) = &input.history.rollout else { return false };
    let left = !rollout.has_sent(replica) && rollout.is_blamable(&input.target);
    left && held_by(rollout, input).is_none()
}

/// Whether a replica is convicted and quarantined, and its quarantine is newer than both the stable mark and the last
/// release of it.
fn is_given_up(replica: &ReplicaId, input: &PlanInput) -> bool {
    let subject = Subject::Replica(replica.clone());
    if !input.convictions.iter().any(|conviction| conviction.finding.subject == subject) {
        return false;
    }
    let heals = input.history.heals.get(replica).into_iter().flatten();
    let since = |heal: &PastHeal| {
        let counts =
            heal.at >= input.history.stable_at && !input.history.was_released_since(replica, heal.at);
        heal.remedy == Remedy::Quarantine && counts
    };
    input.history.quarantined.contains_key(replica) && heals.rev().any(since)
}

/// More replicas than these are only counted in a sentence.
const NAMES_MAX: usize = 5;

fn names(replicas: &[&ReplicaId]) -> String {
    let names: Vec<&str> = replicas.iter().take(NAMES_MAX).map(|replica| replica.as_str()).collect();
    let more = replicas.len().saturating_sub(NAMES_MAX);
    if more > 0 { format!("{} and {more} more", names.join(", ")) } else { names.join(", ") }
}
