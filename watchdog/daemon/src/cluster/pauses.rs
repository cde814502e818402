//! Pauses: what must not be healed, kept by the coordination service too, because a journal can be lost.
//!
//! ```text
//! pause, hold:      keep ──► record          resume, release:  record ──► keep without it
//! at every check:   kept and not recorded ──► record it again, and say so
//!                   recorded and not kept ──► keep it
//! ```
//!
//! So a crash between two writes, a journal that is away, and one from an old backup all leave a pause too many at
//! worst, which `resume` ends.

use std::collections::BTreeMap;

use watchdog_core::history::{History, Pause};
use watchdog_core::ids::Time;
use watchdog_core::record::Body;
use watchdog_membership::pauses::{self, PausesError};
use watchdog_membership::records::{PauseRecord, PausesRecord};
use watchdog_membership::term::{Lost, Term, TermError};

use crate::cluster::audit::Order;
use crate::cluster::lead::{Lead, Stop};
use crate::cluster::operator::{Act, Denial, Wish};
use crate::cluster::world::{SharedWorld, World};

/// So many holds are kept at once: they stand in one node, which has a largest size.
const HOLDS_MAX: usize = 1_000;

/// Reads what an earlier leader kept; what can't be read is a pause, because nobody knows that it is none.
///
/// # Errors
///
/// When the coordination service does not answer.
pub(crate) async fn read(term: &Term, world: &SharedWorld) -> Result<(), PausesError> {
    let kept = match pauses::kept(term).await {
        Ok(kept) => kept,
        Err(PausesError::Record { source }) => {
            let reason = format!("what was paused before can't be read ({source}); `resume` ends this");
            let cluster = Some(PauseRecord { by: "watchdog".to_owned(), reason, until_ms: None });
            PausesRecord { cluster, ..PausesRecord::default() }
        }
        Err(error) => return Err(error),
    };
    world.lock().kept = kept;
    Ok(())
}

/// What is to be kept after `bodies`, which `by` ordered.
fn after(kept: &PausesRecord, bodies: &[Body], by: &str) -> PausesRecord {
    let mut kept = kept.clone();
    let pause = |reason: &str, until: Option<Time>| PauseRecord {
        by: by.to_owned(),
        reason: reason.to_owned(),
        until_ms: until.map(|until| until.0),
    };
    for body in bodies {
        match body {
            Body::Paused { reason, until } => kept.cluster = Some(pause(reason, *until)),
            Body::Resumed => kept.cluster = None,
            Body::Held { target, reason, until } => {
                kept.holds.insert(target.clone(), pause(reason, *until));
            }
            Body::Released { target } => {
                kept.holds.remove(target);
            }
            _ => {}
        }
    }
    kept
}

/// A pause as the history has it.
pub(crate) fn pause(record: &PauseRecord) -> Pause {
    Pause { by: record.by.clone(), reason: record.reason.clone(), until: record.until_ms.map(Time) }
}

fn kept_as(pause: &Pause) -> PauseRecord {
    let Pause { by, reason, until } = pause.clone();
    PauseRecord { by, reason, until_ms: until.map(|until| until.0) }
}

/// What stands at `now` of what is recorded and what is kept; where both say something, the record does.
fn both(kept: &PausesRecord, history: &History, now: Time) -> PausesRecord {
    let stands = |record: &PauseRecord| pause(record).stands(now);
    let recorded = history.pause.as_ref().filter(|pause| pause.stands(now)).map(kept_as);
    let cluster = recorded.or_else(|| kept.cluster.clone().filter(stands));
    let mut holds: BTreeMap<String, PauseRecord> = kept.holds.clone();
    holds.retain(|_, hold| stands(hold));
    for (target, hold) in history.holds.iter().filter(|(_, hold)| hold.stands(now)) {
        if holds.len() < HOLDS_MAX || holds.contains_key(target) {
            holds.insert(target.clone(), kept_as(hold));
        }
    }
    PausesRecord { cluster, holds, ..PausesRecord::default() }
}

/// What is kept and not recorded: by whom it was ordered, and what must be written.
fn unrecorded(kept: &PausesRecord, history: &History, now: Time) -> Vec<(String, Body)> {
    let mut bodies = Vec::new();
    let is_recorded = |pause: Option<&Pause>| pause.is_some_and(|pause| pause.stands(now));
    if let Some(record) = kept.cluster.as_ref().filter(|record| pause(record).stands(now))
        && !is_recorded(history.pause.as_ref())
    {
        let Pause { by, reason, until } = pause(record);
        bodies.push((by, Body::Paused { reason, until }));
    }
    for (target, record) in kept.holds.iter().filter(|(_, record)| pause(record).stands(now)) {
        if !is_recorded(history.holds.get(target)) {
            let Pause { by, reason, until } = pause(record);
            bodies.push((by, Body::Held { target: target.clone(), reason, until }));
        }
    }
    bodies
}

/// Whether something is to be left alone from now on: that is kept first.
fn begins(bodies: &[Body]) -> bool {
    bodies.iter().any(|body| matches!(body, Body::Paused { .. } | Body::Held { .. }))
}

