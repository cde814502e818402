//! Founding: what the log of a new cluster begins with.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tonic::Code;
use watchdog_core::goal::fault::KINDS_KEY;
use watchdog_core::ids::HostId;
use watchdog_core::policy::{Backoff, POLICY_KEY, Policy, Timeouts};
use watchdog_core::replica::{Probe, ProbeTiming, ReplicaSpec};
use watchdog_proto::admin::{ChangeRequest, LogAppendRequest};

use super::CLUSTER;
use super::client::Client;
use super::progress::{Impatience, missing};

/// The example server, as host agents and the log call it.
pub(super) const PROGRAM: &str = "scoring-server";
/// How long whoever went silent may still run.
pub(super) const LEASE_MS: u64 = 2_000;

const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What was found in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing; what we wrote reaches to this version.
    New {
        /// The last version.
        head: u64,
    },
    /// A cluster.
    Existing {
        /// The last version.
        head: u64,
    },
}

/// What all replicas of a new cluster have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shape {
    /// How many hosts there are.
    pub(super) hosts: u16,
    /// How long a probe may take, in milliseconds.
    pub(super) probe_timeout_ms: u64,
}

/// Waits for a leader and writes the log's beginning when there is none.
pub(super) async fn found(client: &Client, replicas: u16, shape: Shape) -> anyhow::Result<Found> {
    let changes = changes(replicas, shape)?;
    let mut impatience = Impatience::begin();
    loop {
        let answers = client.ask_all().await;
        impatience.say(&missing(&answers));
        if let Some((leader, head)) = answers.leader_and_head() {
            if head > 0 {
                return Ok(Found::Existing { head });
            }
            let request = LogAppendRequest {
                cluster: CLUSTER.to_owned(),
                expected_head: 0,
                author: "watchdog dev".to_owned(),
                changes: changes.clone(),
            };
            match client.append(&leader, request).await {
                Ok(head) => return Ok(Found::New { head }),
                Err(refusal) if refusal.code() == Code::InvalidArgument => {
                    return Err(refusal).context("the leader refused the beginning of the log");
                }
                // Another leads by now, or the answer was lost and the head has moved: look again.
                Err(status) => tracing::info!(%status, "the cluster is not founded yet"),
            }
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The changes that found a cluster of `replicas`.
pub(super) fn changes(replicas: u16, shape: Shape) -> anyhow::Result<Vec<ChangeRequest>> {
    let mut state = vec![
        (POLICY_KEY.to_owned(), policy()?),
        // So that a misspelt kind is refused and not quietly loaded.
        (KINDS_KEY.to_owned(), json!({ "kinds": ["model", "rule", "setting"] })),
        (
            "model/fraud".to_owned(),
            json!({ "weights": { "amount": 0.002, "foreign": 0.9, "night": 0.4 }, "bias": -1.5 }),
        ),
        ("rule/block".to_owned(), json!({ "if_above": 0.8, "then": "deny" })),
    ];
    for index in 0..replicas {
        let spec = serde_json::to_value(replica(index, shape)?).context("declare a replica")?;
        state.push((format!("replica/{}", replica_name(index)), spec));
    }
    let change = |(key, value): (String, Value)| ChangeRequest { key, value_json: Some(value.to_string()) };
    Ok(state.into_iter().map(change).collect())
}

/// May live on any host; each host is the first choice of as many.
pub(super) fn replica(index: u16, shape: Shape) -> anyhow::Result<ReplicaSpec> {
    let hosts = shape.hosts;
    let names = (0..hosts).map(|offset| HostId::new(host_name((index + offset) % hosts)));
    let timing = ProbeTiming { interval_ms: 50, timeout_ms: shape.probe_timeout_ms, failures: 3 };
    Ok(ReplicaSpec {
        hosts: names.collect::<Result<_, _>>().context("name the hosts")?,
        program: PROGRAM.to_owned(),
        parameters: BTreeMap::from([("debug".to_owned(), "1".to_owned())]),
        probes: vec![Probe::Http { path: "/healthz".to_owned(), address: None, timing }],
        exclusive: false,
        lease_ms: LEASE_MS,
        grace_ms: 1_000,
        live_load: false,
        tags: BTreeMap::new(),
    })
}

/// What differs from the defaults: quick to see and quick to forget, for a cluster that is killed for fun.
fn policy() -> anyhow::Result<Value> {
    let ours = Policy {
        check_interval_ms: 200,
        silence_spacing_ms: 300,
        heals_per_hour: 500,
        backoff: Backoff { initial_ms: 200, factor: 2.0, max_ms: 5_000 },
        quiet_ms: 2_000,
        flapping_deaths: 8,
        flapping_window_ms: 10_000,
        lease_ms: LEASE_MS,
        lease_margin_ms: 500,
        timeouts: Timeouts {
            seal_ms: 1_000,
            start_ms: 5_000,
            kill_ms: 3_000,
            drain_ms: 5_000,
            load_ms: 10_000,
            probe_ms: 10_000,
        },
        soak_ms: 200,
        probation_ms: 500,
        ..Policy::default()
    };
    let mut ours = serde_json::to_value(ours).context("write the policy")?;
    let default = serde_json::to_value(Policy::default()).context("write the policy")?;
    if let Some(fields) = ours.as_object_mut() {
        fields.retain(|name, value| default.get(name) != Some(&*value));
    }
    Ok(ours)
}

/// What the host at `index` is called.
pub(super) fn host_name(index: u16) -> String {
    format!("h{}", index + 1)
}

/// `demo-a` … `demo-z`, `demo-aa` …
pub(super) fn replica_name(index: u16) -> String {
    let mut letters = String::new();
    let mut left = u32::from(index) + 1;
    while left > 0 {
        left -= 1;
        let letter = u8::try_from(left % 26).unwrap_or_default();
        letters.insert(0, char::from(b'a' + letter));
        left /= 26;
    }
    format!("{CLUSTER}-{letters}")
}
