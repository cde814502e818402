//! Blame: whatever is refused or fails says what it is and whose, and a declaration is examined before it counts.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod rig;

use rig::{HostAgent, Sweep, World, incarnation, start};
use rustix::process::Signal;
use tonic::Status;
use watchdog_core::replica::{Probe, launch_hash};
use watchdog_proto::agent::{ExamineRequest, Load, Start, act_request};

const PROGRAMS: &str = "cgroups = false\n\
    [programs.cache]\nargv = [\"/bin/sleep\", \"300\"]\nparameters.memory = { pattern = \"number\", default = \"64\" }\n\
    [programs.stranger]\nargv = [\"/bin/sleep\", \"300\"]\nuser = \"no-such-user\"\n\
    [programs.absent]\nargv = [\"/no/such/program\"]\n\
    [programs.needs]\nargv = [\"/bin/true\"]\nparameters.port = { pattern = \"port\" }\n\
    [programs.renders]\nargv = [\"/bin/sleep\", \"300\"]\n[programs.renders.load]\nrender = { \"/no/such/place\" = \"setting/x\" }\n";

fn words(status: &Status) -> (String, String) {
    let word = |name| status.metadata().get(name).unwrap().to_str().unwrap().to_owned();
    (word("watchdog-code"), word("watchdog-blame"))
}

fn with_memory(program: &str, memory: &str) -> Start {
    Start { parameters: [("memory".to_owned(), memory.to_owned())].into(), ..start("demo-a", program) }
}

async fn refused(agent: &mut HostAgent, step: &str, act: act_request::Act) -> (String, String, String) {
    let status = agent.act(agent.order(step), act).await.unwrap_err();
    let (code, blame) = words(&status);
    (code, blame, status.message().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_or_fails_says_whose_it_is() {
    let world = World::new().await;
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(PROGRAMS).await;
    let exclusive = Start { exclusive: true, lease_ms: 1_000, ..start("demo-a", "cache") };
    let absent = Load { replica: "demo-a".into(), incarnation: incarnation(), ..Load::default() };
    let table = [
        (start("demo-a", "unheard"), ("not_found", "declaration", "this host allows no program \"unheard\"")),
        (
            with_memory("cache", "abc"),
            ("field", "declaration", "start.parameters.memory: is not a whole number"),
        ),
        (exclusive, ("no_cgroup", "declaration", "exclusive_without_cgroups = true")),
    ];
    for (index, (order, (code, blame, says))) in table.into_iter().enumerate() {
        let found = refused(&mut agent, &format!("1-1-{index}"), act_request::Act::Start(order)).await;
        assert_eq!((found.0.as_str(), found.1.as_str()), (code, blame), "{found:?}");
        assert!(found.2.contains(says), "{found:?}");
    }
    let mut elsewhere = agent.order("1-2-1");
    elsewhere.target = "another".into();
    let status = agent.act(elsewhere, act_request::Act::Start(start("demo-a", "cache"))).await.unwrap_err();
    assert_eq!(words(&status), ("wrong_instance".into(), "channel".into()));
    let load = Load { to_hash: "0".repeat(64), ..absent };
    let found = refused(&mut agent, "1-2-2", act_request::Act::Load(load)).await;
    assert_eq!((found.0.as_str(), found.1.as_str()), ("not_found", "leader"), "{found:?}");

    let table = [
        ("stranger", "no_user", "host", "\"no-such-user\" does not exist on this host"),
        ("absent", "not_executable", "host", "cannot run /no/such/program"),
        ("renders", "no_key", "version", "setting/x, which the state does not have"),
    ];
    for (index, (program, code, blame, says)) in table.into_iter().enumerate() {
        let order = act_request::Act::Start(start("demo-a", program));
        let result = agent.act(agent.order(&format!("1-3-{index}")), order).await.unwrap();
        assert_eq!((result.code.as_str(), result.blame.as_str()), (code, blame), "{result:?}");
        assert!(result.error.contains(says), "{result:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_tells_what_it_was_started_with_also_when_it_was_adopted() {
    let world = World::new().await;
    let _sweep = Sweep(world.agent_dir());
    let mut agent = world.agent(PROGRAMS).await;
    let probes: Vec<Probe> =
        serde_json::from_str("[{\"kind\":\"tcp\",\"address\":\"127.0.0.1:1\"}]").unwrap();
    let order = Start { probes_json: serde_json::to_string(&probes).unwrap(), ..with_memory("cache", "128") };
    agent.start_replica("1-1-1", order.clone()).await;
    let memory = |value: &str| [("memory".to_owned(), value.to_owned())].into();
    let expected = launch_hash("cache", &memory("128"), &probes);
    assert_ne!(expected, launch_hash("cache", &memory("64"), &probes));
    for adopted in [false, true] {
        if adopted {
            agent.end(Signal::KILL);
            agent = world.agent(PROGRAMS).await;
        }
        let record = world.process("demo-a", &order.incarnation, |_| true).await;
        assert_eq!(record.started_with, Some(expected));
        assert_eq!(agent.look(&[]).await.processes[0].started_with, expected.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declaration_is_examined_in_the_hosts_own_words() {
    let world = World::new().await;
    let mut agent = world.agent(PROGRAMS).await;
    let memory = |value: &str| [("memory".to_owned(), value.to_owned())].into();
    let ask = |program: &str| ExamineRequest {
        cluster: "demo".into(),
        replica: "demo-a".into(),
        program: program.into(),
        ..ExamineRequest::default()
    };
    let probe = |text: &str| ExamineRequest { probes_json: text.into(), ..ask("cache") };
    let table = [
        (ExamineRequest { parameters: memory("128"), ..ask("cache") }, vec![]),
        (probe("[{\"kind\":\"http\",\"path\":\"/\"}]"), vec![]),
        (ask("unheard"), vec![("program", "this host allows no program \"unheard\", only: absent, cache")]),
        (
            ExamineRequest { parameters: memory("abc"), ..ask("cache") },
            vec![("parameters.memory", "is not a whole number")],
        ),
        (
            ExamineRequest { parameters: memory("1"), ..ask("needs") },
            vec![
                ("parameters.memory", "the program takes no such parameter"),
                ("parameters.port", "has no default and is not given"),
            ],
        ),
        (ask("stranger"), vec![("user", "\"no-such-user\" does not exist on this host")]),
        (
            probe("[{\"kind\":\"command\",\"program\":\"needs\"}]"),
            vec![("probes", "command: needs: port: has no default")],
        ),
        (probe("[{\"kind\":\"http\",\"path\":\"x\"}]"), vec![("probes", "does not begin with a slash")]),
        (probe("nonsense"), vec![("probes", "expected ident")]),
        (
            ExamineRequest { exclusive: true, lease_ms: 0, ..ask("cache") },
            vec![("exclusive", "exclusive_without_cgroups = true"), ("lease_ms", "needs one of 1 to")],
        ),
    ];
    for (request, expected) in table {
        let said = format!("{request:?}");
        let objections = agent.client.examine(request).await.unwrap().into_inner().objections;
        assert_eq!(objections.len(), expected.len(), "{said}: {objections:?}");
        for (objection, (field, reason)) in objections.iter().zip(expected) {
            assert_eq!(objection.field, field, "{said}");
            assert!(objection.reason.contains(reason), "{said}: {objection:?}");
        }
    }
    let elsewhere = ExamineRequest { cluster: "other".into(), ..ask("cache") };
    assert!(agent.client.examine(elsewhere).await.unwrap_err().message().starts_with("cluster: "));
}
