//! Exclusive: of an exclusive replica two never run at the same time.

use crate::history::History;
use crate::site::EXCLUSIVE;
use crate::witness::Life;

/// See the module.
pub(super) fn check(history: &History) -> Vec<String> {
    let mut lives: Vec<&Life> = history.lives.iter().filter(|life| life.replica == EXCLUSIVE).collect();
    lives.sort_by_key(|life| life.born_ms);
    let mut complaints = Vec::new();
    for (index, later) in lives.iter().enumerate() {
        // Both were seen alive: who was last seen before the other was first seen may well have died in between.
        let both = |earlier: &&&Life| earlier.died_ms.is_none_or(|died| died > later.born_ms);
        complaints.extend(lives[..index].iter().filter(both).map(|earlier| {
            format!(
                "{EXCLUSIVE} ran on {} ({}) and on {} ({}) at {}",
                earlier.host, earlier.incarnation, later.host, later.incarnation, later.born_ms
            )
        }));
    }
    complaints
}

#[cfg(test)]
mod tests {
    use super::super::scene;
    use super::*;

    #[test]
    fn two_at_once_are_seen() {
        let mut history = scene::quiet();
        assert_eq!(check(&history), [""; 0]);
        let mut second = history.lives.iter().find(|life| life.replica == EXCLUSIVE).cloned();
        if let Some(second) = &mut second {
            second.born_ms += 1;
            scene::OTHER.clone_into(&mut second.incarnation);
        }
        history.lives.extend(second);
        assert_eq!(check(&history).len(), 1);
    }
}
