//! Replay: the same seed gives the same run, to the last bit, also in another process.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::process::Command;

use watchdog_sim::run::{Order, run};

fn trace(seed: u64) -> u64 {
    run(&Order { harm_ms: 300_000, ..Order::of(seed) }).trace
}

fn trace_elsewhere(seed: u64) -> String {
    let asked = ["--seed", &seed.to_string(), "--minutes", "5"].map(str::to_owned);
    let out = Command::new(env!("CARGO_BIN_EXE_watchdog-sim")).args(asked).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    text.lines().find_map(|line| line.strip_prefix("trace ")).unwrap().to_owned()
}

#[test]
fn a_seed_is_a_run() {
    for seed in 0..5 {
        let here = trace(seed);
        assert_eq!(here, trace(seed), "seed {seed}");
        assert_eq!(format!("{here:016x}"), trace_elsewhere(seed), "seed {seed}, in another process");
    }
    assert_ne!(trace(0), trace(1));
}

#[test]
fn a_story_is_told_and_told_alike() {
    let order = Order { harm_ms: 120_000, tells: true, ..Order::of(3) };
    let (a, b) = (run(&order), run(&order));
    assert!(a.story.lines.len() > 20);
    assert_eq!(a.story.told(usize::MAX), b.story.told(usize::MAX));
}
