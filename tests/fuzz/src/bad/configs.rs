//! Configs: configurations of watchdogs and host agents in which one line is wrong.

use super::{Case, Reader};

/// A configuration in which every key is set.
const WATCHDOG: &str = r#"id = "w1"
listen = "127.0.0.1:7400"
address = "http://127.0.0.1:7400"
clusters = ["demo"]
journal = "sqlite:/tmp/j.db"
query_timeout_ms = 3000
resign_after_ms = 5000
stay_out_ms = 30000
[coordination]
url = "zookeeper://127.0.0.1:2181/watchdog"
session_timeout_ms = 4000
[log]
format = "pretty"
filter = "info"
"#;

const HOST: &str = r#"host = "h1"
listen = "127.0.0.1:7201"
dir = "/tmp/agent"
clusters = ["demo"]
lease_ms = 10000
grace_max_ms = 60000
cgroups = true
[coordination]
url = "embedded://127.0.0.1:7100"
session_timeout_ms = 4000
[probes]
interval_ms = 100
timeout_ms = 100
failures = 3
startup_ms = 10000
[logs]
max_bytes = 1048576
keep = 3
[programs.web]
argv = ["/bin/web", "{port}"]
user = "nobody"
directory = "/"
environment = { LANG = "C" }
parameters = { port = { pattern = "port", default = "80" } }
[programs.web.load]
render = { "/tmp/web.json" = "setting/web" }
command = ["/bin/web", "-s"]
"#;

/// Values of each type, and which keys they do not fit.
const STRANGERS: [(&str, &str); 7] = [
    ("true", "flag"),
    ("-7", "number"),
    ("1.5", "float"),
    ("\"\\u0007 x\"", "text"),
    ("[[7]]", "list"),
    ("{ x = 7 }", "table"),
    ("1979-05-27", "date"),
];

/// Configurations that are understood key by key and not as a whole, or not by the rules.
const WATCHDOG_RULES: [(&str, &str); 24] = [
    ("id", "\"W1\""),
    ("id", "\"\""),
    ("listen", "\"0.0.0.0:7400\""),
    ("listen", "\"localhost:7400\""),
    ("listen", "\"127.0.0.1\""),
    ("address", "\"https://h:1\""),
    ("address", "\"http://h\""),
    ("address", "\"http://h:0\""),
    ("address", "\"h:1\""),
    ("clusters", "[]"),
    ("clusters", "[\"demo\", \"demo\"]"),
    ("clusters", "[\"De mo\"]"),
    ("journal", "\"mysql://h/d\""),
    ("journal", "\"sqlite:\""),
    ("journal", "\"sqlite::memory:\""),
    ("journal", "\"postgres://h\""),
    ("journal", "\"/tmp/j.db\""),
    ("query_timeout_ms", "0"),
    ("stay_out_ms", "86400001"),
    ("url", "\"etcd://h\""),
    ("url", "\"embedded://10.0.0.1:1\""),
    ("session_timeout_ms", "199"),
    ("format", "\"xml\""),
    ("filter", "\"inof\""),
];

const HOST_RULES: [(&str, &str); 24] = [
    ("host", "\"h_1\""),
    ("listen", "\"[::]:1\""),
    ("listen", "\"h1\""),
    ("dir", "\"\""),
    ("clusters", "[]"),
    ("clusters", "[\"demo\", \"demo\"]"),
    ("lease_ms", "0"),
    ("lease_ms", "18446744073709551615"),
    ("grace_max_ms", "86400001"),
    ("url", "\"zookeeper://\""),
    ("url", "\"embedded://127.0.0.1:0\""),
    ("session_timeout_ms", "60001"),
    ("interval_ms", "0"),
    ("failures", "0"),
    ("max_bytes", "0"),
    ("keep", "1001"),
    ("argv", "[]"),
    ("argv", "[\"\"]"),
    ("argv", "[\"/bin/web\", \"{prot}\"]"),
    ("environment", "{ \"A=B\" = \"c\" }"),
    ("parameters", "{ port = {} }"),
    ("parameters", "{ port = { pattern = \"port\", default = \"http\" } }"),
    ("render", "{ \"/tmp/web.json\" = \"web\" }"),
    ("command", "[]"),
];

/// Keys without which there is nothing to guard, or no way to.
const NEEDED: [(Reader, &[&str]); 2] = [
    (Reader::Watchdog, &["id", "listen", "clusters", "journal", "url"]),
    (Reader::Host, &["host", "listen", "dir", "clusters", "url", "argv"]),
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (reader, text, rules) in
        [(Reader::Watchdog, WATCHDOG, &WATCHDOG_RULES[..]), (Reader::Host, HOST, &HOST_RULES[..])]
    {
        for (index, line) in text.lines().enumerate() {
            match line.split_once(" = ") {
                Some((key, value)) => cases.extend(of_line((reader, text), index, (key, value))),
                None => {
                    cases.push(case(
                        (reader, text),
                        index,
                        &line.replace(']', ""),
                        "a table without its end",
                    ));
                }
            }
        }
        for (key, value) in rules {
            let index = line_of(text, key);
            cases.push(case((reader, text), index, &format!("{key} = {value}"), "a rule is broken"));
        }
    }
    for (reader, keys) in NEEDED {
        let text = if reader == Reader::Watchdog { WATCHDOG } else { HOST };
        for key in keys {
            let index = line_of(text, key);
            let lines =
                text.lines().enumerate().filter(|(at, _)| *at != index).map(|(_, line)| format!("{line}\n"));
            let story = format!("{key} is missing");
            cases.push(Case { reader, story, input: lines.collect(), names: (*key).to_owned() });
        }
    }
    cases
}

fn line_of(text: &str, key: &str) -> usize {
    text.lines().position(|line| line.starts_with(&format!("{key} = "))).unwrap_or(0)
}

/// What can be wrong with one setting.
fn of_line((reader, text): (Reader, &str), index: usize, (key, value): (&str, &str)) -> Vec<Case> {
    let of = |line: String, story: &str| case((reader, text), index, &line, story);
    let mut cases = vec![
        of(format!("{key}x = {value}"), "a key that is not known"),
        of(format!("{key} = "), "no value"),
        of(format!("{key} {value}"), "no equals sign"),
        of(format!("{key} = {value} {value}"), "two values"),
        of(format!("{key} = \"{value}"), "a text without its end"),
        of(format!("{key} = @{value}"), "a value of no type"),
    ];
    let mut twice = of(format!("{key} = {value}\n{key} = {value}"), "a key that is given twice");
    // The second one is the mistake.
    twice.names = format!("{}:{}", reader.file(), index + 2);
    cases.push(twice);
    for (stranger, kind) in STRANGERS {
        let fits = match kind {
            "flag" => value == "true",
            "table" => matches!(key, "environment" | "parameters" | "render") && key != "parameters",
            // A text fits where one is wanted; what it may say is a rule of its own.
            "text" => value.starts_with('"'),
            _ => false,
        };
        // What follows is no name of a variable's value or of a key.
        let fits = fits && key != "environment" && key != "render";
        if !fits {
            cases.push(of(format!("{key} = {stranger}"), &format!("a {kind}")));
        }
    }
    cases
}

/// The text with another line; the place of that line must be told.
fn case((reader, text): (Reader, &str), index: usize, line: &str, story: &str) -> Case {
    let lines: Vec<&str> =
        text.lines().enumerate().map(|(at, old)| if at == index { line } else { old }).collect();
    Case {
        reader,
        story: format!("{story}: {line:?}"),
        input: lines.join("\n") + "\n",
        names: format!("{}:{}", reader.file(), index + 1),
    }
}
