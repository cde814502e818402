//! Progress: waits until every replica is healthy on the stable version, and says what it waits for.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use watchdog_proto::admin::{ClusterStatus, ReplicaView};

use super::client::{Answers, Client};
use super::say;

const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Between two lines that say what is still missing.
const SAY_AGAIN: Duration = Duration::from_secs(10);

/// Returns when the cluster serves; tells of each replica when it first does.
pub(super) async fn until_ready(client: &Client) -> anyhow::Result<()> {
    let mut told = BTreeSet::new();
    let mut impatience = Impatience::begin();
    loop {
        let answers = client.ask_all().await;
        for replica in answers.status.iter().flat_map(|status| &status.replicas) {
            if replica.state == "healthy" && told.insert(replica.replica.clone()) {
                say(describe(replica));
            }
        }
        let missing = missing(&answers);
        if missing.is_empty() {
            return Ok(());
        }
        impatience.say(&missing);
        sleep(LOOK_AGAIN).await;
    }
}

/// Says what is missing when it has taken long, and again now and then.
pub(super) struct Impatience {
    said_at: Instant,
}

impl Impatience {
    /// Patient for now.
    pub(super) fn begin() -> Self {
        Self { said_at: Instant::now() }
    }

    /// Says it if it is time to.
    pub(super) fn say(&mut self, missing: &[String]) {
        if self.said_at.elapsed() >= SAY_AGAIN {
            say(format_args!("still waiting: {}", missing.join("; ")));
            self.said_at = Instant::now();
        }
    }
}

/// What is not yet as it should be, in words.
pub(super) fn missing(answers: &Answers) -> Vec<String> {
    let mut missing: Vec<String> =
        answers.silent.iter().map(|url| format!("{url} does not answer")).collect();
    let Some(status) = &answers.status else { return missing };
    if status.leader.is_none() {
        missing.push("nobody leads".to_owned());
    }
    if let Some(why) = &status.blind {
        missing.push(format!("the watchdog is blind: {why}"));
    }
    if status.replicas.is_empty() {
        missing.push("no replica is known".to_owned());
    }
    missing.extend(status.replicas.iter().filter_map(|replica| lacking(replica, status)));
    if !missing.is_empty() {
        missing.extend(status.refusals.iter().map(|refusal| refusal.sentence.clone()));
    }
    missing
}

fn lacking(replica: &ReplicaView, status: &ClusterStatus) -> Option<String> {
    let name = &replica.replica;
    if replica.state != "healthy" {
        return Some(format!("{name} is {}", replica.state));
    }
    match (status.stable, replica.version) {
        (None, _) => Some(format!("no version is stable yet; {name} holds {}", number(replica.version))),
        // What it is expected to hold may have another number than the stable version and the same state.
        (Some(_), version) if version != replica.expected => {
            Some(format!("{name} holds {} and should hold {}", number(version), number(replica.expected)))
        }
        _ => None,
    }
}

fn describe(replica: &ReplicaView) -> String {
    let place = |word: &str, value: Option<String>| {
        value.map_or_else(String::new, |value| format!(" {word} {value}"))
    };
    format!(
        "replica {}{}{}{} is healthy",
        replica.replica,
        place("on", replica.host.clone()),
        place("at", replica.address.clone()),
        replica.pid.map_or_else(String::new, |pid| format!(" (pid {pid})")),
    )
}

fn number(version: Option<u64>) -> String {
    version.map_or_else(|| "nothing".to_owned(), |version| format!("version {version}"))
}
