//! Difference cost: what the difference of two states of 100,000 keys costs, `cargo run --release -p watchdog-core --example difference_cost`.
//!
//! A load is made by the changes between its two versions, which the log has; states are compared where it has not.
#![expect(clippy::disallowed_methods, reason = "the core is told the time; whoever measures it is not")]

use std::hint::black_box;
use std::process::ExitCode;
use std::time::Instant;

use serde_json::{Value, json};
use watchdog_core::change::Change;
use watchdog_core::difference::Difference;
use watchdog_core::state::{Key, KeyError, State};

const KEYS: usize = 100_000;
const CHANGES: usize = 100;
const ROUNDS: usize = 30;
const GOAL_MS: f64 = 5.0;

/// An index as a value of some shape.
type Shape = fn(usize) -> Value;

fn main() -> Result<ExitCode, KeyError> {
    let shapes: [(&str, Shape); 3] = [
        ("numbers", |index| json!(index)),
        ("texts", |index| json!(format!("s3://models/fraud/{index:08}"))),
        ("objects", |index| json!({"revision": index, "uri": "s3://models/fraud", "threshold": 0.75})),
    ];
    println!("difference of two states of {KEYS} keys with {CHANGES} changes between, goal ≤ {GOAL_MS} ms");
    let mut reached = true;
    for (name, shape) in shapes {
        let (from, to, changes) = states(shape)?;
        let by_changes = median_ms(|| Difference::of_changes(black_box(&changes)));
        let by_states = median_ms(|| black_box(&from).difference(black_box(&to)));
        let verdict = if by_changes <= GOAL_MS { "ok" } else { "MISSED" };
        println!(
            "{name:>8}: {by_changes:>6.3} ms by the changes, {verdict}; {by_states:>6.2} ms by comparing both states"
        );
        reached &= by_changes <= GOAL_MS;
    }
    Ok(if reached { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn median_ms(find: impl Fn() -> Difference) -> f64 {
    let mut took: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let begin = Instant::now();
            let difference = find();
            let took = begin.elapsed();
            assert_eq!(difference.0.len(), CHANGES, "each change is found");
            took.as_secs_f64() * 1e3
        })
        .collect();
    took.sort_by(f64::total_cmp);
    took[ROUNDS / 2]
}

/// A state, another in which a third of the changes are new values, a third removals and a third additions, and these.
fn states(shape: Shape) -> Result<(State, State, Vec<Change>), KeyError> {
    let key = |index: usize| Key::new(format!("model/m-{index}"));
    let mut from = State::default();
    for index in 0..KEYS {
        from.apply(&key(index)?, Some(&shape(index)));
    }
    let (mut to, mut changes) = (from.clone(), Vec::new());
    for change in 0..CHANGES {
        let index = change * (KEYS / CHANGES);
        let change = match change % 3 {
            0 => Change::of(&to, key(index)?, Some(shape(KEYS + index))),
            1 => Change::of(&to, key(index)?, None),
            _ => Change::of(&to, key(KEYS + index)?, Some(shape(index))),
        };
        to.apply(&change.key, change.after.as_ref());
        changes.push(change);
    }
    Ok((from, to, changes))
}
