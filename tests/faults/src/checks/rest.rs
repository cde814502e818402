//! Rest: once the faults are over, everything heals in a bounded time, and nothing is left open.

use crate::history::History;

/// See the module.
pub(super) fn check(history: &History) -> Vec<String> {
    history.still_open.iter().map(|what| format!("the cluster did not come to rest: {what}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_open_is_seen() {
        let mut history = History::default();
        assert_eq!(check(&history), [""; 0]);
        history.still_open = Some("plan 3-1".into());
        assert_eq!(check(&history).len(), 1);
    }
}
