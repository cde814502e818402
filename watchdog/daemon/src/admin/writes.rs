//! Writes: what operators order; each is checked here, written by the leader, and answered when it is durable.

use serde_json::Value;
use tokio::sync::oneshot;
use tonic::metadata::MetadataValue;
use tonic::{Code, Response, Status};
use watchdog_core::ids::{HostId, PlanId, ReplicaId, Time, Version};
use watchdog_core::plan::PlanStatus;
use watchdog_core::record::Body;
use watchdog_core::state::Key;
use watchdog_proto::admin as wire;

use super::views;
use super::{invalid, parse};
use crate::cluster::Handle;
use crate::cluster::operator::{Act, Asker, Denial, Wish};
use crate::cluster::world::Role;

/// The longest reason of an operator, in bytes.
const TEXT_BYTES_MAX: usize = 1_000;
/// The longest pause or hold that has an end: ten years.
const FOR_MS_MAX: u64 = 10 * 366 * 86_400_000;
/// Where a follower names the leader.
pub(crate) const LEADER_METADATA: &str = "watchdog-leader";

type Answer<T> = Result<Response<T>, Status>;

/// Pauses the cluster.
pub(crate) async fn pause(handle: &Handle, asker: Asker, request: wire::PauseRequest) -> Answer<wire::Done> {
    let reason = text("reason", &request.reason)?;
    let body = Body::Paused { reason, until: until(handle, request.for_ms)? };
    write(handle, asker, body, "paused: nothing is healed until `resume`").await
}

/// Ends the pause.
pub(crate) async fn resume(handle: &Handle, asker: Asker) -> Answer<wire::Done> {
    let paused = {
        let world = handle.world.lock();
        world.history.pause.is_some() || world.kept.cluster.is_some()
    };
    if !paused {
        return Err(Status::failed_precondition("the cluster is not paused"));
    }
    write(handle, asker, Body::Resumed, "resumed").await
}

/// Holds a replica or host.
pub(crate) async fn hold(handle: &Handle, asker: Asker, request: wire::HoldRequest) -> Answer<wire::Done> {
    let reason = text("reason", &request.reason)?;
    known(handle, &request.target)?;
    let body = Body::Held { target: request.target, reason, until: until(handle, request.for_ms)? };
    write(handle, asker, body, "held: seen, not touched, until `release`").await
}

/// Ends a hold or a quarantine.
pub(crate) async fn release(
    handle: &Handle,
    asker: Asker,
    request: wire::ReleaseRequest,
) -> Answer<wire::Done> {
    let target = request.target;
    let releasable = {
        let world = handle.world.lock();
        world.history.is_releasable(&target) || world.kept.holds.contains_key(&target)
    };
    if !releasable {
        known(handle, &target)?;
        let what = "is neither held nor quarantined, no goal waits for it, and nothing was declined for it";
        return Err(Status::failed_precondition(format!("{target} {what}")));
    }
    write(handle, asker, Body::Released { target }, "released").await
}

/// Overrules the storm guard.
pub(crate) async fn storm_release(
    handle: &Handle,
    asker: Asker,
    request: wire::StormReleaseRequest,
) -> Answer<wire::Done> {
    let reason = text("reason", &request.reason)?;
    let done = "storm released: what vanished until now is healed under the budget";
    write(handle, asker, Body::StormReleased { reason }, done).await
}

/// Stops an open plan before its next step.
pub(crate) async fn plan_cancel(
    handle: &Handle,
    asker: Asker,
    request: wire::PlanCancelRequest,
) -> Answer<wire::Done> {
    let plan: PlanId = parse("id", &request.id)?;
    {
        let world = handle.world.lock();
        let story = world.plans.get(&plan);
        let story = story.ok_or_else(|| Status::not_found(format!("id: there is no plan {plan}")))?;
        if !story.status.is_open() {
            let status = story.status.word();
            return Err(Status::failed_precondition(format!("plan {plan} is {status} already")));
        }
    }
    let message = ask(handle, asker, Wish::Cancel(plan)).await?;
    Ok(Response::new(wire::Done { message }))
}

/// Lets a plan begin that awaits approval.
pub(crate) async fn plan_approve(
    handle: &Handle,
    asker: Asker,
    request: wire::PlanDecisionRequest,
) -> Answer<wire::Done> {
    let plan = awaiting(handle, &request.id)?;
    let message = ask(handle, asker, Wish::Approve(plan)).await?;
    Ok(Response::new(wire::Done { message }))
}

/// Ends a plan that awaits approval.
pub(crate) async fn plan_reject(
    handle: &Handle,
    asker: Asker,
    request: wire::PlanDecisionRequest,
) -> Answer<wire::Done> {
    let plan = awaiting(handle, &request.id)?;
    let message = ask(handle, asker, Wish::Decline(plan)).await?;
    Ok(Response::new(wire::Done { message }))
}

fn awaiting(handle: &Handle, id: &str) -> Result<PlanId, Status> {
    let plan: PlanId = parse("id", id)?;
    let world = handle.world.lock();
    let story =
        world.plans.get(&plan).ok_or_else(|| Status::not_found(format!("id: there is no plan {plan}")))?;
    if story.status == PlanStatus::AwaitingApproval {
        return Ok(plan);
    }
    let status = story.status.word();
    Err(Status::failed_precondition(format!(
        "plan {plan} is {status}; only one that awaits approval can be decided on"
    )))
}

