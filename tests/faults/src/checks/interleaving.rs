//! Interleaving: at one agent, an act of an older epoch never lands after one of a newer one.

use crate::history::History;
use crate::ledger::Begun;

/// See the module.
pub fn check(history: &History) -> Vec<String> {
    let hosts = history.ledgers.iter().map(|(host, ledger)| (format!("host agent {host}"), &ledger.begun));
    let embedded = history
        .embedded
        .iter()
        .map(|((host, replica), begun)| (format!("agent in {replica} on {host}"), begun));
    hosts.chain(embedded).flat_map(|(agent, begun)| stale(&agent, begun)).collect()
}

fn stale(agent: &str, begun: &[Begun]) -> Vec<String> {
    let mut newest = 0;
    let mut complaints = Vec::new();
    for step in begun {
        if step.epoch < newest {
            let Begun { step, epoch, act, .. } = step;
            complaints
                .push(format!("{agent} began {act} {step} of epoch {epoch} after a step of epoch {newest}"));
        }
        newest = newest.max(step.epoch);
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    #[test]
    fn an_older_epoch_after_a_newer_one_is_seen() {
        let mut history = scene::quiet();
        assert_eq!(check(&history), [""; 0]);
        scene::begin(&mut history, "h1", ("kill", "1-9-1"));
        assert_eq!(check(&history).len(), 1, "the scene's last step there is of epoch 2");

        let mut history = scene::quiet();
        let log = history.embedded.entry(("h1".into(), "demo-a".into())).or_default();
        log.extend([scene::begun("load", "3-1-1"), scene::begun("load", "2-1-1")]);
        assert_eq!(check(&history).len(), 1);
    }
}
