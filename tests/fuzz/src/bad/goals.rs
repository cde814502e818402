//! Goals: goal files in which one thing is wrong, in TOML and in JSON.

use super::{Case, Reader};

/// Fields, and values that are not for them, as JSON; most are TOML as well.
const FIELDS: [(&str, &[&str]); 9] = [
    ("name", &["7", "true", "[]", "{}", "\"A\"", "\"a_b\"", "\"\"", "\"-a\""]),
    ("reason", &["7", "true", "[\"x\"]", "{}", "1.5"]),
    (
        "remove",
        &["7", "\"rule/a\"", "{}", "[7]", "[\"rule\"]", "[\"Rule/a\"]", "[\"rule/a\", \"rule/a\"]", "[[]]"],
    ),
    ("restore", &["\"yesterday\"", "0", "-1", "1.5", "true", "[]", "{}", "\"STABLE\"", "\"3\""]),
    ("restart", &["1", "\"true\"", "[]", "{}", "0.5"]),
    ("set", &["7", "\"x\"", "[]", "true"]),
    ("rollout", &["7", "\"slow\"", "[]", "true"]),
    ("sets", &["{}", "1", "\"x\"", "true"]),
    ("canary", &["1", "[\"a\"]"]),
];

/// The same of what stands under `rollout`.
const PACE: [(&str, &[&str]); 8] = [
    ("canary", &["\"a\"", "true", "-1", "1.5", "[]", "[7]", "[\"A\"]", "[\"a\", \"a\"]", "4294967296"]),
    ("batch", &["\"2\"", "true", "-1", "1.5", "[]", "4294967296", "99999999999999999999"]),
    ("soak", &["10", "\"ten seconds\"", "\"\"", "true", "\"1ns\"", "\"10\"", "\"500000000000y\"", "[]"]),
    ("soak_ms", &["\"10s\"", "-1", "1.5", "true", "[]"]),
    ("probation", &["5", "\"soon\"", "\"5 lightyears\"", "{}"]),
    ("probation_ms", &["\"5s\"", "-5", "0.5", "{}"]),
    ("max_failures", &["\"none\"", "-1", "true", "4294967296"]),
    ("canaries", &["1", "\"x\"", "[]"]),
];

/// Keys that are none.
const KEYS: [&str; 10] =
    ["model", "/x", "model/", "Model/a", "model/a/b", "model/A", "", "mo del/a", "model/ä", "."];

/// Files of which no field can be told.
const TOML: [&str; 16] = [
    "",
    " \n\t\n",
    "restart",
    "restart = ",
    "restart = true true",
    "[set",
    "[set.\"model/m\"]]",
    "= 1",
    "restart = tru",
    "restart = true\nrestart = true",
    "[set.\"a/b\"]\n[set.\"a/b\"]",
    "[set.model.fraud]\na = 1",
    "name = \"a",
    "[rollout]\ncanary = 1",
    "restart = true\n\u{1}",
    "[set.\"setting/s\"]\nx = 99999999999999999999",
];

const JSON: [&str; 16] = [
    "",
    "[]",
    "7",
    "\"restart\"",
    "{",
    "{\"restart\"",
    "{\"restart\":}",
    "{\"restart\":true,}",
    "{\"restart\":true}}",
    "{restart:true}",
    "{\"restart\":true}{\"restart\":true}",
    "{\"restart\":True}",
    "{\"restart\":true,\"restart\":true}",
    "{\"set\":{\"model/m\":1,\"model/m\":2}}",
    "{\"set\":{\"setting/n\":12345678901234567890123}}",
    "{\"set\":{\"model/m\":null}}",
];

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (field, values) in FIELDS {
        for value in values {
            cases.push(toml(
                field,
                &format!("reason = \"r\"\n{field} = {value}\n").replacen(&doubled(field), "", 1),
            ));
            cases.push(json(
                field,
                &format!("{{\"restart\": true, \"{field}\": {value}}}").replacen(doubled_json(field), "", 1),
            ));
        }
    }
    for (field, values) in PACE {
        for value in values {
            cases.push(toml(field, &format!("restart = true\n[rollout]\n{field} = {value}\n")));
            cases.push(json(field, &format!("{{\"restart\": true, \"rollout\": {{\"{field}\": {value}}}}}")));
        }
    }
    for key in KEYS {
        cases.push(toml("set", &format!("[set.\"{key}\"]\na = 1\n")));
        cases.push(json("set", &format!("{{\"set\": {{\"{key}\": 1}}}}")));
        cases.push(toml("remove[0]", &format!("remove = [\"{key}\"]\n")));
        cases.push(json("remove[0]", &format!("{{\"remove\": [\"{key}\"]}}")));
    }
    cases.extend(TOML.iter().map(|text| toml("", text)));
    cases.extend(JSON.iter().map(|text| json("", text)));
    cases.push(toml("remove[0]", "remove = [\"model/m\"]\n[set.\"model/m\"]\na = 1\n"));
    cases.push(json("rollout.soak_ms", "{\"restart\":true,\"rollout\":{\"soak\":\"1s\",\"soak_ms\":1}}"));
    cases
}

/// The line that would give `reason` twice, which is another mistake than the one that is meant.
fn doubled(field: &str) -> String {
    if field == "reason" { "reason = \"r\"\n".to_owned() } else { "\0".to_owned() }
}

fn doubled_json(field: &str) -> &'static str {
    if field == "restart" { "\"restart\": true, " } else { "\0" }
}

fn toml(names: &str, text: &str) -> Case {
    Case { reader: Reader::GoalToml, story: text.to_owned(), input: text.to_owned(), names: names.to_owned() }
}

fn json(names: &str, text: &str) -> Case {
    Case { reader: Reader::GoalJson, story: text.to_owned(), input: text.to_owned(), names: names.to_owned() }
}
