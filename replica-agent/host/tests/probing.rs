//! Probing: a replica that stops answering is noticed in fractions of a second, and one that answers again too.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod rig;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::Instant;

use rig::{Sweep, World, kill, start};
use rustix::process::Signal;
use watchdog_core::ids::{Epoch, Version};
use watchdog_core::state::Hash;
use watchdog_membership::environment::Environment;
use watchdog_membership::handover::Addresses;
use watchdog_membership::member::Member;
use watchdog_membership::records::{FORMAT, Health, MemberRecord, ProbeState};
use watchdog_proto::agent::{Load, Start, act_request};

/// This very test binary, as a replica that answers HTTP.
fn programs() -> String {
    let this = std::env::current_exe().unwrap();
    format!(
        "[programs.web]\nargv = [\"{}\", \"--exact\", \"replica\"]\n\
         [programs.yes]\nargv = [\"/bin/true\"]\n[programs.no]\nargv = [\"/bin/false\"]\n\
         [programs.sleeper]\nargv = [\"/bin/sleep\", \"300\"]\n",
        this.display()
    )
}

/// Not a test but the replica of the others: it does something only when a host agent has started it.
#[test]
fn replica() {
    let Ok(environment) = Environment::of_this_process() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let service = format!("http://{}", listener.local_addr().unwrap());
    let addresses = Addresses { agent: service.clone(), service: Some(service) };
    addresses.write(&environment.address_file.unwrap()).unwrap();
    for stream in listener.incoming() {
        std::thread::spawn(move || {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
                if line == "\r\n" {
                    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
                }
                line.clear();
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_replica_fails_its_probe_and_recovers() {
    let world = World::new().await;
    let mut agent = world.agent(&programs()).await;
    for (step, probe) in [("1", "http"), ("2", "tcp")] {
        let probes_json = match probe {
            "http" => "[{\"kind\":\"http\",\"path\":\"/\"}]".to_owned(),
            // A stopped process still has its port: only what it answers tells.
            _ => "[{\"kind\":\"tcp\"}]".to_owned(),
        };
        let order = Start { probes_json, ..start("demo-a", "web") };
        let pid = agent.start_replica(&format!("1-{step}-1"), order.clone()).await;
        world.process("demo-a", &order.incarnation, |process| process.probe == ProbeState::Passing).await;
        if probe == "http" {
            kill(pid, Signal::STOP);
            let stopped = Instant::now();
            let failing = world
                .process("demo-a", &order.incarnation, |process| process.probe == ProbeState::Failing)
                .await;
            println!("SIGSTOP to failing: {:?}", stopped.elapsed());
            assert!(failing.detail.contains("no answer within"), "{}", failing.detail);
            let first = agent.look(&["demo-a"]).await.processes.remove(0);
            let asked = Instant::now();
            let second = agent.look(&["demo-a"]).await.processes.remove(0);
            println!("a look at a failing one: {:?}", asked.elapsed());
            assert_eq!((second.probe.as_str(), first.probe.as_str()), ("failing", "failing"));
            assert!(second.probe_round > first.probe_round, "each look is newer evidence");
            kill(pid, Signal::CONT);
            world.process("demo-a", &order.incarnation, |process| process.probe == ProbeState::Passing).await;
        }
        agent.kill_replica(&format!("1-{step}-2"), &order, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lost_an_address_file_with_our_directory_does_not_fail_and_the_group_tells_where_it_is() {
    let world = World::new().await;
    let _sweep = Sweep(world.agent_dir());
    let programs = format!("[probes]\nstartup_ms = 1\n{}", programs());
    let mut agent = world.agent(&programs).await;
    let probes_json = "[{\"kind\":\"http\",\"path\":\"/\"}]".to_owned();
    let order = Start { probes_json, ..start("demo-a", "web") };
    let pid = agent.start_replica("1-1-1", order.clone()).await;
    world.process("demo-a", &order.incarnation, |process| process.probe == ProbeState::Passing).await;
    let file = world.agent_dir().join("run").join(&order.incarnation).join("address.json");
    let Addresses { agent: address, service } =
        serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    agent.end(Signal::KILL);
    std::fs::remove_dir_all(world.agent_dir()).unwrap();

    let mut agent = world.agent(&programs).await;
    // More questions than make a failure of a replica that should be up.
    for _ in 0..5 {
        let process = agent.look(&["demo-a"]).await.processes.remove(0);
        assert_eq!((process.pid, process.probe.as_str()), (pid, "none"));
    }
    let member = MemberRecord {
        format: FORMAT,
        replica: "demo-a".parse().unwrap(),
        incarnation: order.incarnation.parse().unwrap(),
        host: "host-a".parse().unwrap(),
        pid,
        start_ticks: 0,
        boot_id: String::new(),
        address,
        service,
        version: Version(1),
        state_hash: Hash::default(),
        health: Health::Ready,
        detail: String::new(),
        epoch: Epoch(1),
        since_ms: 0,
    };
    let _member = Member::join(world.tree.clone(), &world.paths, member).await.unwrap();
    // What the agent before us said still stands for a while; a hang only we can have seen.
    kill(pid, Signal::STOP);
    let hangs =
        world.process("demo-a", &order.incarnation, |process| process.probe == ProbeState::Failing).await;
    assert!(hangs.detail.contains("no answer within"), "{}", hangs.detail);
    kill(pid, Signal::CONT);
    world.process("demo-a", &order.incarnation, |process| process.probe == ProbeState::Passing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_probe_too_and_failing_needs_an_age() {
    let world = World::new().await;
    let programs = format!("[probes]\nstartup_ms = 300\n{}", programs());
    let mut agent = world.agent(&programs).await;
    let timing = "{\"interval_ms\":100,\"timeout_ms\":5000,\"failures\":3}";
    let probe = |name: &str| format!("[{{\"kind\":\"command\",\"program\":\"{name}\",\"timing\":{timing}}}]");
    let good = Start { probes_json: probe("yes"), ..start("demo-a", "sleeper") };
    let bad = Start { probes_json: probe("no"), ..start("demo-b", "sleeper") };
    agent.start_replica("1-1-1", good.clone()).await;
    agent.start_replica("1-1-2", bad.clone()).await;
    world.process("demo-a", &good.incarnation, |process| process.probe == ProbeState::Passing).await;
    let failing =
        world.process("demo-b", &bad.incarnation, |process| process.probe == ProbeState::Failing).await;
    assert!(failing.detail.contains("exit 1"), "{}", failing.detail);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_loaded_for_programs_that_do_not_embed() {
    let world = World::new().await;
    let file = world.directory.path().join("upstream.conf");
    let told = world.directory.path().join("told");
    let listens = world.directory.path().join("told.listens");
    let script = "trap 'echo told >> $TOLD' HUP; : > $TOLD.listens; while :; do sleep 0.02; done";
    let programs = format!(
        "[programs.nginx]\nargv = [\"/bin/sh\", \"-c\", {script:?}]\nenvironment = {{ TOLD = {told:?} }}\n\
         [programs.nginx.load]\nrender = {{ {file:?} = \"setting/upstream\" }}\nsignal = \"HUP\"\n"
    );
    let mut agent = world.agent(&programs).await;
    let state = |text: &str| format!("{{\"setting/upstream\":\"{text}\"}}");
    let hash =
        |json: &str| serde_json::from_str::<watchdog_core::state::State>(json).unwrap().hash().to_string();
    let order =
        Start { state_json: state("one"), state_hash: hash(&state("one")), ..start("demo-a", "nginx") };
    agent.start_replica("1-1-1", order.clone()).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "one");
    world
        .process("demo-a", &order.incarnation, |process| {
            process.loaded.as_ref().is_some_and(|l| l.version.0 == 1)
        })
        .await;
    rig::eventually("the trap to stand before the signal comes", || listens.exists()).await;
    let load = |from: &str, to: &str| Load {
        replica: "demo-a".into(),
        incarnation: order.incarnation.clone(),
        from_version: 1,
        to_version: 2,
        difference_json: format!("{{\"setting/upstream\":\"{to}\"}}"),
        from_hash: hash(&state(from)),
        to_hash: hash(&state(to)),
        state_json: String::new(),
    };
    let result = agent.act(agent.order("1-1-2"), act_request::Act::Load(load("one", "two"))).await.unwrap();
    assert_eq!((result.error.as_str(), result.version), ("", Some(2)));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "two");
    rig::eventually("the signal to be heard", || told.exists()).await;
    let wrong = agent.act(agent.order("1-1-3"), act_request::Act::Load(load("one", "three"))).await.unwrap();
    assert!(wrong.error.contains("not to from_hash"), "{}", wrong.error);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "two");
}
