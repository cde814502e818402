//! Admin: orders to a cluster that `watchdogctl` has no command for.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Context as _;
use serde_json::Value;
use tonic::transport::Channel;
use watchdog_proto::admin::admin_client::AdminClient;
use watchdog_proto::admin::{
    ChangeRequest, GoalApplyRequest, GoalShowRequest, GoalWithdrawRequest, LogAppendRequest,
    PlanDecisionRequest,
};

use crate::dev::Dev;
use crate::visitor::Visitor;

/// Asks the leader of the demo cluster something over gRPC.
fn ask<T>(
    dev: &Dev,
    call: impl AsyncFnOnce(AdminClient<Channel>) -> Result<tonic::Response<T>, tonic::Status>,
) -> anyhow::Result<T> {
    let status = dev.status()?;
    let leader = status["leader"]["address"].as_str().context("nobody leads")?.to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let channel = match dev.certificates() {
            Some(directory) => Visitor::citizen(&directory, "admin").connect(&leader).await,
            None => Channel::from_shared(leader)?.connect().await.map_err(anyhow::Error::from),
        };
        let client = AdminClient::new(channel.context("reach the leader")?);
        // The error is the sentence alone, because that is what tests look at.
        let reply = call(client).await.map_err(|status| anyhow::anyhow!("{}", status.message()))?;
        Ok(reply.into_inner())
    })
}

/// Appends changes to the log of the demo cluster through its leader; a value of `None` removes the key.
///
/// # Errors
///
/// If nobody leads, or the leader refuses; its sentence is in the error.
pub fn append(dev: &Dev, changes: &[(&str, Option<Value>)]) -> anyhow::Result<u64> {
    loop {
        match try_append(dev, changes) {
            // The leader itself appends too, when a goal begins or is undone.
            Err(error) if error.to_string().contains("the log has moved on") => {}
            done => return done,
        }
    }
}

fn try_append(dev: &Dev, changes: &[(&str, Option<Value>)]) -> anyhow::Result<u64> {
    let expected_head = dev.status()?["head"].as_u64().context("the status has no head")?;
    let change = |(key, value): &(&str, Option<Value>)| ChangeRequest {
        key: (*key).to_owned(),
        value_json: value.as_ref().map(ToString::to_string),
    };
    let request = LogAppendRequest {
        cluster: "demo".to_owned(),
        expected_head,
        author: "tests".to_owned(),
        changes: changes.iter().map(change).collect(),
    };
    Ok(ask(dev, async |mut client| client.log_append(request).await)?.head)
}

/// Declares a goal of the demo cluster; answers its id.
///
/// # Errors
///
/// If nobody leads, or the leader refuses; its sentence is in the error.
pub fn declare(dev: &Dev, goal: &Value) -> anyhow::Result<String> {
    declare_as(dev, GoalApplyRequest { goal_json: goal.to_string(), ..GoalApplyRequest::default() })
}

/// The same, with the other fields of the request given.
///
/// # Errors
///
/// As [`declare`].
pub fn declare_as(dev: &Dev, request: GoalApplyRequest) -> anyhow::Result<String> {
    static REQUESTS: AtomicU32 = AtomicU32::new(1);
    let number = REQUESTS.fetch_add(1, Ordering::Relaxed);
    let own = format!("{}-{number}", std::process::id());
    let request = GoalApplyRequest {
        cluster: "demo".to_owned(),
        by: "tests".to_owned(),
        request: if request.request.is_empty() { own } else { request.request },
        ..request
    };
    Ok(ask(dev, async |mut client| client.goal_apply(request).await)?.id)
}

/// A goal of the demo cluster as it is now, in the JSON of the HTTP interface.
///
/// # Errors
///
/// If nobody leads, or there is no such goal.
pub fn goal(dev: &Dev, id: &str) -> anyhow::Result<Value> {
    let request = GoalShowRequest { cluster: "demo".to_owned(), id: id.to_owned() };
    let view = ask(dev, async |mut client| client.goal_show(request).await)?;
    serde_json::to_value(view).context("write the goal")
}

/// Takes a goal of the demo cluster back.
///
/// # Errors
///
/// If nobody leads, or the leader refuses.
pub fn withdraw(dev: &Dev, id: &str) -> anyhow::Result<String> {
    let request =
        GoalWithdrawRequest { cluster: "demo".to_owned(), id: id.to_owned(), by: "tests".to_owned() };
    Ok(ask(dev, async |mut client| client.goal_withdraw(request).await)?.message)
}

/// Approves or rejects a plan of the demo cluster that awaits it.
///
/// # Errors
///
/// If nobody leads, or the leader refuses.
pub fn decide(dev: &Dev, plan: &str, approve: bool) -> anyhow::Result<String> {
    let request =
        PlanDecisionRequest { cluster: "demo".to_owned(), id: plan.to_owned(), by: "tests".to_owned() };
    let done = ask(dev, async |mut client| {
        if approve { client.plan_approve(request).await } else { client.plan_reject(request).await }
    });
    Ok(done?.message)
}

/// The value of one key of the log's head.
///
/// # Errors
///
/// If the log can't be read or has no such key.
pub fn value(dev: &Dev, key: &str) -> anyhow::Result<Value> {
    let reply = dev.json(&["log", "state"])?;
    let state = match &reply["state_json"] {
        Value::String(text) => serde_json::from_str(text).context("read the state")?,
        state => state.clone(),
    };
    state.get(key).cloned().with_context(|| format!("the log has no key {key}"))
}
