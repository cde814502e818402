//! Plans: what is, was and would be done.

use tonic::Status;
use watchdog_core::ids::{PlanId, Sequence};
use watchdog_core::planner::plan;
use watchdog_core::record::Body;
use watchdog_ports::healing_log::PlanInputRecord;
use watchdog_proto::admin as wire;

use super::{parse, views};
use crate::clock::rfc3339;
use crate::cluster::Handle;
use crate::cluster::books::Batches as _;
use crate::cluster::plan_book::PlanStory;
use crate::cluster::world::World;

/// Plans in a list when the asker says no number.
const PLANS_DEFAULT: u32 = 20;

/// The newest plans, newest first, and all that are open.
pub(crate) fn list(world: &World, limit: u32) -> wire::PlanListReply {
    let limit = if limit == 0 { PLANS_DEFAULT } else { limit };
    let plans = world.plans.newest(limit as usize).map(views::plan_view).collect();
    wire::PlanListReply { plans }
}

/// One plan.
pub(crate) fn show(world: &World, id: &str) -> Result<wire::PlanView, Status> {
    let id: PlanId = parse("id", id)?;
    let story =
        world.plans.get(&id).ok_or_else(|| Status::not_found(format!("id: there is no plan {id}")))?;
    let mut view = views::plan_view(story);
    if story.status.is_open() {
        view.refusals = world.refusals.iter().map(views::refusal_view).collect();
    }
    add_progress(world, story, &mut view);
    Ok(view)
}

/// How far agents say that they are with its steps.
pub(crate) fn add_progress(world: &World, story: &PlanStory, view: &mut wire::PlanView) {
    for (step, shown) in story.plan.steps.iter().zip(&mut view.steps) {
        let milestone = world.milestones.get(&step.id);
        shown.percent = milestone.map(|milestone| milestone.percent);
        shown.progress = milestone.map(|milestone| milestone.message.clone());
    }
}

/// What would be done now, and what not, and why. It is computed from a copy, so that a cycle never waits for it.
pub(crate) fn preview(handle: &Handle) -> wire::PlanView {
    let (input, now) = handle.world.as_of_now(|world, now| {
        let now = now.max(world.history.last_at);
        // Nothing is started from a preview, so these need not be fresh; they only stand in the text.
        (world.plan_input((world.history.epoch, now)), now)
    });
    views::preview(plan(&input), input.epoch, now)
}

/// The pictures that were taken for one plan.
pub(crate) async fn snapshots(handle: &Handle, id: &str) -> Result<wire::SnapshotsReply, Status> {
    let id: PlanId = parse("id", id)?;
    let cluster = {
        let world = handle.world.lock();
        world.plans.get(&id).ok_or_else(|| Status::not_found(format!("id: there is no plan {id}")))?;
        world.cluster.clone()
    };
    let mut snapshots = Vec::new();
    let mut after = Sequence(0);
    loop {
        let entries = handle
            .journal
            .entries_after(&cluster, after)
            .await
            .map_err(|error| super::log::journal(&error))?;
        let Some(last) = entries.last() else { break };
        after = last.sequence;
        for entry in entries {
            if let Body::SnapshotFiled { plan, step, replica, incarnation, snapshot } = entry.body
                && plan == id
            {
                snapshots.push(wire::SnapshotView {
                    step: step.to_string(),
                    replica: replica.to_string(),
                    incarnation: incarnation.to_string(),
                    at: rfc3339(entry.at),
                    snapshot_json: snapshot.to_string(),
                });
            }
        }
    }
    Ok(wire::SnapshotsReply { snapshots })
}

/// The exact input that a plan was computed from.
pub(crate) async fn input(handle: &Handle, id: &str) -> Result<wire::PlanInputReply, Status> {
    let id: PlanId = parse("id", id)?;
    let (cluster, plan) = {
        let world = handle.world.lock();
        let story = world.plans.get(&id);
        let story = story.ok_or_else(|| Status::not_found(format!("id: there is no plan {id}")))?;
        (world.cluster.clone(), story.plan.clone())
    };
    let kept = handle.journal.plan_input(&cluster, &id).await.map_err(|error| super::log::journal(&error))?;
    let kept =
        kept.ok_or_else(|| Status::not_found(format!("id: the input of plan {id} is not kept any more")))?;
    let plan_json = serde_json::to_string(&plan).map_err(|error| Status::internal(error.to_string()))?;
    let PlanInputRecord { core_version, input, .. } = kept;
    Ok(wire::PlanInputReply { id: id.to_string(), core_version, plan_json, input_json: input })
}
