//! Goal view: a goal and its rollout, in the shape that operators and their tools rely on.

use watchdog_core::finding::{Conviction, Subject};
use watchdog_core::goal::GoalStatus;
use watchdog_core::ids::{ReplicaId, Time};
use watchdog_core::input::PlanInput;
use watchdog_core::plan::PlanStatus;
use watchdog_core::planner::rollout::{Stage, held, stage};
use watchdog_core::rollout::Rollout;
use watchdog_core::rollout::survey::{Survey, survey};
use watchdog_proto::admin::{GoalReplicaView, GoalView};

use super::cause;
use super::views::refusal_view;
use crate::clock::rfc3339;
use crate::cluster::goal_book::GoalStory;
use crate::cluster::world::World;

/// A goal without what is going on.
pub(crate) fn brief(world: &World, story: &GoalStory) -> GoalView {
    // One that another took over from is over from that moment on.
    let status = match (&story.status, &world.history.rollout) {
        (GoalStatus::Rolling, Some(rollout)) if rollout.goal != story.id => GoalStatus::Superseded,
        (status, _) => *status,
    };
    GoalView {
        id: story.id.to_string(),
        status: status.word().to_owned(),
        gist: story.gist.clone(),
        reason: story.reason.clone(),
        by: story.by.clone(),
        declared_at: rfc3339(story.declared_at),
        begun_at: story.begun_at.map(rfc3339),
        ended_at: story.ended_at.map(rfc3339),
        why: story.why.clone(),
        last_failure: story.last_failure.clone(),
        base: story.span.map(|(base, _)| base.0),
        to: story.span.map(|(_, to)| to.0),
        ..GoalView::default()
    }
}

/// A goal with its rollout, when it rolls.
pub(crate) fn full(world: &World, story: &GoalStory, now: Time) -> GoalView {
    let brief = brief(world, story);
    let Some(rollout) = world.history.rollout.as_ref().filter(|rollout| rollout.goal == story.id) else {
        // One that waits for another one waits for what that one needs.
        let first = world
            .history
            .rollout
            .as_ref()
            .and_then(|rollout| world.goals.get(&rollout.goal))
            .filter(|_| story.status == GoalStatus::Pending);
        let awaited = first.map(|first| full(world, first, now).awaited).unwrap_or_default();
        return GoalView { awaited, ..brief };
    };
    let now = now.max(world.history.last_at);
    let input = world.plan_input((world.history.epoch, now));
    let survey = survey(rollout, &input);
    let told = tell(world, rollout, (&survey, &input));
    GoalView {
        stage: Some(told.word.to_owned()),
        stage_detail: Some(told.detail),
        soak_until: told.until.map(rfc3339),
        replicas: input.replicas.keys().map(|replica| row(world, rollout, (replica, &survey))).collect(),
        refusals: world.refusals.iter().map(refusal_view).collect(),
        awaited: cause::awaited(world, rollout, (&survey, &input)),
        ..brief
    }
}

/// The goal that rolls and its stage, in a few words, for the status.
pub(crate) fn in_short(world: &World, now: Time) -> Option<(String, String)> {
    let rollout = world.history.rollout.as_ref()?;
    let story = world.goals.get(&rollout.goal)?;
    let view = full(world, story, now);
    Some((view.id, view.stage_detail.unwrap_or_default()))
}

/// The words for all stages.
pub(crate) const STAGES: [&str; 10] =
    ["founding", "canary", "soak", "batch", "final_soak", "trial", "healing", "waiting", "held", "approval"];

/// The word for the stage of the goal that rolls.
pub(crate) fn stage_of(world: &World, now: Time) -> Option<String> {
    let story = world.goals.get(&world.history.rollout.as_ref()?.goal)?;
    full(world, story, now).stage
}

/// A stage in words.
struct Told {
    word: &'static str,
    detail: String,
    until: Option<Time>,
}

