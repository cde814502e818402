//! Record: no entry is missing, and none of an older term stands behind one of a newer.

use crate::history::History;

/// See the module.
pub(super) fn check(history: &History) -> Vec<String> {
    let mut complaints = Vec::new();
    let (mut epoch, mut place) = (0, 0);
    for entry in &history.entries {
        if entry.epoch.0 < epoch {
            complaints.push(format!(
                "entry {} of epoch {} stands behind one of epoch {epoch}",
                entry.sequence, entry.epoch
            ));
        }
        if entry.sequence.0 != place + 1 {
            complaints.push(format!("after entry {place} comes entry {}", entry.sequence));
        }
        (epoch, place) = (entry.epoch.0.max(epoch), entry.sequence.0);
    }
    if place == 0 {
        complaints.push("the record is empty".to_owned());
    }
    complaints
}

#[cfg(test)]
mod tests {
    use watchdog_core::ids::Epoch;

    use super::super::scene;
    use super::*;

    #[test]
    fn gaps_and_older_terms_are_seen() {
        let history = scene::quiet();
        assert_eq!(check(&history), [""; 0]);
        let mut gap = history.clone();
        gap.entries.remove(1);
        assert_eq!(check(&gap).len(), 1);
        let mut older = history.clone();
        if let Some(last) = older.entries.last_mut() {
            last.epoch = Epoch(1);
        }
        assert_eq!(check(&older).len(), 1);
        assert_eq!(check(&History::default()).len(), 1, "nothing proves nothing");
    }
}
