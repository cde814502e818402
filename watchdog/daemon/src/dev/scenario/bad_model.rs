//! Bad model: a version that kills replicas is declared, blamed, rejected and undone.

use serde_json::{Value, json};
use watchdog_core::plan::Act;
use watchdog_core::record::{Body, Mark};
use watchdog_proto::admin::{ClusterStatus, GoalView};

use super::record::Record;
use super::scene::{Life, Scene, check, lives, narrate};
use super::{Holding, all_hold, model, same_lives};

const CANARY: &str = "demo-a";
const VICTIM: &str = "demo-b";

/// A cluster on its stable version, before a bad one comes.
struct Before {
    head: u64,
    lives: Vec<Life>,
    state_hash: String,
}

impl Before {
    fn of(status: &ClusterStatus) -> Self {
        let lives = lives(status);
        let state_hash = lives.first().map(|life| life.state_hash.clone()).unwrap_or_default();
        Self { head: status.head, lives, state_hash }
    }

    /// All but those that it happens to.
    fn but(&self, victims: &[&str]) -> Vec<Life> {
        self.lives.iter().filter(|life| !victims.contains(&life.replica.as_str())).cloned().collect()
    }
}

/// A loads it and is fine; B crashes on it.
pub(super) async fn on_b(scene: &Scene<'_>) -> anyhow::Result<()> {
    let before = Before::of(&scene.settled().await?);
    scene.replica(VICTIM).await?;
    narrate("declare goal fraud-v2: a new model, which will crash on demo-b; demo-a tries it first, for 1 s");
    let id = scene.declare(&goal(before.head, &[VICTIM])).await?;
    let (goal, status) = scene.until_over(&id).await?;
    narrate(format_args!("goal {id} is {}: {}", goal.status, goal.why));

    let record = scene.record().await?;
    rejected(&goal, VICTIM)?;
    undone(&record, &goal, &status)?;
    let (bad, acts) = (goal.to.unwrap_or_default(), record.acts(CANARY));
    let met = acts.iter().any(|act| matches!(act, Act::Load { to, .. } if to.0 == bad));
    let starts = acts.iter().filter_map(|act| started(act)).collect::<Vec<_>>();
    let expected =
        format!("{CANARY} had loaded version {bad}, was started on it once, and was brought back by a load");
    check(&expected, met && starts == [bad] && loads(&acts) >= 2, record.words(CANARY))?;
    tried(&record, bad)?;
    let touched: Vec<String> = record.touched().into_iter().collect();
    let expected = format!("only {CANARY} and {VICTIM} were ever touched");
    check(&expected, touched == [CANARY, VICTIM], touched.join(", "))?;
    same_lives(scene, &before.but(&[CANARY, VICTIM])).await?;
    all_hold(scene, &before.state_hash, Holding::TheSame).await?;
    let peak = record.peak().touched;
    check("at most one serving replica was touched at a time", peak <= 1, peak)
}

/// It crashes wherever it is loaded.
pub(super) async fn everywhere(scene: &Scene<'_>) -> anyhow::Result<()> {
    let before = Before::of(&scene.settled().await?);
    let names: Vec<&str> = before.lives.iter().map(|life| life.replica.as_str()).collect();
    narrate(
        "declare goal fraud-v2: a new model, which will crash on whoever loads it; demo-a tries it first",
    );
    let id = scene.declare(&goal(before.head, &names)).await?;
    let (goal, status) = scene.until_over(&id).await?;
    narrate(format_args!("goal {id} is {}: {}", goal.status, goal.why));

    let record = scene.record().await?;
    rejected(&goal, CANARY)?;
    undone(&record, &goal, &status)?;
    let touched: Vec<String> = record.touched().into_iter().collect();
    check(&format!("only {CANARY} was ever touched"), touched == [CANARY], touched.join(", "))?;
    same_lives(scene, &before.but(&[CANARY])).await?;
    all_hold(scene, &before.state_hash, Holding::TheSame).await
}

fn goal(head: u64, crashes_on: &[&str]) -> Value {
    json!({
        "name": "fraud-v2",
        "reason": "fewer false alarms at night",
        "set": { "model/fraud": model(head, Some(json!({ "what": "crash", "on": crashes_on }))) },
        "rollout": { "canary": [CANARY], "soak_ms": 1_000, "probation_ms": 500 },
    })
}

fn rejected(goal: &GoalView, culprit: &str) -> anyhow::Result<()> {
    let holds = goal.status == "rejected" && goal.why.contains(culprit);
    let found = format!("{}: {}", goal.status, goal.why);
    check(&format!("goal {} was rejected, because of what {culprit} met", goal.id), holds, found)
}

/// The log has the bad version, marked, and on top of it what takes it back.
fn undone(record: &Record, goal: &GoalView, status: &ClusterStatus) -> anyhow::Result<()> {
    let (base, bad) = (goal.base.unwrap_or_default(), goal.to.unwrap_or_default());
    let mark =
        |body: &Body| matches!(body, Body::Marked { version, mark: Mark::Rejected, .. } if version.0 == bad);
    check(&format!("version {bad} is marked rejected"), record.tells(mark), "no such mark")?;
    let (head, stable) = (status.head, status.stable);
    // One change, and one that takes it back.
    let holds = bad == base + 1 && head == bad + 1 && stable == Some(head);
    let expected = format!("version {} takes it back, and is the stable head", bad + 1);
    check(&expected, holds, format_args!("head {head}, stable {stable:?}"))
}

/// It was started again on the bad version, and lived on the stable one.
fn tried(record: &Record, bad: u64) -> anyhow::Result<()> {
    let starts: Vec<u64> = record.acts(VICTIM).into_iter().filter_map(started).collect();
    let again = starts.iter().filter(|version| **version == bad).count();
    let last_on_stable = starts.last().is_some_and(|version| *version != bad);
    let expected =
        format!("{VICTIM} was started on version {bad} again ({again} tries), and last on the stable one");
    check(&expected, again >= 1 && last_on_stable, format_args!("starts on versions {starts:?}"))
}

fn started(act: &Act) -> Option<u64> {
    if let Act::Start { version, .. } = act { Some(version.0) } else { None }
}

fn loads(acts: &[&Act]) -> usize {
    acts.iter().filter(|act| matches!(act, Act::Load { .. })).count()
}
