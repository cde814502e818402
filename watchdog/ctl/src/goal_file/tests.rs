//! Tests: goal files that are read, and goal files that are refused with their line.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::json;
use watchdog_core::goal::fault;
use watchdog_core::ids::Version;
use watchdog_core::state::State;

use super::*;

fn parse(name: &str, text: &str) -> Result<GoalFile, String> {
    GoalFile::parse(Source::new(name.to_owned(), text.to_owned()))
}

const WHOLE_TOML: &str = r#"
name = "new-model"
reason = "better on tourists"
remove = ["rule/old", "rule/older"]
restart = true

[set."model/fraud"]
uri = "s3://models/fraud-9"
threshold = 0.5
trained = 2026-05-01 07:32Z
since = 2026-05-01
big = 18446744073709551615
layers = [1, 0xff, { name = "last" }]

[set."model/fraud".limits]
most = 1_000

[set]
"setting/dry-run" = true

[rollout]
canary = ["demo-a"]
batch = 2
soak = "10s"
probation_ms = 5000
max_failures = 1
"#;

const WHOLE_JSON: &str = r#"{
  "name": "new-model", "reason": "better on tourists", "restore": null,
  "remove": ["rule/old", "rule/older"], "restart": true,
  "set": {
    "model/fraud": {
      "uri": "s3:\/\/models\/fraud-9", "threshold": 5e-1, "trained": "2026-05-01T07:32:00Z",
      "since": "2026-05-01", "big": 18446744073709551615,
      "layers": [1, 255, {"name": "l\u0061st"}], "limits": {"most": 1000}
    },
    "setting/dry-run": true
  },
  "rollout": {"canary": ["demo-a"], "batch": 2, "soak_ms": 10000, "soak": null, "probation": "5s", "max_failures": 1}
}"#;

#[test]
fn toml_and_json_say_the_same() {
    let goal = parse("goal.toml", WHOLE_TOML).unwrap().goal;
    assert_eq!(parse("stdin", WHOLE_JSON).unwrap().goal, goal);
    let wire = serde_json::to_value(&goal).unwrap();
    assert_eq!(wire["rollout"]["soak_ms"], 10_000);
    assert_eq!(wire["set"]["model/fraud"]["trained"], "2026-05-01T07:32:00Z");
    assert_eq!(wire["set"]["model/fraud"]["limits"], json!({"most": 1000}));
    let again = parse("again.json", &wire.to_string()).unwrap();
    assert_eq!(again.goal, goal, "what a program writes from a goal is a goal file");
}

#[test]
fn short_forms_are_read() {
    let table = [
        ("restore = 'stable'", json!({"restore": "stable"})),
        ("restore = 41", json!({"restore": 41})),
        ("restart = true\nrollout.canary = 0", json!({"restart": true, "rollout": {"canary": 0}})),
        ("set.'model/m' = 3", json!({"set": {"model/m": 3}})),
        ("[set]\n'rule/x' = 'deny'", json!({"set": {"rule/x": "deny"}})),
        (
            "restart = true\n[rollout]\nsoak = '1m 30s'",
            json!({"restart": true, "rollout": {"soak_ms": 90_000}}),
        ),
        ("restart = true\n[rollout]\nsoak = '0s'", json!({"restart": true, "rollout": {"soak_ms": 0}})),
    ];
    for (text, expected) in table {
        let expected: Goal = serde_json::from_value(expected).unwrap();
        assert_eq!(parse("goal.toml", text).unwrap().goal, expected, "{text}");
    }
}

