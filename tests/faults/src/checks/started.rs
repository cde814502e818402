//! Started: no process of a replica runs that no recorded plan has started.

use std::collections::BTreeSet;

use watchdog_core::plan::Act;

use crate::history::History;

/// See the module.
pub(super) fn check(history: &History) -> Vec<String> {
    let started: BTreeSet<String> = history
        .steps()
        .values()
        .filter_map(|step| match &step.act {
            Act::Start { incarnation, .. } => Some(incarnation.to_string()),
            _ => None,
        })
        .collect();
    let strangers = history.lives.iter().filter(|life| !started.contains(&life.incarnation));
    let mut complaints: Vec<String> = strangers
        .map(|life| {
            format!("{} ({}) ran on {}, and no plan starts it", life.replica, life.incarnation, life.host)
        })
        .collect();
    let heard = history.customer.heard.iter().filter(|(incarnation, _)| !started.contains(*incarnation));
    complaints.extend(heard.map(|(incarnation, heard)| {
        format!("a customer was answered by {} ({incarnation}), whom no plan starts", heard.replica)
    }));
    complaints
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    #[test]
    fn a_stranger_is_seen() {
        let mut history = scene::quiet();
        assert_eq!(check(&history), [""; 0]);
        history.lives[0].incarnation = scene::OTHER.to_owned();
        assert_eq!(check(&history).len(), 1);
        history.customer.heard.insert(scene::OTHER.to_owned(), crate::customer::Heard::default());
        assert_eq!(check(&history).len(), 2);
    }
}
