//! Tests: each mistake in a configuration is told with its place and what was probably meant.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;

const GOOD: &str = r#"id = "w1"
listen = "127.0.0.1:7400"
address = "http://10.0.0.1:7400"
clusters = ["demo"]
journal = "sqlite:/tmp/journal.db"
query_timeout_ms = 3000

[coordination]
url = "embedded://127.0.0.1:7300"
session_timeout_ms = 4000

[log]
format = "pretty"
filter = "info"
"#;

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("w.toml"), text).map_err(|error| error.to_string())
}

/// What is written, instead of what, and what is said then.
const MISTAKES: [(&str, &str, &str); 53] = [
    ("idd =", "id =", "w.toml:1:1: unknown key `idd`; did you mean `id`?"),
    ("clusers =", "clusters =", "w.toml:4:1: unknown key `clusers`; did you mean `clusters`?"),
    ("uri =", "url =", "w.toml:9:1: unknown key `uri`; did you mean `url`?"),
    ("level =", "format =", "w.toml:13:1: unknown key `level`; known are: format, filter"),
    ("auth_file = \"\"\nid =", "id =", "w.toml:1:1: unknown key `auth_file`; it belongs into [coordination]"),
    ("clusters = []\nurl =", "url =", "w.toml:9:1: unknown key `clusters`; it belongs above the first table"),
    ("", "id = \"w1\"\n", "the key `id` is missing; for example: id = \"watchdog-1\""),
    (
        "",
        "url = \"embedded://127.0.0.1:7300\"\n",
        "the key `url` is missing; for example: url = \"zookeeper://",
    ),
    ("id = 7", "id = \"w1\"", "w.toml:1:6: id: expected a text in quotes, found integer `7`"),
    (
        "W1",
        "w1",
        "w.toml:1:6: id: name \"W1\" has 'W' at position 1; use a-z, 0-9 and '-', not starting with '-'",
    ),
    ("\"\"", "\"w1\"", "w.toml:1:6: id: a name must not be empty"),
    ("id = \"w1", "id = \"w1\"", "w.toml:1:"),
    ("id \"w1\"", "id = \"w1\"", "w.toml:1:"),
    ("id = \"w1\"\nid =", "id =", "w.toml:2:1: id: duplicate key"),
    ("[\"demo\", \"demo\"]", "[\"demo\"]", "w.toml:4:12: clusters: names demo twice"),
    ("[]", "[\"demo\"]", "w.toml:4:12: clusters: names no cluster; give at least one, such as [\"demo\"]"),
    (
        "\"demo\"\n",
        "[\"demo\"]\n",
        "w.toml:4:12: clusters: expected a list such as [\"demo\"], found string \"demo\"",
    ),
    ("[\"Demo\"]", "[\"demo\"]", "w.toml:4:12: clusters: name \"Demo\" has 'D' at position 1"),
    (
        "\"0.0.0.0:1\"",
        "\"127.0.0.1:7400\"",
        "w.toml:2:10: listen: 0.0.0.0:1 is reachable from other machines and",
    ),
    (
        "\"localhost\"",
        "\"127.0.0.1:7400\"",
        "w.toml:2:10: listen: expected an address such as 127.0.0.1:7400",
    ),
    ("7400\n", "\"127.0.0.1:7400\"\n", "w.toml:2:10: listen: expected "),
    (
        "\"10.0.0.1:7400\"",
        "\"http://10.0.0.1:7400\"",
        "w.toml:3:11: address: \"10.0.0.1:7400\" is not a URL of ours",
    ),
    (
        "http://h:7/x",
        "http://10.0.0.1:7400",
        "w.toml:3:11: address: \"http://h:7/x\" is not a URL of ours; expected http://HOST:PORT",
    ),
    (
        "https://h:7",
        "http://10.0.0.1:7400",
        "w.toml:3:11: address: \"https://h:7\" asks for TLS, which is not configured",
    ),
    (
        "[tls]\nkey = \"/no/such.key\"\n[log]",
        "[log]",
        "w.toml:13:7: key: ca and certificate must be given too",
    ),
    (
        "[tls]\nca = \"/no/ca\"\ncertificate = \"/no/c\"\nkey = \"/no/k\"\n[log]",
        "[log]",
        "w.toml:14:15: certificate: cannot read the certificate authority /no/ca: No such file",
    ),
    (
        "4000\ntls_ca = \"/no/such\"",
        "4000",
        "w.toml:11:10: tls_ca: the embedded service never leaves this machine",
    ),
    ("http://h:0", "http://10.0.0.1:7400", "w.toml:3:11: address: port 0 cannot be reached"),
    ("http://h", "http://10.0.0.1:7400", "w.toml:3:11: address: \"http://h\" lacks the port"),
    (
        "/tmp/j.db",
        "sqlite:/tmp/journal.db",
        "w.toml:5:11: journal: \"/tmp/j.db\" names no kind of journal; did you mean \"sqlite:/tmp/j.db\"?",
    ),
    ("sqlite:", "sqlite:/tmp/journal.db", "w.toml:5:11: journal: \"sqlite:\" names no file"),
    (
        "sqlite::memory:",
        "sqlite:/tmp/journal.db",
        "w.toml:5:11: journal: a journal in memory forgets everything",
    ),
    (
        "sqlit:x",
        "sqlite:/tmp/journal.db",
        "w.toml:5:11: journal: unknown kind of journal `sqlit`; did you mean `sqlite`?",
    ),
    ("mysql://h/d", "sqlite:/tmp/journal.db", "w.toml:5:11: journal: unknown kind of journal `mysql`; "),
    (
        "postgres://u:secret@h",
        "sqlite:/tmp/journal.db",
        "w.toml:5:11: journal: \"postgres://u:…@h\" names no database",
    ),
    (
        "\"3s\"",
        "3000",
        "w.toml:6:20: query_timeout_ms: expected a whole number that is not negative, found string \"3s\"",
    ),
    (
        "-1",
        "3000",
        "w.toml:6:20: query_timeout_ms: expected a whole number that is not negative, found integer `-1`",
    ),
    ("0", "3000", "w.toml:6:20: query_timeout_ms: 0 milliseconds is out of range; allowed are 1 to 86400000"),
    (
        "3.5",
        "3000",
        "w.toml:6:20: query_timeout_ms: expected a whole number that is not negative, found floating point",
    ),
    (
        "100",
        "4000",
        "w.toml:10:22: session_timeout_ms: 100 milliseconds is out of range; allowed are 200 to 60000",
    ),
    ("etcd://h", "embedded://127.0.0.1:7300", "w.toml:9:7: url: \"etcd://h\" is not a coordination address"),
    ("embedded://127.0.0.1:0", "embedded://127.0.0.1:7300", "w.toml:9:7: url: port 0 names no service"),
    (
        "embedded://10.0.0.1:1",
        "embedded://127.0.0.1:7300",
        "w.toml:9:7: url: 10.0.0.1:1 is not on this machine",
    ),
    (
        "zookeeper://h1,,h2",
        "embedded://127.0.0.1:7300",
        "w.toml:9:7: url: \"zookeeper://h1,,h2\" names no host",
    ),
    ("4000\nauth_file = \"/no/such\"", "4000", "w.toml:11:13: auth_file: cannot read /no/such: No such file"),
    ("prety", "pretty", "w.toml:13:10: format: unknown value `prety`; did you mean `pretty`?"),
    ("xml", "pretty", "w.toml:13:10: format: unknown value `xml`; known are: pretty, json"),
    ("debgu", "info", "w.toml:14:10: filter: \"debgu\" is not a level; did you mean `debug`?"),
    ("a=b=c", "info", "w.toml:14:10: filter: \"a=b=c\" is not understood: "),
    (
        "[telemetry]\notlp = \"https://collector:4317\"\n[log]",
        "[log]",
        "w.toml:13:8: otlp: https://collector:4317 leads away from this machine",
    ),
    (
        "[access]\nidentity = \"x\"\n[log]",
        "[log]",
        "w.toml:13:1: unknown key `identity`; did you mean `identities`?",
    ),
    (
        "[access]\nidentities = \"/no/such\"\n[log]",
        "[log]",
        "w.toml:13:14: identities: cannot read the identities /no/such: No such file",
    ),
    ("coordinate", "coordination", "w.toml:8:2: unknown key `coordinate`; did you mean `coordination`?"),
];

