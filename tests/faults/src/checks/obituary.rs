//! Obituary: who is declared dead is dead.

use crate::history::History;

/// Both sides read the same clock, but not at the same instant.
const SLACK_MS: u64 = 100;

/// See the module.
pub(super) fn check(history: &History) -> Vec<String> {
    let mut complaints = Vec::new();
    for dead in history.ledgers.values().flat_map(|ledger| &ledger.dead) {
        let lives = history.lives.iter().filter(|life| life.incarnation == dead.incarnation);
        for life in lives.filter(|life| life.died_ms.is_none_or(|died| died > dead.at_ms + SLACK_MS)) {
            let until = life.died_ms.map_or("to the end".to_owned(), |died| format!("until {died}"));
            complaints.push(format!(
                "{} ({}) was declared dead at {} ({}) and ran {until}",
                dead.replica, dead.incarnation, dead.at_ms, dead.status
            ));
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;
    use crate::ledger::Dead;

    #[test]
    fn a_living_dead_is_seen() {
        let mut history = scene::quiet();
        assert_eq!(check(&history), [""; 0]);
        let life = history.lives[0].clone();
        let dead = Dead {
            replica: life.replica,
            incarnation: life.incarnation,
            status: "unknown".into(),
            at_ms: life.born_ms,
        };
        history.ledgers.entry("h1".into()).or_default().dead.push(dead);
        assert_eq!(check(&history).len(), 1);
    }
}
