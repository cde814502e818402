//! Unasked: no replica dies without a step, a crash that was declared, an expired lease, or the nemesis.

use std::collections::BTreeSet;

use watchdog_core::record::Body;

use crate::fault::Kind;
use crate::history::History;
use crate::operator::Declared;
use crate::site::{EXCLUSIVE, EXCLUSIVE_LEASE_MS};
use crate::witness::Life;

/// A replica that was declared dead leaves by itself, because somebody may already run in its place.
const DECLARED_DEAD: &str = "exit 86";
/// How a rehearsed crash ends, as its parent sees it, or an agent that has adopted it.
const CRASHES: [&str; 2] = ["signal 6 (SIGABRT)", "unknown"];
/// A crash may be seen so long after the goal that brought it has ended.
const ECHO_MS: u64 = 5_000;

/// See the module.
pub(super) fn check(history: &History) -> Vec<String> {
    let killed: BTreeSet<&str> = history
        .ledgers
        .values()
        .flat_map(|ledger| &ledger.begun)
        .filter(|begun| begun.act == "kill")
        .map(|begun| begun.incarnation.as_str())
        .collect();
    let hit: BTreeSet<&str> = history
        .acts
        .iter()
        .filter(|act| act.kind == Kind::KillReplica)
        .filter_map(|act| act.incarnation.as_deref())
        .collect();
    let explained = |life: &Life, died: u64| {
        killed.contains(life.incarnation.as_str())
            || hit.contains(life.incarnation.as_str())
            || status(history, life) == Some(DECLARED_DEAD)
            || was_to_crash(history, life, died)
            || lease_ran_out(history, life, died)
    };
    let died = history.lives.iter().filter_map(|life| Some((life, life.died_ms?)));
    let unasked = died.filter(|(life, died)| !explained(life, *died));
    unasked
        .map(|(life, died)| {
            let status = status(history, life).unwrap_or("no obituary");
            format!(
                "{} ({}) died on {} at {died} ({status}), and nobody had asked for it",
                life.replica, life.incarnation, life.host
            )
        })
        .collect()
}

fn status<'a>(history: &'a History, life: &Life) -> Option<&'a str> {
    let dead = history.ledgers.get(&life.host)?.dead.iter();
    dead.into_iter().find(|dead| dead.incarnation == life.incarnation).map(|dead| dead.status.as_str())
}

/// Whether it held a version that was declared to crash on it.
fn was_to_crash(history: &History, life: &Life, died: u64) -> bool {
    let rolled = |goal: &Declared| {
        // Acknowledged or not: one whose answer was lost stands in the record too.
        let ended = history.entries.iter().find(
            |entry| matches!(&entry.body, Body::GoalEnded { goal: ended, .. } if ended.as_str() == goal.name),
        );
        let honest = ended.filter(|entry| !history.clock_was_stepped(&entry.by));
        goal.at_ms <= died && honest.is_none_or(|entry| died <= entry.at.0 + ECHO_MS)
    };
    let crashes = |goal: &&Declared| goal.crashes.as_ref() == Some(&life.replica);
    status(history, life).is_none_or(|status| CRASHES.contains(&status))
        && history.declared.iter().filter(crashes).any(rolled)
}

/// Whether its guardian may have ended it: its host's session was in danger for as long as the lease.
fn lease_ran_out(history: &History, life: &Life, died: u64) -> bool {
    let from = died.saturating_sub(2 * EXCLUSIVE_LEASE_MS);
    let cut_off = history.cut_off.as_ref().is_some_and(|cut| cut.lasted_ms > EXCLUSIVE_LEASE_MS);
    let touches = |act: &&crate::nemesis::Act| {
        let there = act.target == life.host || act.target.starts_with('z');
        there && act.from_ms <= died && act.to_ms.is_none_or(|to| to >= from)
    };
    life.replica == EXCLUSIVE && (cut_off || history.acts.iter().any(|act| touches(&act)))
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    #[test]
    fn a_death_that_nobody_asked_for_is_seen() {
        let mut history = scene::quiet();
        assert_eq!(check(&history), [""; 0], "the scene's first life was killed by a step");
        history.lives[1].died_ms = Some(history.lives[1].born_ms + 1);
        assert_eq!(check(&history).len(), 1);
        let killed = history.lives[1].incarnation.clone();
        history.acts.push(scene::act(Kind::KillReplica, "demo-b", Some(killed)));
        assert_eq!(check(&history), [""; 0]);
    }

    #[test]
    fn only_a_declared_crash_is_a_crash() {
        let mut history = scene::quiet();
        history.lives[1].died_ms = Some(history.lives[1].born_ms + 1);
        let crashes = |whom: &str| Declared {
            at_ms: 0,
            name: "goal-1".into(),
            acknowledged: None,
            crashes: Some(whom.into()),
        };
        history.declared = vec![crashes("demo-c")];
        assert_eq!(check(&history).len(), 1, "on another replica");
        history.declared = vec![crashes("demo-b")];
        assert_eq!(check(&history), [""; 0]);
    }
}
