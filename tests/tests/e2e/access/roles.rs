//! Roles: every method for every role, what is recorded of an order, and that nobody drowns the others.

use prost::Message as _;
use prost_types::FileDescriptorSet;
use serde_json::{Value, json};
use watchdog_tests::door::{Door, PEOPLE, Setup};
use watchdog_tests::http::Ask;

const PERMISSION_DENIED: u32 = 7;
const RESOURCE_EXHAUSTED: u32 = 8;
const UNAUTHENTICATED: u32 = 16;

/// Each method, and the least role that it needs.
const METHODS: [(&str, &str); 31] = [
    ("Status", "viewer"),
    ("Why", "viewer"),
    ("PlanList", "viewer"),
    ("PlanShow", "viewer"),
    ("PlanPreview", "viewer"),
    ("PlanSnapshot", "viewer"),
    ("PlanInput", "viewer"),
    ("GoalDiff", "viewer"),
    ("GoalList", "viewer"),
    ("GoalShow", "viewer"),
    ("GoalWatch", "viewer"),
    ("LogList", "viewer"),
    ("LogShow", "viewer"),
    ("LogDiff", "viewer"),
    ("LogState", "viewer"),
    ("LogVerify", "viewer"),
    ("Events", "viewer"),
    ("Leader", "viewer"),
    ("PlanCancel", "operator"),
    ("GoalApply", "operator"),
    ("GoalWithdraw", "operator"),
    ("Pause", "operator"),
    ("Resume", "operator"),
    ("Hold", "operator"),
    ("Release", "operator"),
    ("PlanApprove", "approver"),
    ("PlanReject", "approver"),
    ("StormRelease", "approver"),
    ("GoalRestore", "approver"),
    ("LogAppend", "admin"),
    ("LeaderResign", "admin"),
];

fn rank(role: &str) -> usize {
    PEOPLE.iter().position(|(_, known)| *known == role).unwrap()
}