#[test]
fn mistakes_are_told_with_their_place_and_what_was_meant() {
    parse(GOOD).unwrap();
    for (to, from, expected) in MISTAKES {
        let text = GOOD.replacen(from, to, 1);
        assert_ne!(text, GOOD, "{from} is not there");
        let said = parse(&text).unwrap_err();
        assert!(
            said.starts_with("w.toml:") && said.contains(expected),
            "{to}\n said: {said}\n not:  {expected}"
        );
    }
}

#[test]
fn the_example_names_every_key_and_shows_the_defaults() {
    let example = Config::parse(Path::new("example"), EXAMPLE).unwrap();
    let all = EXAMPLE
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|bare| bare.contains(" = ")).unwrap_or(line));
    // Files that must be there, and what is off where it is not named.
    let named = ["auth_file", "identities", "tls_", "ca = ", "certificate = ", "key = ", "otlp"];
    let all =
        all.filter(|line| !named.iter().any(|name| line.starts_with(name))).collect::<Vec<_>>().join("\n");
    let spelt_out = Config::parse(Path::new("example"), &all).unwrap();
    assert_eq!(spelt_out.address.as_deref(), Some(example.advertised(example.listen).as_str()));
    let spelt_out = Config { address: None, ..spelt_out };
    assert_eq!(format!("{spelt_out:?}"), format!("{example:?}"), "what is commented out is the default");

    let mut keys = 0;
    for table in ["", "[coordination]\n", "[tls]\n", "[access]\n", "[log]\n", "[telemetry]\n"] {
        let said = parse(&format!("{table}nonsense-key = 1")).unwrap_err();
        let (_, known) = said.split_once("known are: ").unwrap();
        for key in known.split(", ") {
            assert!(EXAMPLE.contains(&format!("{key} = ")) || EXAMPLE.contains(&format!("[{key}]")), "{key}");
            keys += 1;
        }
    }
    assert_eq!(keys, 26, "the parser names them all");
}

