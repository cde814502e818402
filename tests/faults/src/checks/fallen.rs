//! Fallen: no watchdog ends by itself, no host agent but for a disk that it can't trust, and nobody panics.

use crate::fault::Kind;
use crate::history::History;
use crate::nemesis::Fallen;

/// A full disk is noticed at the next write, and its agent's end a moment later.
const ECHO_MS: u64 = 5_000;

/// See the module.
pub(super) fn check(history: &History) -> Vec<String> {
    let full = |fallen: &Fallen| {
        let mut acts = history.acts.iter().filter(|act| act.kind == Kind::AgentDiskFull);
        acts.any(|act| {
            let ended = act.to_ms.is_none_or(|to| fallen.at_ms <= to + ECHO_MS);
            act.target == fallen.name && act.from_ms <= fallen.at_ms && ended
        })
    };
    let ours = |fallen: &&Fallen| fallen.name.starts_with(['w', 'h']);
    let fallen = history.fallen.iter().filter(ours).filter(|fallen| !full(fallen));
    let ended = fallen.map(|Fallen { name, at_ms }| format!("{name} ended by itself before {at_ms}"));
    ended.chain(history.panics.iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    #[test]
    fn who_ends_by_itself_is_seen() {
        let mut history = scene::quiet();
        assert_eq!(check(&history), [""; 0]);
        let fallen = |name: &str| Fallen { name: name.to_owned(), at_ms: 7 };
        history.fallen = vec![fallen("db"), fallen("w1"), fallen("h1")];
        assert_eq!(check(&history).len(), 2, "the database is not ours");
        history.acts.push(scene::act(Kind::AgentDiskFull, "h1", None));
        assert_eq!(check(&history).len(), 1);
        history.panics.push("w2: panicked at".to_owned());
        assert_eq!(check(&history).len(), 2);
    }
}
