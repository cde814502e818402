//! Admin requests: what operators' tools send to a watchdog. The first byte chooses the message.
//!
//! *Holds*: a message that is understood is written as one that is understood as the same; what its texts are parsed to at
//! the edge is refused with a sentence.

use prost::Message;
use serde_json::Value;
use watchdog_core::ids::{ClusterId, GoalId, PlanId, ReplicaId};
use watchdog_core::state::Key;
use watchdog_proto::{admin, agent, coordination};

use super::{goal_wire, message, target};
use crate::target::{Flavour, Target, Verdict};

#[path = "../../../../watchdog/daemon/src/clock.rs"]
#[expect(dead_code, reason = "the daemon's own module, of which we only read")]
mod clock;

/// See the module.
pub const TARGET: Target = Target { fuzz, samples, ..target("admin_requests", Flavour::Proto) };

/// Messages that hold nothing but what any message can.
const PLAIN: &[fn(&[u8]) -> Verdict] = &[
    plain::<admin::StatusRequest>,
    plain::<admin::PlanListRequest>,
    plain::<admin::PlanPreviewRequest>,
    plain::<admin::GoalListRequest>,
    plain::<admin::LogListRequest>,
    plain::<admin::LogShowRequest>,
    plain::<admin::LogDiffRequest>,
    plain::<admin::LogStateRequest>,
    plain::<admin::LogVerifyRequest>,
    plain::<admin::PauseRequest>,
    plain::<admin::ResumeRequest>,
    plain::<admin::HoldRequest>,
    plain::<admin::ReleaseRequest>,
    plain::<admin::StormReleaseRequest>,
    plain::<admin::LeaderRequest>,
    plain::<admin::LeaderResignRequest>,
    plain::<coordination::OpenRequest>,
    plain::<coordination::HeartbeatRequest>,
    plain::<coordination::CloseRequest>,
    plain::<coordination::ReadRequest>,
    plain::<coordination::ListRequest>,
    plain::<coordination::WatchRequest>,
    plain::<coordination::WatchEvent>,
    plain::<agent::ActEvent>,
    plain::<agent::SealReply>,
    plain::<agent::LookReply>,
];

/// Messages whose texts are parsed.
const PARSED: &[fn(&[u8]) -> Verdict] =
    &[why, plan, decision, goal_show, goal_apply, goal_diff, log_append, events];

fn fuzz(bytes: &[u8]) -> Verdict {
    let Some((choice, bytes)) = bytes.split_first() else { return Verdict::no_text() };
    let all = PARSED.len() + PLAIN.len();
    let choice = usize::from(*choice) % all;
    match PARSED.get(choice) {
        Some(read) => read(bytes),
        None => PLAIN[choice - PARSED.len()](bytes),
    }
}

fn plain<T: Message + Default + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> Verdict {
    match decode::<T>(bytes) {
        Ok(_) => Verdict::Taken(std::any::type_name::<T>().to_owned()),
        Err(verdict) => verdict,
    }
}

fn decode<T: Message + Default + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> Result<T, Verdict> {
    let read = T::decode(bytes).map_err(|error| Verdict::Refused(error.to_string()))?;
    let again = T::decode(&*read.encode_to_vec()).expect("message: it can't be read as it is written");
    assert_eq!(again.encode_to_vec(), read.encode_to_vec(), "message: it is read as another");
    Ok(read)
}

fn parsed<M: Message + Default + PartialEq + std::fmt::Debug>(
    bytes: &[u8],
    parse: impl FnOnce(M) -> Result<(), String>,
) -> Verdict {
    match decode::<M>(bytes) {
        Ok(message) => Verdict::of(parse(message)),
        Err(verdict) => verdict,
    }
}

fn named<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<(), String> {
    text.parse::<T>().map(drop).map_err(|error| error.to_string())
}

fn why(bytes: &[u8]) -> Verdict {
    parsed(bytes, |it: admin::WhyRequest| {
        named::<ClusterId>(&it.cluster).and_then(|()| named::<ReplicaId>(&it.replica))
    })
}

fn plan(bytes: &[u8]) -> Verdict {
    parsed(bytes, |it: admin::PlanShowRequest| named::<PlanId>(&it.id))
}

fn decision(bytes: &[u8]) -> Verdict {
    parsed(bytes, |it: admin::PlanDecisionRequest| named::<PlanId>(&it.id))
}