#[test]
fn an_unreadable_file_is_named() {
    let error = Config::read(Path::new("/no/such/w.toml")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read the configuration /no/such/w.toml");
}

#[test]
fn the_advertised_address_is_the_real_one() {
    let own = parse(&GOOD.replace("address = \"http://10.0.0.1:7400\"\n", "")).unwrap();
    let real = "127.0.0.1:41234".parse().unwrap();
    assert_eq!(own.advertised(real), "http://127.0.0.1:41234");
    assert_eq!(parse(GOOD).unwrap().advertised(real), "http://10.0.0.1:7400");
}

#[test]
fn passwords_are_not_shown() {
    let table = [
        ("postgres://u:p@h:1/d?x", "postgres://u:…@h:1/d?x"),
        ("postgres://u@h/d", "postgres://u@h/d"),
        ("postgres:///d", "postgres:///d"),
        ("postgres://u:p@ss@h/d", "postgres://u:…@h/d"),
        ("sqlite:/x", "sqlite:/x"),
        (
            "postgres://me@h/db?sslmode=require&password=secret",
            "postgres://me@h/db?sslmode=require&password=…",
        ),
        ("postgres://me:a@h/db?PASSWORD=b", "postgres://me:…@h/db?PASSWORD=…"),
    ];
    for (url, shown) in table {
        assert_eq!(rules::hidden(url), shown);
    }
    let config = parse(&GOOD.replace("sqlite:/tmp/journal.db", "postgres://u:s3cr3t@h/d")).unwrap();
    assert!(!format!("{config:?}").contains("s3cr3t"), "{config:?}");
}
