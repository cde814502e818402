//! Supervised: an input that kills the process which reads it is found, and kept.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::process::Command;

use watchdog_fuzz::corpus::{self, CRASHES};
use watchdog_fuzz::targets::aborts;

#[test]
fn an_input_that_kills_its_reader_is_kept() {
    let directory = corpus::directory(CRASHES, aborts::TARGET.name);
    let clean = || drop(std::fs::remove_dir_all(&directory));
    clean();
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchdog-fuzz"));
    let output = command.args(["--target", "aborts", "--executions", "4000"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let kept = corpus::load(CRASHES, aborts::TARGET.name).unwrap();
    clean();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("signal: 6"), "{said}");
    let [(_, input)] = &kept[..] else { panic!("{} inputs are kept: {said}", kept.len()) };
    assert!(input.windows(aborts::POISON.len()).any(|window| window == aborts::POISON), "{input:?}");
}
