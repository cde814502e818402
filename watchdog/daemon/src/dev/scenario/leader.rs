//! Leader: the leading watchdog is killed in the middle of a rollout, and another one finishes it.

use rustix::process::Signal;
use serde_json::json;
use watchdog_proto::admin::GoalView;

use super::scene::{Scene, check, leader, lives, narrate};
use super::{Holding, all_hold, model, same_lives};

/// It dies while the canary soaks.
pub(super) async fn dies_mid_rollout(scene: &Scene<'_>) -> anyhow::Result<()> {
    let status = scene.settled().await?;
    let before = lives(&status);
    narrate("declare goal fraud-v2: a new, good model; demo-a tries it first, for 1.5 s");
    let goal = json!({
        "name": "fraud-v2",
        "reason": "fewer false alarms at night",
        "set": { "model/fraud": model(status.head, None) },
        "rollout": { "canary": ["demo-a"], "soak_ms": 1_500 },
    });
    let id = scene.declare(&goal).await?;
    let soaks = |view: &GoalView| (view.stage.as_deref() == Some("soak")).then_some(());
    scene.until_goal(&id, "to soak on the canary", soaks).await?;
    let old = scene.leader().await?;
    scene.timeline.catch_up().await?;
    narrate(format_args!(
        "kill -9 the leading watchdog {} (pid {}), while the canary soaks",
        old.id, old.pid
    ));
    scene.signal(old.pid, Signal::KILL)?;

    let newer = |status: &_| leader(status).filter(|now| now.epoch > old.epoch);
    let new = scene.until("another leader", newer).await?;
    let (goal, _) = scene.until_over(&id).await?;
    let found = format!("{}: {}", goal.status, goal.why);
    check(&format!("goal {id} was achieved under {}", new.id), goal.status == "achieved", found)?;
    // The canary was started on it once.
    same_lives(scene, before.split_first().map_or(&[], |(_, others)| others)).await?;
    let old_state = before.first().map(|life| life.state_hash.as_str()).unwrap_or_default();
    all_hold(scene, old_state, Holding::Another).await?;
    let peak = scene.record().await?.peak().disturbed;
    check("at most one replica was touched at a time", peak <= 1, peak)
}
