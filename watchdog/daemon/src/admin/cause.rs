//! Cause: why the last try failed, in the words of whoever it failed at, and what a human is needed for.

use std::collections::BTreeSet;

use watchdog_core::ids::{ReplicaId, Time};
use watchdog_core::input::PlanInput;
use watchdog_core::plan::{Outcome, PlanStatus};
use watchdog_core::planner::plan;
use watchdog_core::planner::rollout::{Stage, stage};
use watchdog_core::rollout::Rollout;
use watchdog_core::rollout::survey::Survey;
use watchdog_proto::admin::AwaitedView;

use crate::cluster::plan_book::PlanStory;
use crate::cluster::world::World;

/// The longest cause that is told, in characters; all of it stands in the record.
const TOLD_MAX: usize = 400;

/// A text of an agent, as long as people read it, on one line.
pub(crate) fn clipped(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= TOLD_MAX {
        return line;
    }
    let kept: String = line.chars().take(TOLD_MAX - 1).collect();
    format!("{kept}…")
}

/// Why the last try to heal or move `replica` failed, unless a later one worked.
pub(crate) fn of_replica(world: &World, replica: &ReplicaId) -> Option<String> {
    let heals = world.history.heals.get(replica)?;
    let tried = |status: PlanStatus| matches!(status, PlanStatus::Done | PlanStatus::Failed);
    let last = heals.iter().rev().find(|heal| tried(heal.status))?;
    let story = world.plans.get(&last.plan).filter(|story| story.status == PlanStatus::Failed)?;
    of_plan(story, replica)
}

/// What went wrong for `replica` in a plan that failed.
pub(crate) fn of_plan(story: &PlanStory, replica: &ReplicaId) -> Option<String> {
    let errors = story.plan.steps_of(replica).filter_map(|step| {
        let progress = story.progress.steps.get(&step.id)?;
        let failed = progress.outcome.is_some_and(|outcome| outcome != Outcome::Done);
        let error = progress.error.as_ref().filter(|error| failed && !error.is_empty())?;
        Some(format!("{}: {}", step.act.word(), clipped(error)))
    });
    let why = || (!story.why.is_empty()).then(|| clipped(&story.why));
    errors.into_iter().next().or_else(why)
}

/// What keeps a rollout from going on until somebody does something; nothing while anything may still come by itself.
pub(super) fn awaited(
    world: &World,
    rollout: &Rollout,
    (survey, input): (&Survey<'_>, &PlanInput),
) -> Vec<AwaitedView> {
    let now = input.now;
    let open = &world.history.open_plans;
    if open.values().any(|open| open.status == PlanStatus::Running) {
        return Vec::new();
    }
    let mut all = paused(world, now);
    let soaks = matches!(stage(rollout, survey, input), Stage::Soaking { until } if until > now);
    if all.is_empty() && soaks {
        return all;
    }
    let asked = open.values().filter(|open| open.status == PlanStatus::AwaitingApproval);
    all.extend(asked.map(|open| {
        let id = &open.plan.id;
        let what = format!("plan {id} awaits approval: {}", open.plan.reason);
        view(what, format!("watchdogctl plan approve {id}"))
    }));
    let (blocked, reasons) = blocked(world, now);
    let ill = super::goal_view::ill(&input.convictions);
    let waiting = survey.left.iter().chain(&survey.under_way).chain(&survey.on_trial).chain(&ill);
    let concerned = waiting.into_iter().any(|replica| blocked.contains(replica));
    if concerned && nothing_comes(input) {
        all.extend(reasons);
    }
    all
}

/// Whether there is nothing to do now, and time alone does not change that.
fn nothing_comes(input: &PlanInput) -> bool {
    let decision = plan(input);
    decision.plan.is_none() && decision.again_at.is_none()
}

fn paused(world: &World, now: Time) -> Vec<AwaitedView> {
    // One that ends by itself is waited for.
    let pause = world.pause(now).filter(|pause| pause.until.is_none());
    let told = pause.map(|pause| {
        let what = format!("healing is paused by {}: {}", pause.by, pause.reason);
        view(what, "watchdogctl resume".to_owned())
    });
    told.into_iter().collect()
}

/// The replicas that are left alone until somebody releases them, and why each is.
fn blocked(world: &World, now: Time) -> (BTreeSet<&ReplicaId>, Vec<AwaitedView>) {
    let (mut blocked, mut reasons) = (BTreeSet::new(), Vec::new());
    let rollout = world.history.rollout.as_ref();
    for (replica, quarantine) in &world.history.quarantined {
        // The goal that rolls gives it another chance, on another state than the one that it was given up on.
        let next = rollout.filter(|rollout| !rollout.moved.contains_key(replica)).map(|it| it.state_hash);
        if quarantine.on.zip(next).is_some_and(|(on, next)| on != next) {
            continue;
        }
        if let Some((replica, _)) = world.log.replicas.get_key_value(replica) {
            blocked.insert(replica);
            let cause = of_replica(world, replica);
            let cause = cause.map(|cause| format!("; the last try failed: {cause}")).unwrap_or_default();
            let what = format!("{replica} is quarantined: {}{cause}", clipped(&quarantine.why));
            reasons.push(view(what, format!("watchdogctl release {replica}")));
        }
    }
    for (target, hold) in world.holds(now).into_iter().filter(|(_, hold)| hold.until.is_none()) {
        let of = |replica: &ReplicaId| {
            let seen = world.observation.replicas.get(replica);
            let lives = seen.into_iter().flat_map(|seen| seen.lives.values());
            replica.as_str() == target
                || lives.filter(|life| life.is_alive()).any(|life| life.host.as_str() == target)
        };
        blocked.extend(world.log.replicas.keys().filter(|replica| of(replica)));
        let what = format!("{target} is held by {}: {}", hold.by, hold.reason);
        reasons.push(view(what, format!("watchdogctl release {target}")));
    }
    (blocked, reasons)
}

fn view(what: String, command: String) -> AwaitedView {
    AwaitedView { what, command }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_one_line_and_no_novel() {
        assert_eq!(clipped("no space\n  left on device\n"), "no space left on device");
        assert_eq!(clipped(&"x".repeat(TOLD_MAX)).chars().count(), TOLD_MAX);
        let long = clipped(&"ö".repeat(TOLD_MAX + 1));
        assert!(long.ends_with('…') && long.chars().count() == TOLD_MAX, "{long}");
    }
}
