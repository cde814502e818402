//! Browser: what a person does with one, and what another site makes it do.

use std::fmt::Write as _;

use serde_json::{Value, json};
use watchdog_tests::door::{Door, Setup};
use watchdog_tests::http::{self, Answer, Ask};
use watchdog_tests::story::{Backend, PATIENCE, Story};
use watchdog_tests::wait_for;

/// Names and values.
type Headers<'a> = &'a [(&'a str, &'a str)];

/// What a browser keeps of a log-in.
struct Session {
    cookie: String,
    csrf: String,
}

fn login(door: &Door, name: &str) -> Session {
    let body = format!("token={}", door.token(name).unwrap());
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", door.address())];
    let ask = Ask { method: "POST", path: "/login", headers: &headers, body: body.as_bytes() };
    let answer = door.send(&ask).unwrap();
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")), "{answer:?}");
    let set = answer.header("set-cookie").unwrap();
    assert!(set.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"), "{set}");
    let cookie = set.split(';').next().unwrap().to_owned();
    let me = door.send(&Ask { path: "/api/v1/whoami", headers: &[("cookie", &cookie)], ..Ask::default() });
    let me: Value = serde_json::from_str(&me.unwrap().body).unwrap();
    assert_eq!(me["name"], name);
    Session { cookie, csrf: me["csrf"].as_str().unwrap().to_owned() }
}

fn post(door: &Door, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    let json = [&[("content-type", "application/json")], headers].concat();
    door.send(&Ask { method: "POST", path, headers: &json, body: body.to_string().as_bytes() }).unwrap()
}

fn paused(door: &Door) -> Value {
    let bearer = format!("Bearer {}", door.token("vera").unwrap());
    let ask = Ask { path: "/api/v1/demo/status", headers: &[("authorization", &bearer)], ..Ask::default() };
    serde_json::from_str::<Value>(&door.send(&ask).unwrap().body).unwrap()["paused"].clone()
}

#[test]
fn only_a_page_of_ours_can_act() {
    let door = Door::open(&Setup::default()).unwrap();
    let session = login(&door, "olga");
    let ours = door.address();
    let cookie = ("cookie", session.cookie.as_str());
    let csrf = ("x-watchdog-csrf", session.csrf.as_str());
    let origin = ("origin", ours);
    let evil = ("origin", "http://evil.example");
    let path = "/api/v1/demo/pause";
    let order = json!({ "reason": "racks", "for_ms": 0 });
    let table: [(&str, Headers<'_>, u16); 11] = [
        ("a stranger", &[origin, csrf], 401),
        ("a cookie that is nobody's", &[("cookie", "watchdog-session-1=x"), origin, csrf], 401),
        ("no origin", &[cookie, csrf], 403),
        ("another site", &[cookie, evil, csrf], 403),
        ("another site that knows no secret", &[cookie, evil], 403),
        ("a page that hides", &[cookie, ("origin", "null"), csrf], 403),
        ("another port", &[cookie, ("origin", "http://127.0.0.1:1"), csrf], 403),
        ("cross-site, as browsers say", &[cookie, origin, csrf, ("sec-fetch-site", "cross-site")], 403),
        ("same-site is not same-origin", &[cookie, origin, csrf, ("sec-fetch-site", "same-site")], 403),
        ("no secret", &[cookie, origin], 403),
        ("another secret", &[cookie, origin, ("x-watchdog-csrf", "x")], 403),
    ];
    for (story, headers, status) in table {
        let answer = post(&door, path, headers, &order);
        assert_eq!(answer.status, status, "{story}: {}", answer.body);
        assert!(answer.body.contains("\"error\":"), "{story}: {}", answer.body);
    }
    let form = [cookie, origin, csrf, ("content-type", "text/plain")];
    let body = order.to_string();
    let answer = door.send(&Ask { method: "POST", path, headers: &form, body: body.as_bytes() }).unwrap();
    assert_eq!(answer.status, 400, "only JSON is read: {}", answer.body);
    assert_eq!(paused(&door), Value::Null, "nothing was done");

    let answer = post(&door, path, &[cookie, origin, csrf], &order);
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(paused(&door)["by"], "olga");
    let resume =
        post(&door, "/api/v1/demo/resume", &[cookie, ("sec-fetch-site", "same-origin"), csrf], &json!({}));
    assert_eq!((resume.status, paused(&door)), (200, Value::Null), "{}", resume.body);

    let approve = post(&door, "/api/v1/demo/plans/1-1/approve", &[cookie, origin, csrf], &json!({}));
    assert_eq!(approve.status, 403);
    assert!(
        approve.body.contains("this needs the role approver; olga has the role operator"),
        "{}",
        approve.body
    );
    let ada = login(&door, "ada");
    let theirs = [("cookie", ada.cookie.as_str()), origin, ("x-watchdog-csrf", ada.csrf.as_str())];
    let approve = post(&door, "/api/v1/demo/plans/1-1/approve", &theirs, &json!({}));
    assert_eq!(approve.status, 404, "she may, and there is no such plan: {}", approve.body);
    let mixed = [("cookie", ada.cookie.as_str()), origin, csrf];
    assert_eq!(post(&door, path, &mixed, &order).status, 403, "a secret is of one session");
}

#[test]
fn a_session_ends_with_the_log_out_and_with_the_right_to_it() {
    let door = Door::open(&Setup::default()).unwrap();
    let status = |session: &Session| {
        let headers = [("cookie", session.cookie.as_str())];
        door.send(&Ask { path: "/api/v1/clusters", headers: &headers, ..Ask::default() }).unwrap().status
    };
    let (olga, alf) = (login(&door, "olga"), login(&door, "alf"));
    assert_eq!((status(&olga), status(&alf)), (200, 200));
    let headers = [
        ("cookie", olga.cookie.as_str()),
        ("origin", door.address()),
        ("x-watchdog-csrf", olga.csrf.as_str()),
    ];
    assert_eq!(post(&door, "/logout", &headers, &json!({})).status, 303);
    assert_eq!((status(&olga), status(&alf)), (401, 200));

    // Alf's role is taken away while he is logged in, with a slip at first.
    let file = door.identities();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("role = \"admin\"", "role = \"nobody\"")).unwrap();
    wait_for("the slip to be told", PATIENCE, || door.log().contains("unknown role").then_some(())).unwrap();
    assert_eq!(status(&alf), 200, "the old file stays in force");
    std::fs::write(&file, text.replace("role = \"admin\"", "role = \"none\"")).unwrap();
    wait_for("the change to be seen", PATIENCE, || (status(&alf) == 403).then_some(())).unwrap();
    let gone: String =
        text.split("[[identity]]").filter(|it| !it.contains("alf")).fold(String::new(), |mut all, it| {
            if !it.trim().is_empty() {
                write!(all, "[[identity]]{it}").unwrap();
            }
            all
        });
    std::fs::write(&file, gone).unwrap();
    wait_for("the change to be seen", PATIENCE, || (status(&alf) == 401).then_some(())).unwrap();
}

#[test]
fn the_page_to_log_in_gives_nothing_away() {
    let door = Door::open(&Setup::default()).unwrap();
    let html = [("accept", "text/html,*/*")];
    let page = door.send(&Ask { path: "/", headers: &html, ..Ask::default() }).unwrap();
    assert_eq!(page.status, 401);
    assert!(page.body.contains("<form method=\"post\" action=\"/login\">"), "{}", page.body);
    let policy = page.header("content-security-policy").unwrap();
    assert!(
        policy.starts_with("default-src 'self';") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    for (name, value) in [
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(page.header(name), Some(value), "{name}");
    }
    let form = ("content-type", "application/x-www-form-urlencoded");
    let login = |headers: &[(&str, &str)], body: &str| {
        let ask = Ask { method: "POST", path: "/login", headers, body: body.as_bytes() };
        door.send(&ask).unwrap()
    };
    let wrong = format!("token=wdt_{}", "5".repeat(64));
    let refused = login(&[form, ("origin", door.address())], &wrong);
    assert_eq!((refused.status, refused.header("set-cookie")), (401, None));
    assert!(!refused.body.contains("55555"), "{}", refused.body);
    let right = format!("token={}", door.token("olga").unwrap());
    assert_eq!(login(&[form], &right).status, 403, "somebody must want to");
    assert_eq!(login(&[form, ("origin", "http://evil.example")], &right).status, 403);
    let long = format!("token={}", "x".repeat(100_000));
    assert!(matches!(login(&[form, ("origin", door.address())], &long).status, 413 | 422));
}

/// Without authentication there is still the browser of whoever sits at the machine.
#[test]
fn without_authentication_other_sites_can_do_nothing_either() {
    let door = Door::open(&Setup { off: true, ..Setup::default() }).unwrap();
    let call = |headers: &[(&str, &str)]| {
        let path = "/watchdog.admin.v1.Admin/Resume";
        door.send(&Ask { method: "POST", path, headers, body: b"\0\0\0\0\0" }).unwrap()
    };
    let grpc = ("content-type", "application/grpc");
    assert_eq!(call(&[grpc]).status, 200, "a program may");
    assert_eq!(call(&[("content-type", "text/plain")]).status, 415, "what a form can send is no gRPC");
    let evil = call(&[grpc, ("origin", "http://evil.example")]);
    assert_eq!(evil.header("grpc-status"), Some("7"), "{evil:?}");
    let rebound = call(&[grpc, ("host", "evil.example:7400"), ("origin", "http://evil.example:7400")]);
    assert_eq!(rebound.header("grpc-status"), Some("7"), "{rebound:?}");
    let host = [("host", "evil.example:7400")];
    let read = door.send(&Ask { path: "/api/v1/clusters", headers: &host, ..Ask::default() }).unwrap();
    assert_eq!(read.status, 403, "a name that a stranger's DNS points at us");

    let me = door.send(&Ask { path: "/api/v1/whoami", ..Ask::default() }).unwrap();
    let me: Value = serde_json::from_str(&me.body).unwrap();
    assert_eq!((&me["name"], &me["role"]), (&json!("anybody on this machine"), &json!("admin")));
    let csrf = ("x-watchdog-csrf", me["csrf"].as_str().unwrap());
    let order = json!({ "reason": "racks" });
    let path = "/api/v1/demo/pause";
    assert_eq!(post(&door, path, &[("origin", door.address())], &order).status, 403);
    assert_eq!(post(&door, path, &[csrf], &order).status, 403);
    assert_eq!(post(&door, path, &[csrf, ("origin", door.address())], &order).status, 200);
}

#[test]
fn who_orders_from_a_follower_is_told_who_leads() {
    let story = Story::begin(Backend::Embedded).unwrap();
    let status = story.dev.status().unwrap();
    let leader = status["leader"]["address"].as_str().unwrap();
    let follower = story.dev.endpoints().split(',').find(|endpoint| *endpoint != leader).unwrap().to_owned();
    let socket = follower.trim_start_matches("http://").parse().unwrap();
    let send = |ask: &Ask<'_>| http::send(socket, ask, PATIENCE).unwrap();
    let me: Value =
        serde_json::from_str(&send(&Ask { path: "/api/v1/whoami", ..Ask::default() }).body).unwrap();
    let headers = [
        ("content-type", "application/json"),
        ("origin", follower.as_str()),
        ("x-watchdog-csrf", me["csrf"].as_str().unwrap()),
    ];
    let body = json!({ "reason": "racks" }).to_string();
    let path = "/api/v1/demo/pause";
    let answer = send(&Ask { method: "POST", path, headers: &headers, body: body.as_bytes() });
    let told: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, told["leader"].as_str()), (409, Some(leader)), "{}", answer.body);
}
