//! Secrets: what nobody may read anywhere, looked for in everything that a watchdog wrote and answered.

use std::fmt::Write as _;

use watchdog_tests::door::{Door, PEOPLE, Setup};
use watchdog_tests::http::Ask;
use watchdog_tests::postgres;

const JOURNAL: &str = "jrnlS3cr3tQ7";
const COORDINATION: &str = "zkS3cr3tQ8";

#[test]
fn secrets_are_in_nothing_that_is_written_or_answered() {
    // The server trusts whoever comes, and so is given a password all the same.
    let server = postgres::shared_server().unwrap();
    let plain = server.create_database().unwrap();
    let database = plain.rsplit_once('/').unwrap().1.split('?').next().unwrap().to_owned();
    let (scheme, rest) = plain.split_once("://").unwrap();
    let (user, place) = rest.split_once('@').unwrap();
    let journal = format!("{scheme}://{}:{JOURNAL}@{place}", user.split(':').next().unwrap());
    let setup = Setup {
        journal: Some(journal),
        coordination_auth: Some(format!("watchdog:{COORDINATION}")),
        log: Some("trace,h2=debug,hyper=debug".to_owned()),
        ..Setup::default()
    };
    let door = Door::open(&setup).unwrap();
    let mut written = exercise(&door);
    written.push_str(&door.log());
    for table in ["record", "change", "plan_input", "terms"] {
        written.push_str(&server.psql(&database, &format!("SELECT t::text FROM {table} t")).unwrap());
    }
    assert!(written.contains("asked") && written.contains("racks"), "what was done is in there");
    let mut secrets = vec![JOURNAL.to_owned(), COORDINATION.to_owned()];
    secrets.extend(PEOPLE.iter().map(|(name, _)| door.token(name).unwrap()[4..].to_owned()));
    for secret in secrets {
        if let Some(at) = written.find(&secret) {
            let from = written[..at].rfind('\n').map_or(0, |line| line + 1);
            let line = written[from..].lines().next().unwrap();
            panic!("{secret} is told: {}", line.chars().take(600).collect::<String>());
        }
    }
}

/// Does something of everything, and answers all that was said.
fn exercise(door: &Door) -> String {
    let mut said = String::new();
    let mut ctl = |name: &str, arguments: &[&str]| {
        let output = door.ctl(name, arguments).unwrap();
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        said.push_str(&String::from_utf8_lossy(&output.stderr));
    };
    ctl("olga", &["pause", "--reason", "racks"]);
    ctl("vera", &["resume"]);
    ctl("olga", &["resume"]);
    for format in ["table", "json"] {
        for command in [
            &["status"][..],
            &["events"],
            &["plan", "list"],
            &["plan", "preview"],
            &["log", "list"],
            &["log", "verify"],
            &["leader"],
            &["goal", "list"],
            &["plan", "replay", "1-1"],
        ] {
            ctl("vera", &[&["-o", format], command].concat());
        }
    }
    for arguments in
        [&["--help"][..], &["status"], &["pause", "--reason", "racks"], &["--timeout", "x", "status"]]
    {
        let output = door.ctl_by_environment("vera", arguments).unwrap();
        assert_eq!(output.status.success(), arguments.len() == 1, "{arguments:?}");
        said.push_str(&String::from_utf8_lossy(&output.stdout));
        said.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    let bearer = format!("Bearer {}", door.token("vera").unwrap());
    let form = format!("token={}", door.token("ada").unwrap());
    for path in ["/", "/metrics", "/readyz", "/api/v1/clusters", "/api/v1/demo/status", "/api/v1/whoami"] {
        let headers = [("authorization", bearer.as_str())];
        write!(said, "{:?}", door.send(&Ask { path, headers: &headers, ..Ask::default() }).unwrap()).unwrap();
    }
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", door.address())];
    let login = Ask { method: "POST", path: "/login", headers: &headers, body: form.as_bytes() };
    write!(said, "{:?}", door.send(&login).unwrap()).unwrap();
    let wrong = [("authorization", format!("Basic {}", door.token("alf").unwrap()))];
    let wrong = wrong.each_ref().map(|(name, value)| (*name, value.as_str()));
    write!(said, "{:?}", door.send(&Ask { path: "/", headers: &wrong, ..Ask::default() }).unwrap()).unwrap();
    said
}
