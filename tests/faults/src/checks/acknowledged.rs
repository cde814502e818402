//! Acknowledged: nothing that was acknowledged is lost, and the log proves itself.

use std::collections::BTreeSet;

use watchdog_core::record::Body;

use crate::history::History;

/// See the module.
pub(super) fn check(history: &History) -> Vec<String> {
    let recorded: BTreeSet<&str> = history
        .entries
        .iter()
        .filter_map(|entry| match &entry.body {
            Body::GoalDeclared { goal, .. } => Some(goal.as_str()),
            _ => None,
        })
        .collect();
    let acknowledged = history.declared.iter().filter_map(|goal| goal.acknowledged.as_deref());
    let lost = acknowledged.filter(|goal| !recorded.contains(goal));
    let mut complaints: Vec<String> =
        lost.map(|goal| format!("goal {goal} was acknowledged and is not in the record")).collect();
    for entry in &history.entries {
        let told = match &entry.body {
            Body::GoalBegun { to, .. } | Body::Undone { to, .. } | Body::Appended { to, .. } => to.0,
            Body::Marked { version, .. } => version.0,
            _ => 0,
        };
        if told > history.head {
            complaints.push(format!(
                "entry {} tells of version {told}, and the log ends with {}",
                entry.sequence, history.head
            ));
        }
    }
    complaints.extend(history.verify_failed.iter().map(|said| format!("log verify: {said}")));
    complaints
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;
    use crate::operator::Declared;

    #[test]
    fn a_lost_goal_a_short_log_and_a_broken_chain_are_seen() {
        let mut history = scene::quiet();
        assert_eq!(check(&history), [""; 0]);
        history.declared.push(Declared {
            at_ms: 0,
            name: "g".into(),
            acknowledged: Some("g".into()),
            crashes: None,
        });
        assert_eq!(check(&history).len(), 1);
        history.head = 0;
        assert_eq!(check(&history).len(), 2);
        history.verify_failed = Some("entry 3 does not match".into());
        assert_eq!(check(&history).len(), 3);
    }
}
