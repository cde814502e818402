//! Replay: every input that is kept, and some thousands of mutations of them, on each target.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use watchdog_fuzz::campaign::{Order, run_campaign};
use watchdog_fuzz::corpus::{self, AWAITING, CORPUS, CRASHES};
use watchdog_fuzz::run::{Outcome, run, thread_time, time_max};
use watchdog_fuzz::supervise::seeds;
use watchdog_fuzz::target::{Target, Verdict};
use watchdog_fuzz::{awaiting, targets};

/// Executions of each target, the slowest of which takes a millisecond without optimisation.
const EXECUTIONS: u64 = 2_000;

/// The targets in two halves, so that two processors have something to do.
fn halves() -> [Vec<&'static Target>; 2] {
    let (even, odd): (Vec<_>, Vec<_>) =
        targets::ALL.iter().enumerate().partition(|(index, _)| index % 2 == 0);
    [even, odd].map(|half| half.into_iter().map(|(_, target)| target).collect())
}

#[test]
fn there_are_enough_targets_and_each_has_a_corpus() {
    assert!(targets::ALL.len() >= 18, "etcd has 18 fuzzers");
    for target in targets::ALL {
        let corpus = corpus::load(CORPUS, target.name).unwrap();
        assert!(!corpus.is_empty(), "{}: run `cargo run -p watchdog-fuzz -- --write-corpus`", target.name);
        let taken = corpus
            .iter()
            .filter(|(_, input)| matches!(run(target, input).0, Outcome::Answered(Verdict::Taken(_))));
        assert!(taken.count() > 0, "{}: nothing of its corpus is understood", target.name);
    }
}

#[test]
fn nothing_that_is_kept_panics_or_takes_long() {
    for target in targets::ALL {
        for kind in [CORPUS, CRASHES] {
            for (name, input) in corpus::load(kind, target.name).unwrap() {
                match run(target, &input).0 {
                    Outcome::Answered(_) => {}
                    Outcome::Panicked(said) if awaiting::is_known(target.name, &said) => {}
                    bad => panic!("{kind}/{}/{name}: {bad:?}", target.name),
                }
            }
        }
    }
}

#[test]
fn what_waits_to_be_mended_still_shows() {
    // Overflows are only checked in builds for tests.
    let checked = |bug: &&awaiting::Bug| cfg!(debug_assertions) || !bug.says.contains("overflow");
    for bug in awaiting::BUGS.iter().filter(checked) {
        let target = targets::named(bug.target).unwrap();
        let input = std::fs::read(corpus::directory(AWAITING, bug.target).join(bug.input)).unwrap();
        let (outcome, _) = run(target, &input);
        let shows = matches!(&outcome, Outcome::Panicked(said) if said.contains(bug.says));
        assert!(
            shows,
            "{}/{} is mended: move it to crashes/ and its row out of awaiting.rs",
            bug.target, bug.input
        );
    }
}

fn mutations_hold(half: &[&'static Target]) {
    for target in half {
        let order = Order { seed: 7, executions: EXECUTIONS };
        let report = run_campaign(target, seeds(target).unwrap(), order, |_, _| {});
        if let Some((kind, (input, outcome))) = report.findings.first_key_value() {
            let path = corpus::keep(CRASHES, target.name, input).unwrap();
            panic!("{kind}: {outcome:?}; the input is kept as {}", path.display());
        }
    }
}

#[test]
fn mutations_of_half_of_the_targets_hold() {
    mutations_hold(&halves()[0]);
}

#[test]
fn mutations_of_the_other_half_hold() {
    mutations_hold(&halves()[1]);
}

#[test]
fn the_same_seed_does_the_same() {
    for target in [&targets::goal_files::JSON, &targets::agent_orders::HOST] {
        let run_once = |seed| {
            let mut inputs = Vec::new();
            let order = Order { seed, executions: 200 };
            run_campaign(target, seeds(target).unwrap(), order, |_, input| inputs.push(input.to_vec()));
            inputs
        };
        assert_eq!(run_once(3), run_once(3));
        assert_ne!(run_once(3), run_once(4));
    }
}

#[test]
fn a_bug_would_be_found() {
    let broken = Target {
        name: "broken",
        fuzz: |bytes| match std::str::from_utf8(bytes) {
            Ok(text) if text.contains("\"restart\":tru") && text.len() % 7 == 3 => panic!("a bug"),
            _ => Verdict::Taken(String::new()),
        },
        ..targets::goal_files::JSON
    };
    let order = Order { seed: 1, executions: 2_000 };
    let report = run_campaign(&broken, (broken.samples)(), order, |_, _| {});
    assert_eq!(report.findings.len(), 1, "{:?}", report.findings.keys());

    let slow = Target {
        name: "slow",
        fuzz: |bytes| {
            let began = thread_time();
            while thread_time().saturating_sub(began) <= time_max(bytes.len()) {}
            Verdict::Taken(String::new())
        },
        ..targets::goal_files::JSON
    };
    let (outcome, took) = run(&slow, b"{}");
    assert!(matches!(outcome, Outcome::Slow(_)), "{took:?}");
}

#[test]
fn large_inputs_take_time_by_their_length() {
    let names =
        |count: usize| (0..count).map(|number| format!("\"r{number}\"")).collect::<Vec<_>>().join(",");
    let keys =
        |count: usize| (0..count).map(|number| format!("\"k{number}\":1")).collect::<Vec<_>>().join(",");
    let word = "x".repeat(200_000);
    let reply = watchdog_proto::admin::Done { message: word.clone() };
    let mut done = vec![15];
    done.extend(prost::Message::encode_to_vec(&reply));
    let table = [
        (
            &targets::goal_files::JSON,
            format!("{{\"rollout\":{{\"canary\":[{}]}}}}", names(60_000)).into_bytes(),
        ),
        (
            &targets::goal_files::JSON,
            format!("{{\"set\":{{\"a/b\":{{{0},{0}}}}}}}", keys(60_000)).into_bytes(),
        ),
        (&targets::goal_files::TOML, format!("remove = [{}]", names(60_000)).into_bytes()),
        (&targets::names::TARGET, word.into_bytes()),
        (&targets::admin_replies::TARGET, done),
    ];
    for (target, input) in table {
        let (outcome, took) = run(target, &input);
        assert!(
            matches!(outcome, Outcome::Answered(_)),
            "{}: {took:?} for {} bytes",
            target.name,
            input.len()
        );
    }
}
