//! Goal files: what operators write, in TOML and in JSON.
//!
//! *Holds*: what is taken goes over the wire and comes back the same, and reads the same as a JSON file; what is
//! refused is told with the file's name on each line.

use serde_json::json;
use watchdog_core::goal::{Goal, fault};
use watchdog_core::ids::Version;
use watchdogctl::outside::{Understood, goal_file};

use super::{goal_wire, target, texts};
use crate::target::{Flavour, Target, Verdict};
use crate::told;

/// Files in TOML.
pub const TOML: Target = Target { fuzz: toml, samples: toml_samples, ..target("goal_toml", Flavour::Toml) };
/// Files in JSON.
pub const JSON: Target = Target { fuzz: json, samples: json_samples, ..target("goal_json", Flavour::Json) };

fn toml(bytes: &[u8]) -> Verdict {
    // What begins with a brace is taken for JSON, which has its own target.
    read("goal.toml", bytes)
}

fn json(bytes: &[u8]) -> Verdict {
    read("goal.json", bytes)
}

fn read(name: &str, bytes: &[u8]) -> Verdict {
    match goal_file(name, bytes) {
        Ok(understood) => {
            goes_over_the_wire(&understood);
            for warning in &understood.warnings {
                told::check(warning, name);
            }
            let state = goal_wire::state();
            if let Err(fault) = fault::find(&understood.goal, &state, Version(7), Some(Version(3))) {
                let located = understood.locate(&fault.to_string());
                told::check(&located, "");
                return Verdict::Taken(fault.what);
            }
            Verdict::Taken(understood.goal.gist())
        }
        Err(said) => {
            told::check(&said, name);
            Verdict::Refused(said)
        }
    }
}

fn goes_over_the_wire(understood: &Understood) {
    let wire = serde_json::to_string(&understood.goal).expect("a goal is JSON");
    let again: Goal = serde_json::from_str(&wire).expect("goal: the wire takes what the file said");
    assert_eq!(again, understood.goal, "goal: it comes over the wire as another");
    let file = goal_file("again.json", wire.as_bytes());
    let file = file.unwrap_or_else(|said| panic!("goal: its own JSON is refused: {said:?}"));
    assert_eq!(file.goal, understood.goal, "goal: its own JSON says something else");
}

fn toml_samples() -> Vec<Vec<u8>> {
    let mut samples = texts(&[
        include_str!("../../../../examples/goals/deploy-model.toml"),
        include_str!("../../../../examples/goals/restore-stable.toml"),
        include_str!("../../../../examples/goals/rolling-restart.toml"),
        include_str!("../../../../examples/goals/scale-in.toml"),
        include_str!("../../../../examples/goals/scale-out.toml"),
        include_str!("../../../../examples/goals/tune-policy.toml"),
    ]);
    samples.extend(texts(&[
        "restart = true\n",
        "restore = 3\n",
        "restore = \"stable\"\n[rollout]\ncanary = 0\nbatch = 2\nsoak_ms = 10\nprobation_ms = 5\nmax_failures = 1\n",
        "[set.\"model/m\"]\na = 1\nb = 1.5\nc = true\nd = \"x\"\ne = [1, 2]\nf = { g = 1 }\nh = 1979-05-27T07:32:00Z\n",
        "[set.\"model/m\"]\na = 1\nrestart = true\n",
        "[set]\n\"setting/s\" = 7\n\"rule/r\" = \"x\"\n",
        "set.\"model/m\".a.b.c = 1\n",
        "[[set.\"model/m\"]]\na = 1\n[[set.\"model/m\"]]\na = 2\n",
        "remove = [\"rule/a\", \"rule/b\"]\n",
        "remove = [\"rule/a\", \"rule/a\"]\n",
        "[set.model.fraud]\na = 1\n",
        "name = \"A\"\nrestart = 1\nrestore = \"yesterday\"\n",
        "[rollout]\nsoak = \"10s\"\nsoak_ms = 1\ncanary = [\"a\", \"a\"]\nbatch = -1\n",
        "[set.\"setting/s\"]\nbig = 99999999999999999999\nodd = nan\n",
        "\u{feff}restart = true\r\n",
        "restart = ",
    ]));
    samples
}

fn json_samples() -> Vec<Vec<u8>> {
    let mut samples = texts(&[include_str!("../../../../examples/goals/deploy-model.json")]);
    let values = [
        json!({"restart": true}),
        json!({"restore": "stable", "reason": "it was better"}),
        json!({"restore": 41, "name": "back", "rollout": {"canary": ["demo-a"], "batch": 1, "soak": "1m"}}),
        json!({"set": {"setting/s": [1, 2.5, null, {"a": "b"}], "rule/r": "x"}, "remove": ["rule/old"]}),
        json!({"set": {"replica/a": {"hosts": ["h1", "h2"], "program": "p", "probes": [{"kind": "tcp"}]}}}),
        json!({"set": {"policy/healing": {"strikes": 3, "max_disturbed": 0.5, "autonomy": {"reject": "approve"}}}}),
        json!({"name": null, "reason": "", "set": {}, "remove": [], "restore": null, "restart": true, "rollout": {}}),
        json!({"set": {"model/m": null}}),
        json!({"restart": "yes", "remove": "rule/a", "rollout": {"canary": [], "soak": 3}}),
        json!({"model/m": 1}),
        json!([]),
    ];
    samples.extend(texts(&values.map(|value| value.to_string())));
    samples.extend(texts(&[
        "{\"set\":{\"model/m\":1,\"model/m\":2}}",
        "{\"set\":{\"setting/n\":[12345678901234567890123,1e400,-0,-0.0,1E5]}}",
        "{\"restart\":true}garbage",
        "{\"set\":{\"setting/u\":\"\\ud800\\u0000\\u001b[2J\"}}",
        "",
    ]));
    samples
}
