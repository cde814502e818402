//! Mutants: each removal of a safeguard is noticed by the audit that belongs to it, and by that one first.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use watchdog_sim::command::kill_within;
use watchdog_sim::mutant::Safeguard;

#[test]
fn each_mutant_is_killed_by_its_own_audit() {
    let known: Vec<Vec<&str>> =
        include_str!("mutants.txt").lines().map(|line| line.split_whitespace().collect()).collect();
    let mut complaints = Vec::new();
    for mutant in Safeguard::ALL {
        let line = known.iter().find(|line| line.first() == Some(&mutant.word()));
        let seed = line.map_or(0, |line| line[1].parse().unwrap());
        let is_rare = line.is_some_and(|line| line.get(2) == Some(&"rare"));
        // A change of the core moves what a seed does; then a few others are tried.
        let killed = kill_within(*mutant, [seed].into_iter().chain(0..if is_rare { 0 } else { 12 }));
        match killed.as_ref().map_or("nobody", |(_, audit)| audit.as_str()) {
            // `watchdog-sim mutants` searches on.
            "nobody" if is_rare => eprintln!("note: {} hides; write mutants.txt anew", mutant.word()),
            by if by == mutant.audit() => {}
            by => complaints.push(format!("{}: killed by {by} instead of {}", mutant.word(), mutant.audit())),
        }
    }
    assert!(
        complaints.is_empty(),
        "{} of {}:\n{}",
        complaints.len(),
        Safeguard::ALL.len(),
        complaints.join("\n")
    );
}

#[test]
fn there_are_enough_of_them_and_their_words_are_theirs_alone() {
    assert!(Safeguard::ALL.len() >= 25);
    for mutant in Safeguard::ALL {
        assert_eq!(Safeguard::named(mutant.word()), Some(*mutant));
    }
}