fn ends(bodies: &[Body]) -> bool {
    bodies.iter().any(|body| matches!(body, Body::Resumed | Body::Released { .. }))
}

/// Whether the record holds what these end, so that it can't be ended without the journal.
fn is_recorded(bodies: &[Body], history: &History) -> bool {
    bodies.iter().any(|body| match body {
        Body::Resumed => history.pause.is_some(),
        Body::Released { target } => history.is_releasable(target),
        _ => true,
    })
}

/// Keeps `kept`, for all to see.
async fn keep(term: &Term, world: &SharedWorld, kept: PausesRecord) -> Result<(), TermError> {
    pauses::keep(term, &kept).await?;
    world.lock().kept = kept;
    Ok(())
}

/// Answers an operator while nothing can be written to the journal: a pause is kept all the same, and so is its end
/// when no journal knows of it.
pub(crate) async fn without_journal(term: &Term, world: &SharedWorld, act: Act, why: &str) {
    let Act { asker, wish, answer } = act;
    let unconfirmed = Err(Denial::Unconfirmed(why.to_owned()));
    let (next, said) = {
        let world = world.lock();
        match &wish {
            Wish::Write { bodies, done } if begins(bodies) => {
                let said =
                    format!("{done}; the coordination service keeps it, the journal is told later ({why})");
                (Some(after(&world.kept, bodies, &asker.name)), said)
            }
            Wish::Write { bodies, done } if ends(bodies) && !is_recorded(bodies, &world.history) => {
                (Some(after(&world.kept, bodies, &asker.name)), done.clone())
            }
            _ => (None, String::new()),
        }
    };
    let done = match next {
        Some(next) if next.holds.len() <= HOLDS_MAX => match keep(term, world, next).await {
            Ok(()) => Ok(said),
            Err(error) => Err(Denial::Unconfirmed(error.to_string())),
        },
        _ => unconfirmed,
    };
    // An operator who has gone will look.
    let _ = answer.send(done);
}

impl Lead {
    /// Writes what an operator ordered; what is to be left alone is kept beside the journal too.
    pub(super) async fn order(
        &mut self,
        order: &Order,
        (bodies, done): (Vec<Body>, String),
    ) -> Result<String, Denial> {
        let next = after(&self.world.lock().kept, &bodies, &order.asker.name);
        if next.holds.len() > HOLDS_MAX {
            let what = format!("{HOLDS_MAX} holds stand already; release some, or pause the cluster");
            return Err(Denial::Refused(what));
        }
        let (begins, ends) = (begins(&bodies), ends(&bodies));
        if begins {
            self.keep(next.clone()).await?;
        }
        match self.write_for(order, bodies).await {
            Ok(()) => {}
            // It stands all the same, and is recorded as soon as the journal takes it.
            Err(Denial::Unconfirmed(why) | Denial::Refused(why)) if begins => {
                return Ok(format!(
                    "{done}; the coordination service keeps it, the journal is told later ({why})"
                ));
            }
            Err(denial) => return Err(denial),
        }
        if ends {
            self.keep(next).await?;
        }
        Ok(done)
    }

    async fn keep(&self, next: PausesRecord) -> Result<(), Denial> {
        let kept = keep(&self.term, &self.world, next).await;
        kept.map_err(|error| match error {
            TermError::Deposed { .. } => Denial::NotLeader,
            error => Denial::Unconfirmed(error.to_string()),
        })
    }

