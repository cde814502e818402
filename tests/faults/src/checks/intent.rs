//! Intent: agents do only what stands in the record, as it stands there: this act, by this agent, to this very life.

use std::collections::BTreeMap;

use watchdog_core::plan::Agent;
use watchdog_core::record::Body;

use crate::history::History;

/// See the module.
pub(super) fn check(history: &History) -> Vec<String> {
    let steps = history.steps();
    let intended: BTreeMap<&str, &Agent> = history
        .entries
        .iter()
        .filter_map(|entry| match &entry.body {
            Body::Intended { step, agent, .. } => Some((step.as_str(), agent)),
            _ => None,
        })
        .collect();
    let mut complaints = Vec::new();
    for (host, ledger) in &history.ledgers {
        for begun in &ledger.begun {
            let id = begun.step.as_str();
            let Some((step, agent)) = steps.get(id).zip(intended.get(id)) else {
                complaints.push(format!("{host} began {} {id}, which nobody intended", begun.act));
                continue;
            };
            let incarnation = step.act.incarnation().map(|it| it.to_string()).unwrap_or_default();
            let here = matches!(agent, Agent::Host(theirs) if theirs.as_str() == host)
                || matches!(agent, Agent::Replica(..));
            if !here || step.act.word() != begun.act || incarnation != begun.incarnation {
                complaints.push(format!(
                    "{host} began {} {id} on {}, but intended was {} on {incarnation} by {agent}",
                    begun.act,
                    begun.incarnation,
                    step.act.word()
                ));
            }
        }
    }
    for ((host, replica), log) in &history.embedded {
        for begun in log {
            let theirs = intended.get(begun.step.as_str());
            if !theirs
                .is_some_and(|agent| matches!(agent, Agent::Replica(name, _) if name.as_str() == replica))
            {
                complaints
                    .push(format!("{replica} on {host} began {}, which nobody intended of it", begun.step));
            }
        }
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    #[test]
    fn an_act_that_nobody_intended_is_seen() {
        let mut history = scene::quiet();
        assert_eq!(check(&history), [""; 0]);
        scene::begin(&mut history, "h1", ("kill", "2-7-1"));
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn the_wrong_process_is_seen() {
        let mut history = scene::quiet();
        let ledger = history.ledgers.entry("h1".into()).or_default();
        ledger.begun[0].incarnation = scene::OTHER.to_owned();
        assert_eq!(check(&history).len(), 1);
    }

    #[test]
    fn the_wrong_agent_is_seen() {
        let mut history = scene::quiet();
        let ledger = history.ledgers.remove("h1").unwrap_or_default();
        history.ledgers.insert("h3".into(), ledger);
        assert_eq!(check(&history).len(), 2);
    }
}