/// A text, and how the complaint about it begins behind the file's name; one without a colon stands anywhere in it.
const BAD_FILES: &[(&str, &str)] = &[
    // Not TOML.
    ("restart = tru", ":1:11: not TOML: "),
    ("restart = true\nname = x", ":2:8: not TOML: string values must be quoted"),
    ("name = 'x\n", ":1:10: not TOML: invalid literal string"),
    ("remove = ['a/b'\n", ":1:16: not TOML: unclosed array"),
    ("restart = true restore = 1", ":1:24: not TOML: unexpected key or value"),
    ("[set.model/fraud]\nx = 1", ":1:11: a key with '/' stands in quotes, such as [set.\"model/fraud\"]"),
    ("restart = true\nmodel/fraud = 1", ":2:6: a key with '/' stands in quotes"),
    ("[set]\n'a/b' = 1\n'a/b' = 2", ":3:1: 'a/b' is given twice; keep one"),
    ("[set.\"a/b\"]\nx=1\n[set.\"a/b\"]\ny=1", ":3:6: \"a/b\" is given twice; keep one"),
    ("restart = true\n[rollout]\nbatch = 1\nbatch = 2", ":4:1: batch is given twice"),
    ("[set.'a/b']\nx = 1\n[set.'a/b'.x]\ny = 1", ":3:"),
    // Unknown fields.
    ("restart = true\nreplace = 1", ":2:1: replace: unknown field; a goal has name, reason, set,"),
    ("restart = true\nbatch = 1", ":2:1: batch: unknown field; it belongs under [rollout]"),
    ("\n['model/m']\nx = 1", ":2:2: \"model/m\": unknown field; to give that key a value, put it under set"),
    ("restart = true\n[rollout]\ncanaries = 1", ":3:1: rollout.canaries: unknown field; rollout has canary,"),
    // Wrong types.
    ("name = 3\nrestart = true", ":1:8: name: expected a text in quotes, found a number"),
    ("reason = ['x']\nrestart = true", ":1:10: reason: expected a text in quotes, found a list"),
    ("set = 3", ":1:7: set: expected a table, found a number"),
    ("remove = 'rule/old'", ":1:10: remove: expected a list of keys, such as [\"rule/old\"], found a text"),
    ("remove = ['rule/old',\n  7]", ":2:3: remove[1]: expected a text in quotes, found a number"),
    ("restart = 'true'", ":1:11: restart: expected true or false, without quotes, found a text"),
    ("restart = 1", ":1:11: restart: expected true or false, without quotes, found a number"),
    ("restart = true\nrollout = 1", ":2:11: rollout: expected a table, found a number"),
    // Bad keys and names.
    (
        "\n[set]\nmodel = 1",
        ":3:1: set.model: \"model\" is not a key: expected kind/name, such as model/fraud",
    ),
    ("[set.model.fraud]\nx = 1", ":1:6: set.model: \"model\" is not a key: expected kind/name, such as"),
    ("[set.model.fraud]\nx = 1", "such as model/fraud; perhaps [set.\"model/fraud\"]"),
    ("[set.'Model/x']\nx = 1", ":1:6: set.\"Model/x\": \"Model/x\" is not a key: the kind may hold"),
    ("[set]\n'model/' = 1", ":2:1: set.\"model/\": \"model/\" is not a key: the name after '/' is empty"),
    ("remove = ['rule/old', 'old']", ":1:23: remove[1]: \"old\" is not a key"),
    ("name = 'New Model'\nrestart = true", ":1:8: name: name \"New Model\" has 'N' at position 1"),
    (
        "restart = true\n[rollout]\ncanary = ['A']",
        ":3:11: rollout.canary[0]: name \"A\" has 'A' at position 1",
    ),
    // Values that can't be.
    ("[set]\n'a/b' = nan", ":2:9: set.\"a/b\": nan is no number that a value can hold"),
    ("[set.'a/b']\nx = { y = [1.0, -inf] }", ":2:17: set.\"a/b\".x.y[1]: -inf is no number"),
    ("[set.'a/b']\nx = 1e999", ":2:5: set.\"a/b\".x: 1e999 is no number"),
    (
        "[set]\n'a/b' = 18446744073709551616",
        ":2:9: set.\"a/b\": 18446744073709551616 does not fit into 64 bits",
    ),
    (
        "restore = 'yesterday'",
        ":1:11: restore: expected \"stable\", or the number of a version without quotes",
    ),
    ("restore = '41'", "found \"41\""),
    ("restore = 0", ":1:11: restore: there is no version 0; they count from 1"),
    ("restore = -3", ":1:11: restore: there is no version -3"),
    ("restore = true", ":1:11: restore: expected \"stable\", or the number"),
    // Rollout.
    (
        "restart = true\n[rollout]\nsoak = 10",
        ":3:8: rollout.soak: expected a duration in quotes, such as \"10s\" (or soak_ms",
    ),
    ("restart = true\n[rollout]\nsoak = '10 fortnights'", "write \"500ms\", \"10s\" or \"5m\""),
    (
        "restart = true\n[rollout]\nprobation = '10us'",
        ":3:13: rollout.probation: \"10us\" is finer than a millisecond",
    ),
    (
        "restart = true\n[rollout]\nsoak_ms = -1",
        ":3:11: rollout.soak_ms: expected a whole number from 0 on, found -1",
    ),
    (
        "restart = true\n[rollout]\nsoak_ms = '10s'",
        ":3:11: rollout.soak_ms: expected a whole number from 0 on, found a text",
    ),
    (
        "restart = true\n[rollout]\nbatch = 1.5",
        ":3:9: rollout.batch: expected a whole number from 0 on, found 1.5",
    ),
    (
        "restart = true\n[rollout]\nmax_failures = 5000000000",
        ":3:16: rollout.max_failures: 5000000000 is more than 4294967295",
    ),
    (
        "restart = true\n[rollout]\ncanary = 'demo-a'",
        ":3:10: rollout.canary: expected a number, or a list of replicas",
    ),
    ("restart = true\n[rollout]\ncanary = []", ":3:10: rollout.canary: it names nobody"),
    ("restart = true\n[rollout]\ncanary = ['a', 'a']", ":3:16: rollout.canary[1]: a is named twice"),
    (
        "restart = true\n[rollout]\nsoak = '1s'\nsoak_ms = 1",
        ":4:1: rollout.soak_ms: soak is given too; keep one",
    ),
    // The whole.
    ("", ": it is empty; write what shall hold"),
    (" \n\n", ": it is empty"),
    ("# nothing yet\n", ": goal: it asks for nothing; give [set.\"kind/name\"], remove, restore or restart"),
    ("name = 'x'\n[rollout]\nbatch = 1", ": goal: it asks for nothing"),
    ("remove = ['rule/r']\nset = { 'rule/r' = 1 }", ":1:11: remove[0]: rule/r is both set and removed"),
    ("remove = ['rule/r', 'rule/r']", ":1:21: remove[1]: rule/r is named twice"),
    // JSON.
    ("{\"restart\": true,}", ":1:18: not JSON: trailing comma"),
    ("{\"restart\": true\n", ":2:1: not JSON: EOF while parsing"),
    ("{\n  \"restart\": yes\n}", ":2:14: not JSON: expected value"),
    ("{\"restart\": true} {}", ":1:19: not JSON: trailing characters"),
    (
        "{\"restart\": true,\n \"restart\": true}",
        ":2:2: restart: it is given twice, before in line 1; keep one",
    ),
    (
        "{\"set\": {\"model/m\": 1,\n\"model/m\": 2}}",
        ":2:1: set.\"model/m\": it is given twice, before in line 1",
    ),
    ("{\"set\": {\"model/m\": {\"a\": 1, \"\\u0061\": 2}}}", ":1:30: set.\"model/m\".a: it is given twice"),
    ("{\"set\": {\"model/m\": null}}", ":1:21: set.\"model/m\": null is no value; to take the key away"),
    (
        "{\"set\": {\"model/m\": [\n123456789012345678901]}}",
        ":2:1: set.\"model/m\"[0]: 123456789012345678901 does not fit",
    ),
    ("{\"set\": {\"model\": 1}}", ":1:10: set.model: \"model\" is not a key"),
    ("{\"restor\": null}", ":1:2: restor: unknown field"),
    ("{\"restart\": true, \"rollout\": {\"soak\": 1}}", ":1:39: rollout.soak: expected a duration in quotes"),
    ("{}", ": goal: it asks for nothing"),
];

