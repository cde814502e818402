//! News: what is recorded of refusals: not all that stand, but what changed since the last time.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::Subject;
use crate::record::Body;

use super::{Reason, Refusal};

/// One entry tells of so many refusals in full; the others are counted by kind.
const TOLD_MAX: usize = 100;

/// So many bytes of them, as JSON, at most.
const TOLD_BYTES_MAX: usize = 32 * 1024;

/// What makes one refusal another than the next: whom it concerns, and its kind. Times and counts in it may move.
type Gist<'a> = (Option<&'a Subject>, &'static str);

/// What is to be recorded when `new` stand where `old` stood; `None` when nothing changed that is worth it.
pub fn of(old: &[Refusal], new: &[Refusal]) -> Option<Body> {
    let (before, now) = (gists(old), gists(new));
    if before == now {
        return None;
    }
    let mut over = BTreeMap::new();
    for (_, kind) in before.difference(&now) {
        *over.entry((*kind).to_owned()).or_default() += 1;
    }
    let (mut refusals, mut more, mut bytes) = (Vec::new(), BTreeMap::new(), 0);
    // Of several that say the same of the same one, as of vetoes, each is told.
    for refusal in new.iter().filter(|refusal| is_news(refusal) && !before.contains(&gist(refusal))) {
        let length = serde_json::to_string(refusal).map_or(TOLD_BYTES_MAX, |text| text.len());
        if refusals.len() < TOLD_MAX && bytes + length <= TOLD_BYTES_MAX {
            bytes += length;
            refusals.push(refusal.clone());
        } else {
            *more.entry(refusal.reason.word().to_owned()).or_default() += 1;
        }
    }
    Some(Body::Refused { refusals, more, over, standing: now.len() as u64 })
}

fn gists(refusals: &[Refusal]) -> BTreeSet<Gist<'_>> {
    refusals.iter().filter(|refusal| is_news(refusal)).map(gist).collect()
}

fn gist(refusal: &Refusal) -> Gist<'_> {
    (refusal.subject.as_ref(), refusal.reason.word())
}

/// That a plan deals with a replica, or the next one will, stands in the record already, as the plan.
fn is_news(refusal: &Refusal) -> bool {
    !matches!(refusal.reason, Reason::PlanOpen { .. } | Reason::PlanFull { .. })
}
