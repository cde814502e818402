//! Goals: what operators declare, and how far it is.

use std::time::Duration;

use futures_util::stream::BoxStream;
use tonic::{Response, Status};
use watchdog_core::change::Change;
use watchdog_core::goal::compose::{applied, compose};
use watchdog_core::goal::wire as wire_goal;
use watchdog_core::goal::{Goal, GoalStatus, Restore, fault};
use watchdog_core::ids::{GoalId, Version};
use watchdog_core::policy::loosened;
use watchdog_core::state::{State, canonical};
use watchdog_proto::admin as wire;

use super::examine::examine;
use super::tap::{PATIENCE, tap};
use super::{goal_view, invalid, log, parse, writes};
use crate::cluster::Handle;
use crate::cluster::operator::{Asker, Declaration, MAY_LOOSEN, Wish, told};

/// Goals in a list when the asker says no number.
const GOALS_DEFAULT: u32 = 20;
/// How often a goal that is watched is looked at when nothing is recorded: progress of loads is not.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// The longest id of a request.
const REQUEST_BYTES_MAX: usize = 100;

type Answer<T> = Result<Response<T>, Status>;

/// A stream of views of one goal.
pub(crate) type GoalStream = BoxStream<'static, Result<wire::GoalView, Status>>;

/// Reads a goal as it comes over the wire.
fn read(goal_json: &str) -> Result<Goal, Status> {
    wire_goal::read(goal_json).map_err(|error| invalid("goal", &error))
}

/// The changes that a goal comes to now, and the head that they were made for.
///
/// # Errors
///
/// What is wrong with the goal, by key and field.
async fn composed(handle: &Handle, goal: &Goal) -> Result<(Version, State, Vec<Change>), Status> {
    let (cluster, head, state, stable) = {
        let world = handle.world.lock();
        (world.cluster.clone(), world.log.head.version, world.log.state.clone(), world.history.stable)
    };
    fault::find(goal, &state, head, stable).map_err(|fault| Status::invalid_argument(fault.to_string()))?;
    let restored = match (goal.restore, stable) {
        (Some(Restore::Version(version)), _) | (Some(Restore::Named(_)), Some(version)) => {
            Some(handle.journal.state(&cluster, version).await.map_err(|error| log::journal(&error))?)
        }
        (Some(Restore::Named(_)) | None, _) => None,
    };
    let changes = compose(goal, &state, restored.as_ref());
    Ok((head, state, changes))
}

/// What a goal would change now.
pub(crate) async fn diff(handle: &Handle, goal_json: &str) -> Result<wire::GoalDiffReply, Status> {
    let goal = read(goal_json)?;
    let (head, state, changes) = composed(handle, &goal).await?;
    let mut notes = notes(handle, &goal, &state, &changes);
    notes.extend(examine(handle, &changes).await?);
    let mut reply = wire::GoalDiffReply { head: head.0, notes, ..wire::GoalDiffReply::default() };
    for change in &changes {
        let (operation, count) = match (&change.before, &change.after) {
            (None, _) => ("add", &mut reply.added),
            (Some(_), Some(_)) => ("change", &mut reply.changed),
            (Some(_), None) => ("remove", &mut reply.removed),
        };
        *count += 1;
        reply.lines.push(wire::DiffLine {
            operation: operation.to_owned(),
            key: change.key.to_string(),
            before_json: change.before.as_ref().map(canonical),
            after_json: change.after.as_ref().map(canonical),
        });
    }
    Ok(reply)
}

/// What else is worth knowing before a goal is applied.
fn notes(handle: &Handle, goal: &Goal, head: &State, changes: &[Change]) -> Vec<String> {
    let mut notes = Vec::new();
    let world = handle.world.lock();
    if let Some(rolling) = &world.history.rollout {
        let id = &rolling.goal;
        notes
            .push(format!("goal {id} rolls; this one would wait for its end, or take over with --supersede"));
    }
    if world.history.abandoned.contains(&applied(head, changes).hash()) {
        notes.push("this very state was given up before: it was rejected or withdrawn".to_owned());
    }
    let loosened = loosened(changes);
    if !loosened.is_empty() {
        let what = told(&loosened);
        notes.push(format!(
            "it loosens what guards the cluster, so it takes {MAY_LOOSEN} to apply it: {what}"
        ));
    }
    if changes.is_empty() && goal.restart {
        notes.push("every replica would be started anew, one after the other".to_owned());
    }
    let redeclared =
        changes.iter().filter(|change| change.key.kind() == "replica" && change.before.is_some());
    let redeclared: Vec<&str> =
        redeclared.filter(|change| change.after.is_some()).map(|change| change.key.name()).collect();
    if !redeclared.is_empty() && !goal.restart {
        let names = redeclared.join(", ");
        notes.push(format!(
            "what {names} is started with changes at its next start; `restart = true` starts every replica anew"
        ));
    }
    notes
}

