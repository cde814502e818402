//! Scenario: an incident that is told on the running cluster, and a check that it ended as it must.
//!
//! ```text
//! ready ─► a customer begins to score ─► the incident, the timeline beside it ─► at rest ─► checks ─► verdict
//! ```

mod bad_model;
mod bad_stable;
mod customer;
mod faults;
mod http;
mod leader;
mod record;
mod restart;
mod scale;
mod scene;
mod slow_journal;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum as _;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::client::Client;
use super::founding::Shape;
use super::timeline::Timeline;
use crate::config::JournalUrl;
use customer::Customer;
use scene::{Life, Scene, check, lives, narrate};

/// When a scenario must be over; a loaded machine is slow, a broken product is slower.
const PATIENCE: Duration = Duration::from_mins(1);
/// The same where every write takes more than a second.
const SLOW_PATIENCE: Duration = Duration::from_mins(4);
/// So that each request can be answered by another replica than the first.
const REPLICAS_MIN: usize = 2;

/// What can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Scenario {
    /// A replica is killed: it is replaced, and the others are left alone
    Crash,
    /// A replica freezes: it is pictured, killed for real, and replaced
    Hang,
    /// A replica holds what nobody told it to: a load brings it back, without a restart
    Drift,
    /// A new model crashes on one replica only: it is rejected and undone, and nobody typed anything
    BadModelOnB,
    /// A new model crashes wherever it is loaded: only the canary ever meets it
    BadModelEverywhere,
    /// The leading watchdog is killed while a canary soaks: another one finishes the rollout
    LeaderDiesMidRollout,
    /// A version that nobody can be started on: it is found out; let through, it is left again by what status offers
    BadStable,
    /// Every commit takes more than a second while a replica dies and a goal rolls: nobody is blamed for it
    SlowJournal,
    /// Two more replicas are declared, and taken back
    ScaleOut,
    /// Every replica is started anew, one after the other
    RollingRestart,
}

impl Scenario {
    /// What it is called on the command line.
    pub(super) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Tells it on a cluster that is ready; answers the verdict.
    ///
    /// # Errors
    ///
    /// If it does not end as it must: what was expected, and what was found.
    pub(super) async fn play(self, setting: Setting<'_>) -> anyhow::Result<String> {
        let begun = Instant::now();
        let Setting { client, timeline, home, journal, shape } = setting;
        let patience = if matches!(self, Self::SlowJournal) { SLOW_PATIENCE } else { PATIENCE };
        let scene = Scene { client, timeline, home, journal, shape, deadline: begun + patience };
        let outcome = self.tell_with_customer(&scene).await;
        // Also when it failed: whoever looks for the reason reads the timeline to its end.
        let told = timeline.catch_up().await;
        let name = self.name();
        match outcome.and(told) {
            Ok(()) => {
                let seconds = begun.elapsed().as_secs_f64();
                Ok(format!("scenario {name} ended as it must ({seconds:.1} s)"))
            }
            Err(error) => Err(anyhow::anyhow!("scenario {name} did not end as it must: {error:#}")),
        }
    }

    async fn tell_with_customer(self, scene: &Scene<'_>) -> anyhow::Result<()> {
        let there = lives(&scene.settled().await?);
        let names: Vec<&str> = there.iter().map(|life| life.replica.as_str()).collect();
        anyhow::ensure!(
            names.len() >= REPLICAS_MIN,
            "expected: a cluster of at least {REPLICAS_MIN} replicas; found: {}",
            names.join(", ")
        );
        narrate("a customer scores without a pause, and asks another replica when one does not answer");
        let customer = Customer::begin(scene.client.clone());
        let told = self.tell(scene).await;
        let experience = customer.end().await?;
        narrate(format_args!("customer: {experience}"));
        told?;
        let failure = experience.first_failure.as_deref().unwrap_or("nobody was asked");
        let served = experience.failed == 0 && experience.answered > 0;
        check("every request was answered, at the second try at the latest", served, failure)
    }

    async fn tell(self, scene: &Scene<'_>) -> anyhow::Result<()> {
        match self {
            Self::Crash => faults::crash(scene).await,
            Self::Hang => faults::hang(scene).await,
            Self::Drift => faults::drift(scene).await,
            Self::BadModelOnB => bad_model::on_b(scene).await,
            Self::BadModelEverywhere => bad_model::everywhere(scene).await,
            Self::LeaderDiesMidRollout => leader::dies_mid_rollout(scene).await,
            Self::BadStable => bad_stable::found_out_and_left(scene).await,
            Self::SlowJournal => slow_journal::blames_nobody(scene).await,
            Self::ScaleOut => scale::out_and_in(scene).await,
            Self::RollingRestart => restart::rolling(scene).await,
        }
    }
}

/// Where a scenario is told.
pub(super) struct Setting<'a> {
    /// How to talk to the watchdogs.
    pub(super) client: &'a Client,
    /// What is printed beside it.
    pub(super) timeline: &'a Timeline<'a>,
    /// By which processes are found to be ours.
    pub(super) home: &'a Path,
    /// Where its record is kept.
    pub(super) journal: &'a JournalUrl,
    /// What its replicas have in common.
    pub(super) shape: Shape,
}

/// Another model than the one that is there, and something that goes wrong with it.
///
/// It is another one each time, because a goal that changes nothing is achieved at once.
fn model(head: u64, incident: Option<Value>) -> Value {
    let mut model = json!({ "weights": { "amount": 0.002, "foreign": 0.9, "night": 0.3 }, "bias": -1.7 });
    model["note"] = json!(format!("trained after version {head}"));
    if let Some(incident) = incident {
        model["incident"] = incident;
    }
    model
}

/// Checks that each of these is still the same process of the same life.
async fn same_lives(scene: &Scene<'_>, before: &[Life]) -> anyhow::Result<()> {
    if before.is_empty() {
        return Ok(());
    }
    let now = lives(&scene.settled().await?);
    let names: Vec<&str> = before.iter().map(|life| life.replica.as_str()).collect();
    let names = match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => names.concat(),
    };
    let lost = before.iter().find(|old| !now.iter().any(|life| life.incarnation == old.incarnation));
    let found = lost.map_or_else(String::new, |old| format!("{} of pid {} is gone", old.replica, old.pid));
    check(&format!("{names} never died"), lost.is_none(), found)
}

/// Checks that all replicas hold the same, and that it is (or is not) what they held `before`.
async fn all_hold(scene: &Scene<'_>, before: &str, expected: Holding) -> anyhow::Result<()> {
    let now = lives(&scene.settled().await?);
    let holds = now.iter().all(|life| match expected {
        Holding::TheSame => life.state_hash == before,
        Holding::Another => life.state_hash == now[0].state_hash && life.state_hash != before,
    });
    let what = match expected {
        Holding::TheSame => "every replica holds the stable state of before",
        Holding::Another => "every replica holds the new state",
    };
    let found: Vec<String> = now.iter().map(|life| format!("{} {}", life.replica, life.state_hash)).collect();
    check(what, holds, found.join(", "))
}

/// What is in memory, compared with before.
#[derive(Debug, Clone, Copy)]
enum Holding {
    TheSame,
    Another,
}
