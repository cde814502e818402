//! Bad stable: a version that loads well and that nobody can be started on; first it is found out, then it is let
//! through, and there is a way out.

use serde_json::{Value, json};
use watchdog_core::record::{Body, Mark};

use super::scene::{Scene, check, lives, narrate};
use super::{Holding, all_hold, model};

const CANARY: &str = "demo-a";
const VICTIM: &str = "demo-b";

/// Tells both.
pub(super) async fn found_out_and_left(scene: &Scene<'_>) -> anyhow::Result<()> {
    let before = scene.settled().await?;
    let there = lives(&before);
    let state = there.first().map(|life| life.state_hash.clone()).unwrap_or_default();
    let names: Vec<&str> = there.iter().map(|life| life.replica.as_str()).collect();

    narrate("declare goal fraud-v2: a model that loads well; whoever is started on it dies");
    let id = scene.declare(&goal("fraud-v2", before.head, &names, true)).await?;
    let (found_out, status) = scene.until_over(&id).await?;
    let found = format!("{}: {}", found_out.status, found_out.why);
    check(
        &format!("goal {id} was rejected: {CANARY} was started on it once"),
        found_out.status == "rejected",
        found,
    )?;
    let touched: Vec<String> = scene.record().await?.touched().into_iter().collect();
    check(&format!("only {CANARY} was ever touched"), touched == [CANARY], touched.join(", "))?;

    narrate("declare goal fraud-v3: the same, and by name without that start");
    let id = scene.declare(&goal("fraud-v3", status.head, &names, false)).await?;
    let (let_through, status) = scene.until_over(&id).await?;
    let found = format!("{}: {}", let_through.status, let_through.why);
    check(&format!("goal {id} was achieved, and is stable"), let_through.status == "achieved", found)?;
    let bad = status.stable.unwrap_or_default();

    let victim = scene.replica(VICTIM).await?;
    narrate(format_args!("kill -9 {VICTIM} (pid {}), who can't be started on version {bad}", victim.pid));
    scene.signal(victim.pid, rustix::process::Signal::KILL)?;
    let way_out = |command: &str| command.starts_with("watchdogctl goal restore");
    let offered = scene
        .until("the way out, offered by the status", |status| {
            status.offers.iter().find(|offer| way_out(&offer.command)).cloned()
        })
        .await?;
    narrate(format_args!("the status says: {}: {}", offered.what, offered.command));
    let to = offered.command.split(' ').find_map(|word| word.parse().ok()).unwrap_or_default();
    narrate(format_args!("do that: {}", scene.restore(to, "nobody starts on it").await?));
    let proven = |status: &watchdog_proto::admin::ClusterStatus| {
        (status.stable == Some(status.head) && lives(status).len() == there.len()).then_some(())
    };
    scene.until(&format!("{VICTIM} back, and the head stable"), proven).await?;
    all_hold(scene, &state, Holding::TheSame).await?;
    let rejected =
        |body: &Body| matches!(body, Body::Marked { version, mark: Mark::Rejected, .. } if version.0 == bad);
    check(&format!("version {bad} is given up"), scene.record().await?.tells(rejected), "no such mark")?;
    let left = scene.settled().await?.offers;
    check(
        "nothing is left to decide",
        left.is_empty(),
        left.iter().map(|it| it.command.as_str()).collect::<Vec<_>>().join(", "),
    )
}

fn goal(name: &str, head: u64, dies_on: &[&str], prove_start: bool) -> Value {
    let incident = json!({ "what": "crash_at_start", "on": dies_on });
    json!({
        "name": name,
        "reason": "fewer false alarms at night",
        "set": { "model/fraud": model(head, Some(incident)) },
        "rollout": { "canary": [CANARY], "soak_ms": 500, "probation_ms": 200, "prove_start": prove_start },
    })
}
