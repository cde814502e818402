//! Orders: what a host agent does for a leader, and what it refuses.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod rig;

use std::time::{Duration, Instant};

use rig::{World, eventually, incarnation, kill, runs, start};
use rustix::process::Signal;
use tonic::Code;
use watchdog_membership::records::{HostRecord, Phase};
use watchdog_proto::agent::{Kill, Snapshot, Start, act_request};

const PROGRAMS: &str = r#"
[programs.sleeper]
argv = ["/bin/sleep", "300"]
parameters.mode = { one_of = ["slow", "fast"], default = "slow" }
[programs.talker]
argv = ["/bin/sh", "-c", "trap 'exit 3' TERM; echo out; echo err >&2; env; while :; do sleep 0.05; done"]
[programs.deaf]
argv = ["/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"]
[programs.family]
argv = ["/bin/sh", "-c", "setsid sleep 301 & sleep 302 & echo $! > pids; sleep 303"]
[programs.absent]
argv = ["/no/such/program"]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_started_once_and_killed_once() {
    let world = World::new().await;
    let mut agent = world.agent(PROGRAMS).await;
    let host: HostRecord =
        world.node("/demo/hosts/host-a", |host: &HostRecord| host.inventory_complete).await;
    assert_eq!(host.instance, agent.instance);

    let order = start("demo-a", "sleeper");
    let pid = agent.start_replica("1-1-1", order.clone()).await;
    assert!(runs(pid));
    let record = world.process("demo-a", &order.incarnation, |_| true).await;
    assert_eq!((record.pid, record.phase), (pid, Phase::Running));
    assert_eq!(
        agent.start_replica("1-1-1", order.clone()).await,
        pid,
        "a repeated step answers its first result"
    );

    let second = agent.act(agent.order("1-1-2"), act_request::Act::Start(start("demo-a", "sleeper"))).await;
    let refused = second.unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    assert!(
        refused.message().starts_with("alive: ") && refused.message().contains(&order.incarnation),
        "{refused}"
    );

    let killed = agent.kill_replica("1-1-3", &order, 5_000).await;
    let obituary = killed.obituary.clone().unwrap();
    assert_eq!((killed.error.as_str(), obituary.status.as_str()), ("", "signal 15 (SIGTERM)"));
    assert!(!runs(pid));
    assert_eq!(world.obituary(&order.incarnation).await.status, obituary.status);
    assert_eq!(agent.kill_replica("1-1-3", &order, 5_000).await, killed);
    assert_eq!(agent.kill_replica("1-1-4", &order, 0).await.obituary, killed.obituary, "dead is dead");
    let again = agent.act(agent.order("1-1-5"), act_request::Act::Start(order)).await.unwrap_err();
    assert!(again.message().starts_with("dead: "), "{again}");
    agent.start_replica("1-1-6", start("demo-a", "sleeper")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_is_published_at_once() {
    let world = World::new().await;
    let mut agent = world.agent(PROGRAMS).await;
    let mut took = Vec::new();
    for round in 1..=20 {
        let order = start("demo-a", "sleeper");
        let asked = Instant::now();
        let pid = agent.start_replica(&format!("1-1-{round}"), order.clone()).await;
        let started = asked.elapsed();
        world.process("demo-a", &order.incarnation, |_| true).await;
        let killed = Instant::now();
        kill(pid, Signal::KILL);
        let obituary = world.obituary(&order.incarnation).await;
        took.push((started, killed.elapsed()));
        assert_eq!(obituary.status, "signal 9 (SIGKILL)");
    }
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2]
    };
    let (starts, deaths): (Vec<_>, Vec<_>) = took.into_iter().unzip();
    println!("order to answer {:?}, death to obituary {:?} (medians)", median(starts), median(deaths));
}