#[test]
fn a_bad_file_is_refused_with_its_line() {
    for &(text, complaint) in BAD_FILES {
        let said = parse("goal", text).err().unwrap_or_else(|| panic!("{text:?} is read"));
        let fits = if complaint.starts_with(':') {
            said.starts_with(&format!("goal{complaint}"))
        } else {
            said.contains(complaint)
        };
        assert!(fits, "{text:?}:\n{said}\ninstead of\n{complaint}");
    }
    let said = parse("goal.json", "[1]").err().unwrap();
    assert_eq!(said, "goal.json:1:1: goal: expected a table, found a list");
    let deep = format!("{{\"set\": {{\"a/b\": {}", "[".repeat(100_000));
    assert!(parse("goal", &deep).err().unwrap().contains("recursion limit"));
    let deep = format!("x = {}", "[".repeat(100_000));
    assert!(parse("goal", &deep).err().unwrap().starts_with("goal:1:"));
}

#[test]
fn all_mistakes_are_told_in_the_order_of_the_file() {
    let text = "restart = 1\nbatch = 1\nname = ''\n[set]\nx = 1\n";
    let said = parse("goal.toml", text).err().unwrap();
    let lines: Vec<&str> = said.lines().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(lines, ["goal.toml:1:11", "goal.toml:2:1", "goal.toml:3:8", "goal.toml:5:1"], "{said}");
    let many: String = (0..25).map(|number| ["field-", &number.to_string(), " = 1\n"].concat()).collect();
    let said = parse("goal.toml", &many).err().unwrap();
    assert!(said.ends_with("\ngoal.toml: and 15 more mistakes"), "{said}");
}