/// Appends changes to the metadata log.
pub(crate) async fn log_append(
    handle: &Handle,
    asker: Asker,
    request: wire::LogAppendRequest,
) -> Answer<wire::LogAppendReply> {
    if request.changes.is_empty() {
        return Err(invalid("changes", &"there are none"));
    }
    let mut edits = Vec::with_capacity(request.changes.len());
    for change in request.changes {
        let key: Key = parse("changes.key", &change.key)?;
        let read = |text: String| serde_json::from_str::<Value>(&text);
        let value = change.value_json.map(read).transpose().map_err(|error| invalid(key.as_str(), &error))?;
        edits.push((key, value));
    }
    let wish = Wish::Append { expected: Version(request.expected_head), edits };
    let head = ask(handle, asker, wish).await?;
    // The leader answers where this append ends; the head that stands by now may be another's.
    let head = head.parse().map_err(|_| Status::internal("the leader did not say where the append ends"))?;
    Ok(Response::new(wire::LogAppendReply { head }))
}

/// Makes the leader stop leading.
pub(crate) async fn resign(handle: &Handle, asker: Asker) -> Answer<wire::Done> {
    let message = ask(handle, asker, Wish::Resign).await?;
    Ok(Response::new(wire::Done { message }))
}

async fn write(handle: &Handle, asker: Asker, body: Body, done: &str) -> Answer<wire::Done> {
    let wish = Wish::Write { bodies: vec![body], done: done.to_owned() };
    let message = ask(handle, asker, wish).await?;
    Ok(Response::new(wire::Done { message }))
}

/// Checks that this watchdog leads the cluster, because a follower's log may lag behind.
///
/// # Errors
///
/// `FAILED_PRECONDITION` with the leader's address in its metadata, or `UNAVAILABLE` while there is none.
pub(super) fn leads(handle: &Handle) -> Result<(), Status> {
    if handle.world.lock().role == Role::Follower {
        return Err(denied(handle, &Denial::NotLeader));
    }
    Ok(())
}

pub(super) async fn ask(handle: &Handle, asker: Asker, wish: Wish) -> Result<String, Status> {
    leads(handle)?;
    let (answer, answered) = oneshot::channel();
    let act = Act { asker, wish, answer };
    handle.acts.send(act).await.map_err(|_| Status::unavailable("this watchdog is shutting down"))?;
    match answered.await {
        Ok(Ok(message)) => Ok(message),
        Ok(Err(denial)) => Err(denied(handle, &denial)),
        Err(_) => Err(denied(handle, &Denial::NotLeader)),
    }
}

fn denied(handle: &Handle, denial: &Denial) -> Status {
    let mut status = match denial {
        Denial::NotLeader => Status::new(Code::FailedPrecondition, denial.to_string()),
        Denial::HeadMoved { .. } => Status::aborted(denial.to_string()),
        Denial::Refused(_) => Status::failed_precondition(denial.to_string()),
        Denial::Invalid { .. } => Status::invalid_argument(denial.to_string()),
        Denial::Forbidden { .. } => Status::permission_denied(denial.to_string()),
        Denial::Unconfirmed(_) => Status::unavailable(denial.to_string()),
    };
    if *denial == Denial::NotLeader {
        let leader = views::leader(&handle.world.lock());
        match leader.and_then(|leader| MetadataValue::try_from(leader.address).ok()) {
            Some(address) => {
                status.metadata_mut().insert(LEADER_METADATA, address);
            }
            // An election is under way: whoever asked may ask again.
            None => status = Status::unavailable("nobody leads the cluster now"),
        }
    }
    status
}

fn known(handle: &Handle, target: &str) -> Result<(), Status> {
    let world = handle.world.lock();
    let replica: Option<ReplicaId> = target.parse().ok();
    let host: Option<HostId> = target.parse().ok();
    let declared = replica.is_some_and(|replica| world.log.replicas.contains_key(&replica));
    let seen = host.is_some_and(|host| {
        world.history.hosts.contains_key(&host) || world.observation.hosts.contains_key(&host)
    });
    if declared || seen {
        return Ok(());
    }
    Err(Status::not_found(format!("target: {target:?} is neither a replica nor a host of this cluster")))
}

pub(super) fn text(field: &str, text: &str) -> Result<String, Status> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(invalid(field, &"must not be empty"));
    }
    if trimmed.len() > TEXT_BYTES_MAX {
        return Err(invalid(
            field,
            &format!("is {} bytes long; at most {TEXT_BYTES_MAX} are allowed", trimmed.len()),
        ));
    }
    if trimmed.chars().any(|c| c.is_control() && c != '\n') {
        return Err(invalid(field, &"holds a control character"));
    }
    Ok(trimmed.to_owned())
}

fn until(handle: &Handle, for_ms: u64) -> Result<Option<Time>, Status> {
    if for_ms > FOR_MS_MAX {
        let what = format!("{for_ms} ms is longer than ten years; leave it out for until further notice");
        return Err(invalid("for_ms", &what));
    }
    Ok((for_ms > 0).then(|| handle.world.lock().now().plus_ms(for_ms)))
}