    /// Makes record and coordination service say the same of what is to be left alone; false when one of them did not
    /// take it, so that nothing may be decided yet.
    pub(crate) async fn settle_pauses(&mut self) -> Result<bool, Stop> {
        let now = self.books.now();
        let (kept, both, lost) = {
            let world = self.world.lock();
            let World { kept, history, .. } = &*world;
            (kept.clone(), both(kept, history, now), unrecorded(kept, history, now))
        };
        if kept != both {
            match keep(&self.term, &self.world, both).await {
                Ok(()) => {}
                Err(TermError::Deposed { .. }) => return Err(Stop::Lost(Lost::Deposed)),
                Err(error) => {
                    tracing::warn!(%error, "can't keep beside the journal what is paused; asking again");
                    return Ok(false);
                }
            }
        }
        for (by, body) in lost {
            let message = again(&by, &body);
            tracing::warn!(by, "{message}");
            if !self.write_again(&by, vec![body]).await? {
                return Ok(false);
            }
            let told = Body::Escalated { subject: None, message };
            if self.record(vec![told]).await?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes entries under the name of who ordered them first.
    async fn write_again(&mut self, by: &str, bodies: Vec<Body>) -> Result<bool, Stop> {
        match self.books.write(self.term.epoch(), by, bodies).await {
            Ok(_) => Ok(true),
            Err(error) => self.journal_failed(error).map(|()| false),
        }
    }
}

/// What is told of a pause that the journal did not hold.
fn again(by: &str, body: &Body) -> String {
    let what = match body {
        Body::Held { target, reason, .. } => format!("the hold of {target} by {by} ({reason})"),
        Body::Paused { reason, .. } => format!("the pause by {by} ({reason})"),
        _ => "an order".to_owned(),
    };
    let end = if matches!(body, Body::Held { .. }) { "release" } else { "resume" };
    format!(
        "{what} was not in the journal, and the coordination service kept it: it stands, and is recorded again; `{end}` ends it"
    )
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
mod tests {
    use super::*;

    fn paused(reason: &str, until: Option<u64>) -> Body {
        Body::Paused { reason: reason.to_owned(), until: until.map(Time) }
    }

    fn held(target: &str) -> Body {
        Body::Held { target: target.to_owned(), reason: "disk".to_owned(), until: None }
    }

    fn released(target: &str) -> Body {
        Body::Released { target: target.to_owned() }
    }

    fn kept(bodies: &[Body]) -> PausesRecord {
        after(&PausesRecord::default(), bodies, "ann")
    }

    fn recorded(bodies: &[Body]) -> History {
        let entry = |(index, body): (usize, &Body)| watchdog_core::record::Entry {
            sequence: watchdog_core::ids::Sequence(index as u64 + 1),
            at: Time(1),
            epoch: watchdog_core::ids::Epoch(1),
            by: "ann".to_owned(),
            body: body.clone(),
        };
        let entries: Vec<_> = bodies.iter().enumerate().map(entry).collect();
        History::replay(&entries)
    }

    #[test]
    fn what_is_kept_follows_the_orders() {
        let all = kept(&[paused("racks", None), held("demo-a"), held("h1")]);
        assert_eq!(all.cluster.as_ref().unwrap().reason, "racks");
        assert_eq!(all.holds.keys().collect::<Vec<_>>(), ["demo-a", "h1"]);
        let fewer = after(&all, &[Body::Resumed, released("demo-a")], "bob");
        assert_eq!((fewer.cluster, fewer.holds.len()), (None, 1));
        // Ordered again it is as it was ordered last.
        let again = after(&all, &[paused("disks", Some(9))], "bob");
        let cluster = again.cluster.unwrap();
        assert_eq!((cluster.by.as_str(), cluster.reason.as_str()), ("bob", "disks"));
        assert_eq!(cluster.until_ms, Some(9));
    }

    #[test]
    fn a_pause_stands_when_either_of_the_two_has_it() {
        let (pause, hold) = (paused("racks", None), held("demo-a"));
        let table = [
            // kept | recorded | to be recorded again | kept after that
            (vec![], vec![], 0, vec![]),
            (vec![pause.clone()], vec![pause.clone()], 0, vec![pause.clone()]),
            (vec![pause.clone()], vec![], 1, vec![pause.clone()]),
            (vec![], vec![pause.clone()], 0, vec![pause.clone()]),
            (vec![pause.clone(), hold.clone()], vec![hold.clone()], 1, vec![pause.clone(), hold.clone()]),
            (vec![hold.clone()], vec![pause.clone()], 1, vec![pause.clone(), hold.clone()]),
            // A crash between the two writes of `resume`: it stands, and can be ended again.
            (vec![pause.clone()], vec![pause.clone(), Body::Resumed], 1, vec![pause.clone()]),
            // What is over by itself is neither recorded again nor kept on.
            (vec![paused("racks", Some(10))], vec![], 0, vec![]),
            (vec![paused("racks", Some(21))], vec![], 1, vec![paused("racks", Some(21))]),
            // The record says it more exactly.
            (vec![paused("old", None)], vec![paused("new", None)], 0, vec![paused("new", None)]),
            (vec![pause.clone()], vec![paused("x", Some(10))], 1, vec![pause]),
        ];
        let now = Time(20);
        for (row, (here, there, again, expected)) in table.into_iter().enumerate() {
            let (here, there) = (kept(&here), recorded(&there));
            assert_eq!(unrecorded(&here, &there, now).len(), again, "row {row}");
            assert_eq!(both(&here, &there, now), kept(&expected), "row {row}");
            // Once recorded, there is nothing to do any more.
            let mut after = there;
            for (by, body) in unrecorded(&here, &after.clone(), now) {
                let (sequence, epoch) = (after.through.next(), watchdog_core::ids::Epoch(1));
                after.apply(&watchdog_core::record::Entry { sequence, at: Time(19), epoch, by, body });
            }
            assert!(unrecorded(&both(&here, &after, now), &after, now).is_empty(), "row {row}");
        }
    }

    #[test]
    fn without_a_journal_only_what_it_does_not_hold_is_ended() {
        let history = recorded(&[paused("racks", None), held("demo-a")]);
        assert!(is_recorded(&[Body::Resumed], &history));
        assert!(is_recorded(&[released("demo-a")], &history));
        assert!(!is_recorded(&[released("demo-b")], &history));
        assert!(!is_recorded(&[Body::Resumed], &History::default()));
        assert!(begins(&[held("x")]) && !begins(&[Body::Resumed]));
        assert!(ends(&[Body::Resumed]) && !ends(&[Body::StormReleased { reason: String::new() }]));
    }
}
