//! Slow journal: every commit takes more than a second while a replica dies and a goal rolls; nobody is blamed for it.

use anyhow::Context as _;
use serde_json::json;
use watchdog_core::plan::Act;
use watchdog_core::record::{Body, Mark};

use super::scene::{Scene, check, lives, narrate};
use super::{Holding, all_hold, model};
use crate::wiring;

const VICTIM: &str = "demo-b";

/// Tells it.
pub(super) async fn blames_nobody(scene: &Scene<'_>) -> anyhow::Result<()> {
    let before = scene.settled().await?;
    let there = lives(&before);
    let state = there.first().map(|life| life.state_hash.clone()).unwrap_or_default();
    let victim = scene.replica(VICTIM).await?;

    narrate("somebody else's transaction holds the journal: each commit waits for 1.3 s");
    let brake = wiring::slow_journal(scene.journal).await?;
    narrate(format_args!("kill -9 {VICTIM} (pid {})", victim.pid));
    scene.signal(victim.pid, rustix::process::Signal::KILL)?;
    let back = |status: &watchdog_proto::admin::ClusterStatus| {
        lives(status)
            .into_iter()
            .find(|life| life.replica == VICTIM && life.incarnation != victim.incarnation)
    };
    let born = scene.until(&format!("a new life of {VICTIM}"), back).await?;
    narrate(format_args!("{VICTIM} lives again as pid {}", born.pid));

    narrate("declare goal fraud-v2: a good model, on all replicas");
    let goal = json!({
        "name": "fraud-v2",
        "reason": "fewer false alarms at night",
        "set": { "model/fraud": model(before.head, None) },
        "rollout": { "canary": 1, "batch": 2, "soak_ms": 500, "probation_ms": 200 },
    });
    let id = scene.declare(&goal).await?;
    let (goal, _) = scene.until_over(&id).await?;
    let commits = brake.release().await.context("hold the journal")?;
    narrate(format_args!("the journal was held {commits} times meanwhile"));

    let found = format!("{}: {}", goal.status, goal.why);
    check(&format!("goal {id} was achieved"), goal.status == "achieved", found)?;
    all_hold(scene, &state, Holding::Another).await?;
    let record = scene.record().await?;
    let rejected = |body: &Body| matches!(body, Body::Marked { mark: Mark::Rejected, .. });
    check("no version was rejected", !record.tells(rejected), "a mark")?;
    let quarantined = record.tells(|body| {
        let Body::PlanRecorded { plan, .. } = body else { return false };
        plan.steps.iter().any(|step| matches!(step.act, Act::Notify { quarantine: true, .. }))
    });
    check("nobody was quarantined", !quarantined, "a plan that does")
}