fn tell(world: &World, rollout: &Rollout, (survey, input): (&Survey<'_>, &PlanInput)) -> Told {
    let arrived =
        format!("{} of {} replicas hold version {}", survey.arrived.len(), input.replicas.len(), rollout.to);
    let told = |word, detail| Told { word, detail, until: None };
    let waits = world.history.open_plans.values().find(|open| open.status == PlanStatus::AwaitingApproval);
    if let Some(open) = waits {
        let id = &open.plan.id;
        return told("approval", format!("plan {id} awaits approval: {}; {arrived}", open.plan.reason));
    }
    let stage = stage(rollout, survey, input);
    let ill = ill(&input.convictions);
    if !ill.is_empty() && !matches!(stage, Stage::Held | Stage::Waiting { .. }) {
        return told("healing", format!("{arrived}; healed first: {}", names(&ill, usize::MAX)));
    }
    match stage {
        Stage::Held => {
            let why = held(input).map(|refusal| refusal.to_string()).unwrap_or_default();
            told("held", format!("{why}; {arrived}"))
        }
        Stage::Soaking { until } => {
            let (stage, what) = if survey.left.is_empty() {
                ("final_soak", "all soak before it is stable")
            } else {
                ("soak", "the canary soaks before the others follow")
            };
            Told { word: stage, detail: format!("{arrived}; {what}"), until: Some(until) }
        }
        Stage::Waiting { until } => Told { until, ..waiting(rollout, survey, (&arrived, input)) },
        Stage::Moving(_) if survey.canaries_left > 0 => {
            told("canary", format!("{arrived}; next is the canary {}", names(&survey.left, 1)))
        }
        Stage::Moving(count) => told("batch", format!("{arrived}; next {}", names(&survey.left, count))),
        Stage::Proving => told(
            "proving",
            format!("{arrived}; one of them is started anew, to prove that it can be started from"),
        ),
        Stage::Proven => told("final_soak", format!("{arrived}; it has soaked")),
    }
}

fn waiting(rollout: &Rollout, survey: &Survey<'_>, (arrived, input): (&str, &PlanInput)) -> Told {
    let who = |replicas: &[&ReplicaId]| names(replicas, usize::MAX);
    let (word, detail) = if input.target.stable.is_none() {
        let awaited: Vec<&ReplicaId> = survey.under_way.iter().chain(&survey.left).copied().collect();
        ("founding", format!("{arrived}; waiting for {}", who(&awaited)))
    } else if !survey.on_trial.is_empty() {
        (
            "trial",
            format!("{arrived}; failed there and tried on the stable version: {}", who(&survey.on_trial)),
        )
    } else if survey.under_way.is_empty() && !survey.leaving.is_empty() {
        ("waiting", format!("{arrived}; not declared any more and to be stopped: {}", who(&survey.leaving)))
    } else if survey.under_way.is_empty() {
        ("waiting", format!("{arrived}; nobody is on the way"))
    } else if rollout.sent().next().is_none() {
        ("waiting", format!("{arrived}; waiting for {}", who(&survey.under_way)))
    } else {
        let word = if survey.is_canary { "canary" } else { "batch" };
        (word, format!("{arrived}; on the way: {}", who(&survey.under_way)))
    };
    Told { word, detail, until: None }
}

/// Who is convicted of something.
pub(super) fn ill(convictions: &[Conviction]) -> Vec<&ReplicaId> {
    let subjects = convictions.iter().map(|conviction| &conviction.finding.subject);
    let mut ill: Vec<&ReplicaId> = subjects
        .filter_map(|subject| match subject {
            Subject::Replica(replica) => Some(replica),
            Subject::Host(_) => None,
        })
        .collect();
    ill.dedup();
    ill
}

fn names(replicas: &[&ReplicaId], count: usize) -> String {
    let names: Vec<&str> = replicas.iter().take(count).map(|replica| replica.as_str()).collect();
    names.join(", ")
}

fn row(world: &World, rollout: &Rollout, (replica, survey): (&ReplicaId, &Survey<'_>)) -> GoalReplicaView {
    let failed = rollout.trials.get(replica).is_some_and(|trial| trial.failed.is_some());
    let stage = if survey.arrived.contains(&replica) {
        "arrived"
    } else if failed {
        "failed"
    } else if survey.on_trial.contains(&replica) {
        "trial"
    } else if survey.under_way.contains(&replica) {
        "moving"
    } else {
        "left"
    };
    let milestone = milestone(world, replica);
    GoalReplicaView {
        replica: replica.to_string(),
        stage: stage.to_owned(),
        percent: milestone.map(|milestone| milestone.0),
        progress: milestone.map(|milestone| milestone.1.to_owned()),
        failure: cause::of_replica(world, replica).filter(|_| stage != "arrived"),
    }
}

/// How far the open plan for a replica is, as its agent last said.
fn milestone<'a>(world: &'a World, replica: &ReplicaId) -> Option<(u32, &'a str)> {
    let open = world.history.open_plans.values().filter(|open| open.plan.heals(replica));
    let steps = open.flat_map(|open| open.plan.steps_of(replica));
    let mut told = steps.filter_map(|step| world.milestones.get(&step.id));
    told.next_back().map(|milestone| (milestone.percent, milestone.message.as_str()))
}
