//! Reference: the page of all keys, made from the types, their defaults, and the annotated examples.

use std::fmt::Write as _;

use serde_json::{Value, json};
use watchdog_core::goal::Goal;
use watchdog_core::policy::{Policy, Remedy};
use watchdog_core::replica::{ProbeTiming, ReplicaSpec};

use crate::examples::CONFIGURED;
use crate::source::{items, snake};
use crate::{PAGES, generated, joined, read};

const HEAD: &str = "\
# Configuration reference

*Generated from the types, their defaults and the annotated examples by `tests/tests/docs.rs`; edit those.*

Times end in `_ms` and are in milliseconds; sizes in `_bytes` or `bytes`. An unknown key is refused with what was probably meant.

## The daemon: `watchdog.toml`

`watchdog check-config --example` prints this file with all its comments; `watchdog check-config FILE` checks yours.
";

/// What a type means to whoever writes a value of it.
const WORDS: [(&str, &str); 19] = [
    ("u64", "whole number"),
    ("u32", "whole number"),
    ("f64", "number"),
    ("bool", "true or false"),
    ("String", "text"),
    ("Limit", "number of replicas, or a share of them such as 0.25"),
    ("Canary", "number of replicas, or a list of their names"),
    ("BTreeMap<FaultKind, u32>", "whole number for each fault"),
    ("BTreeMap<Remedy, Autonomy>", "autonomy for each remedy"),
    ("BTreeMap<String, String>", "text for each name"),
    ("Vec<HostId>", "list of hosts"),
    ("Vec<Probe>", "list of probes"),
    ("Vec<String>", "list of texts"),
    ("Vec<ReplicaId>", "list of replicas"),
    ("GoalId", "name"),
    ("BTreeMap<Key, Value>", "value for each key"),
    ("BTreeSet<Key>", "list of keys"),
    ("Restore", "`stable`, or the number of a version"),
    ("Version", "whole number"),
];

/// A row for each field of a struct, and of the structs in it.
fn fields(source: &str, name: &str, defaults: &Value, prefix: &str) -> String {
    let mut rows = String::new();
    let items = items(source, name);
    assert!(!items.is_empty(), "there is no struct {name}");
    for item in items {
        let path = format!("{prefix}{}", item.name);
        let kind =
            item.kind.strip_prefix("Option<").map_or(item.kind.as_str(), |kind| kind.trim_end_matches('>'));
        let kind = if item.kind.starts_with("Option<BTree") || item.kind.starts_with("Option<Vec") {
            &item.kind
        } else {
            kind
        };
        let default = defaults.get(&item.name).unwrap_or(&Value::Null);
        if let Some((_, words)) = WORDS.iter().find(|(known, _)| *known == kind) {
            let default = match default {
                Value::Null if is_needed(name, &item.name) => "required".to_owned(),
                Value::Null => String::new(),
                Value::Object(members) if members.is_empty() => String::new(),
                Value::Array(members) if members.is_empty() => String::new(),
                Value::String(text) if text.is_empty() => String::new(),
                value => format!("`{value}`"),
            };
            let words = if item.name.ends_with("_ms") { "milliseconds" } else { words };
            let _ = writeln!(rows, "| `{path}` | {default} | {words} | {} |", item.doc.replace('|', "\\|"));
        } else {
            rows += &fields(source, kind, default, &format!("{path}."));
        }
    }
    rows
}

/// What a declaration of a replica can't do without.
fn is_needed(name: &str, field: &str) -> bool {
    let mut minimal = json!({"hosts": ["h"], "program": "p"});
    name == "ReplicaSpec" && {
        minimal.as_object_mut().unwrap().remove(field);
        serde_json::from_value::<ReplicaSpec>(minimal).is_err()
    }
}

fn table(rows: &str) -> String {
    format!("\n| key | default | value | meaning |\n| --- | --- | --- | --- |\n{rows}")
}

/// The fields of each variant of an enum, whose names stand in `kind`.
fn fields_of_variants(source: &str, name: &str) -> String {
    let mut rows = String::new();
    for variant in items(source, name) {
        let opens = format!("\n    {} {{\n", variant.name);
        let body =
            source.split(&opens).nth(1).and_then(|rest| rest.split("\n    }").next()).unwrap_or_default();
        let body: Vec<&str> = body.lines().map(|line| line.strip_prefix("    ").unwrap_or(line)).collect();
        let alone = format!("struct {} {{\n{}\n}}\n", variant.name, body.join("\n"));
        for field in items(&alone, &variant.name) {
            let needed = if field.kind.starts_with("Option") || field.kind.ends_with("Timing") {
                ""
            } else {
                "required"
            };
            let _ = writeln!(
                rows,
                "| `{}` | `{}` | {needed} | {} |",
                snake(&variant.name),
                field.name,
                field.doc
            );
        }
    }
    format!("\n| kind | key | | meaning |\n| --- | --- | --- | --- |\n{rows}")
}

/// A row for each variant of an enum.
fn variants(source: &str, name: &str) -> String {
    let items = items(source, name);
    assert!(!items.is_empty(), "there is no enum {name}");
    joined(items.iter().map(|item| format!("| `{}` | {} |", snake(&item.name), item.doc)))
}

