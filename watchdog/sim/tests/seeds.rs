//! Seeds: fresh ones in both modes, and those of `seeds.txt`.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use watchdog_sim::run::{Mode, Order, PERMANENT_KINDS, run};

fn order(mode: &str, seed: u64, minutes: u64) -> Order {
    let mode = if mode == "liveness" { Mode::Liveness(seed % PERMANENT_KINDS) } else { Mode::Safety };
    Order { mode, harm_ms: minutes * 60_000, ..Order::of(seed) }
}

fn holds(order: &Order, why: &str) {
    if let Some(violation) = run(order).violation {
        let mode = if order.mode == Mode::Safety { "" } else { " --mode liveness" };
        let again = format!("watchdog-sim --seed {}{mode} --minutes {}", order.seed, order.harm_ms / 60_000);
        panic!("{}: {} ({why}); for the story: {again}", violation.audit, violation.what);
    }
}

#[test]
fn fresh_seeds_break_nothing() {
    for seed in 0..24 {
        holds(&order("safety", seed, 10), "fresh");
    }
    for seed in 0..2 * PERMANENT_KINDS {
        holds(&order("liveness", seed, 5), "fresh, with one thing broken for ever");
    }
}

#[test]
fn old_seeds_break_nothing_new() {
    for line in include_str!("seeds.txt").lines().filter(|line| line.starts_with("fine ")) {
        let mut words = line.split_whitespace().skip(1);
        let mode = words.next().unwrap();
        let (seed, minutes) =
            (words.next().unwrap().parse().unwrap(), words.next().unwrap().parse().unwrap());
        holds(&order(mode, seed, minutes), line);
    }
}

#[test]
fn without_harm_a_cluster_is_founded_and_rests() {
    for seed in 0..20 {
        let outcome = run(&order("safety", seed, 0));
        assert_eq!(outcome.violation, None, "seed {seed}");
        assert_eq!((outcome.figures.converged, outcome.figures.false_heals), (1, 0), "seed {seed}");
    }
}
