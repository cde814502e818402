//! Once: no step has effect twice, nor at two agents.

use std::collections::BTreeMap;

use crate::history::History;

/// See the module.
pub(super) fn check(history: &History) -> Vec<String> {
    let mut agents: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (host, ledger) in &history.ledgers {
        for begun in &ledger.begun {
            agents.entry(&begun.step).or_default().push(host.clone());
        }
    }
    for ((host, replica), log) in &history.embedded {
        for begun in log {
            agents.entry(&begun.step).or_default().push(format!("{replica} on {host}"));
        }
    }
    let twice = agents.into_iter().filter(|(_, agents)| agents.len() > 1);
    twice.map(|(step, agents)| format!("step {step} was begun at {}", agents.join(" and at "))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    #[test]
    fn a_step_that_is_begun_again_is_seen() {
        let mut history = scene::quiet();
        assert_eq!(check(&history), [""; 0]);
        scene::begin(&mut history, "h1", ("start", "2-1-2"));
        assert_eq!(check(&history).len(), 1, "at the same agent");
        let mut history = scene::quiet();
        scene::begin(&mut history, "h2", ("start", "2-1-2"));
        assert_eq!(check(&history).len(), 1, "at another one");
    }
}
