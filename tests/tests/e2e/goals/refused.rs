//! Refused: what is wrong with a goal is said with file, line and key, and nothing of it is appended.

use std::process::{Child, Stdio};

use serde_json::json;
use watchdog_tests::admin;
use watchdog_tests::story::{Backend, Story};

use super::{goal, head};

crate::stories!(
    a_goal_with_a_fault_is_refused_whole,
    of_two_operators_at_once_one_wins_and_the_other_is_shown_the_difference,
    what_is_seen_at_a_version_is_composed_there_or_not_at_all,
);

fn a_goal_with_a_fault_is_refused_whole(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let (before, record) = (head(&story), story.now().unwrap());
    let big = format!(
        "[set.\"model/fraud\"]\nweights = {{}}\n\n[set.\"model/big\"]\nx = \"{}\"\n",
        "x".repeat(70_000)
    );
    let table = [
        ("restart = \"yes\"\n", 2, "goal.toml:1"),
        ("\n[set.\"model/fraud\"]\nweights = {}\n[set.\"model/fraud\"]\nbias = 1\n", 2, "goal.toml:4"),
        ("[set.\"model\"]\nx = 1\n", 2, "goal.toml:1"),
        ("\n\n[set.\"modle/fraud\"]\nx = 1\n", 1, "goal.toml:3"),
        ("restart = true\n[set.\"replica/demo-d\"]\nhosts = [\"h1\"]\n", 1, "goal.toml:2"),
        ("[set.\"policy/healing\"]\nstrikes = 3\nstrike = 4\n", 1, "goal.toml:3"),
        ("[set.\"policy/heeling\"]\nstrikes = 3\n", 1, "policy/heeling"),
        (big.as_str(), 1, "goal.toml:4"),
        ("restore = 4000\n", 1, "restore"),
        ("restart = true\n[rollout]\ncanary = [\"demo-x\"]\n", 1, "demo-x"),
        ("[rollout]\nsoak = \"soon\"\n", 2, "goal.toml:2"),
        ("", 2, "it is empty"),
        ("reason = \"none\"\n", 1, "asks for nothing"),
    ];
    let file = story.dev.home().join("goal.toml");
    for (text, code, names) in table {
        std::fs::write(&file, text).unwrap();
        let output = story.dev.ctl(&["goal", "apply", "-f", file.to_str().unwrap()]).unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let shown: String = text.chars().take(80).collect();
        assert!([1, 2].contains(&output.status.code().unwrap()), "{shown}: {said}");
        assert!(code == 0 || said.contains(names), "{shown}\nmust name {names:?}: {said}");
    }
    assert_eq!((head(&story), story.now().unwrap()), (before, record), "nothing changed");
    let refused = admin::append(&story.dev, &[("model/fraud", Some(json!(1)))]).unwrap_err().to_string();
    assert!(refused.contains("declare a goal"), "{refused}");
}

fn of_two_operators_at_once_one_wins_and_the_other_is_shown_the_difference(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let at = head(&story).to_string();
    let write = |name: &str, bias: f64| {
        let file = story.dev.home().join(name);
        let mut goal = goal(&json!({ "bias": bias }));
        goal["rollout"]["soak_ms"] = json!(10);
        std::fs::write(&file, goal.to_string()).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let (ann, bob) = (write("ann.json", 1.0), write("bob.json", 2.0));
    let changes = story.dev.ctl(&["goal", "diff", "-f", &ann, "--exit-code"]).unwrap();
    assert_eq!(changes.status.code(), Some(4), "{}", String::from_utf8_lossy(&changes.stderr));
    let first = story.dev.ctl(&["goal", "apply", "-f", &ann, "--at", &at, "--wait"]).unwrap();
    assert_eq!(first.status.code(), Some(0), "{}", String::from_utf8_lossy(&first.stderr));
    let second = story.dev.ctl(&["goal", "apply", "-f", &bob, "--at", &at, "--wait"]).unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&second.stdout), String::from_utf8_lossy(&second.stderr));
    assert_eq!(second.status.code(), Some(1), "{said}");
    let moved = head(&story).to_string();
    assert!(said.contains(&moved) && said.contains("1 to change"), "{said}");
    let again = story.dev.ctl(&["goal", "apply", "-f", &bob, "--at", &moved, "--wait"]).unwrap();
    assert_eq!(again.status.code(), Some(0), "{}", String::from_utf8_lossy(&again.stderr));
    let none = story.dev.ctl(&["goal", "diff", "-f", &bob, "--exit-code"]).unwrap();
    assert_eq!(none.status.code(), Some(0), "{}", String::from_utf8_lossy(&none.stdout));
}

fn what_is_seen_at_a_version_is_composed_there_or_not_at_all(backend: Backend) {
    let story = Story::begin(backend).unwrap();
    let write = |name: &str, bias: f64| {
        let file = story.dev.home().join(name);
        let mut goal = goal(&json!({ "bias": bias }));
        goal["rollout"]["soak_ms"] = json!(600_000);
        std::fs::write(&file, goal.to_string()).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let files: Vec<String> =
        (0..4).map(|count| write(&format!("{count}.json"), f64::from(count) + 1.0)).collect();
    let at = head(&story).to_string();
    let applied = |file: &String| {
        let mut command = story.dev.ctl_command(&["goal", "apply", "-f", file, "--at", &at]).unwrap();
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let all: Vec<Child> = files.iter().map(applied).collect();
    let mut codes: Vec<i32> = all.into_iter().map(|mut one| one.wait().unwrap().code().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 1, 1, 1], "all have seen version {at}, and one of them is right");

    let now = head(&story).to_string();
    let output = story.dev.ctl(&["goal", "apply", "-f", &files[0], "--at", &now]).unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("comes first"), "{said}");
    let waits = story.declare(&goal(&json!({ "bias": 9.0 }))).unwrap();
    assert_eq!(admin::goal(&story.dev, &waits).unwrap()["status"], "pending");
}