#[test]
fn every_method_asks_every_role() {
    let described = FileDescriptorSet::decode(watchdog_proto::DESCRIPTORS).unwrap();
    let admin = described.file.iter().flat_map(|file| &file.service).find(|it| it.name() == "Admin").unwrap();
    for method in &admin.method {
        assert!(METHODS.iter().any(|(name, _)| *name == method.name()), "{} has no row here", method.name());
    }
    let door = Door::open(&Setup::default()).unwrap();
    let wrong = format!("Bearer wdt_{}", "0".repeat(64));
    let (mut allowed, mut denied) = (0, 0);
    for (method, needed) in METHODS {
        let path = format!("/watchdog.admin.v1.Admin/{method}");
        for shown in [&[][..], &[("authorization", wrong.as_str())], &[("authorization", "Basic YTpi")]] {
            let (status, message) = door.call(&path, shown).unwrap();
            assert_eq!(status, UNAUTHENTICATED, "{method} {shown:?}: {message}");
            denied += 1;
        }
        for (name, role) in PEOPLE {
            let bearer = format!("Bearer {}", door.token(name).unwrap());
            let (status, message) = door.call(&path, &[("authorization", &bearer)]).unwrap();
            let may = rank(role) >= rank(needed);
            // Who may is told that the empty request names no cluster, or nobody; nothing is done.
            let told = !matches!(status, PERMISSION_DENIED | UNAUTHENTICATED | 0);
            assert_eq!(told, may, "{method} for {role}: {status} {message}");
            *(if may { &mut allowed } else { &mut denied }) += 1;
            if !may {
                let sentence = format!("this needs the role {needed}; {name} has the role {role}");
                assert_eq!((status, message), (PERMISSION_DENIED, sentence), "{method}");
            }
        }
    }
    for path in ["/grpc.health.v1.Health/Check", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"]
    {
        assert_eq!(door.call(path, &[]).unwrap().0, UNAUTHENTICATED, "{path}");
    }
    // The scorecard reads them.
    println!("figure allowed {allowed}");
    println!("figure denied {denied}");
    assert!(door.log().contains("request refused"), "refusals are logged");
    assert!(door.log().matches("request refused").count() < 60, "and not all of them");
}

/// Pages and scripts over HTTP: only what load balancers ask is open.
#[test]
fn every_page_asks_who_comes() {
    let door = Door::open(&Setup::default()).unwrap();
    let viewer = format!("Bearer {}", door.token("vera").unwrap());
    for path in ["/healthz", "/readyz", "/leader", "/login"] {
        assert_eq!(door.send(&Ask { path, ..Ask::default() }).unwrap().status, 200, "{path}");
    }
    let closed = [
        "/",
        "/metrics",
        "/api/v1/clusters",
        "/api/v1/demo/status",
        "/api/v1/whoami",
        "/nothing",
        "/healthz/",
    ];
    for path in closed {
        let answer = door.send(&Ask { path, ..Ask::default() }).unwrap();
        assert_eq!(answer.status, 401, "{path}");
        assert!(
            answer.body.contains("who is asking?") && answer.header("www-authenticate").is_some(),
            "{path}"
        );
        let known =
            door.send(&Ask { path, headers: &[("authorization", &viewer)], ..Ask::default() }).unwrap();
        assert!(matches!(known.status, 200 | 404), "{path}: {}", known.status);
        assert_eq!(known.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "POST"] {
        let path = "/api/v1/demo/status";
        let answer =
            door.send(&Ask { method, path, headers: &[("authorization", &viewer)], ..Ask::default() });
        assert_eq!(answer.unwrap().status, 404, "{method}");
    }
}

#[test]
fn an_order_is_recorded_with_who_and_from_where_and_what_it_changed() {
    let door = Door::open(&Setup::default()).unwrap();
    let refused = door.ctl("vera", &["pause", "--reason", "racks"]).unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1));
    assert!(said.contains("this needs the role operator; vera has the role viewer"), "{said}");

    assert!(door.ctl("olga", &["pause", "--reason", "racks"]).unwrap().status.success());
    assert!(door.ctl("ada", &["resume"]).unwrap().status.success());
    let events = door.events().unwrap();
    let asked: Vec<&Value> = events.iter().filter(|event| event["kind"] == "asked").collect();
    let [pause, resume] = asked[..] else { panic!("{asked:#?}") };
    let detail =
        |event: &Value| -> Value { serde_json::from_str(event["detail_json"].as_str().unwrap()).unwrap() };
    let paused = json!({ "by": "olga", "reason": "racks", "until": null });
    for (event, by, act, before, after) in [
        (pause, "olga", "pause", Value::Null, paused.clone()),
        (resume, "ada", "resume", paused, Value::Null),
    ] {
        let told = detail(event);
        assert_eq!((&event["by"], &told["act"]), (&json!(by), &json!(act)));
        assert_eq!((&told["before"], &told["after"]), (&before, &after), "{act}");
        assert_eq!((&told["proof"], &told["claimed"]), (&json!("token"), &json!("root@somewhere")));
        assert!(told["from"].as_str().unwrap().starts_with("127.0.0.1:"), "{told}");
    }
    let follows = events.iter().position(|event| event == pause).map(|index| &events[index + 1]).unwrap();
    assert_eq!((&follows["kind"], &follows["by"]), (&json!("paused"), &json!("olga")));

    let lines = door.ctl("vera", &["events"]).unwrap();
    let lines = String::from_utf8_lossy(&lines.stdout).into_owned();
    assert!(lines.contains("olga: pause, from 127.0.0.1:"), "{lines}");
    assert!(!lines.contains("wdt_"), "{lines}");
}

#[test]
fn who_orders_too_often_waits_and_the_others_do_not() {
    let door = Door::open(&Setup::default()).unwrap();
    let bearer = |name: &str| format!("Bearer {}", door.token(name).unwrap());
    let (olga, ada) = (bearer("olga"), bearer("ada"));
    let path = "/watchdog.admin.v1.Admin/Resume";
    let hasty = (0..2_000).find_map(|_| {
        let (status, message) = door.call(path, &[("authorization", &olga)]).unwrap();
        (status == RESOURCE_EXHAUSTED).then_some(message)
    });
    let message = hasty.expect("2000 orders in a row are too many");
    assert!(message.contains("too many orders in a short time; wait "), "{message}");
    assert_ne!(door.call(path, &[("authorization", &ada)]).unwrap().0, RESOURCE_EXHAUSTED);
    let read = door.call("/watchdog.admin.v1.Admin/Leader", &[("authorization", &olga)]).unwrap();
    assert_ne!(read.0, RESOURCE_EXHAUSTED, "reading is no order");
}