fn words(source: &str, name: &str, head: &str) -> String {
    format!("\n| {head} | meaning |\n| --- | --- |\n{}", variants(source, name))
}

fn remedies(source: &str) -> String {
    let docs = items(source, "Remedy");
    let row = |remedy: &Remedy| {
        let doc = docs.iter().find(|item| snake(&item.name) == remedy.word()).map(|item| item.doc.as_str());
        let autonomy = serde_json::to_value(Policy::default().autonomy_for(*remedy)).unwrap();
        let autonomy = autonomy.as_str().unwrap_or_default().to_owned();
        format!("| `{}` | `{autonomy}` | {} |\n", remedy.word(), doc.unwrap_or_default())
    };
    let rows: String = Remedy::ALL.iter().map(row).collect();
    format!("\n| remedy | autonomy by default | meaning |\n| --- | --- | --- |\n{rows}")
}

fn page() -> String {
    let policy = read("watchdog/core/src/policy.rs");
    let replica = read("watchdog/core/src/replica.rs");
    let goal = read("watchdog/core/src/goal/mod.rs") + &read("watchdog/core/src/goal/pace.rs");
    let finding = read("watchdog/core/src/finding.rs");
    let fault = read("watchdog/core/src/goal/fault.rs");
    let minimal: ReplicaSpec = serde_json::from_value(json!({"hosts": ["h"], "program": "p"})).unwrap();
    let mut declared = serde_json::to_value(minimal).unwrap();
    for needed in ["hosts", "program"] {
        declared.as_object_mut().unwrap().remove(needed);
    }
    let of = |value: &Policy| serde_json::to_value(value).unwrap();
    let mut page = HEAD.to_owned() + &CONFIGURED[0].tables();
    page += "\n## The host agent: `agent.toml`\n\n`replica-agent check-config FILE` checks yours.\n";
    page += &CONFIGURED[1].tables();
    page += "\n## Goal files\n\nTOML or JSON; in TOML a time may also be written short, `soak = \"10s\"`. `watchdogctl goal diff -f FILE` checks yours.\n";
    page += &table(&fields(&goal, "Goal", &serde_json::to_value(Goal::default()).unwrap(), ""));
    page += "\n## Declaration of a replica: the key `replica/NAME`\n";
    page += &table(&fields(&replica, "ReplicaSpec", &declared, ""));
    page += "\nA probe has a `kind`:\n";
    page += &words(&replica, "Probe", "kind");
    page += "\nand by its kind:\n";
    page += &fields_of_variants(&replica, "Probe");
    page += "\nA `timing` is:\n";
    page += &table(&fields(
        &replica,
        "ProbeTiming",
        &serde_json::to_value(ProbeTiming::default()).unwrap(),
        "timing.",
    ));
    page += "\n## Bounds of healing: the key `policy/healing`\n\nWhat is left out keeps its default. What can only be a slip is refused where it is declared: a count of 0 (but of `max_disturbed`, `tries`, `batch` and `max_failures`), a share that is not above 0 and at most 1, a delay that shrinks. A share counts as at least one replica.\n";
    page += &table(&fields(&policy, "Policy", &of(&Policy::default()), ""));
    page += "\nAutonomy is one of:\n";
    page += &words(&policy, "Autonomy", "autonomy");
    page += "\nand is set for remedies:\n";
    page += &remedies(&policy);
    page += "\nFaults, each with `strikes_by_fault`:\n";
    page += &words(&finding, "FaultKind", "fault");
    page +=
        "\n## Kinds of the application: the key `policy/application`\n\nWithout it every kind is allowed.\n";
    page += &table(&fields(&fault, "Application", &Value::Null, ""));
    page
}

#[test]
fn the_reference_is_up_to_date_and_complete() {
    let source = "struct A {\n    /// Long.\n    pub wait_ms: u64,\n    /// In.\n    pub b: B,\n}\nstruct B {\n    /// Deep.\n    pub c: bool,\n}\n";
    let rows = fields(source, "A", &json!({"wait_ms": 5, "b": {"c": true}}), "");
    assert_eq!(
        rows,
        "| `wait_ms` | `5` | milliseconds | Long. |\n| `b.c` | `true` | true or false | Deep. |\n"
    );

    let page = page();
    for (kind, value) in [
        ("Policy", serde_json::to_value(Policy::default()).unwrap()),
        ("Goal", serde_json::to_value(Goal::default()).unwrap()),
    ] {
        for key in value.as_object().unwrap().keys() {
            assert!(
                page.contains(&format!("| `{key}` |")) || page.contains(&format!("| `{key}.")),
                "{kind}.{key} is missing"
            );
        }
    }
    let undocumented: Vec<&str> =
        page.lines().filter(|line| line.starts_with("| `") && line.ends_with("|  |")).collect();
    assert!(undocumented.is_empty(), "keys without a meaning: {undocumented:#?}");
    generated(&format!("{PAGES}/reference.md"), &page);
}
