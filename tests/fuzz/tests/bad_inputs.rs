//! Bad inputs: whoever writes something wrong is told what and where, in words that fit on a screen.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use watchdog_fuzz::bad::{self, Case, Reader, fault};
use watchdog_tests::dev::program;

/// Of so many cases one is given to the real program.
const SAMPLED: usize = 12;

#[test]
fn every_bad_input_is_told_with_its_place() {
    let cases = bad::cases();
    assert!(cases.len() >= 500, "{} cases", cases.len());
    let faults: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let fault = fault(case, bad::read(case.reader, &case.input))?;
            Some(format!("{:?} {:?}: {fault}", case.reader, case.story))
        })
        .collect();
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), cases.len(), faults.join("\n"));
}

/// Runs the real program on a case, in a directory of its own.
fn run(case: &Case, directory: &Path) -> Output {
    let file = directory.join(case.reader.file());
    if !case.reader.file().is_empty() {
        std::fs::write(&file, &case.input).unwrap();
    }
    let file = file.to_str().unwrap().to_owned();
    let ctl = "watchdogctl\n-e\nhttp://127.0.0.1:9\n-c\ndemo\ngoal\ndiff\n-f\n";
    let line = match case.reader {
        Reader::Watchdog => format!("watchdog\ncheck-config\n{file}"),
        Reader::Host => format!("replica-agent\ncheck-config\n{file}"),
        Reader::GoalToml | Reader::GoalJson => format!("{ctl}{file}"),
        Reader::Ctl | Reader::Agent => case.input.clone(),
    };
    let mut words = line.split('\n');
    let mut command = Command::new(program(words.next().unwrap()).unwrap());
    command.args(words).stdin(Stdio::null()).current_dir(directory).env("RUST_BACKTRACE", "1");
    command.env_remove("WATCHDOG_ENDPOINTS").env_remove("WATCHDOG_CLUSTER").output().unwrap()
}

fn check(output: &Output, story: &str, names: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(1 | 2)), "{story}: {} {said}", output.status);
    assert!(said.contains(names), "{story}: {names:?} is not named: {said}");
    let is_help = said.contains("\nCommands:\n");
    assert!((said.lines().count() <= 24 || is_help) && !said.trim().is_empty(), "{story}: {said}");
    assert!(!said.contains("panicked") && !said.contains("stack backtrace"), "{story}: {said}");
}

#[test]
fn the_programs_say_the_same_and_exit_with_1_or_2() {
    let directory = tempfile::tempdir().unwrap();
    for case in bad::cases().iter().step_by(SAMPLED) {
        check(&run(case, directory.path()), &case.story, &case.names);
    }
}

#[test]
fn what_is_no_file_of_text_is_told_too() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("bytes.toml"), b"id = 1\n\xff\xfe").unwrap();
    std::fs::write(path("zeros.toml"), [0; 4096]).unwrap();
    std::fs::create_dir(path("directory.toml")).unwrap();
    let common = ["-e", "http://127.0.0.1:9", "-c", "demo", "goal", "diff", "-f"];
    for name in ["bytes.toml", "zeros.toml", "directory.toml", "missing.toml", "missing/x.toml"] {
        for (who, words) in [
            ("watchdog", &["check-config"][..]),
            ("watchdog", &["run", "--config"]),
            ("replica-agent", &["check-config"]),
            ("replica-agent", &["run", "--config"]),
            ("watchdogctl", &common),
        ] {
            let mut command = Command::new(program(who).unwrap());
            let output = command.args(words).arg(path(name)).env("RUST_BACKTRACE", "1").output().unwrap();
            check(&output, &format!("{who} {name}"), name);
        }
    }
}
