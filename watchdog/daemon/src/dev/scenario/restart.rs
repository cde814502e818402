//! Restart: a rolling restart, in which never more than one replica is down.

use serde_json::json;

use super::scene::{Scene, check, lives, narrate};
use super::{Holding, all_hold};

/// Every replica is started anew.
pub(super) async fn rolling(scene: &Scene<'_>) -> anyhow::Result<()> {
    let before = lives(&scene.settled().await?);
    narrate("declare goal new-certificates: every replica is started anew, demo-a first, for 0.5 s");
    let goal = json!({
        "name": "new-certificates",
        "reason": "the certificates were renewed",
        "restart": true,
        "rollout": { "canary": ["demo-a"], "soak_ms": 500 },
    });
    let id = scene.declare(&goal).await?;
    let (goal, status) = scene.until_over(&id).await?;

    let found = format!("{}: {}", goal.status, goal.why);
    check(&format!("goal {id} was achieved"), goal.status == "achieved", found)?;
    let now = lives(&status);
    let kept = before.iter().find(|old| now.iter().any(|life| life.incarnation == old.incarnation));
    let found = kept.map_or_else(
        || format!("{} healthy replicas of {}", now.len(), before.len()),
        |old| format!("{} was not restarted", old.replica),
    );
    let holds = kept.is_none() && now.len() == before.len();
    check(&format!("all {} replicas live a new life", before.len()), holds, found)?;
    let old_state = before.first().map(|life| life.state_hash.as_str()).unwrap_or_default();
    all_hold(scene, old_state, Holding::TheSame).await?;
    let peak = scene.record().await?.peak().disturbed;
    check("never more than one was down", peak <= 1, peak)
}
