//! Orders: what an embedded agent does, and refuses to do, without any group around it.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod support;

use std::time::Duration;

use support::{
    DEADLINE, Mood, OTHER_INCARNATION, Rig, drain, eventually, first, follow, load, request, second, state,
    undrain,
};
use tonic::Code;
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use watchdog_proto::agent::act_request::Act;
use watchdog_proto::agent::{ActRequest, Kill, SealRequest, SealedStep};

async fn seal(rig: &mut Rig, epoch: u64, steps: &[&str]) -> Result<Vec<SealedStep>, tonic::Status> {
    let request = SealRequest {
        cluster: "demo".into(),
        epoch,
        target: support::INCARNATION.into(),
        steps: steps.iter().map(|step| (*step).to_owned()).collect(),
    };
    Ok(rig.agent.seal(request).await?.into_inner().steps)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_moves_by_the_difference_and_is_proven() {
    let mut rig = Rig::start(None).await;
    let (_, result) = rig.act("3-1-1", Act::Load(load())).await.unwrap();
    assert_eq!(result.error, "");
    assert_eq!((result.version, result.state_hash), (Some(2), Some(second().hash().to_string())));
    assert_eq!(*rig.toy.state.read().unwrap(), second());
    let asked = rig.toy.requests.lock().unwrap()[1].clone();
    assert_eq!(asked.difference, first().difference(&second()));
    assert_eq!((asked.from.0, asked.to.0), (1, 2));
    let seen = rig.look().await;
    assert_eq!((seen.version, seen.state_hash), (2, second().hash().to_string()));
    assert!(seen.live && seen.ready && !seen.draining);
    rig.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drifted_memory_is_brought_to_the_whole_target() {
    let mut rig = Rig::start(None).await;
    let drifted = state(&[("model/fraud", serde_json::json!(7)), ("model/stray", serde_json::json!(8))]);
    *rig.toy.state.write().unwrap() = drifted.clone();
    let without_target = watchdog_proto::agent::Load { state_json: String::new(), ..load() };
    let (_, result) = rig.act("3-1-1", Act::Load(without_target)).await.unwrap();
    assert!(result.error.contains("not to load.from_hash"), "{}", result.error);
    assert_eq!(result.version, Some(1));
    let (_, result) = rig.act("3-1-2", Act::Load(load())).await.unwrap();
    assert_eq!(result.error, "");
    assert_eq!(*rig.toy.state.read().unwrap(), second());
    let asked = rig.toy.requests.lock().unwrap().last().unwrap().difference.clone();
    assert_eq!(asked, drifted.difference(&second()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_load_that_fails_leaves_the_old_version_and_says_why() {
    let table = [
        (Mood::FailInPrepare, "prepare failed, nothing was loaded: the model is damaged"),
        (Mood::PanicInPrepare, "the application panicked in prepare"),
        (Mood::FailInCommit, "commit failed, the old version serves: the disk is full"),
    ];
    let mut rig = Rig::start(None).await;
    for (index, (mood, error)) in table.into_iter().enumerate() {
        rig.toy.mood.send_replace(mood);
        let (_, result) = rig.act(&format!("3-{}-1", index + 1), Act::Load(load())).await.unwrap();
        assert_eq!(result.error, error);
        assert_eq!((result.version, result.state_hash), (Some(1), Some(first().hash().to_string())));
        assert_eq!(*rig.toy.state.read().unwrap(), first());
    }
    rig.toy.mood.send_replace(Mood::Good);
    let (_, result) = rig.act("3-9-1", Act::Load(load())).await.unwrap();
    assert_eq!(result.error, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_that_lies_is_caught() {
    let mut rig = Rig::start(None).await;
    rig.toy.mood.send_replace(Mood::Lie);
    let (_, result) = rig.act("3-1-1", Act::Load(load())).await.unwrap();
    assert!(
        result.error.starts_with("version 2 was committed, but what is in memory hashes to"),
        "{}",
        result.error
    );
    assert_ne!(result.state_hash, Some(second().hash().to_string()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patience_is_counted_from_the_last_progress() {
    let mut rig = Rig::start(None).await;
    let impatient = |step: &str| {
        let mut request = request(step, Act::Load(load()));
        request.order.as_mut().unwrap().timeout_ms = 400;
        request
    };
    rig.toy.mood.send_replace(Mood::StallInPrepare);
    let (progress, result) = rig.ask(impatient("3-1-1")).await.unwrap();
    assert_eq!(result.error, "no progress for 400 ms after \"connecting\"; cancelled, nothing was loaded");
    assert_eq!(progress[0].message, "connecting");
    assert_eq!(rig.look().await.version, 1);

    // Eight reports, 100 ms apart: twice the patience, and never without progress for as long.
    rig.toy.mood.send_replace(Mood::ReportOftenInPrepare);
    let (progress, result) = rig.ask(impatient("3-1-2")).await.unwrap();
    assert_eq!(result.error, "");
    assert!(progress.len() > 1, "{progress:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_hangs_is_reported_and_nothing_else_begins_meanwhile() {
    let mut rig = Rig::start(None).await;
    rig.toy.mood.send_replace(Mood::HangInCommit);
    let mut order = request("3-1-1", Act::Load(load()));
    order.order.as_mut().unwrap().timeout_ms = 200;
    let (_, result) = rig.ask(order).await.unwrap();
    assert_eq!(result.error, "commit has not ended for 200 ms; it may still take effect");
    let refused = rig.act("3-1-2", drain()).await.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert_eq!(refused.message(), "order.step: step 3-1-1 is still running here; one act at a time");
    rig.toy.mood.send_replace(Mood::Good);
    let done = eventually(async || rig.act("3-1-3", drain()).await.ok()).await;
    assert_eq!(done.1.error, "");
    assert_eq!(rig.look().await.version, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_step_gets_the_first_result_and_has_effect_once() {
    let mut rig = Rig::start(None).await;
    let loads_before = rig.toy.requests.lock().unwrap().len();
    rig.toy.mood.send_replace(Mood::ReportOftenInPrepare);
    let (mut one, mut other) = (rig.agent.clone(), rig.agent.clone());
    let (first_time, joined) = tokio::join!(
        follow(&mut one, request("3-1-1", Act::Load(load()))),
        follow(&mut other, request("3-1-1", Act::Load(load()))),
    );
    assert_eq!(first_time.unwrap().1, joined.unwrap().1);
    let again = rig.act("3-1-1", Act::Load(load())).await.unwrap().1;
    assert_eq!((again.error.as_str(), again.version), ("", Some(2)));
    assert_eq!(rig.toy.requests.lock().unwrap().len(), loads_before + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_goes_on_without_whoever_ordered_it() {
    let mut rig = Rig::start(None).await;
    rig.toy.mood.send_replace(Mood::ReportOftenInPrepare);
    drop(rig.agent.act(request("3-1-1", Act::Load(load()))).await.unwrap());
    let (_, result) = rig.act("3-1-1", Act::Load(load())).await.unwrap();
    assert_eq!((result.error.as_str(), result.version), ("", Some(2)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seal_tells_each_fate_and_fences_the_old_epoch() {
    let mut rig = Rig::start(None).await;
    rig.act("3-1-1", drain()).await.unwrap();
    rig.toy.mood.send_replace(Mood::StallInPrepare);
    let mut running = rig.agent.act(request("3-1-2", Act::Load(load()))).await.unwrap().into_inner();
    assert!(running.message().await.unwrap().is_some(), "it makes progress");

    let sealed = seal(&mut rig, 4, &["3-1-1", "3-1-2", "3-1-3"]).await.unwrap();
    let fates: Vec<&str> = sealed.iter().map(|step| step.fate.as_str()).collect();
    assert_eq!(fates, ["done", "running", "never"]);
    assert_eq!(sealed[0].result.as_ref().unwrap().error, "");
    assert!((1..=10_000).contains(&sealed[1].running_ms), "{}", sealed[1].running_ms);

    for refused in [rig.act("3-1-3", drain()).await.unwrap_err(), seal(&mut rig, 3, &[]).await.unwrap_err()] {
        assert_eq!(refused.code(), Code::FailedPrecondition);
        assert!(
            refused.message().ends_with("epoch 3 is over; this agent has seen epoch 4"),
            "{}",
            refused.message()
        );
    }
    assert_eq!(seal(&mut rig, 4, &["3-1-3"]).await.unwrap()[0].fate, "never");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_for_this_process_is_refused_with_the_field() {
    let mut rig = Rig::start(None).await;
    let spoilt = |spoil: fn(&mut watchdog_proto::agent::Order)| {
        let mut request = request("3-1-1", drain());
        spoil(request.order.as_mut().unwrap());
        request
    };
    let kill = Act::Kill(Kill::default());
    let other_replica = Act::Load(watchdog_proto::agent::Load { replica: "demo-b".into(), ..load() });
    let table = [
        (spoilt(|order| order.cluster = "other".into()), Code::InvalidArgument, "order.cluster: "),
        (spoilt(|order| order.target = OTHER_INCARNATION.into()), Code::FailedPrecondition, "order.target: "),
        (
            spoilt(|order| order.epoch = 2),
            Code::FailedPrecondition,
            "order.epoch: epoch 2 is over; this agent",
        ),
        (spoilt(|order| order.step = "a".repeat(5_000)), Code::InvalidArgument, "order.step: "),
        (request("3-1-1", other_replica), Code::NotFound, "load.replica: "),
        (request("3-1-1", kill), Code::Unimplemented, "act.kill: "),
        (ActRequest::default(), Code::InvalidArgument, "order: missing"),
    ];
    for (request, code, message) in table {
        let refused = rig.ask(request).await.unwrap_err();
        assert_eq!(refused.code(), code, "{}", refused.message());
        assert!(refused.message().starts_with(message), "{}", refused.message());
        assert!(refused.message().len() < 500);
    }
    assert!(rig.toy.drained.lock().unwrap().is_empty());
    assert_eq!(rig.act("3-1-1", drain()).await.unwrap().1.error, "", "a refused step was never begun");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drained_is_seen_until_undrained_and_leaving_drains() {
    let mut rig = Rig::start(None).await;
    rig.act("3-1-1", drain()).await.unwrap();
    assert!(rig.look().await.draining);
    rig.act("3-1-2", undrain()).await.unwrap();
    assert!(!rig.look().await.draining);
    // What it was drained for was given up, and it is loaded instead.
    rig.act("3-1-3", drain()).await.unwrap();
    let (_, result) = rig.act("3-1-4", Act::Load(load())).await.unwrap();
    assert_eq!((result.error.as_str(), result.version.is_some()), ("", true));
    assert!(!rig.look().await.draining);
    let toy = rig.toy.clone();
    rig.stop().await.unwrap();
    assert_eq!(*toy.drained.lock().unwrap(), ["drain", "undrain", "drain", "undrain", "drain"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_that_hangs_is_told_by_its_agent() {
    let mut rig = Rig::start(None).await;
    let channel = Channel::from_shared(rig.address.clone()).unwrap().connect().await.unwrap();
    let mut health = HealthClient::new(channel);
    let mut watch = health.watch(HealthCheckRequest { service: String::new() }).await.unwrap().into_inner();
    let mut until = async |wanted: ServingStatus| {
        let seen = async { while watch.message().await.unwrap().unwrap().status() != wanted {} };
        tokio::time::timeout(DEADLINE, seen).await.unwrap();
    };
    until(ServingStatus::Serving).await;
    rig.toy.mood.send_replace(Mood::HangWhenChecked);
    until(ServingStatus::NotServing).await;
    let seen = rig.look().await;
    assert!(!seen.live && !seen.ready);
    assert_eq!(seen.detail, "the application does not answer its own checks");
    assert_eq!(seen.version, 1, "what was last known");
    rig.toy.mood.send_replace(Mood::Good);
    until(ServingStatus::Serving).await;
    tokio::time::timeout(Duration::from_secs(20), rig.stop()).await.unwrap().unwrap();
}
