//! Agent orders: what arrives at an embedded agent and at a host agent, as messages.
//!
//! *Holds*: an order that is refused is refused with the field that is at fault and no internal error.

use serde_json::json;
use tonic::{Code, Status};
use watchdog_core::ids::Incarnation;
use watchdog_core::state::State;
use watchdog_proto::agent::{
    ActRequest, Drain, Kill, Load, LookRequest, Order, SealRequest, Snapshot, Start, Undrain, act_request,
};

use super::{host_config, message, target};
use crate::target::{Flavour, Target, Verdict};

/// Orders to a replica.
pub const EMBEDDED: Target = Target { fuzz: embedded, samples, ..target("embedded_orders", Flavour::Proto) };
/// Orders to a host.
pub const HOST: Target = Target { fuzz: host, samples, ..target("host_orders", Flavour::Proto) };

/// The life to which orders are given.
const LIFE: u128 = 0x0197_c7a0_5f3e_7c2d_8000_3f2a_6b1c_9d4e;

/// With what a refusal may begin.
const FIELDS: [&str; 12] = [
    "order",
    "act",
    "cluster",
    "epoch",
    "steps",
    "replicas",
    "start.",
    "kill.",
    "snapshot.",
    "load.",
    "drain.",
    "undrain.",
];

fn answered(answer: Result<String, Status>) -> Verdict {
    match answer {
        Ok(order) => Verdict::Taken(order.split(['{', '(']).next().unwrap_or_default().to_owned()),
        Err(status) => {
            let said = status.message();
            let fine = [Code::InvalidArgument, Code::FailedPrecondition, Code::NotFound, Code::Unimplemented];
            assert!(fine.contains(&status.code()), "order: an internal error: {status}");
            let named = FIELDS.iter().any(|field| said.starts_with(field));
            assert!(named || status.code() == Code::Unimplemented, "order: no field is named");
            assert!(said.len() <= 4_096, "order: {} bytes of refusal", said.len());
            Verdict::Refused(said.to_owned())
        }
    }
}

fn decoded<T: prost::Message + Default>(bytes: &[u8]) -> Result<T, Verdict> {
    T::decode(bytes).map_err(|error| Verdict::Refused(error.to_string()))
}

fn embedded(bytes: &[u8]) -> Verdict {
    let bytes = bytes.get(1..).unwrap_or_default();
    match decoded::<ActRequest>(bytes) {
        Ok(request) => answered(replica_agent::outside::order(request, Incarnation::from_u128(LIFE))),
        Err(verdict) => verdict,
    }
}

fn host(bytes: &[u8]) -> Verdict {
    thread_local! {
        static HOST: host_agent::outside::Host =
            host_agent::outside::Host::configured(host_config::SMALL).expect("it is understood");
    }
    let (choice, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    HOST.with(|host| match choice % 3 {
        0 => decoded::<ActRequest>(bytes).map(|request| answered(host.act(request))),
        1 => decoded::<SealRequest>(bytes).map(|request| answered(host.seal(&request))),
        _ => decoded::<LookRequest>(bytes).map(|request| answered(host.look(&request))),
    })
    .unwrap_or_else(|verdict| verdict)
}

const REPLICA: &str = "demo-a";

fn incarnation() -> String {
    Incarnation::from_u128(LIFE).to_string()
}

fn state() -> State {
    serde_json::from_value(json!({"model/m": {"a": 1}})).expect("a state")
}

fn state_json() -> String {
    serde_json::to_string(&state()).expect("a state is JSON")
}

fn start() -> Start {
    Start {
        replica: REPLICA.into(),
        incarnation: incarnation(),
        program: "web".into(),
        parameters: [("listen".to_owned(), "127.0.0.1:0".to_owned())].into(),
        version: 3,
        state_json: state_json(),
        state_hash: state().hash().to_string(),
        exclusive: true,
        lease_ms: 5_000,
        probes_json: "[{\"kind\":\"tcp\"}]".into(),
    }
}

fn load() -> Load {
    Load {
        replica: REPLICA.into(),
        incarnation: incarnation(),
        from_version: 1,
        to_version: 3,
        difference_json: "{\"model/m\":{\"a\":1},\"rule/x\":null}".into(),
        from_hash: State::default().hash().to_string(),
        to_hash: state().hash().to_string(),
        state_json: state_json(),
    }
}

fn acts() -> Vec<act_request::Act> {
    vec![
        act_request::Act::Start(start()),
        act_request::Act::Start(Start { program: "other".into(), ..start() }),
        act_request::Act::Start(Start {
            exclusive: false,
            lease_ms: 0,
            probes_json: String::new(),
            ..start()
        }),
        act_request::Act::Kill(Kill {
            replica: REPLICA.into(),
            incarnation: incarnation(),
            grace_ms: u64::MAX,
        }),
        act_request::Act::Snapshot(Snapshot {
            replica: REPLICA.into(),
            incarnation: incarnation(),
            budget_ms: 50,
        }),
        act_request::Act::Drain(Drain { replica: REPLICA.into(), incarnation: incarnation() }),
        act_request::Act::Undrain(Undrain { replica: REPLICA.into(), incarnation: incarnation() }),
        act_request::Act::Load(load()),
        act_request::Act::Load(Load { state_json: "{}".into(), ..load() }),
    ]
}

fn samples() -> Vec<Vec<u8>> {
    let order = Order {
        cluster: "demo".into(),
        epoch: 3,
        plan: "3-1".into(),
        step: "3-1-1".into(),
        target: incarnation(),
        timeout_ms: 1_000,
        session: "s".into(),
    };
    let mut samples: Vec<Vec<u8>> = acts()
        .into_iter()
        .map(|act| message(0, &ActRequest { order: Some(order.clone()), act: Some(act) }))
        .collect();
    samples.extend([
        message(0, &ActRequest { order: Some(order), act: None }),
        message(0, &ActRequest::default()),
        message(
            1,
            &SealRequest {
                cluster: "demo".into(),
                epoch: 4,
                target: "i".into(),
                steps: vec!["3-1-1".into(), "3-1-2".into()],
            },
        ),
        message(
            1,
            &SealRequest { cluster: "demo".into(), epoch: 0, target: "i".into(), steps: vec!["3_1".into()] },
        ),
        message(2, &LookRequest { cluster: "demo".into(), replicas: vec![REPLICA.into()] }),
        message(2, &LookRequest { cluster: "other".into(), replicas: Vec::new() }),
    ]);
    samples
}
