//! Scale: two more replicas are declared, and taken back.

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::same_lives;
use super::scene::{Life, Scene, check, lives, narrate};
use crate::dev::founding;

/// How many come and go.
const MORE: usize = 2;

/// Out, and in again.
pub(super) async fn out_and_in(scene: &Scene<'_>) -> anyhow::Result<()> {
    let before = lives(&scene.settled().await?);
    let fresh = fresh(&before);
    let names = fresh.iter().map(|(_, name)| name.as_str()).collect::<Vec<_>>().join(" and ");
    let (few, many) = (before.len(), before.len() + MORE);

    narrate(format_args!("declare goal scale-out: {names} too, so {many} replicas instead of {few}"));
    achieve(scene, &json!({ "name": "scale-out", "set": declared(scene, &fresh)? })).await?;
    let now = lives(&scene.settled().await?);
    check(&format!("{many} replicas are healthy"), now.len() == many, now.len())?;
    same_lives(scene, &before).await?;

    narrate(format_args!("declare goal scale-in: {names} are not wanted any more"));
    let keys: Vec<String> = fresh.iter().map(|(_, name)| format!("replica/{name}")).collect();
    achieve(scene, &json!({ "name": "scale-in", "remove": keys })).await?;
    let come_and_gone: Vec<&Life> = now.iter().filter(|life| !before.contains(life)).collect();
    let is_few = |status: &watchdog_proto::admin::ClusterStatus| {
        (status.replicas.len() == few && !come_and_gone.iter().any(|life| scene.runs(life.pid))).then_some(())
    };
    scene.until(&format!("{names} to be stopped"), is_few).await?;
    let now = lives(&scene.settled().await?).len();
    check(&format!("{names} were stopped, and {few} replicas are healthy"), now == few, now)?;
    same_lives(scene, &before).await?;
    let peak = scene.record().await?.peak().touched;
    check("at most one serving replica was touched at a time", peak <= 1, peak)
}

/// Numbers and names of replicas that are not there yet.
fn fresh(before: &[Life]) -> Vec<(u16, String)> {
    let names = (0..).map(|index| (index, founding::replica_name(index)));
    names.filter(|(_, name)| !before.iter().any(|life| life.replica == *name)).take(MORE).collect()
}

fn declared(scene: &Scene<'_>, fresh: &[(u16, String)]) -> anyhow::Result<Map<String, Value>> {
    let declare = |(index, name): &(u16, String)| {
        let spec = serde_json::to_value(founding::replica(*index, scene.shape)?);
        Ok((format!("replica/{name}"), spec.context("declare a replica")?))
    };
    fresh.iter().map(declare).collect()
}

async fn achieve(scene: &Scene<'_>, goal: &Value) -> anyhow::Result<()> {
    let id = scene.declare(goal).await?;
    let (goal, _) = scene.until_over(&id).await?;
    let found = format!("{}: {}", goal.status, goal.why);
    check(&format!("goal {id} was achieved"), goal.status == "achieved", found)
}
