//! Noise: thousands of requests that nobody would send, from a stranger: none is answered, none does anything.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use watchdog_tests::door::{Door, Setup};
use watchdog_tests::http::Ask;
use watchdog_tests::story::PATIENCE;

/// How many are sent.
const REQUESTS: usize = 3_000;

const METHODS: [&str; 8] = ["GET", "POST", "PUT", "HEAD", "OPTIONS", "PRI", "get", "\u{1}"];
const PATHS: [&str; 18] = [
    "/",
    "/healthz",
    "/login",
    "/logout",
    "/metrics",
    "/api/v1/whoami",
    "/api/v1/demo/status",
    "/api/v1/demo/pause",
    "/api/v1/demo/plans/1-1/approve",
    "/watchdog.admin.v1.Admin/Pause",
    "/watchdog.admin.v1.Admin/LeaderResign",
    "/grpc.health.v1.Health/Watch",
    "/%77atchdog.admin.v1.Admin/Pause",
    "//watchdog.admin.v1.Admin/Pause",
    "/healthz/../api/v1/clusters",
    "/healthz%2f..%2fapi/v1/clusters",
    "http://127.0.0.1/api/v1/clusters",
    "*",
];
const HEADERS: [(&str, &str); 16] = [
    ("content-type", "application/grpc"),
    ("content-type", "application/json"),
    ("content-type", "application/x-www-form-urlencoded"),
    ("authorization", "Bearer wdt_"),
    ("authorization", "Bearer \u{7f}"),
    ("authorization", "bearer wdt_0000000000000000000000000000000000000000000000000000000000000000"),
    ("cookie", "watchdog-session-7400=0"),
    ("cookie", ";=;;==;"),
    ("origin", "null"),
    ("origin", "http://127.0.0.1"),
    ("sec-fetch-site", "same-origin"),
    ("x-watchdog-csrf", "0"),
    ("accept", "text/html"),
    ("host", "evil.example"),
    ("x-forwarded-for", "127.0.0.1"),
    ("x-original-url", "/api/v1/clusters"),
];
const BODIES: [&[u8]; 6] =
    [b"", b"\0\0\0\0\0", b"\0\xff\xff\xff\xff", b"{\"reason\":\"x\"}", b"token=x", b"token=%00&token=%ff"];

/// The same numbers each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }
}

/// A request of words that belong elsewhere, some of them damaged.
struct Request {
    path: String,
    bytes: Vec<u8>,
    /// Whether all of its body is there for sure.
    is_whole: bool,
}

fn request(chance: &mut Chance) -> Request {
    let (method, path) = (METHODS[chance.below(METHODS.len())], PATHS[chance.below(PATHS.len())]);
    let body = BODIES[chance.below(BODIES.len())];
    let mut text = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
    for _ in 0..chance.below(7) {
        let (name, value) = HEADERS[chance.below(HEADERS.len())];
        text.extend(format!("{name}: {value}\r\n").bytes());
    }
    let lies = chance.below(8) == 0;
    let length = if lies { chance.below(1 << 40) } else { body.len() };
    text.extend(format!("content-length: {length}\r\nconnection: close\r\n\r\n").bytes());
    text.extend(body);
    let is_damaged = chance.below(4) == 0;
    if is_damaged {
        let at = chance.below(text.len());
        text[at] = u8::try_from(chance.below(256)).unwrap();
    }
    Request { path: path.to_owned(), bytes: text, is_whole: !lies && !is_damaged }
}

/// What comes back within a moment: a status, unless it hangs up or waits for more.
fn status_of(door: &Door, request: &Request) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(door.address().trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // It may hang up before it has heard all of it.
    let _ = stream.write_all(&request.bytes);
    // Whoever may wait for a body that never comes is told that it has ended. No other: who hangs up before an answer is
    // there gets none.
    if !request.is_whole {
        let _ = stream.shutdown(std::net::Shutdown::Write);
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok()?;
    Some((status, text))
}

#[test]
fn noise_is_neither_answered_nor_obeyed() {
    let door = Door::open(&Setup::default()).unwrap();
    let before = door.events().unwrap().len();
    let mut chance = Chance(0x0DDB_A115);
    let mut refused = 0;
    for number in 0..REQUESTS {
        let request = request(&mut chance);
        let Some((status, answer)) = status_of(&door, &request) else { continue };
        // A status of gRPC stands beside a 200 of HTTP.
        let is_refused =
            status >= 400 || answer.contains("grpc-status: ") && !answer.contains("grpc-status: 0");
        let sent = String::from_utf8_lossy(&request.bytes).into_owned();
        let open = ["/healthz", "/readyz", "/leader", "/login"].contains(&request.path.as_str());
        assert!(is_refused || open, "request {number} is answered:\n{sent}\n{answer}");
        assert!(!answer.contains("set-cookie") && !answer.contains("demo"), "{number}:\n{sent}\n{answer}");
        refused += usize::from(is_refused);
    }
    assert!(refused > REQUESTS / 2, "{refused}: most of it was understood as requests");
    assert_eq!(door.events().unwrap().len(), before, "nothing was recorded");
    let healthy = door.send(&Ask { path: "/healthz", ..Ask::default() }).unwrap();
    assert_eq!(healthy.status, 200);
}

/// Half a request, two thousand times, and none of them moves: the others are served as always.
#[test]
fn who_never_finishes_a_request_keeps_nobody_waiting() {
    let door = Door::open(&Setup::default()).unwrap();
    let address = door.address().trim_start_matches("http://").to_owned();
    let login = format!(
        "POST /login HTTP/1.1\r\nhost: {address}\r\norigin: http://{address}\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: 100\r\n\r\ntoken="
    );
    let half = ["", "GET /", "POST /login HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\ntok", &login];
    let slow: Vec<TcpStream> = (0..2_000)
        .map(|number| {
            let mut stream = TcpStream::connect(&address).unwrap();
            stream.write_all(half[number % half.len()].as_bytes()).unwrap();
            stream
        })
        .collect();
    let began = std::time::Instant::now();
    assert!(door.ctl("olga", &["pause", "--reason", "racks"]).unwrap().status.success());
    assert!(door.ctl("olga", &["resume"]).unwrap().status.success());
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    for path in ["/healthz", "/leader"] {
        assert_eq!(door.send(&Ask { path, ..Ask::default() }).unwrap().status, 200, "{path}");
    }
    drop(slow);
}
