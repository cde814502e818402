//! Faults: one replica dies, hangs or drifts, and is healed while the others are left alone.

use std::time::Duration;

use rustix::process::Signal;
use watchdog_core::finding::Subject;
use watchdog_core::record::Body;

use super::scene::{Life, Scene, check, lives, narrate};
use super::{Holding, all_hold, http, same_lives};

const VICTIM: &str = "demo-b";
const PATIENCE: Duration = Duration::from_secs(2);

/// A replica is killed.
pub(super) async fn crash(scene: &Scene<'_>) -> anyhow::Result<()> {
    let (victim, others) = cast(scene).await?;
    narrate(format_args!("kill -9 {VICTIM} (pid {})", victim.pid));
    scene.signal(victim.pid, Signal::KILL)?;
    until_replaced(scene, &victim).await?;

    let record = scene.record().await?;
    let died = |body: &Body| matches!(body, Body::Died { obituary } if obituary.replica.as_str() == VICTIM);
    check(&format!("{VICTIM} was proven dead"), record.tells(died), "no entry of its death")?;
    let words = record.words(VICTIM);
    check(&format!("all it took was: {words}"), words == "start, probe", &words)?;
    same_lives(scene, &others).await
}

/// A replica stops answering.
pub(super) async fn hang(scene: &Scene<'_>) -> anyhow::Result<()> {
    let (victim, others) = cast(scene).await?;
    narrate(format_args!("freeze {VICTIM} (pid {}) with SIGSTOP", victim.pid));
    scene.signal(victim.pid, Signal::STOP)?;
    until_replaced(scene, &victim).await?;

    let record = scene.record().await?;
    let filed =
        |body: &Body| matches!(body, Body::SnapshotFiled { replica, .. } if replica.as_str() == VICTIM);
    let expected = format!("a snapshot of {VICTIM} was taken before it was killed");
    check(&expected, record.tells(filed), "no snapshot in the record")?;
    let words = record.words(VICTIM);
    let wanted = "snapshot, kill, start, probe";
    check(&format!("what was done was: {wanted}"), words == wanted, &words)?;
    same_lives(scene, &others).await
}

/// A replica holds something else than it should.
pub(super) async fn drift(scene: &Scene<'_>) -> anyhow::Result<()> {
    let (victim, others) = cast(scene).await?;
    narrate(format_args!("drift: {VICTIM} holds another model than it was told to, from now on"));
    let (status, body) = http::ask("POST", &victim.address, "/debug/drift", PATIENCE).await?;
    anyhow::ensure!(status == 200, "{VICTIM} would not drift: {status} {body}");
    let healed = |body: &Body| matches!(body, Body::Cleared { subject: Subject::Replica(who), .. } if who.as_str() == VICTIM);
    scene.until_recorded(&format!("the drift of {VICTIM} to be seen, and gone"), healed).await?;
    scene.settled().await?;

    let record = scene.record().await?;
    let words = record.words(VICTIM);
    let loaded = words.contains("load") && !words.contains("kill") && !words.contains("start");
    check(&format!("{VICTIM} was brought back by a load"), loaded, &words)?;
    all_hold(scene, &victim.state_hash, Holding::TheSame).await?;
    let all: Vec<Life> = others.into_iter().chain([victim]).collect();
    same_lives(scene, &all).await
}

/// The one that it happens to, and the others.
async fn cast(scene: &Scene<'_>) -> anyhow::Result<(Life, Vec<Life>)> {
    let victim = scene.replica(VICTIM).await?;
    let mut all = lives(&scene.settled().await?);
    all.retain(|life| life.replica != VICTIM);
    Ok((victim, all))
}

/// Waits for another life of `old` that holds the same, and checks that the old one is over.
async fn until_replaced(scene: &Scene<'_>, old: &Life) -> anyhow::Result<()> {
    let heir = |life: &Life| life.replica == old.replica && life.incarnation != old.incarnation;
    let what = format!("another life of {}", old.replica);
    let heir = scene.until(&what, |status| lives(status).into_iter().find(heir)).await?;
    scene.settled().await?;
    let still = format!("process {} runs", old.pid);
    check(&format!("the old process {} is gone", old.pid), !scene.runs(old.pid), still)?;
    let expected = format!("{} serves again (pid {}), and holds what it held", heir.replica, heir.pid);
    check(&expected, heir.state_hash == old.state_hash, &heir.state_hash)
}
