//! Stable: a version is marked stable only when every declared replica held it, healthy, for the whole soak.

use crate::condition::is_healthy_on;
use crate::ids::ReplicaId;
use crate::input::PlanInput;
use crate::plan::{Act, Plan};
use crate::rollout::Rollout;

use super::Objection;
use super::facts::{is_worked_on, seen, unchanged_since};

pub(super) fn check(plan: &Plan, input: &PlanInput) -> Vec<Objection> {
    if !plan.steps.iter().any(|step| matches!(step.act, Act::MarkStable { .. })) {
        return Vec::new();
    }
    // Where nobody is declared nobody can have proven anything; but what is stable already stays so.
    let unproven = |it: &Rollout| input.target.stable.is_none() || it.state_hash != input.target.state_hash;
    if input.replicas.is_empty() && input.history.rollout.as_ref().is_none_or(unproven) {
        return vec![Objection::NobodySoaked];
    }
    if was_never_started(input) {
        return vec![Objection::NeverStarted];
    }
    let restless = input.replicas.keys().filter(|replica| !has_soaked(replica, input));
    restless.map(|replica| Objection::NotSoaked { replica: replica.clone() }).collect()
}

/// Whether a goal asks that its state be started from before it is stable, and nothing was.
fn was_never_started(input: &PlanInput) -> bool {
    let Some(rollout) = &input.history.rollout else { return false };
    let is_new = input.target.stable.is_none() || rollout.state_hash != input.target.state_hash;
    rollout.pace.prove_start && is_new && !input.history.witness.started_well.contains(&rollout.state_hash)
}

fn has_soaked(replica: &ReplicaId, input: &PlanInput) -> bool {
    let mut alive = seen(input, replica).into_iter().flatten().filter(|(_, life)| life.is_alive());
    let (Some((_, life)), None) = (alive.next(), alive.next()) else { return false };
    let rollout = input.history.rollout.as_ref();
    let soak_ms = rollout.map_or(input.policy.soak_ms, |rollout| rollout.pace.soak_ms);
    let begun = rollout.map(|rollout| rollout.started_at);
    let settled = [begun, Some(unchanged_since(life, replica, input))];
    let target = rollout.map_or(input.target, |rollout| rollout.aim(&input.target));
    let long_enough = settled.into_iter().flatten().all(|since| input.now.since_ms(since) >= soak_ms);
    // Of whom nobody would say that it died.
    let unwatched = input.observation.hosts.get(&life.host).is_some_and(|host| !host.is_present());
    let attested = life.process.as_ref().and_then(|process| process.setup);
    let declared = match input.replicas.get(replica) {
        Some(Ok(spec)) => attested.is_none_or(|setup| setup == spec.launch_hash()),
        Some(Err(_)) | None => true,
    };
    is_healthy_on(life, &target) && declared && long_enough && !unwatched && !is_worked_on(replica, input)
}