#[test]
fn what_the_leader_names_is_found_in_the_file() {
    let toml = "restore = 9\nremove = ['policy/x']\n[set.'model/big']\nx = 1\n[set.'policy/healing']\n# more\nstrike = 3\n\
                [set.'policy/healing'.timeouts]\nsoon = 1\n[rollout]\nsoak = '1s'\ncanary = ['z']\n";
    let json = "{\"restore\": 9,\n\"remove\": [\"policy/x\"],\n\"set\": {\"model/big\": 1,\n\"policy/healing\": {}},\n\
                \"rollout\": {\n\"canary\": [\"z\"]}}";
    let table = [
        (toml, "model/big: the value is 70000 bytes", Some(":3:6")),
        (toml, "policy/x: unknown policy", Some(":2:11")),
        (toml, "policy/healing: unknown field `strike`, expected one of …", Some(":7:1")),
        (toml, "policy/healing: unknown field `soon`, expected one of …", Some(":9:1")),
        (toml, "policy/healing: missing field `x`", Some(":5:6")),
        (toml, "restore: there is no version 9; the log ends at 7", Some(":1:1")),
        (toml, "rollout.canary: z is not declared as a replica", Some(":12:1")),
        (toml, "rollout.soak_ms: too long", Some(":11:1")),
        (toml, "goal: it names 20000 keys", Some("")),
        (toml, "model/other: never heard of", None),
        (toml, "the cluster is on fire", None),
        (json, "model/big: the value is 70000 bytes", Some(":3:9")),
        (json, "policy/x: unknown policy", Some(":2:12")),
        (json, "rollout.canary: z is not declared", Some(":6:1")),
    ];
    for (text, sentence, place) in table {
        let located = parse("goal", text).unwrap().locate(sentence);
        let expected = place.map_or(sentence.to_owned(), |place| format!("goal{place}: {sentence}"));
        assert_eq!(located, expected);
    }
}

#[test]
fn a_field_that_slipped_into_a_value_is_warned_of() {
    let warned = |text: &str| parse("goal.toml", text).unwrap().warnings.join("\n");
    let said = warned("[set.\"model/m\"]\nuri = 'x'\nremove = ['rule/old']\n");
    assert!(said.starts_with("goal.toml:3:1: remove: warning: it stands below [set.\"model/m\"]"), "{said}");
    assert_eq!(warned("remove = ['rule/old']\n[set.\"model/m\"]\nremove = 'them'\n"), "");
}

#[test]
fn a_goal_of_a_thousand_keys_is_read_at_once() {
    let key = |number: u32| {
        [
            "[set.\"rule/r",
            &number.to_string(),
            "\"]
if_above = 0.5
",
        ]
        .concat()
    };
    let keys: String = (0..1_000).map(key).collect();
    assert_eq!(parse("goal.toml", &keys).unwrap().goal.set.len(), 1_000);
}

#[test]
fn the_examples_are_goals() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/goals");
    let mut count = 0;
    for file in std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path()) {
        let read = GoalFile::read(&file).unwrap();
        assert!(read.warnings.is_empty(), "{:?}", read.warnings);
        let mut head = State::default();
        for replica in ["demo-a", "demo-b", "demo-c", "demo-d"] {
            head.apply(&format!("replica/{replica}").parse().unwrap(), Some(&json!({})));
        }
        fault::find(&read.goal, &head, Version(100), Some(Version(90))).unwrap();
        count += 1;
    }
    assert!(count >= 6, "{count} examples");
}
