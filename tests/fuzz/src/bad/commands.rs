//! Commands: command lines in which one word is wrong.

use super::{Case, Reader};

/// What stands before every command.
const COMMON: &str = "watchdogctl\n-e\nhttp://127.0.0.1:9\n-c\ndemo";

/// Commands, and the word that is wrong with them; words are separated by blanks, `_` stands for one within a word.
const CTL: [(&str, &str); 62] = [
    ("frobnicate", "frobnicate"),
    ("statsu", "statsu"),
    ("status extra", "extra"),
    ("status --wach", "--wach"),
    ("status --watch=7", "7"),
    ("-o yaml status", "yaml"),
    ("--timeout 0s status", "0s"),
    ("--timeout 10 status", "10"),
    ("--timeout soon status", "soon"),
    ("--timeout 500000000000y status", "500000000000y"),
    ("--timeout -1s status", "-1"),
    ("--cluster Demo status", "Demo"),
    ("--cluster a_b status", "cluster"),
    ("--endpoint ftp://a:1 status", "ftp"),
    ("--endpoint https://a:1 status", "TLS"),
    ("--endpoint a status", "port is missing"),
    ("--endpoint a:0 status", "\"0\" is not a port"),
    ("--endpoint a:+1 status", "\"+1\" is not a port"),
    ("--endpoint :1 status", "host is missing"),
    ("--endpoint me@a:1 status", "users"),
    ("--endpoint http://a:1/x status", "not a port"),
    ("--endpoint http://[::1]]:1 status", "invalid authority"),
    ("--by  status", "it must say something"),
    ("why", "<REPLICA>"),
    ("why Demo", "'D' at position 1"),
    ("why demo-a demo-b", "demo-b"),
    ("why -a", "-a"),
    ("plan", "plan"),
    ("plan shwo", "shwo"),
    ("plan show", "<ID>"),
    ("plan show 3.1", "'.' at position 2"),
    ("plan list --limit 0", "0"),
    ("plan list --limit -1", "-1"),
    ("plan list --limit 4294967296", "4294967296"),
    ("plan list --limit many", "many"),
    ("plan approve A", "'A' at position 1"),
    ("log", "log"),
    ("log show", "<VERSION>"),
    ("log show latest", "latest"),
    ("log show -1", "-1"),
    ("log show +7", "+7"),
    ("log show 18446744073709551616", "18446744073709551616"),
    ("log diff 1", "<B>"),
    ("log diff 1 2 3", "3"),
    ("log list --from x", "x"),
    ("log verify now", "now"),
    ("pause", "--reason"),
    ("pause --reason ", "it must say something"),
    ("pause --reason x --for 0s", "longer than nothing"),
    ("pause --reason x --for 200y", "longer than a century"),
    ("hold", "REPLICA|HOST"),
    ("hold demo-a", "--reason"),
    ("release", "REPLICA|HOST"),
    ("storm release", "--reason"),
    ("events --since yesterday", "yesterday"),
    ("events --since 100000y", "100000y"),
    ("events --since 2026-13-01T00:00:00Z", "2026-13-01"),
    ("leader retire", "retire"),
    ("goal diff", "--file"),
    ("goal apply -f g.toml --for 1h", "--wait"),
    ("goal apply -f g.toml --at head", "head"),
    ("goal restore 0", "count from 1"),
];

const AGENT: [(&str, &str); 10] = [
    ("", "Usage"),
    ("start", "start"),
    ("run", "--config"),
    ("run --config", "--config"),
    ("run --config a --listen localhost", "localhost"),
    ("run --config a --host H", "'H' at position 1"),
    ("run --config a --listn 127.0.0.1:1", "--listn"),
    ("check-config", "<FILE>"),
    ("check-config a b", "'b'"),
    ("guardian a 7", "7"),
];

pub(super) fn cases() -> Vec<Case> {
    let ctl = CTL.iter().map(|(command, names)| {
        // What is given twice is a mistake of its own.
        let common = match command {
            _ if command.contains("--endpoint") => "watchdogctl\n-c\ndemo",
            _ if command.contains("--cluster") => "watchdogctl\n-e\nhttp://127.0.0.1:9",
            _ => COMMON,
        };
        case(Reader::Ctl, format!("{common}\n{}", command.replace(' ', "\n")), names)
    });
    let missing = [
        case(Reader::Ctl, "watchdogctl\n-c\ndemo\nstatus".to_owned(), "--endpoint"),
        case(Reader::Ctl, "watchdogctl\n-e\na:1\nstatus".to_owned(), "--cluster"),
        case(Reader::Ctl, "watchdogctl".to_owned(), "Usage"),
    ];
    let agent = AGENT.iter().map(|(command, names)| {
        let words: Vec<&str> = std::iter::once("replica-agent").chain(command.split_whitespace()).collect();
        case(Reader::Agent, words.join("\n"), names)
    });
    ctl.chain(missing).chain(agent).collect()
}

fn case(reader: Reader, input: String, names: &str) -> Case {
    Case { reader, story: input.replace('\n', " "), input, names: names.to_owned() }
}