/// What makes a good order a bad one.
type Spoil = fn(&mut Start, &mut watchdog_proto::agent::Order);

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_refused_with_the_field() {
    let world = World::new().await;
    let mut agent = world.agent(PROGRAMS).await;
    agent.seal(3, &[]).await.unwrap();
    let good = || (Start { program: "sleeper".into(), ..start("demo-a", "sleeper") }, agent.order("3-1-1"));
    let table: [(Code, &str, Spoil); 13] = [
        (Code::InvalidArgument, "order.cluster: this host keeps no replicas of other", |_, o| {
            o.cluster = "other".into();
        }),
        (Code::InvalidArgument, "order.cluster: name \"O\"", |_, o| o.cluster = "O".into()),
        (Code::InvalidArgument, "order.epoch", |_, o| o.epoch = 0),
        (Code::InvalidArgument, "order.step", |_, o| o.step = "x".repeat(70)),
        (Code::FailedPrecondition, "older_epoch: epoch 2 is over; this agent has seen epoch 3", |_, o| {
            o.epoch = 2;
        }),
        (Code::FailedPrecondition, "wrong_instance: the order is for instance old", |_, o| {
            o.target = "old".into();
        }),
        (Code::NotFound, "start.program: this host allows no program \"bash\"", |s, _| {
            s.program = "bash".into();
        }),
        (Code::InvalidArgument, "start.parameters.mode: is not one of: slow, fast", |s, _| {
            s.parameters.insert("mode".into(), "$(reboot)".into());
        }),
        (Code::InvalidArgument, "start.parameters.mood: the program takes no such", |s, _| {
            s.parameters.insert("mood".into(), "x".into());
        }),
        (Code::InvalidArgument, "start.incarnation", |s, _| s.incarnation = "7".into()),
        (Code::InvalidArgument, "start.state_json: hashes to", |s, _| {
            s.state_json = "{\"model/m\":1}".into();
        }),
        (Code::InvalidArgument, "start.probes_json: unknown variant `smell`", |s, _| {
            s.probes_json = "[{\"kind\":\"smell\"}]".into();
        }),
        (Code::InvalidArgument, "start.lease_ms", |s, _| s.exclusive = true),
    ];
    let orders = table.map(|(code, expected, spoil)| {
        let (mut start, mut order) = good();
        order.epoch = 3;
        spoil(&mut start, &mut order);
        (code, expected, start, order)
    });
    for (code, expected, start, order) in orders {
        let status = agent.act(order, act_request::Act::Start(start)).await.unwrap_err();
        assert!(status.message().starts_with(expected), "{expected}: {status}");
        assert_eq!(status.code(), code, "{expected}");
    }
    assert!(agent.look(&[]).await.processes.is_empty());
    assert_eq!(agent.seal(2, &[]).await.unwrap_err().code(), Code::FailedPrecondition);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_learned_from_the_coordination_service_fences_too() {
    let world = World::new().await;
    let mut agent = world.agent(PROGRAMS).await;
    world.mint(9).await;
    let _: HostRecord = world.node("/demo/hosts/host-a", |host: &HostRecord| host.epoch.0 == 9).await;
    let refused = agent.act(agent.order("1-1-1"), act_request::Act::Start(start("demo-a", "sleeper"))).await;
    assert!(refused.unwrap_err().message().starts_with("older_epoch"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_cannot_run_is_an_error_and_a_death() {
    let world = World::new().await;
    let mut agent = world.agent(PROGRAMS).await;
    let order = start("demo-a", "absent");
    let result = agent.act(agent.order("1-1-1"), act_request::Act::Start(order.clone())).await.unwrap();
    assert!(result.error.contains("cannot run /no/such/program"), "{}", result.error);
    assert_eq!(world.obituary(&order.incarnation).await.status, "never started");
    let sealed = agent.seal(2, &["1-1-1", "1-1-2"]).await.unwrap();
    let fates: Vec<_> = sealed.steps.iter().map(|step| step.fate.as_str()).collect();
    assert_eq!(fates, ["done", "never"]);
    assert_eq!(sealed.steps[0].result.as_ref().unwrap().error, result.error);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_never_started_never_start() {
    let world = World::new().await;
    let mut agent = world.agent(PROGRAMS).await;
    let order = start("demo-a", "sleeper");
    let killed = agent.kill_replica("1-1-1", &order, 0).await;
    assert_eq!(killed.obituary.unwrap().status, "never started");
    let late = agent.act(agent.order("1-1-2"), act_request::Act::Start(order)).await.unwrap_err();
    assert!(late.message().starts_with("dead: "), "{late}");
}

#[tokio::test(flavor = "multi_thread")]
async fn grace_is_given_and_then_taken() {
    let world = World::new().await;
    let mut agent = world.agent(PROGRAMS).await;
    for (step, program, grace_ms, expected) in [
        ("1", "talker", 10_000, "exit 3"),
        ("2", "deaf", 100, "signal 9 (SIGKILL)"),
        ("3", "talker", 0, "signal 9 (SIGKILL)"),
    ] {
        let order = start("demo-a", program);
        let errors = world.agent_dir().join("logs/demo/demo-a.out");
        let _ = std::fs::remove_file(&errors);
        agent.start_replica(&format!("1-1-{step}a"), order.clone()).await;
        // The shell has set its trap once it has said something.
        eventually("the first output", || {
            std::fs::read_to_string(&errors).is_ok_and(|text| !text.is_empty())
        })
        .await;
        let killed = agent.kill_replica(&format!("1-1-{step}b"), &order, grace_ms).await;
        assert_eq!(killed.obituary.unwrap().status, expected, "{program}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_takes_the_whole_family() {
    let world = World::new().await;
    let programs = format!("{PROGRAMS}\ndirectory = {:?}\n", world.directory.path());
    let programs = programs.replace("[programs.absent]\nargv = [\"/no/such/program\"]\n", "[programs.family2]\nargv = [\"/bin/sh\", \"-c\", \"setsid sleep 301 & sleep 302 & echo $! > pids; wait\"]");
    let mut agent = world.agent(&programs).await;
    let order = start("demo-a", "family2");
    agent.start_replica("1-1-1", order.clone()).await;
    let carriers = || {
        let needle = format!("WATCHDOG_INCARNATION={}", order.incarnation);
        std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter(|entry| {
                let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
                String::from_utf8_lossy(&environment).contains(&needle)
            })
            .count()
    };
    eventually("the family", || carriers() >= 3).await;
    let killed = agent.kill_replica("1-1-2", &order, 0).await;
    assert_eq!(killed.error, "");
    eventually("the end of the family", || carriers() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_shows_the_living_and_the_dead() {
    let world = World::new().await;
    let mut agent = world.agent(PROGRAMS).await;
    let order = start("demo-a", "talker");
    let pid = agent.start_replica("1-1-1", order.clone()).await;
    let out = world.agent_dir().join("logs/demo/demo-a.out");
    eventually("the output", || {
        std::fs::read_to_string(&out).is_ok_and(|text| text.contains("WATCHDOG_STATE_FILE"))
    })
    .await;
    kill(pid, Signal::STOP);
    eventually("the stop", || rig::state(pid) == Some('T')).await;
    let snapshot = act_request::Act::Snapshot(Snapshot {
        replica: "demo-a".into(),
        incarnation: order.incarnation.clone(),
        budget_ms: 1_000,
    });
    let asked = Instant::now();
    let taken = agent.act(agent.order("1-1-2"), snapshot.clone()).await.unwrap();
    println!("a snapshot took {:?}", asked.elapsed());
    let picture: serde_json::Value = serde_json::from_str(taken.snapshot_json.as_ref().unwrap()).unwrap();
    assert!(picture["status"].as_str().unwrap().contains("State:\tT"), "{picture:#}");
    assert_eq!(picture["stderr_tail"], "err\n");
    assert!(picture["stdout_tail"].as_str().unwrap().contains("WATCHDOG_INCARNATION"));
    assert!(!picture["files"].as_object().unwrap().is_empty());
    let again = agent.act(agent.order("1-1-2"), snapshot.clone()).await.unwrap();
    assert_eq!(again.snapshot_json, taken.snapshot_json);
    agent.kill_replica("1-1-3", &order, 0).await;
    let dead = agent.act(agent.order("1-1-4"), snapshot).await.unwrap();
    assert!(dead.snapshot_json.unwrap().contains("WATCHDOG_INCARNATION"));
    let nobody = Snapshot { replica: "demo-a".into(), incarnation: incarnation(), budget_ms: 1 };
    let status = agent.act(agent.order("1-1-5"), act_request::Act::Snapshot(nobody)).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_step_at_a_time_touches_a_replica() {
    let world = World::new().await;
    let mut agent = world.agent(PROGRAMS).await;
    let order = start("demo-a", "deaf");
    agent.start_replica("1-1-1", order.clone()).await;
    let out = world.agent_dir().join("logs/demo/demo-a.out");
    eventually("the trap", || std::fs::read_to_string(&out).is_ok_and(|text| text.contains("ready"))).await;
    let kill = |grace_ms| {
        act_request::Act::Kill(Kill {
            replica: "demo-a".into(),
            incarnation: order.incarnation.clone(),
            grace_ms,
        })
    };
    let mut second = agent.client.clone();
    let slow =
        watchdog_proto::agent::ActRequest { order: Some(agent.order("1-1-2")), act: Some(kill(1_500)) };
    let mut events = second.act(slow).await.unwrap().into_inner();
    let busy = agent.act(agent.order("1-1-3"), kill(0)).await.unwrap_err();
    assert!(busy.message().starts_with("busy: step 1-1-2"), "{busy}");
    let sealed = agent.seal(2, &["1-1-2"]).await.unwrap();
    assert_eq!(sealed.steps[0].fate, "running");
    assert!(sealed.steps[0].running_ms > 0);
    let mut last = None;
    while let Some(event) = events.message().await.unwrap() {
        last = event.event;
    }
    assert!(
        matches!(last, Some(watchdog_proto::agent::act_event::Event::Result(result)) if result.error.is_empty())
    );
}
