//! Commands: every `watchdogctl …` in the README and the pages is one that the program has, with options that it takes.

use std::collections::BTreeMap;
use std::process::Command;

use watchdog_tests::Directory;
use watchdog_tests::dev::program;

use crate::{none, pages};

/// What is typed between backticks or in a block.
fn typed(text: &str) -> Vec<&str> {
    let mut typed = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            typed.push(line.split(" #").next().unwrap_or_default().trim());
        } else {
            typed.extend(line.split('`').skip(1).step_by(2));
        }
    }
    typed.retain(|command| command.starts_with("watchdogctl "));
    typed
}

/// What is wrong with it; `manual` has the page of each command by its name, words joined with `-`.
fn wrong(command: &str, manual: &BTreeMap<String, String>) -> Option<String> {
    let mut page = "watchdogctl".to_owned();
    let bare = |word: &&str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase());
    let mut words = command.split(' ').skip(1).skip_while(|word| word.starts_with('-') || *word == "json");
    for word in words.by_ref().take_while(bare) {
        let below = format!("{page}-{word}");
        let has_commands = manual.keys().any(|name| name.starts_with(&format!("{page}-")));
        match manual.contains_key(&below) {
            true => page = below,
            false if has_commands => return Some(format!("{command}: {page} has no command {word}")),
            false => break,
        }
    }
    let takes = |option: &str| manual[&page].contains(&format!("\\fB{}\\fR", option.replace('-', "\\-")));
    let mut options = command.split([' ', '=']).filter(|word| word.starts_with('-') && word.len() > 1);
    options.find(|option| !takes(option)).map(|option| format!("{command}: {page} takes no {option}"))
}

#[test]
fn what_is_to_be_typed_can_be_typed() {
    let page = |text: &str| text.to_owned();
    let manual = BTreeMap::from([
        ("watchdogctl".to_owned(), page("\\fB\\-o\\fR")),
        ("watchdogctl-plan".to_owned(), page("")),
        ("watchdogctl-plan-show".to_owned(), page("\\fB\\-\\-why\\fR")),
    ]);
    assert_eq!(wrong("watchdogctl plan show 7-3 --why", &manual), None);
    assert!(wrong("watchdogctl plan shwo 7-3", &manual).is_some());
    assert!(wrong("watchdogctl paln", &manual).is_some());
    assert!(wrong("watchdogctl plan show --who", &manual).is_some());
    assert_eq!(
        typed("a `watchdogctl x` b\n```sh\nwatchdogctl y   # z\n```\n"),
        ["watchdogctl x", "watchdogctl y"]
    );

    let directory = Directory::fresh("manual-").unwrap();
    let mut command = Command::new(program("watchdogctl").unwrap());
    assert!(command.arg("man").arg("--dir").arg(directory.path()).status().unwrap().success());
    let files = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap());
    let manual: BTreeMap<String, String> = files
        .filter_map(|file| {
            let name = file.file_name().into_string().unwrap();
            Some((name.strip_suffix(".1")?.to_owned(), std::fs::read_to_string(file.path()).unwrap()))
        })
        .collect();
    let mut complaints = Vec::new();
    let mut seen = 0;
    for (page, text) in pages() {
        let typed = typed(&text);
        seen += typed.len();
        complaints
            .extend(typed.iter().filter_map(|command| Some(format!("{page}: {}", wrong(command, &manual)?))));
    }
    assert!(seen > 40, "the pages name commands: {seen}");
    none(&complaints);
}