/// Declares a goal.
pub(crate) async fn apply(
    handle: &Handle,
    asker: Asker,
    request: wire::GoalApplyRequest,
) -> Answer<wire::GoalApplyReply> {
    let spec = read(&request.goal_json)?;
    if request.request.is_empty() || request.request.len() > REQUEST_BYTES_MAX {
        return Err(invalid(
            "request",
            &"give a UUID of your own, so that asking again declares nothing twice",
        ));
    }
    writes::leads(handle)?;
    // What the hosts would refuse is refused here; who leads looks at all else.
    let (.., changes) = composed(handle, &spec).await?;
    examine(handle, &changes).await?;
    let declaration = Declaration {
        spec,
        request: request.request,
        at: request.at.map(Version),
        supersede: request.supersede,
    };
    let id = writes::ask(handle, asker, Wish::Declare(declaration)).await?;
    let goal: GoalId = parse("id", &id)?;
    let world = handle.world.lock();
    let status = world.goals.get(&goal).map_or(GoalStatus::Pending, |story| story.status);
    let before = world.history.rollout.as_ref().filter(|rollout| rollout.goal != goal && !request.supersede);
    let message = match (status, before) {
        (GoalStatus::Pending, Some(rollout)) => {
            format!("goal {goal} is declared, and waits for the end of goal {}", rollout.goal)
        }
        (GoalStatus::Pending, None) => format!("goal {goal} is declared"),
        // Asked again, because the first answer was lost.
        (status, _) => format!("goal {goal} is declared, and {status} by now"),
    };
    let status = status.word().to_owned();
    Ok(Response::new(wire::GoalApplyReply { id, status, message, head: world.log.head.version.0 }))
}

/// The newest goals, newest first, and all that are not over.
pub(crate) fn list(handle: &Handle, limit: u32) -> wire::GoalListReply {
    let limit = if limit == 0 { GOALS_DEFAULT } else { limit };
    let world = handle.world.lock();
    let goals = world.goals.newest(limit as usize).map(|story| goal_view::brief(&world, story));
    wire::GoalListReply { goals: goals.collect() }
}

/// One goal in full.
pub(crate) fn show(handle: &Handle, id: &str) -> Result<wire::GoalView, Status> {
    let id: GoalId = parse("id", id)?;
    let world = handle.world.lock();
    let story =
        world.goals.get(&id).ok_or_else(|| Status::not_found(format!("id: there is no goal {id}")))?;
    Ok(goal_view::full(&world, story, world.now()))
}

/// One goal now and whenever something of it changes, until it is over.
pub(crate) fn watch(handle: Handle, id: &str) -> Result<GoalStream, Status> {
    let first = show(&handle, id)?;
    let id = id.to_owned();
    let (views, stream) = tap(16, PATIENCE);
    tokio::spawn(async move {
        let mut recorded = handle.world.recorded();
        let mut last = None;
        let mut next = Ok(first);
        loop {
            let over = next.as_ref().map_or(true, |view| view.ended_at.is_some());
            if next.as_ref().ok() != last.as_ref() {
                last = next.as_ref().ok().cloned();
                if views.send(next).await.is_err() {
                    return;
                }
            }
            if over {
                return;
            }
            tokio::select! {
                _ = recorded.changed() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
                () = views.closed() => return,
            }
            next = show(&handle, &id);
        }
    });
    Ok(stream)
}

/// Takes a goal back.
pub(crate) async fn withdraw(
    handle: &Handle,
    asker: Asker,
    request: wire::GoalWithdrawRequest,
) -> Answer<wire::Done> {
    let goal: GoalId = parse("id", &request.id)?;
    if handle.world.lock().goals.get(&goal).is_none() {
        return Err(Status::not_found(format!("id: there is no goal {goal}")));
    }
    let message = writes::ask(handle, asker, Wish::Withdraw(goal)).await?;
    Ok(Response::new(wire::Done { message }))
}

/// Makes an earlier version stable again.
pub(crate) async fn restore(
    handle: &Handle,
    asker: Asker,
    request: wire::GoalRestoreRequest,
) -> Answer<wire::Done> {
    let reason = writes::text("reason", &request.reason)?;
    let to = Version(request.version);
    let message = writes::ask(handle, asker, Wish::Restore { to, reason }).await?;
    Ok(Response::new(wire::Done { message }))
}