fn goal_show(bytes: &[u8]) -> Verdict {
    parsed(bytes, |it: admin::GoalShowRequest| named::<GoalId>(&it.id))
}

fn goal_apply(bytes: &[u8]) -> Verdict {
    parsed(bytes, |it: admin::GoalApplyRequest| goal(&it.goal_json))
}

fn goal_diff(bytes: &[u8]) -> Verdict {
    parsed(bytes, |it: admin::GoalDiffRequest| goal(&it.goal_json))
}

fn goal(json: &str) -> Result<(), String> {
    match (goal_wire::TARGET.fuzz)(json.as_bytes()) {
        Verdict::Taken(_) => Ok(()),
        Verdict::Refused(said) => Err(said),
    }
}

fn log_append(bytes: &[u8]) -> Verdict {
    parsed(bytes, |it: admin::LogAppendRequest| {
        for change in it.changes {
            named::<Key>(&change.key)?;
            let value = change.value_json.map(|text| serde_json::from_str::<Value>(&text)).transpose();
            value.map_err(|error| error.to_string())?;
        }
        Ok(())
    })
}

fn events(bytes: &[u8]) -> Verdict {
    parsed(bytes, |it: admin::EventsRequest| {
        let Some(since) = it.since else { return Ok(()) };
        let time = clock::parse(&since).map_err(|error| error.to_string())?;
        let told = clock::rfc3339(time);
        assert!(clock::parse(&told).is_ok(), "time: it can't be read as it is told");
        Ok(())
    })
}

fn samples() -> Vec<Vec<u8>> {
    let (cluster, by, id) = ("demo".to_owned(), "me".to_owned(), "3-1".to_owned());
    let goal_json = "{\"set\":{\"model/m\":{\"a\":1}},\"rollout\":{\"canary\":1}}".to_owned();
    let change = admin::ChangeRequest { key: "model/m".into(), value_json: Some("{\"a\":1}".into()) };
    let removal = admin::ChangeRequest { key: "rule/old".into(), value_json: None };
    let since = Some("2026-05-01T09:30:00Z".to_owned());
    let apply = admin::GoalApplyRequest {
        cluster: cluster.clone(),
        goal_json: goal_json.clone(),
        by: by.clone(),
        request: "r".into(),
        at: Some(7),
        supersede: true,
    };
    let append = admin::LogAppendRequest {
        cluster: cluster.clone(),
        expected_head: 7,
        author: by.clone(),
        changes: vec![change, removal],
    };
    let result = agent::StepResult {
        error: "e".into(),
        version: Some(3),
        snapshot_json: Some("{}".into()),
        ..Default::default()
    };
    let event = agent::ActEvent { event: Some(agent::act_event::Event::Result(result)) };
    let plain = |index: usize| u8::try_from(PARSED.len() + index).unwrap_or(0);
    vec![
        message(0, &admin::WhyRequest { cluster: cluster.clone(), replica: "demo-a".into() }),
        message(1, &admin::PlanShowRequest { cluster: cluster.clone(), id: id.clone() }),
        message(2, &admin::PlanDecisionRequest { cluster: cluster.clone(), id: id.clone(), by: by.clone() }),
        message(3, &admin::GoalShowRequest { cluster: cluster.clone(), id }),
        message(4, &apply),
        message(5, &admin::GoalDiffRequest { cluster: cluster.clone(), goal_json }),
        message(6, &append),
        message(
            7,
            &admin::EventsRequest { cluster: cluster.clone(), since_sequence: 3, since, follow: true },
        ),
        message(plain(0), &admin::StatusRequest { cluster: cluster.clone() }),
        message(plain(4), &admin::LogListRequest { cluster: cluster.clone(), from: 1, limit: 50 }),
        message(
            plain(9),
            &admin::PauseRequest {
                cluster: cluster.clone(),
                reason: "r".into(),
                by: by.clone(),
                for_ms: u64::MAX,
            },
        ),
        message(
            plain(11),
            &admin::HoldRequest { cluster, target: "demo-a".into(), reason: "r".into(), by, for_ms: 1 },
        ),
        message(plain(16), &coordination::OpenRequest { timeout_ms: 4_000 }),
        message(plain(23), &event),
        vec![0, 0xff, 0xff],
        Vec::new(),
    ]
}
