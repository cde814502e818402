//! Manual: completions in real shells, and pages that `man` has nothing to say about.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use watchdog_tests::Directory;
use watchdog_tests::terminal::Terminal;

const PATIENCE: Duration = Duration::from_secs(30);

fn ctl(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchdogctl"));
    command.args(arguments).env_remove("WATCHDOG_ENDPOINTS").env_remove("WATCHDOG_CLUSTER").output().unwrap()
}

fn printed(arguments: &[&str]) -> String {
    let output = ctl(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A shell that was told of our completions and finds the program; its directory.
fn taught(shell: &str) -> Directory {
    let directory = Directory::fresh("shell-").unwrap();
    let name = if shell == "zsh" { "_watchdogctl" } else { "completions" };
    std::fs::write(directory.path().join(name), printed(&["completions", shell])).unwrap();
    directory
}

fn with_program(command: &mut Command) {
    let beside = Path::new(env!("CARGO_BIN_EXE_watchdogctl")).parent().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap();
    command.env("PATH", format!("{}:{path}", beside.display()));
}

#[test]
fn bash_completes_commands_options_and_values() {
    let directory = taught("bash");
    let mut bash = Command::new("bash");
    bash.args(["--norc", "--noprofile", "-i"]).env("PS1", "$ ").env("HOME", directory.path());
    with_program(&mut bash);
    let mut terminal = Terminal::start(&bash, 100, 24).unwrap();
    let script = directory.path().join("completions");
    terminal.press(&format!("source {}; clear\r", script.display())).unwrap();
    terminal.until("a clear screen", PATIENCE, |screen| screen == "$ ").unwrap();
    let table = [
        ("pl\t", "$ watchdogctl plan "),
        ("plan sn\t", "$ watchdogctl plan snapshot "),
        ("status --wa\t", "$ watchdogctl status --watch "),
        ("-o js\t", "$ watchdogctl -o json "),
    ];
    for (typed, completed) in table {
        terminal.press(&format!("watchdogctl {typed}")).unwrap();
        terminal.until(completed, PATIENCE, |screen| screen.trim_end() == completed.trim_end()).unwrap();
        // Everything on this line is given up.
        terminal.press("\x15\x0c").unwrap();
        terminal.until("a clear screen", PATIENCE, |screen| screen.trim_end() == "$").unwrap();
    }
}

#[test]
fn zsh_completes_commands() {
    let directory = taught("zsh");
    let mut zsh = Command::new("zsh");
    zsh.args(["-f", "-i"]).env("PS1", "$ ").env("HOME", directory.path());
    with_program(&mut zsh);
    let mut terminal = Terminal::start(&zsh, 100, 24).unwrap();
    let load =
        format!("fpath=({} $fpath); autoload -U compinit; compinit -u -D; clear", directory.path().display());
    terminal.press(&format!("{load}\r")).unwrap();
    terminal.until("a clear screen", PATIENCE, |screen| screen.trim_end() == "$").unwrap();
    terminal.press("watchdogctl pl\t").unwrap();
    terminal.until("plan", PATIENCE, |screen| screen.contains("$ watchdogctl plan")).unwrap();
}

#[test]
fn fish_completes_commands() {
    let directory = taught("fish");
    let mut fish = Command::new("fish");
    fish.args(["--no-config", "-c"]).arg(format!(
        "source {}; complete -C 'watchdogctl pl'; complete -C 'watchdogctl goal app'",
        directory.path().join("completions").display()
    ));
    with_program(&mut fish);
    let output = fish.env("HOME", directory.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let words: Vec<&str> = said.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(words, ["plan", "apply"], "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_command_has_a_page_without_a_fault() {
    let directory = Directory::fresh("man-").unwrap();
    let pages = directory.path().join("man1");
    printed(&["man", "--dir", pages.to_str().unwrap()]);
    let mut names: Vec<String> = std::fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in
        ["watchdogctl.1", "watchdogctl-status.1", "watchdogctl-plan-approve.1", "watchdogctl-goal-apply.1"]
    {
        assert!(names.iter().any(|page| page == name), "{name} is missing in {names:?}");
    }
    let mut lint = Command::new("mandoc");
    // Style is a matter of taste; there is no date, so that a page is the same whenever it is made.
    lint.args(["-Tlint", "-Wwarning"]).args(names.iter().map(|name| pages.join(name)));
    let output = lint.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let faults: Vec<&str> = said.lines().filter(|line| !line.contains("missing date")).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));

    let read = Command::new("mandoc")
        .args(["-Tutf8", "-O", "width=120"])
        .arg(pages.join("watchdogctl-goal.1"))
        .output()
        .unwrap();
    let read = String::from_utf8(read.stdout).unwrap();
    assert!(read.contains("canary = 1                        # or names: [\"demo-a\"]"), "{read}");
}

#[test]
fn the_first_page_is_printed_and_an_unwritable_place_is_named() {
    assert!(printed(&["man"]).starts_with(".TH WATCHDOGCTL 1"));
    let output = ctl(&["man", "--dir", "/dev/null/man"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("watchdogctl: cannot write /dev/null/man: "), "{said}");
}
