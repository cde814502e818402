//! Admin: orders to a cluster that `watchdogctl` has no command for.

use anyhow::Context as _;
use serde_json::Value;
use watchdog_proto::admin::admin_client::AdminClient;
use watchdog_proto::admin::{ChangeRequest, LogAppendRequest};

use crate::dev::Dev;

/// Appends changes to the log of the demo cluster through its leader; a value of `None` removes the key.
///
/// # Errors
///
/// If nobody leads, or the leader refuses; its sentence is in the error.
pub fn append(dev: &Dev, changes: &[(&str, Option<Value>)]) -> anyhow::Result<u64> {
    let status = dev.status()?;
    let leader = status["leader"]["address"].as_str().context("nobody leads")?.to_owned();
    let expected_head = status["head"].as_u64().context("the status has no head")?;
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
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut client = AdminClient::connect(leader).await.context("reach the leader")?;
        let reply =
            client.log_append(request).await.map_err(|status| anyhow::anyhow!("{}", status.message()))?;
        Ok(reply.into_inner().head)
    })
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
