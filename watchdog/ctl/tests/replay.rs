//! Replay: a plan that is computed again from its recorded input.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(
    dead_code,
    unused_imports,
    missing_docs,
    clippy::wildcard_imports,
    reason = "each test program uses its part; the services are as long as their protocol"
)]
mod fake;

use std::collections::BTreeMap;

use fake::{Fake, complained, run, said};
use serde_json::{Value, json};
use watchdog_core::finding::{Conviction, Evidence, FaultKind, Finding, Proof, Source, Subject};
use watchdog_core::history::History;
use watchdog_core::ids::{Epoch, Incarnation, Time, Version};
use watchdog_core::input::{PlanInput, Target};
use watchdog_core::observation::{HostSeen, Observation, Presence, ReplicaSeen, Sight};
use watchdog_core::planner::plan;
use watchdog_core::policy::Policy;
use watchdog_core::state::Hash;
use watchdog_proto::admin::PlanInputReply;

const NOW: Time = Time(1_777_636_800_000);

/// `demo-a` has never been started on its host, which is there.
fn input() -> PlanInput {
    let replica = "demo-a".parse().unwrap();
    let finding = Finding {
        kind: FaultKind::Missing,
        subject: Subject::Replica("demo-a".parse().unwrap()),
        incarnation: None,
        detail: "it is not there".to_owned(),
        evidence: Evidence { source: Source::Group, proof: Proof::Proven, at: NOW, look: 3 },
    };
    let spec = serde_json::from_value(json!({"hosts": ["h1"], "program": "scoring-server"})).unwrap();
    let host = HostSeen {
        presence: Presence::Present,
        instance: "one".to_owned(),
        address: "http://127.0.0.1:1".to_owned(),
        pid: 7,
        boot_id: "b".to_owned(),
        inventory_complete: true,
        session: String::new(),
    };
    let seen = ReplicaSeen { look: 3, absent_since: Some(Time(NOW.0 - 60_000)), ..ReplicaSeen::default() };
    let hash = Hash::of(b"state");
    PlanInput {
        cluster: "demo".parse().unwrap(),
        epoch: Epoch(7),
        now: NOW,
        policy: Policy::default(),
        delays_ms: vec![1_000],
        target: Target {
            head: Version(7),
            stable: Some(Version(7)),
            version: Version(7),
            state_hash: hash,
            empty_hash: Hash::of(b"empty"),
        },
        replicas: BTreeMap::from([("demo-a".parse().unwrap(), Ok(spec))]).into(),
        observation: Observation {
            at: NOW,
            watched_since: Time::default(),
            sight: Sight::Clear,
            fenced_write_at: Some(NOW),
            hosts: BTreeMap::from([("h1".parse().unwrap(), host)]),
            replicas: BTreeMap::from([(replica, seen)]),
        }
        .into(),
        convictions: vec![Conviction { finding, strikes: 3, since: Time(NOW.0 - 5) }],
        history: History { epoch: Epoch(7), stable: Some(Version(7)), ..History::default() }.into(),
        fresh: vec![Incarnation::from_u128(0x0197_c7a0_5f3e_7c2d_8000_3f2a_6b1c_9d4e)],
        obstacles: Vec::new(),
    }
}

/// The record as a leader would have made it.
fn recorded() -> PlanInputReply {
    let input = input();
    let decision = plan(&input);
    let plan = decision.plan.unwrap_or_else(|| panic!("{:?}", decision.refusals));
    PlanInputReply {
        id: String::new(),
        core_version: env!("CARGO_PKG_VERSION").to_owned(),
        plan_json: serde_json::to_string_pretty(&plan).unwrap(),
        input_json: serde_json::to_string(&input).unwrap(),
    }
}

#[test]
fn the_same_input_gives_the_same_plan() {
    let fake = Fake::leading(7);
    fake.script().plan_input = recorded();
    let output = run(&[&fake.url], &["plan", "replay", "7-1"]);
    assert!(
        said(&output).starts_with("The same plan: plan 7-1, computed again from its input,"),
        "{}",
        said(&output)
    );
    assert_eq!((output.status.code(), complained(&output).as_str()), (Some(0), ""));

    let output = run(&[&fake.url], &["-o", "json", "plan", "replay", "7-1"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "same", "core_version", "recorded_core_version", "recorded", "recomputed"]);
    assert_eq!((&json["id"], &json["same"]), (&"7-1".into(), &true.into()));
    assert_eq!(json["recorded"], json["recomputed"]);
    assert_eq!(json["recorded"]["steps"][0]["act"]["kind"], "start");
}

#[test]
fn another_plan_is_exit_1_and_says_where_it_differs() {
    let fake = Fake::leading(7);
    let mut record = recorded();
    record.core_version = "0.0.9".to_owned();
    record.plan_json = record.plan_json.replace("demo-a", "demo-b");
    fake.script().plan_input = record.clone();
    let output = run(&[&fake.url], &["plan", "replay", "7-1"]);
    assert_eq!(output.status.code(), Some(1));
    let told = said(&output);
    assert!(told.starts_with("Another plan: 7-1, computed again from its input, differs.\n"), "{told}");
    assert!(told.contains("It was recorded by core 0.0.9; this is core "), "{told}");
    assert!(told.contains("  - steps[0].replica: recorded \"demo-b\", now \"demo-a\"\n"), "{told}");

    record.input_json = record
        .input_json
        .replace("\"sight\":\"clear\"", "\"sight\":{\"blind\":{\"since\":1,\"why\":\"dark\"}}");
    fake.script().plan_input = record.clone();
    let output = run(&[&fake.url], &["plan", "replay", "7-1"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said(&output).starts_with("No plan: 7-1,") && said(&output).contains("dark"),
        "{}",
        said(&output)
    );

    record.input_json = "{}".to_owned();
    fake.script().plan_input = record;
    let output = run(&[&fake.url], &["plan", "replay", "7-1"]);
    assert_eq!(output.status.code(), Some(1));
    let complaint = complained(&output);
    assert!(complaint.contains("the recorded input of plan 7-1 can't be read by this core"), "{complaint}");
}
